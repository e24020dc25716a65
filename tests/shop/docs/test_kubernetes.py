"""Tests of config/deploy/kubernetes.yaml: its settings, times, probes and security options."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import health
from gateway.cli.main import build_parser
from gateway.settings.loader import read_settings
from gateway.settings.ops_conflicts import find_ops_errors, runs_apart
from tests.docs.project import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICE, DEPLOYMENT, OPS = yaml.safe_load_all((ROOT / "config/deploy/kubernetes.yaml").read_text())
POD: dict[str, Any] = DEPLOYMENT["spec"]["template"]["spec"]
OPS_POD: dict[str, Any] = OPS["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
(OPS_CONTAINER,) = OPS_POD["containers"]


@pytest.mark.parametrize("container", [CONTAINER, OPS_CONTAINER], ids=["gateway", "ops"])
def test_every_variable_is_a_valid_setting(
    container: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mounts = {mount["mountPath"]: tmp_path / mount["name"] for mount in container["volumeMounts"]}
    for folder in mounts.values():
        folder.mkdir()
    (tmp_path / "config" / "lockgate.toml").write_text((ROOT / "config/lockgate.toml").read_text())
    (tmp_path / "secrets" / "redis-url").write_text("redis://redis:6379/0\n")
    (tmp_path / "secrets" / "database-url").write_text("postgresql://lockgate:x@database/lockgate")
    for variable in container["env"]:
        value = variable["value"]
        for mounted, folder in mounts.items():
            value = value.replace(mounted, str(folder))
        monkeypatch.setenv(variable["name"], value)
    loaded = read_settings()
    assert loaded.errors == []
    assert [*find_ops_errors(loaded.settings)] == []
    assert runs_apart(loaded.settings)
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


def test_only_a_forwarded_port_reaches_the_ops_app() -> None:
    assert callable(build_parser().parse_args(OPS_CONTAINER["args"]).run)
    assert OPS["spec"]["selector"] == {"matchLabels": OPS["spec"]["template"]["metadata"]["labels"]}
    assert OPS["spec"]["selector"]["matchLabels"] != SERVICE["spec"]["selector"]
    assert "ports" not in OPS_CONTAINER
    names = {variable["name"] for variable in OPS_CONTAINER["env"]}
    assert "LOCKGATE_OPS__HOST" not in names, "it listens on loopback"
    for probe in ("startupProbe", "livenessProbe"):
        command = OPS_CONTAINER[probe]["exec"]["command"]
        assert command == json.loads(re.findall(r"^ +CMD (.*)$", DOCKERFILE, re.MULTILINE)[0])
    assert {it["name"]: it["value"] for it in OPS_CONTAINER["env"]} == {
        it["name"]: it["value"] for it in CONTAINER["env"]
    }


@pytest.mark.parametrize(
    ("pod", "container"), [(POD, CONTAINER), (OPS_POD, OPS_CONTAINER)], ids=["gateway", "ops"]
)
def test_the_pods_get_no_service_links_and_no_rights(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
