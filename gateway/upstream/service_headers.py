"""Header fields that the settings of a service add to every call to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.upstream.headers import is_field_value, validate_headers
from gateway.upstream.propagation import PropagatedHeaders, RawHeaders, Scope

GetRequestFields = Callable[[Scope], dict[str, str]]
"""Returns the fields that the request behind a call adds to it, from its ASGI scope."""

MAX_FORWARDED_BYTES = 8_192
"""Maximum bytes of forwarded names and values per call; many servers reject a larger head."""


@dataclass(frozen=True, slots=True)
class ServiceHeaders:
    """The header settings of `upstreams.NAME`; names are in lower case.

    `fixed` fields are sent unchanged and can hold secrets. `forward` names fields of the incoming
    request; a fixed field of the same name wins. `forward_token` sends the caller's verified
    access token as `Authorization`. `request_fields` return fields from the ASGI scope of the
    request; a later one wins.

    Raises:
        ValueError: a fixed field is not valid.
    """

    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)
    forward: tuple[str, ...] = ()
    forward_token: bool = False
    request_fields: tuple[GetRequestFields, ...] = ()

    def __post_init__(self) -> None:
        """Refuse fields that could change the framing of a request."""
        validate_headers(self.fixed)

    def select(self, propagated: PropagatedHeaders) -> dict[str, str]:
        """Return the fields to add to a call of this request."""
        fields = _forward(self.forward, propagated.incoming) if self.forward else {}
        if propagated.scope is not None:
            for get_fields in self.request_fields:
                fields.update(get_fields(propagated.scope))
        if self.forward_token and propagated.token is not None:
            fields["authorization"] = f"Bearer {propagated.token}"
        return {**fields, **self.fixed}


def _forward(names: tuple[str, ...], incoming: RawHeaders) -> dict[str, str]:
    """Return the incoming fields of these names; equal names form one list (RFC 9110, 5.3).

    A field is forwarded as a whole or omitted, because a part of a list can have another meaning.
    It is omitted if a value is not printable ASCII, or if it does not fit in
    `MAX_FORWARDED_BYTES` together with the fields before it.
    """
    found: dict[str, list[str]] = {}
    for raw_name, raw_value in incoming:
        name = raw_name.decode("latin-1")
        if name in names:
            found.setdefault(name, []).append(raw_value.decode("latin-1"))
    fields: dict[str, str] = {}
    bytes_left = MAX_FORWARDED_BYTES
    for name, values in found.items():
        value = ", ".join(values)
        size = len(name) + len(value)
        if size <= bytes_left and is_field_value(value):
            fields[name] = value
            bytes_left -= size
    return fields
