"""The types of settings that describe the tokens of an identity provider."""

from typing import Annotated

from pydantic import AfterValidator

from gateway.settings.setting_types import Names, Text

TENANT_PLACEHOLDER = "{tenantid}"
"""Stands for the tenant in the `issuer` of Microsoft Entra ID."""

_SIMILAR_PLACEHOLDERS = ("{tenant}", "{tenant_id}", "{tenantId}", "{tid}")
_SIGN_IN_ENDPOINTS = frozenset({"common", "organizations", "consumers"})


def get_canonical_algorithm(algorithm: str) -> str:
    """Return one name per algorithm: "Ed25519" (RFC 9864) becomes "EdDSA".

    The gateway supports no other curve for EdDSA, so the two names mean the same.
    """
    return "EdDSA" if algorithm == "Ed25519" else algorithm


def rename_algorithms(names: object) -> object:
    """Replace the other names of algorithms in a list."""
    if not isinstance(names, list | tuple):
        return names
    return [get_canonical_algorithm(name) if isinstance(name, str) else name for name in names]


def _refuse_white_space(name: str) -> None:
    """Refuse what can never equal a claim."""
    if name != name.strip():
        raise ValueError("must not begin or end with white space: claims are compared as they are")


def _check_issuer(issuer: str) -> str:
    _refuse_white_space(issuer)
    for placeholder in _SIMILAR_PLACEHOLDERS:
        if placeholder in issuer:
            raise ValueError(
                f"has the placeholder {placeholder}: did you mean {TENANT_PLACEHOLDER}?"
            )
    return issuer


def _check_audience(audience: str | tuple[str, ...]) -> str | tuple[str, ...]:
    for name in [audience] if isinstance(audience, str) else audience:
        _refuse_white_space(name)
        if name == "*":
            raise ValueError("must not be *: name the audience that the provider has for this API")
    return audience


def _check_tenant(tenant: str) -> str:
    """Check the id of a tenant, as it is in `tid` and `iss`."""
    _refuse_white_space(tenant)
    if tenant != tenant.lower():
        raise ValueError(f"must be in lower case, as in the claim tid: {tenant.lower()}")
    if "." in tenant or tenant in _SIGN_IN_ENDPOINTS:
        raise ValueError("must be the id of a tenant, as in the claim tid, not a domain")
    return tenant


IssuerName = Annotated[Text, AfterValidator(_check_issuer)]
Audience = Annotated[Names, AfterValidator(_check_audience)]
OneAudience = Annotated[Text, AfterValidator(_check_audience)]
Tenant = Annotated[Text, AfterValidator(_check_tenant)]
