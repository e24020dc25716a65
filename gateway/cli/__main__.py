"""`python -m gateway.cli` is `lockgate`."""

import sys

from gateway.cli.command import main

sys.exit(main())
