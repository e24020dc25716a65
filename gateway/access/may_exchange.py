"""`MayExchange`, the declaration of one rule of token exchange (RFC 8693)."""

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass

from gateway.access.value_errors import ALL, CLIENTS, find_value_errors
from gateway.declaration.argument_errors import check_arguments
from gateway.declaration.declaration import Declaration

_LISTS = ("services", "scopes", "on_behalf_of", "requires")


@check_arguments
@dataclass(frozen=True, slots=True)
class MayExchange(Declaration):
    """An OAuth client may exchange the token of a subject for one with which it calls services.

    `MayExchange("bff", services="stock", scopes="stock:read", on_behalf_of="https://id.example")`
    reads: the client bff may call the service stock, with the scope stock:read, on behalf of the
    subjects of https://id.example. Each list may be a single text.

    `services` are names of `[upstreams]`. The token is good on the proxied routes to them alone;
    with `"*"` it is good on every route of the gateway. `scopes` are the most that the token has;
    it never has one that the subject does not hold. `on_behalf_of` are issuers of subjects, as in
    `[[issuers]]`; `"*"` stands for all of these, and `"clients"` for clients of the gateway.
    `requires` are scopes that the token of the subject must have besides.

    One rule must permit the whole of a request: rules do not add up.

    Raises:
        InvalidDeclaration: the declaration has errors; the message has all of them.
    """

    client: str
    _: KW_ONLY
    services: Sequence[str]
    scopes: Sequence[str]
    on_behalf_of: Sequence[str]
    requires: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check every field, record where the rule is declared, and make each list a tuple."""
        values = {name: getattr(self, name) for name in _LISTS}
        self.record_mistakes(self.client, list(find_value_errors(self.client, values)))
        if not self.mistakes:
            for name, value in values.items():
                texts = (value,) if isinstance(value, str) else tuple(value)
                object.__setattr__(self, name, texts)

    def __str__(self) -> str:
        """Format as a sentence."""
        required = f" who hold {' '.join(self.requires)}" if self.requires else ""
        return (
            f"{self.client} may call {self.service_text} with {' '.join(self.scopes)} on behalf of "
            f"{self.subject_text}{required}"
        )

    @property
    def service_text(self) -> str:
        """The services, for people."""
        return "the whole gateway" if ALL in self.services else ", ".join(self.services)

    @property
    def subject_text(self) -> str:
        """The subjects, for people."""
        return ", ".join(self._iter_subjects())

    def _iter_subjects(self) -> Iterator[str]:
        for issuer in self.on_behalf_of:
            if issuer == ALL:
                yield "subjects of any provider"
            elif issuer == CLIENTS:
                yield "clients of the gateway"
            else:
                yield f"subjects of {issuer}"
