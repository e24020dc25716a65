"""Which key signs and which are published, decided from the times in the file alone."""

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.identity.key_file_rotation import rotate_key_file
from gateway.identity.key_timetable import (
    KEY_SET_MAX_AGE,
    RETIREMENT,
    SIGNING_DELAY,
    TOKEN_SECONDS,
    SigningKeys,
)
from gateway.identity.signing_key import SigningKey, generate_signing_key

BORN = 10_000.0
SIGNS = BORN + SIGNING_DELAY
ENDS = SIGNS + RETIREMENT


def make_key(key_id: str, created_at: float) -> SigningKey:
    return SigningKey(key_id, created_at, generate_signing_key("EdDSA", 0).private)


OLD, NEW = make_key("old", 0), make_key("new", BORN)
KEYS = SigningKeys([NEW, OLD])


@pytest.mark.parametrize(
    ("now", "signing", "published"),
    [
        (-1, "old", ["old", "new"]),
        (BORN, "old", ["old", "new"]),
        (math.nextafter(SIGNS, 0), "old", ["old", "new"]),
        (SIGNS, "new", ["old", "new"]),
        (math.nextafter(ENDS, 0), "new", ["old", "new"]),
        (ENDS, "new", ["new"]),
        (10 * ENDS, "new", ["new"]),
    ],
)
def test_a_new_key_is_published_first_and_an_old_one_until_its_last_token_has_expired(
    now: float, signing: str, published: list[str]
) -> None:
    assert KEYS.get_signing_key(now).key_id == signing
    assert [key.key_id for key in KEYS.list_published(now)] == published


def test_a_single_key_signs_and_is_published_for_ever() -> None:
    keys = SigningKeys([NEW])
    for now in (0.0, BORN, SIGNS, 10 * ENDS):
        assert keys.get_signing_key(now) is NEW
        assert keys.list_published(now) == [NEW]


def test_the_delay_covers_the_caches_of_the_services_and_the_way_of_the_file() -> None:
    assert SIGNING_DELAY > KEY_SET_MAX_AGE + 60
    assert RETIREMENT > TOKEN_SECONDS


@given(pauses=st.lists(st.integers(0, 1_500), min_size=1, max_size=7), moment=st.floats(0, 4_000))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_keys_are_rotated_a_service_has_the_key_of_each_token(
    pauses: list[int], moment: float, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    path.unlink(missing_ok=True)
    now, files = 0, list[tuple[int, SigningKeys]]()
    for pause in pauses:
        now += pause
        files.append((now, rotate_key_file(path, "EdDSA", now)))

    def get_file(at: float) -> SigningKeys:
        return [keys for since, keys in files if since <= at or since == files[0][0]][-1]

    signing = get_file(moment).get_signing_key(moment).key_id
    # A service may have cached the key set for its max-age, or fetch it at the end of the token.
    for seen_at in (moment - KEY_SET_MAX_AGE, moment, moment + TOKEN_SECONDS):
        published = [key.key_id for key in get_file(seen_at).list_published(seen_at)]
        assert signing in published or seen_at < files[0][0]
