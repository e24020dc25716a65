"""Every case of the table, put to our transport in both loops, and to httpx's."""

import httpx
import pytest

from gateway.transport.transport import Transport
from tests.torture.case import Case
from tests.torture.credentials import Credentials
from tests.torture.table import CASES, SECTIONS
from tests.torture.trial import Seen, tried

BUGS = [
    pytest.param(case, id=name, marks=pytest.mark.xfail(strict=True, reason=case.bug))
    for name, case in CASES.items()
    if case.bug
]


async def ours(case: Case, credentials: Credentials) -> Seen:
    """What our transport makes of it."""
    return await tried(Transport(tls=credentials.trusting), case, credentials.of(case.server))


@pytest.mark.parametrize("section", SECTIONS)
async def test_ours(nothing_unheard: None, credentials: Credentials, section: str) -> None:
    cases = [case for case in SECTIONS[section] if not case.bug]
    seen = {case.name: await ours(case, credentials) for case in cases}
    assert seen == {case.name: Seen(case.ours, case.sendings) for case in cases}


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("case", BUGS)
async def test_what_ours_does_wrong(
    nothing_unheard: None, credentials: Credentials, case: Case
) -> None:
    assert await ours(case, credentials) == Seen(case.ours, case.sendings)


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("section", SECTIONS)
async def test_httpx(nothing_left: None, credentials: Credentials, section: str) -> None:
    seen = {}
    for case in SECTIONS[section]:
        transport = httpx.AsyncHTTPTransport(trust_env=False, verify=credentials.trusting)
        seen[case.name] = (await tried(transport, case, credentials.of(case.server))).outcome
    assert seen == {case.name: case.theirs or case.ours for case in SECTIONS[section]}


def test_every_case_has_a_name_of_its_own() -> None:
    assert len(CASES) == sum(map(len, SECTIONS.values())) > 250
