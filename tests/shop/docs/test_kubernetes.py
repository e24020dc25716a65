"""Tests of config/deploy/kubernetes.yaml: its settings, times, probes and security options."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import health
from gateway.cli.main import build_parser
from gateway.settings.loader import read_settings
from tests.docs.project import ROOT

SERVICE, DEPLOYMENT = yaml.safe_load_all((ROOT / "config/deploy/kubernetes.yaml").read_text())
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def test_every_variable_is_a_valid_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounts = {mount["mountPath"]: tmp_path / mount["name"] for mount in CONTAINER["volumeMounts"]}
    for folder in mounts.values():
        folder.mkdir()
    (tmp_path / "config" / "lockgate.toml").write_text((ROOT / "config/lockgate.toml").read_text())
    (tmp_path / "secrets" / "redis-url").write_text("redis://redis:6379/0\n")
    for variable in CONTAINER["env"]:
        value = variable["value"]
        for mounted, folder in mounts.items():
            value = value.replace(mounted, str(folder))
        monkeypatch.setenv(variable["name"], value)
    loaded = read_settings()
    assert loaded.errors == []
    assert loaded.settings.redis_url == "redis://redis:6379/0"
    assert loaded.settings.counters.processes == DEPLOYMENT["spec"]["replicas"]
    server = loaded.settings.server
    assert POD["terminationGracePeriodSeconds"] > server.drain_seconds + server.shutdown_seconds
    readiness = CONTAINER["readinessProbe"]
    assert readiness["periodSeconds"] * readiness["failureThreshold"] < server.drain_seconds / 2


def test_the_probes_and_the_service_reach_the_gateway() -> None:
    assert callable(build_parser().parse_args(CONTAINER["args"]).run)
    paths = [CONTAINER[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")]
    assert tuple(paths) == health.PATHS
    assert CONTAINER["ports"] == [{"name": "http", "containerPort": 8000}]
    assert SERVICE["spec"]["selector"] == DEPLOYMENT["spec"]["selector"]["matchLabels"]


def test_the_pod_gets_no_service_links_and_no_rights() -> None:
    assert POD["enableServiceLinks"] is False
    assert CONTAINER["securityContext"] == {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
