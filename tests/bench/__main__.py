"""Entry point of `python -m tests.bench`; see command.py."""

import sys

from tests.bench.command import main

sys.exit(main())
