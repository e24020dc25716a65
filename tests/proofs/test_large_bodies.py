"""A body of 2 GB passes a proxied route in each direction, and takes at most 20 MB of memory."""

import json
from collections.abc import Iterator

import pytest

from gateway.fakes.identity_endpoints import AUDIENCE, ISSUER
from gateway.fakes.identity_provider import DevelopmentIssuer
from tests.e2e.byte_service import run_byte_service
from tests.e2e.process_memory import read_peak_memory, reset_peak_memory
from tests.e2e.serve_process import ServeProcess, run_serve_with
from tests.e2e.transfers import Target, download, upload

SIZE, WARM_UP = 2 * 10**9, 10**8
MAX_GROWTH_MB = 20

pytestmark = [pytest.mark.prove, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    """A gateway in a process of its own, which has passed bodies on before."""
    folder = tmp_path_factory.mktemp("large_bodies")
    keys = folder / "keys.json"
    keys.write_text(json.dumps(DevelopmentIssuer().export_jwks()))
    issuer = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_file": str(keys)}
    with run_byte_service() as port:
        environment = {
            "LOCKGATE_APP__PACKAGE": "tests.proofs.proxied",
            "LOCKGATE_ISSUERS": json.dumps([issuer]),
            "LOCKGATE_UPSTREAMS__FILES__URL": f"http://127.0.0.1:{port}",
        }
        with run_serve_with(environment, folder / "log") as running:
            download(find_target(running, f"/files/bytes/{WARM_UP}"), WARM_UP)
            upload(find_target(running, "/files/bytes"), WARM_UP)
            yield running


def find_target(gateway: ServeProcess, path: str) -> Target:
    return Target(int(gateway.url.rpartition(":")[2]), path)


@pytest.mark.parametrize("direction", ["download", "upload"])
def test_2_gb_take_at_most_20_mb(gateway: ServeProcess, direction: str) -> None:
    pid = gateway.process.pid
    reset_peak_memory(pid)
    before = read_peak_memory(pid)
    if direction == "download":
        download(find_target(gateway, f"/files/bytes/{SIZE}"), SIZE)
    else:
        upload(find_target(gateway, "/files/bytes"), SIZE)
    growth = read_peak_memory(pid) - before
    print(f"{direction}: {growth:.1f} MB above {before:.1f} MB", flush=True)
    assert growth <= MAX_GROWTH_MB
