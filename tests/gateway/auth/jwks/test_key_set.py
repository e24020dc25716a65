"""Which keys of a JWK Set are used, and for which algorithms."""

import json
from typing import Any

import pytest

from gateway.auth.jwks.key_set import MAX_KEYS, parse_key_set
from gateway.auth.jwks.key_strength import SMALL_ORDER_POINTS
from gateway.auth.jwt import base64url, signatures
from gateway.settings.schema import ALGORITHMS
from tests.gateway.auth.token_factory import (
    encode_base64url,
    encode_jwk_set,
    get_signing_key,
    get_signing_keys,
)

# RFC 7515, appendix A.3, and RFC 8037, appendix A.4: published keys, messages and signatures.
PUBLISHED = {
    "ES256": (
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        (
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
            "LmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
            "pmWQxfKTUJqPP3-Kg6NU1Q"
        ),
    ),
    "EdDSA": (
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        (
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvM"
            "g3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        ),
    ),
}


@pytest.mark.parametrize("alg", PUBLISHED)
def test_the_published_examples_verify(alg: str) -> None:
    jwk, token = PUBLISHED[alg]
    (key,) = parse_key_set(encode_jwk_set({**jwk, "kid": "published"}), ALGORITHMS).find(
        "published", alg
    )
    signing_input, _, signature = token.rpartition(".")
    assert signatures.is_valid_signature(key, signing_input.encode(), base64url.decode(signature))
    assert not signatures.is_valid_signature(
        key, signing_input.encode() + b"x", base64url.decode(signature)
    )


def usable_algorithms(jwk: dict[str, Any], allowed: tuple[str, ...] = ALGORITHMS) -> set[str]:
    """Return the algorithms for which the key is used."""
    key_set = parse_key_set(encode_jwk_set(jwk), allowed)
    return {alg for keys in key_set.by_id.values() for key in keys for alg in key.by_algorithm}


def test_a_key_with_alg_verifies_that_algorithm_only() -> None:
    for alg, key in get_signing_keys().items():
        assert usable_algorithms(key.jwk()) == {alg}


def test_a_key_without_alg_verifies_what_its_type_and_its_issuer_permit() -> None:
    without_alg = get_signing_key("RS256").jwk(alg=None)
    assert usable_algorithms(without_alg) == {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
    assert usable_algorithms(without_alg, ("ES256", "PS384")) == {"PS384"}
    assert usable_algorithms(get_signing_key("ES384").jwk(alg=None)) == {"ES384"}
    assert usable_algorithms(get_signing_key("EdDSA").jwk(alg=None)) == {"EdDSA"}
    assert usable_algorithms(get_signing_key("EdDSA").jwk(alg="Ed25519")) == {"EdDSA"}


@pytest.mark.parametrize(
    ("alg", "changes"),
    [
        ("RS256", {"use": "enc"}), ("RS256", {"use": ""}), ("RS256", {"use": ["sig"]}),
        ("RS256", {"key_ops": ["sign"]}), ("RS256", {"key_ops": "verify"}),
        ("RS256", {"kid": ""}), ("RS256", {"kid": 1}), ("RS256", {"kid": "k" * 257}),
        ("RS256", {"kty": "EC"}), ("RS256", {"kty": ["RSA"]}), ("RS256", {"kty": None}),
        ("RS256", {"e": "AQ"}), ("RS256", {"e": "Aw"}), ("RS256", {"e": "AQAA"}),
        ("RS256", {"e": ""}),
        ("RS256", {"e": "_____wE"}), ("RS256", {"n": "AQAB"}), ("RS256", {"n": 65537}),
        ("RS256", {"n": "_" * 1_400}), ("RS256", {"n": "not base64"}), ("RS256", {"alg": "none"}),
        ("RS256", {"alg": "HS256"}), ("RS256", {"alg": "ES256"}), ("RS256", {"alg": 1}),
        ("RS256", {"d": "AQAB"}), ("ES256", {"d": "AQAB"}), ("EdDSA", {"d": "AQAB"}),
        ("ES256", {"crv": "P-384"}), ("ES256", {"crv": "P-192"}), ("ES256", {"crv": 256}),
        ("ES256", {"crv": "Ed25519"}), ("ES256", {"y": None}), ("ES256", {"x": "AA"}),
        ("ES256", {"kty": "OKP"}), ("EdDSA", {"kty": "EC"}), ("EdDSA", {"crv": "Ed448"}),
        ("EdDSA", {"crv": "X25519"}), ("EdDSA", {"x": "AA"}), ("EdDSA", {"x": ""}),
    ],
    ids=str,
)  # fmt: skip
def test_unusable_keys_are_skipped(alg: str, changes: dict[str, Any]) -> None:
    jwk = get_signing_key(alg).jwk(**changes)
    usable = get_signing_key("ES512", "usable").jwk()
    assert usable_algorithms(jwk) == set()
    assert parse_key_set(encode_jwk_set(jwk, usable), ALGORITHMS).ids == {"usable"}


@pytest.mark.parametrize("point", sorted(SMALL_ORDER_POINTS))
@pytest.mark.parametrize("sign", [0, 0x80])
def test_points_of_small_order_are_refused(point: bytes, sign: int) -> None:
    octets = point[:31] + bytes([point[31] | sign])
    assert usable_algorithms(get_signing_key("EdDSA").jwk(x=encode_base64url(octets))) == set()


def find(document: bytes, kid: str | None, alg: str, tenant: str | None = None) -> int:
    """Return how many keys may have signed a token."""
    return len(parse_key_set(document, ALGORITHMS).find(kid, alg, tenant))


def test_one_id_for_keys_of_two_types_keeps_the_key_that_fits() -> None:
    document = encode_jwk_set(
        get_signing_key("RS256", "a").jwk(), get_signing_key("ES256", "a").jwk()
    )
    assert [find(document, "a", alg) for alg in ("RS256", "ES256", "ES384")] == [1, 1, 0]


def test_a_key_that_is_published_twice_counts_once() -> None:
    key = get_signing_key("RS256", "a").jwk()
    assert find(encode_jwk_set(key, {**key, "x5t": "x"}, key), "a", "RS256") == 1


def test_two_keys_of_one_type_under_one_id_are_both_tried() -> None:
    keys = [get_signing_key("RS256", "a", name).jwk() for name in ("ours", "other")]
    assert find(encode_jwk_set(*keys), "a", "RS256") == 2


def test_a_key_without_id_fits_an_id_that_no_key_has() -> None:
    document = encode_jwk_set(
        get_signing_key("RS256").jwk(kid=None), get_signing_key("ES256", "ec").jwk()
    )
    assert [find(document, kid, "RS256") for kid in ("any", None)] == [1, 1]
    assert [find(document, kid, "ES256") for kid in ("any", "ec", None)] == [0, 1, 1]
    assert parse_key_set(document, ALGORITHMS).may_have("any")
    assert not parse_key_set(encode_jwk_set(), ALGORITHMS).may_have(None)


def test_a_key_of_entra_id_is_for_the_tenant_of_its_issuer() -> None:
    def with_issuer(issuer: object) -> bytes:
        return encode_jwk_set({**get_signing_key("RS256", "a").jwk(), "issuer": issuer})

    fixed = with_issuer("https://login.microsoftonline.com/t1/v2.0")
    assert [find(fixed, "a", "RS256", tenant) for tenant in ("t1", "t2", None)] == [1, 0, 1]
    template = with_issuer("https://login.microsoftonline.com/{tenantid}/v2.0")
    assert find(template, "a", "RS256", "t2") == 1
    assert [find(with_issuer(issuer), "a", "RS256", "t2") for issuer in (None, 7)] == [1, 1]


def test_members_that_are_null_are_absent() -> None:
    nulls = {"use": None, "alg": None, "key_ops": None, "d": None, "x5c": None, "issuer": None}
    document = json.dumps({"keys": [{**get_signing_key("RS256", "a").jwk(), **nulls}]}).encode()
    assert find(document, "a", "RS512") == 1
    without_id = json.dumps({"keys": [{**get_signing_key("RS256").jwk(), "kid": None}]}).encode()
    assert find(without_id, None, "RS256") == 1


def test_a_byte_order_mark_is_skipped() -> None:
    document = b"\xef\xbb\xbf" + encode_jwk_set(get_signing_key("RS256", "a").jwk())
    assert find(document, "a", "RS256") == 1


def test_a_set_without_usable_keys_says_why() -> None:
    assert parse_key_set(encode_jwk_set(), ALGORITHMS).ids == set()
    keys = parse_key_set(encode_jwk_set(get_signing_key("RS256", "a").jwk(use="enc")), ALGORITHMS)
    assert keys.ids == set()
    assert keys.explain_absence("a") == (
        'the key with the kid "a" is not usable: use is "enc", not sig'
    )
    assert keys.explain_absence(None).startswith("the token has no kid, and")
    assert keys.explain_absence("b") == 'the provider publishes no key with the kid "b"'


def test_a_key_whose_id_is_a_number_is_named_for_a_token_with_the_same_digits() -> None:
    keys = parse_key_set(encode_jwk_set(get_signing_key("RS256").jwk(kid=7)), ALGORITHMS)
    assert keys.explain_absence("7") == (
        'the key with the kid "7" is not usable: kid is not a string of 1 to 256 characters'
    )


def test_an_encryption_key_with_the_same_id_is_no_duplicate() -> None:
    pair = [get_signing_key("RS256", "a").jwk(), get_signing_key("RS256", "a").jwk(use="enc")]
    assert parse_key_set(encode_jwk_set(*pair), ALGORITHMS).ids == {"a"}


def test_sets_are_equal_if_their_keys_are() -> None:
    rsa_key, ec_key = get_signing_key("RS256").jwk(), get_signing_key("ES256").jwk()
    first = parse_key_set(encode_jwk_set(rsa_key, ec_key), ALGORITHMS)
    assert first == parse_key_set(
        encode_jwk_set({**ec_key, "x5t": "x"}, {"kty": "?"}, rsa_key), ALGORITHMS
    )
    assert first != parse_key_set(encode_jwk_set(rsa_key), ALGORITHMS)
    other_rsa_key = get_signing_key("RS256", name="other").jwk()
    assert first != parse_key_set(encode_jwk_set(other_rsa_key, ec_key), ALGORITHMS)


def test_the_number_of_keys_is_bounded() -> None:
    def encode_keys(count: int) -> bytes:
        return encode_jwk_set(
            *[get_signing_key("ES256", str(number)).jwk() for number in range(count)]
        )

    assert len(parse_key_set(encode_keys(MAX_KEYS), ALGORITHMS).ids) == MAX_KEYS
    with pytest.raises(ValueError, match="more than"):
        parse_key_set(encode_keys(MAX_KEYS + 1), ALGORITHMS)


def test_unusable_entries_are_ignored() -> None:
    document = b'{"keys":[1,null,"x",[],{},{"kid":"x"},{"kty":[]},{"kty":"RSA","kid":[]}]}'
    keys = parse_key_set(document, ALGORITHMS)
    assert keys.ids == set()
    assert len(keys.ignored) == 8


@pytest.mark.parametrize("document", [[], {}, {"keys": {}}, {"keys": None}])
def test_documents_that_are_no_key_set(document: object) -> None:
    with pytest.raises(ValueError, match="no"):
        parse_key_set(json.dumps(document).encode(), ALGORITHMS)
