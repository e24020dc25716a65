"""Generates the pages of docs/reference about the shop, or reports which of them are stale.

`make docs` writes the pages; `make check` runs this module with `--check`.
"""

import sys

from tests.docs import reference
from tests.shop.docs.pages.limits import render_limits
from tests.shop.docs.pages.openapi import render_openapi
from tests.shop.docs.pages.routes import render_routes

PAGES: reference.Pages = {
    "limits.md": render_limits,
    "openapi.json": render_openapi,
    "routes.md": render_routes,
}


if __name__ == "__main__":
    sys.exit(reference.main(sys.argv[1:], PAGES))
