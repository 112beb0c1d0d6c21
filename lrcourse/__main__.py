"""`python -m lrcourse` is the `lrcourse` command."""

import sys

from .course.cli import main

sys.exit(main())
