"""`python -m gateway.cli` is `lockgate`."""

import sys

from gateway.cli import main

sys.exit(main())
