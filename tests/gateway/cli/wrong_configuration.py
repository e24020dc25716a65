"""A valid configuration of a small package, and the one thing that a case makes wrong in it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

FILE = "prod.toml"
PACKAGE = "acme"
TABLE = Path(__file__).with_name("wrong_configurations.txt")

ISSUER = {"issuer": "https://idp", "audience": "lockgate", "jwks_url": "https://idp/keys"}

CLIENTS = """
from gateway.upstream import PendingCall, ResponseModel, ServiceClient


class Order(ResponseModel):
    id: int


class Orders(ServiceClient, name="orders"):
    def recent(self, user_id: int) -> PendingCall[list[Order]]:
        return self.get("/orders", params={"user_id": user_id}, into=list[Order])


class Users(ServiceClient, name="users"):
    pass
"""

LIMITS = """
from gateway.ratelimit import RateLimit

PAGES = RateLimit("pages", "10/minute")
CHATS = RateLimit("chats", "5/second", per="address")
"""

PAGE = """
from typing import Annotated

from fastapi import APIRouter

from acme.clients import Order, Orders, Users
from acme.limits import PAGES
from gateway.aggregation import Composed, Composite, Part
from gateway.auth import owner, public, requires
from gateway.ratelimit import limited
from gateway.resources import Upstream
from gateway.upstream import PendingCall

router = APIRouter()


def fetch_orders(user_id: int, orders: Upstream[Orders]) -> PendingCall[list[Order]]:
    return orders.recent(user_id)


class Page(Composite, budget=1.0):
    orders: Annotated[list[Order], Part(fetch_orders)] = []


@router.get(
    "/page/{user_id}", dependencies=[requires("page:read"), owner("user_id"), limited(PAGES)]
)
async def get_page(view: Composed[Page], users: Upstream[Users]) -> Page:
    return view
"""

FILES = {
    "__init__.py": "",
    "clients.py": CLIENTS,
    "limits.py": LIMITS,
    "other.py": CLIENTS,
    "composites/__init__.py": "",
    "composites/page.py": PAGE,
    "lockgate.toml": (
        '[upstreams.orders]\nurl = "http://orders.internal"\n'
        '[upstreams.users]\nurl = "http://users.internal"\n'
    ),
}

VARIABLES = {
    "LOCKGATE_APP__PACKAGE": PACKAGE,
    "LOCKGATE_ISSUERS": json.dumps([ISSUER]),
    "LOCKGATE_SERVER__HOST": "127.0.0.1",
}


VALUE_FILES = {
    "no-list.json": "{}",
    "quoted": '"redis://:hunter2@h"\n',
    "no-keys.json": '{"keys": [{"kty": "oct", "kid": "a", "k": "eA"}]}',
}


@dataclass
class Wrong:
    """One wrong configuration, and every line that `lockgate check` prints about it.

    `setting` is what is wrong. `part` is a part of the only line, if `errors` is empty. `text` is
    the file of --config; None means no file. `variables` are added to the environment; one with the
    value None is unset. `files` are added to the package. `options` are those of `lockgate serve`.
    """

    setting: str
    errors: list[str] = field(default_factory=list)
    part: str = ""
    text: str | None = ""
    variables: dict[str, str | None] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write the package, the key files and the file of --config into a folder."""
        for name, text in {**FILES, **self.files}.items():
            path = folder / PACKAGE / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for name, text in VALUE_FILES.items():
            (folder / name).write_text(text)
        (folder / "link").symlink_to("link")
        if self.text is not None:
            (folder / FILE).write_text(self.text, encoding="utf-8")

    def get_variables(self) -> dict[str, str]:
        """Return the variables of the environment."""
        variables = {**VARIABLES, **self.variables}
        return {name: value for name, value in variables.items() if value is not None}

    def list_errors(self, folder: Path) -> list[str]:
        """Return the expected lines, with the path of the working directory for FOLDER."""
        return [error.replace("FOLDER", str(folder)) for error in self.errors]

    def get_config_option(self) -> list[str]:
        """Return the option --config, unless the case has no file."""
        return [] if self.text is None else ["--config", FILE]


def read_cases() -> list[Wrong]:
    """Read the cases of the table."""
    cases: list[Wrong] = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "=":
            cases.append(Wrong(rest))
        elif cases and line:
            _add_line(cases[-1], line, kind, rest)
    return cases


def _add_line(case: Wrong, line: str, kind: str, rest: str) -> None:
    match kind:
        case ">":
            case.errors.append(rest)
        case "?":
            case.part = rest
        case "~":
            old, new = map(str.strip, rest.split("=>"))
            assert old in PAGE
            case.files["composites/page.py"] = PAGE.replace(old, new)
        case "|":
            case.text = (case.text or "") + rest + "\n"
        case "unset":
            case.variables[rest] = None
        case "no":
            case.text = None
        case "--host" | "--port":
            case.options += [kind, rest]
        case _:
            name, _, case.variables[name] = line.partition("=")
