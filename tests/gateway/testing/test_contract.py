"""The contract passes for the sample application, and fails for one that breaks it."""

import re
from pathlib import Path

from gateway.scaffold.project import create_project
from gateway.testing import ApplicationContract
from tests.docs.project import run_python


class TestContract(ApplicationContract):
    package = "tests.sample"


BROKEN = {
    # A part that fails with an error of its own if the service responds with 404.
    "composites/inbox.py": (
        (
            "def fetch_messages(user_id: _UserId, messages: Upstream[Messages]) "
            "-> PendingCall[list[Message]]:\n    return messages.for_user(user_id)\n"
        ),
        (
            "async def fetch_messages(user_id: _UserId, messages: Upstream[Messages]) "
            "-> list[Message]:\n    try:\n        return await messages.for_user(user_id)\n"
            "    except Exception as error:\n        raise KeyError(user_id) from error\n"
        ),
    ),
    # A response that the client does not accept.
    "fakes/messages.py": ('"name": f', '"title": f'),
}
UNDOCUMENTED = """
from fastapi import APIRouter, Query
from fastapi.routing import APIRoute
from typing import Annotated
from gateway.auth import requires

router = APIRouter(dependencies=[requires()])


@router.get("/mine")
async def get_mine() -> int:
    "My number."
    return 1


class Versioned(APIRoute):
    def matches(self, scope):
        return super().matches(scope)


versioned = APIRouter(route_class=Versioned)
router.include_router(versioned)


@versioned.put("/things", dependencies=[requires("things:write")])
async def put_thing(thing: dict[str, int]) -> None:
    "Replace a thing."


@router.post("/things", dependencies=[requires("things:write")])
async def add_thing(thing: dict[str, int]) -> None:
    "Add a thing."


@router.get("/things", dependencies=[requires("things:read")])
async def list_things(kind: Annotated[str, Query(pattern="^[A-Z]$")]) -> int:
    return 1
"""


def test_a_package_that_breaks_the_contract_fails(tmp_path: Path) -> None:
    create_project(tmp_path / "kiosk")
    package = tmp_path / "kiosk" / "kiosk"
    for name, (before, after) in BROKEN.items():
        text = (package / name).read_text()
        assert before in text
        (package / name).write_text(text.replace(before, after))
    (package / "routers").mkdir()
    (package / "routers" / "__init__.py").touch()
    (package / "routers" / "things.py").write_text(UNDOCUMENTED)
    done = run_python(tmp_path / "kiosk", "-m", "pytest", "-q", "tests/test_contract.py")
    failed = re.findall(r"^FAILED \S+::test_(\w+)\[([^\]]*)\]", done.stdout, re.MULTILINE)
    services = ("status 503", "status 404", "invalid JSON", "another type", "connection lost")
    assert set(failed) == {
        ("a_composite_is_complete_when_all_services_respond", "GET /inbox/{user_id}"),
        *(
            (
                "a_composite_survives_a_failing_service",
                f"GET /inbox/{{user_id}}, messages: {outcome}",
            )
            for outcome in services
        ),
        # Its route class may choose by more than the path, so its guards wait for FastAPI.
        ("a_malformed_body_without_a_token_is_refused", "PUT /things"),
        ("a_route_is_documented", "GET /things"),
    }, done.stdout
    assert "GET /things: add a docstring" in done.stdout
