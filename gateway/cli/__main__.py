"""Makes `python -m gateway.cli` the same as `lockgate`."""

import sys

from gateway.cli.main import main

sys.exit(main())
