"""The values of `iss` that belong to one issuer of the settings."""

from collections.abc import Mapping

from gateway.settings.issuer_types import TENANT_PLACEHOLDER
from gateway.settings.schema import Issuer


def list_issuer_names(issuer: Issuer) -> Mapping[str, str | None]:
    """Return each value of `iss`, with the tenant that it names.

    An issuer without `tenants` has one value and no tenant.
    """
    if not issuer.tenants:
        return {issuer.issuer: None}
    return {issuer.issuer.replace(TENANT_PLACEHOLDER, tenant): tenant for tenant in issuer.tenants}
