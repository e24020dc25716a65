"""Header fields that the settings of a service add to every call to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.upstream.headers import is_field_value
from gateway.upstream.propagation import PropagatedHeaders, RawHeaders


@dataclass(frozen=True, slots=True)
class ServiceHeaders:
    """What `upstreams.NAME` says of header fields; names are in lower case.

    `fixed` are sent as they are and may hold secrets. `forward` names fields of the incoming
    request; a fixed field of the same name wins. `forward_token` sends the caller's access token,
    once it has been verified, as `Authorization`.
    """

    fixed: Mapping[str, str] = field(default_factory=dict, repr=False)
    forward: tuple[str, ...] = ()
    forward_token: bool = False

    def select(self, propagated: PropagatedHeaders) -> dict[str, str]:
        """The fields for a call that is made for this request."""
        fields = _forward(self.forward, propagated.incoming) if self.forward else {}
        if self.forward_token and propagated.token is not None:
            fields["authorization"] = f"Bearer {propagated.token}"
        return {**fields, **self.fixed}


def _forward(names: tuple[str, ...], incoming: RawHeaders) -> dict[str, str]:
    """The incoming fields of these names; several of one name are one list (RFC 9110, 5.3).

    A value that is not printable ASCII is left out.
    """
    fields: dict[str, str] = {}
    for raw_name, raw_value in incoming:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in names and is_field_value(value):
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return fields
