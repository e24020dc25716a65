"""The arguments of `lockgate limits` are checked before a request is sent."""

import subprocess
import sys

import pytest

from gateway.cli.main import main

SET = ["set", "dashboards", "60/minute"]
OVERRIDE = ["override", "dashboards", "user:42", "--reason", "a"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: ACTION"),
        (SET, "the following arguments are required: --reason"),
        ([*SET, "--reason", " "], "must be 1 to 1000 printable characters"),
        ([*SET, "--reason", "a\x1b[2J"], "must be 1 to 1000 printable characters"),
        ([*SET, "--reason", "a" * 1_001], "must be 1 to 1000 printable characters"),
        ([*SET, "--reason", "a", "--until", "soon"], "'soon': must be a time such as"),
        ([*SET, "--reason", "a", "--burst", "0"], "'0' must be a whole number, 1 to"),
        (["show", "a/../b"], "'a/../b' is not the name of a policy"),
        (["who", "42"], "'42' must be a key such as user:42"),
        (["who", "user:\u202e42"], "must be a key such as user:42"),
        (OVERRIDE, "one of the arguments --rate --times --block --allow --remove is required"),
        ([*OVERRIDE, "--block", "--allow"], "not allowed with argument --block"),
        ([*OVERRIDE, "--times", "0"], "'0' must be a number greater than 0"),
        ([*OVERRIDE, "--times", "nan"], "'nan' must be a number greater than 0"),
        (["shadow", "a", "maybe", "--reason", "a"], "invalid choice: 'maybe'"),
        (["rollback", "a", "--reason", "a", "--to", "-1"], "--to"),
        (["top", "a", "--seconds", "601"], "'601' must be a whole number, 1 to 600"),
        (["plan", "--recording", "a"], "are required: --max-newly-refused"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["limits", *arguments])
    assert caught.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("arguments", [["limits", "--help"], ["limits", "set", "--help"]])
def test_the_help_imports_no_http_client(arguments: list[str]) -> None:
    program = (
        "import atexit, sys\n"
        "from gateway.cli.main import main\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        f"main({arguments})\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert process.returncode == 0
    imported = set(process.stdout.split())
    assert "gateway.cli.limits.actions" in imported
    assert not imported & {"httpx", "pydantic", "gateway.settings.schema", "fastapi"}
