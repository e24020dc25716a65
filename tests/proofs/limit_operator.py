"""An operator who changes a limit through the ops API, whatever is killed meanwhile."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

from tests.proofs.limit_author import POLICY

_PATH = f"/limits/{POLICY}"
_LARGE = 1_000_000


@dataclass(frozen=True)
class Change:
    """A change of a version: the request, and the quota of the version after it."""

    version: int
    quota: int
    method: str
    path: str
    body: Mapping[str, Any]


@dataclass
class LimitOperator:
    """Changes the limit and rolls it back in turn.

    A change that got no response, or an error of the database, may have been made. It is sent again
    with the same `If-Match`: either it is made now, or 412 says that it was made before, as no
    other operator changes the limit. `quotas` has the quota of each version that was made.
    """

    token: str
    version: int = 0
    quotas: dict[int, int] = field(default_factory=lambda: {0: _LARGE})
    unknown: Change | None = None
    outcomes: Counter[str] = field(default_factory=Counter)

    def run(self, port: int) -> None:
        """Change the limit as fast as possible, until the ops app is killed."""
        headers = {"Authorization": f"Bearer {self.token}"}
        with (
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=60
            ) as http,
            suppress(httpx.TransportError),
        ):
            while True:
                self._send(http, self.unknown or self._choose())

    def _choose(self) -> Change:
        version, reason = self.version, {"reason": "a proof"}
        if version > 1 and version % 3 == 2:
            back = {"version": version - 1, **reason}
            return Change(version, self.quotas[version - 1], "POST", f"{_PATH}/rollback", back)
        quota = _LARGE + version + 1
        return Change(version, quota, "PATCH", _PATH, {"rate": f"{quota}/minute", **reason})

    def _send(self, http: httpx.Client, change: Change) -> None:
        is_repeated = self.unknown is not None
        self.unknown = change
        version = {"If-Match": f'"{change.version}"'}
        response = http.request(change.method, change.path, json=dict(change.body), headers=version)
        status = response.status_code
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.outcomes["unavailable"] += 1
            time.sleep(0.02)
            return
        if status == HTTPStatus.PRECONDITION_FAILED and is_repeated:
            self.outcomes["made before"] += 1
        else:
            assert status == HTTPStatus.OK, response.text
            assert response.json()["version"] == change.version + 1
            self.outcomes["repeated" if is_repeated else "made"] += 1
        self.unknown, self.version = None, change.version + 1
        self.quotas[self.version] = change.quota
