"""`python -m lrcourse` is the `lrcourse` command."""

import sys

from .cli import main

sys.exit(main())
