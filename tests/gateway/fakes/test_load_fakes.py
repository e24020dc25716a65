"""The fakes of a package are found by the names of their modules."""

from pathlib import Path

import pytest

from gateway.fakes.load_fakes import load_fakes
from gateway.settings.app_package import find_app_package
from gateway.settings.errors import InvalidSettings


def test_the_fakes_of_the_sample_application() -> None:
    assert list(load_fakes(find_app_package("tests.sample"))) == ["orders", "users"]


def test_a_module_without_an_app_is_shared_code_and_a_broken_one_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    fakes = tmp_path / "acme_fakes" / "fakes"
    fakes.mkdir(parents=True)
    for folder in (fakes.parent, fakes):
        (folder / "__init__.py").touch()
    (fakes / "data.py").write_text("USERS = [1]")
    assert load_fakes(find_app_package("acme_fakes")) == {}
    (fakes / "users.py").write_text("1 / 0")
    with pytest.raises(InvalidSettings, match=r"acme_fakes\.fakes\.users: cannot be imported"):
        load_fakes(find_app_package("acme_fakes"))
