"""The console in a real browser: `make browser`."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.fakes.identity_endpoints import AUDIENCE
from gateway.ops.ops_scopes import READ, WRITE
from gateway.ratelimit.limits import Limits
from gateway.ratelimit.live.live_document import LiveDocument
from gateway.ratelimit.live.live_limits import LiveLimits
from gateway.settings.schema import Counters
from tests.browser.console.console_server import HOSTILE_CALLER, serve_console
from tests.browser.scripts import TIMEOUT_SECONDS, run_script, serve_page
from tests.gateway.ops.ops_server import (
    OPS_AUDIENCE,
    POLICIES,
    OpsServer,
    get_signer,
    make_settings,
)
from tests.gateway.ops.test_gathered_traffic import gather
from tests.gateway.server.serve_app import serve_app
from tests.redis_server import find_free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2 * TIMEOUT_SECONDS)]

NAME = "dashboards"


def issue_short_token() -> str:
    """Sign a token that is accepted for some seconds: its life and the clock skew."""
    return get_signer().issue_token(
        "operator", scopes=(READ, WRITE), audience=OPS_AUDIENCE, lifetime_seconds=20
    )


@pytest.fixture
async def ops() -> AsyncIterator[OpsServer]:
    with make_settings() as settings:
        async with serve_console(settings) as server:
            yield server


async def test_an_operator_simulates_applies_observes_and_rolls_back(
    chromium: str, scripts: Path, ops: OpsServer
) -> None:
    seen = await run_script(
        scripts,
        "console/change.mjs",
        chromium=chromium,
        url=f"{ops.url}/",
        token=ops.token(READ, WRITE),
        wrongToken=ops.token(READ, WRITE, audience=AUDIENCE),
        policy=NAME,
        rate="6/minute",
        reason="Scrapers overload the order service",
    )
    print(json.dumps(seen, indent=1))
    assert all(path == "/" or path.startswith("/console/") for path in seen["before"])
    assert seen["refusal"].startswith("The token was refused")
    assert not seen["isEnabledAtFirst"]
    assert "more refused" in seen["effect"]
    assert 1 <= seen["simulations"] <= seen["pauses"]
    assert seen["lastEffect"].split(" ")[1:3] == seen["effectLater"].split(" ")[1:3]
    assert "more refused" in seen["effectLater"]
    assert not seen["isEnabledForTheSame"]
    assert "'nonsense' is not a rate" in seen["fieldError"]
    assert seen["effectOfInvalid"].startswith("Correct the marked value")
    assert not seen["isEnabledWhenInvalid"]
    assert seen["changesWithoutReason"] == 0
    assert seen["applied"] == "Version 1 is in force."
    assert seen["refusedPerSecond"] > 1
    assert len(seen["table"]) == 3
    assert seen["undo"]["title"] == "Roll back to the settings and the code"
    assert seen["undo"]["differences"] == "rate: 6/minute → 120/minute (code)"
    assert [text.split(" by ")[0] for text in seen["history"]] == [
        "Version 2 rolled back",
        "Version 1 changed",
    ]
    assert seen["reasons"] == ["Roll back version 1", "Scrapers overload the order service"]
    assert seen["quota"].startswith("120/minute per user")
    assert not seen["keepsToken"]
    assert seen["fieldAfter"] == ""
    without_token = {path for path in seen["requests"] if not path.startswith("/console/")}
    assert without_token <= {"/", "/limits", "/usage"}, "the first two had the wrong token"
    assert seen["unguarded"] == "TypeError"
    assert seen["complaints"] == []


async def test_hostile_callers_and_reasons_stay_text(
    chromium: str, scripts: Path, ops: OpsServer
) -> None:
    seen = await run_script(
        scripts,
        "console/hostile.mjs",
        chromium=chromium,
        url=f"{ops.url}/",
        token=ops.token(READ, WRITE),
        policy=NAME,
        hostile=HOSTILE_CALLER,
    )
    assert seen["caller"] == f"user:{HOSTILE_CALLER}"
    assert seen["override"][1:4:2] == ["5 times the limit", HOSTILE_CALLER]
    assert seen["reasons"] == [HOSTILE_CALLER] * 4
    assert seen["focus"] == "Overrides"
    assert (seen["elements"], seen["alerts"], seen["complaints"]) == (0, [], [])


async def test_the_page_follows_what_happens_elsewhere(chromium: str, scripts: Path) -> None:
    async with AsyncExitStack() as stack:
        settings = stack.enter_context(make_settings())
        serving = await stack.enter_async_context(AsyncExitStack())
        ops = await serving.enter_async_context(serve_console(settings))
        limits: Limits = ops.gateway[Limits]
        running = asyncio.create_task(
            run_script(
                scripts,
                "console/follow.mjs",
                chromium=chromium,
                url=f"{ops.url}/",
                token=ops.token(READ, WRITE),
                shortToken=issue_short_token(),
                policy=NAME,
            )
        )
        while limits.policies.get(POLICIES[NAME]).version < 4:
            assert not running.done(), await running
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        await serving.aclose()
        await asyncio.sleep(5)  # the page asks every two seconds
        port = {"ops": settings.ops.model_copy(update={"port": urlsplit(ops.url).port})}
        async with serve_console(settings.model_copy(update=port)):
            seen = await running
    print(json.dumps(seen, indent=1))
    assert (seen["typed"], seen["focus"]) == (40, "reason")
    assert seen["expired"].startswith("The token was refused")
    assert seen["draft"] == "90/minute"
    assert "Version 1 changed by operator" in seen["conflict"]
    assert "rate: 120/minute (code) → 60/minute" in seen["conflict"]
    assert "Too many requests" in seen["conflict"]
    assert seen["followed"] == "90/minute"
    assert "Version 3 changed by operator" in seen["refused"]
    assert "Halfway" in seen["refused"]
    assert seen["loaded"] == "45/minute"
    assert seen["banner"].startswith("The ops app does not respond.")
    assert seen["whileLost"] == {
        "isEnabled": False,
        "apply": "Apply",
        "reason": "The ops app does not respond: nothing can be applied now.",
        "bannerTop": 0,
    }
    assert seen["applyAgain"] == "Apply"
    assert seen["afterRestart"].startswith("44/minute")
    assert seen["whileHidden"] == 0
    assert seen["whenShown"] > 0


async def test_axe_finds_no_serious_fault(chromium: str, scripts: Path, ops: OpsServer) -> None:
    results = await run_script(
        scripts,
        "console/accessibility.mjs",
        chromium=chromium,
        url=f"{ops.url}/",
        token=ops.token(READ, WRITE),
        policy=NAME,
    )
    faults = {it["state"]: it["faults"] for it in results if it["faults"]}
    assert faults == {}, json.dumps(faults, indent=1)
    assert [it for it in results if it["overflow"] > 0] == []
    assert len(results) == 20


async def test_other_origins_and_host_names_get_nothing(
    chromium: str, scripts: Path, ops: OpsServer
) -> None:
    port = urlsplit(ops.url).port
    async with serve_app(serve_page) as other:
        seen = await run_script(
            scripts,
            "console/origin.mjs",
            chromium=chromium,
            url=f"{ops.url}/",
            rebound=f"http://rebound.localhost:{port}/",
            other=f"http://other.localhost:{other}/",
            token=ops.token(READ, WRITE),
        )
    print(json.dumps(seen, indent=1))
    assert seen["other"] == {
        "page": "TypeError",
        "list": "TypeError",
        "change": "TypeError",
        "opaque": "TypeError",
        "script": "refused",
    }
    assert seen["frame"] == "chrome-error://chromewebdata/"
    assert seen["rebound"]["status"] == 421
    assert "Failed to fetch" in seen["reboundApi"]
    assert NAME not in json.dumps(seen)


def test_the_scripts_have_sound_types_and_uplot_is_that_of_npm(scripts: Path) -> None:
    published = scripts / "node_modules" / "uplot" / "dist"
    folder = scripts / "static"
    with as_file(files("gateway.ops.console").joinpath("static")) as static:
        shutil.copytree(static, folder)
    for name in ("uPlot.esm.js", "uPlot.min.css"):
        digests = {
            sha256((it / name).read_bytes()).hexdigest() for it in (published, folder / "uplot")
        }
        assert len(digests) == 1, name
    shutil.copy(published / "uPlot.d.ts", folder / "uplot" / "uPlot.esm.d.ts")
    compiled = subprocess.run(
        ["node_modules/.bin/tsc", "--project", "tsconfig.json"],
        cwd=scripts,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    assert (compiled.returncode, compiled.stdout) == (0, "")


async def test_only_the_tiers_and_overrides_that_change_are_shown(
    scripts: Path, tmp_path: Path
) -> None:
    with as_file(files("gateway.ops.console").joinpath("static")) as static:
        shutil.copytree(static, tmp_path / "static")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    values = {"rate": "20/minute", "tiers": {"pro": "40/minute", "enterprise": "90/minute"}}
    blocked = {"overrides": {"user:#9f": {"kind": "block", "caller": "user:42"}}}
    found = await run_script(
        scripts,
        "console/differences.mjs",
        static=str(tmp_path / "static"),
        limit={"declared": values, "settings": None},
        cases=[
            (None, {"tiers": {"gold": "10/minute"}}),
            ({"tiers": {"pro": "50/minute"}}, {"tiers": {"gold": "10/minute"}}),
            (blocked, {"rate": "30/minute"}),
            (None, blocked),
        ],
    )
    assert [[it.replace(" \N{RIGHTWARDS ARROW} ", " -> ") for it in one] for one in found] == [
        ["tier gold: not set -> 10/minute"],
        ["tier pro: 50/minute -> 40/minute (code)", "tier gold: not set -> 10/minute"],
        [
            "user:42: blocked -> as the others: 30/minute",
            "rate: 20/minute (code) -> 30/minute",
        ],
        ["user:42: as the others: 20/minute -> blocked"],
    ]


async def test_the_keyboard_is_enough(chromium: str, scripts: Path, ops: OpsServer) -> None:
    seen = await run_script(
        scripts,
        "console/keyboard.mjs",
        chromium=chromium,
        url=f"{ops.url}/",
        token=ops.token(READ, WRITE),
    )
    assert (seen["heading"]["tag"], seen["heading"]["name"]) == ("H2", NAME)
    assert "requests under this policy in the last" in seen["spoken"]
    assert all(seen["isInside"])
    assert seen["after"]["name"].startswith("Override a key")
    assert seen["complaints"] == []


async def test_a_token_that_may_only_read_can_change_nothing(
    chromium: str, scripts: Path, ops: OpsServer
) -> None:
    seen = await run_script(
        scripts,
        "console/read_only.mjs",
        chromium=chromium,
        url=f"{ops.url}/",
        token=ops.token(READ),
        policy=NAME,
    )
    assert "read only" in seen["identity"]
    assert seen["disabled"] == {"Apply": True, "Shadow": True, "Override a key…": True}


async def test_a_refused_change_says_why(chromium: str, scripts: Path) -> None:
    with make_settings(has_database=False) as settings:
        async with serve_console(settings) as ops:
            seen = await run_script(
                scripts,
                "console/refused.mjs",
                chromium=chromium,
                url=f"{ops.url}/",
                token=ops.token(READ, WRITE),
                policy=NAME,
            )
    assert seen["message"].startswith("Not applied. ")
    assert "database" in seen["message"]
    assert "database" in seen["inDialog"]
    assert seen["draft"] == "60/minute"


async def test_what_has_ended_is_changed_and_the_switch_takes_an_end_away(
    chromium: str, scripts: Path, ops: OpsServer
) -> None:
    ended = {"rate": "9/minute", "shadow": True, "until": "2001-01-01T00:00:00Z"}
    await ops.store_document(ended, NAME)
    seen = await run_script(
        scripts,
        "console/ends.mjs",
        chromium=chromium,
        url=f"{ops.url}/",
        token=ops.token(READ, WRITE),
        policy=NAME,
    )
    assert seen["untilAfterTheEnd"] == ""
    assert seen["applied"] == "Version 2 is in force."
    assert seen["appliedWithEnd"] == "Version 3 is in force until 4 Dec, 18:00."
    assert seen["text"].endswith(" No live value ends at 4 Dec, 18:00 any more.")
    assert seen["complaints"] == []
    live = ops.gateway[LiveLimits].get(NAME).document
    assert live == LiveDocument(rate="60/minute", shadow=True)


async def test_the_state_of_the_system_is_shown_without_redis(chromium: str, scripts: Path) -> None:
    with make_settings() as settings:
        url = {"redis_url": f"redis://127.0.0.1:{find_free_port()}"}
        async with serve_console(settings.model_copy(update=url)) as ops:
            seen = await run_script(
                scripts,
                "console/status.mjs",
                chromium=chromium,
                url=f"{ops.url}/",
                token=ops.token(READ, WRITE),
                policy=NAME,
            )
    print(json.dumps(seen, indent=1))
    assert "each gateway process counts its share by itself" in seen["notice"]
    assert seen["items"][:3] == ["Redis down", "Database ok", "Providers 1 ok"]
    assert "orders" in seen["details"]
    assert seen["complaints"] == []


async def test_unknown_traffic_is_not_shown_as_0(chromium: str, scripts: Path) -> None:
    with make_settings() as made:
        settings = made.model_copy(update={"counters": Counters(processes=2)})
        async with gather(settings, 1) as gathering:
            seen = await run_script(
                scripts,
                "console/unknown.mjs",
                chromium=chromium,
                url=f"{gathering.operator.base_url}/",
                token=gathering.operator.headers["Authorization"].removeprefix("Bearer "),
                policy=NAME,
            )
    print(json.dumps(seen, indent=1))
    assert seen["connection"] == "Traffic unknown"
    assert seen["banner"].endswith(": that needs `redis_url`.")
    assert seen["rates"] == ["\N{EN DASH} allowed", "\N{EN DASH} refused", ""]
    assert seen["legend"] == ["\N{EN DASH}"] * 3
    assert seen["items"][3:] == ["Services unknown", "Processes none heard", "Recording unknown"]
    assert seen["banner"] in seen["traffic"]
    assert seen["curves"] == 0
    assert seen["complaints"] == []
