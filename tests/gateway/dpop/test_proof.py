"""The proofs of RFC 9449 are parsed, and their signatures verified."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dpop.proof import InvalidProof, hash_token, parse_proof
from tests.gateway.dpop.proofs import make_proof

HEADER = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNo"
    "UklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERW"
    "clUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
)
TOKEN_REQUEST = (
    f"{HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4"
    "YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4"
    "PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
RESOURCE_REQUEST = (
    f"{HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5l"
    "eGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc"
    "05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y"
    "6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"  # Figure 9


def test_the_proof_of_a_token_request() -> None:  # Figures 2 and 4
    proof = parse_proof(TOKEN_REQUEST.encode())
    proof.verify_signature()
    assert proof.key_thumbprint == THUMBPRINT
    assert (proof.proof_id, proof.method) == ("-BwC3ESc6acc2lTc", "POST")
    assert (proof.uri, proof.issued_at) == ("https://server.example.com/token", 1_562_262_616)
    assert proof.token_hash is None


def test_the_proof_of_a_resource_request() -> None:  # Figures 13 and 14
    proof = parse_proof(RESOURCE_REQUEST.encode())
    proof.verify_signature()
    assert proof.key_thumbprint == THUMBPRINT
    assert proof.uri == "https://resource.example.org/protectedresource"
    assert proof.token_hash == hash_token(TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


def test_the_signature_is_that_of_these_claims() -> None:
    header, claims, _ = TOKEN_REQUEST.split(".")
    signature = RESOURCE_REQUEST.rpartition(".")[2]
    proof = parse_proof(f"{header}.{claims}.{signature}".encode())
    with pytest.raises(InvalidProof) as caught:
        proof.verify_signature()
    assert caught.value.reason == "proof_signature"


@given(st.data())
def test_a_changed_proof_is_refused_and_nothing_else_is_raised(data: st.DataObject) -> None:
    text = bytearray(RESOURCE_REQUEST.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(text) - 1))
        text[position] = data.draw(st.integers(0, 255))
    try:
        proof = parse_proof(bytes(text))
        proof.verify_signature()
    except InvalidProof:
        return
    assert text == RESOURCE_REQUEST.encode()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
       st.sampled_from(["typ", "alg", "jwk", "jti", "htm", "htu", "iat", "ath"]))  # fmt: skip
def test_any_value_of_a_member_is_read_or_refused(value: object, name: str) -> None:
    part = "header" if name in {"typ", "alg", "jwk"} else "claims"
    options: dict[str, Any] = {"header": {name: value}} if part == "header" else {name: value}
    try:
        proof = make_proof("a.b.c", **options)
    except ValueError:  # a lone surrogate
        return
    with suppress(InvalidProof):
        parse_proof(proof.encode()).verify_signature()
