"""The subject of an internal token: one text for each pair of issuer and subject.

Two identity providers may give the same `sub` to two people. A service that compares the `sub` of
internal tokens must not take one of them for the other.
"""

from urllib.parse import quote

# The characters of a URL (RFC 3986, section 2) but `#`, which separates the two, and `%`.
_OF_ISSUERS = ":/?[]@!$&'()*+,;="


def encode_subject(issuer: str, subject: str) -> str:
    """Return `issuer#subject`, both percent-encoded, so that different pairs differ.

    An encoded issuer has no `#`, and percent-encoding can be undone. The subject of an issuer that
    is a URL is a URL too, as RFC 7519, section 4.1.2, requires of a `sub` with a colon.
    """
    return f"{quote(issuer, safe=_OF_ISSUERS)}#{quote(subject, safe='')}"
