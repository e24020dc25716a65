"""Every case of the table, with Lockgate's transport on both event loops and with httpx's."""

import httpx
import pytest

from gateway.transport.transport import Transport
from tests.torture.case import Case
from tests.torture.runner import Observation, run_case
from tests.torture.table import CASES, SECTIONS
from tests.torture.tls_contexts import TlsContexts

KNOWN_BUGS = [
    pytest.param(case, id=name, marks=pytest.mark.xfail(strict=True, reason=case.known_bug))
    for name, case in CASES.items()
    if case.known_bug
]


async def run_with_lockgate(case: Case, tls_contexts: TlsContexts) -> Observation:
    """Run the case with Lockgate's transport."""
    return await run_case(
        Transport(tls=tls_contexts.client), case, tls_contexts.for_server(case.server)
    )


@pytest.mark.parametrize("section", SECTIONS)
async def test_cases_with_lockgate_transport(
    no_unhandled_errors: None, tls_contexts: TlsContexts, section: str
) -> None:
    cases = [case for case in SECTIONS[section] if not case.known_bug]
    observed = {case.name: await run_with_lockgate(case, tls_contexts) for case in cases}
    assert observed == {case.name: Observation(case.expected, case.request_count) for case in cases}


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("case", KNOWN_BUGS)
async def test_known_bugs(no_unhandled_errors: None, tls_contexts: TlsContexts, case: Case) -> None:
    assert await run_with_lockgate(case, tls_contexts) == Observation(
        case.expected, case.request_count
    )


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("section", SECTIONS)
async def test_cases_with_httpx_transport(
    no_leaks: None, tls_contexts: TlsContexts, section: str
) -> None:
    observed = {}
    for case in SECTIONS[section]:
        transport = httpx.AsyncHTTPTransport(trust_env=False, verify=tls_contexts.client)
        observed[case.name] = (
            await run_case(transport, case, tls_contexts.for_server(case.server))
        ).outcome
    assert observed == {
        case.name: case.expected_httpx or case.expected for case in SECTIONS[section]
    }


def test_case_names_are_unique() -> None:
    assert len(CASES) == sum(map(len, SECTIONS.values())) > 250
