"""`lockgate token`."""

import pytest

from gateway.cli.main import main


def test_token_without_a_demo_suggests_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--port", "1"]) == 1
    assert "lockgate demo" in capsys.readouterr().err
