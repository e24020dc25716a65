"""The form of `database_url`; `wrong_configurations.txt` has the refused ones."""

import pytest

from gateway.settings.database_address import check_database_url
from gateway.settings.schema import Settings


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("sqlite:///lockgate.db", "sqlite:///lockgate.db"),
        ("sqlite:////var/lib/lockgate/lockgate.db", "sqlite:////var/lib/lockgate/lockgate.db"),
        ("postgresql://db.internal/lockgate", "postgresql://db.internal/lockgate"),
        ("postgres://db.internal:5432/lockgate", "postgresql://db.internal:5432/lockgate"),
        (
            "postgresql://jane:p%40ss@[::1]:5432/lockgate?sslmode=verify-full",
            "postgresql://jane:p%40ss@[::1]:5432/lockgate?sslmode=verify-full",
        ),
        (
            "postgresql:///lockgate?host=/run/postgresql",
            "postgresql:///lockgate?host=/run/postgresql",
        ),
    ],
)
def test_a_url_of_either_kind_is_accepted(written: str, used: str) -> None:
    assert Settings(database_url=written).database_url == used


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://jane:hunter2@db:99999/x",
        "postgresql://jane:hunter2@db",
        "mysql://x:hunter2@y/z",
    ],
)
def test_no_message_quotes_the_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|is|has) ") as caught:
        check_database_url(url)
    assert "hunter2" not in str(caught.value)
