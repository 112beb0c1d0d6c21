"""The machinery that makes, runs and grades the course. What one imports to train does not need it."""
