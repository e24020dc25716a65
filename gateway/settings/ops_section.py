"""The settings of the ops port."""

from typing import Annotated

from pydantic import Field

from gateway.settings.host_patterns import OpsHost, parse_host
from gateway.settings.issuer_types import OneAudience
from gateway.settings.network_types import Host
from gateway.settings.section import Section
from gateway.settings.setting_types import Port


class Ops(Section):
    """The ops port, where operators tune limits; without an audience, it is off."""

    host: Host = "127.0.0.1"
    port: Port = 9000
    audience: OneAudience | None = None
    hosts: tuple[OpsHost, ...] = ("localhost", "127.0.0.1", "::1")
    recording_rows: Annotated[int, Field(strict=True, ge=1_000, le=10_000_000)] = 200_000

    @property
    def allowed_hosts(self) -> tuple[str, ...]:
        """The hosts that a request may name: `hosts`, and `host` unless it stands for all."""
        if self.host in {"0.0.0.0", "::"}:
            return self.hosts
        own = f"[{self.host}]" if ":" in self.host else self.host
        return (*self.hosts, parse_host(own))
