"""The settings of the gateway as an issuer, with the places of its signing keys."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.settings.section import Section, conflict
from gateway.settings.setting_types import FilePath
from gateway.settings.url_types import IssuerUrl


class Identity(Section):
    """The gateway as an issuer: of internal tokens for services, and of access tokens.

    Its signing keys are in `signing_key_file`, or in the database, encrypted under `key_file`.
    """

    issuer: IssuerUrl | None = None
    signing_key_file: FilePath | None = None
    key_file: FilePath | None = None
    rotate_days: Annotated[int, Field(strict=True, ge=0, le=3_650)] = 30

    @property
    def has_signing_keys(self) -> bool:
        """Whether the settings say where the signing keys are."""
        return self.signing_key_file is not None or self.key_file is not None

    @model_validator(mode="after")
    def _require_one_place(self) -> Self:
        if self.signing_key_file is not None and self.key_file is not None:
            raise conflict(
                "must not be set together with signing_key_file: the signing keys are in that file,"
                " or in the database, where key_file encrypts them",
                "key_file",
                "signing_key_file",
                at="key_file",
            )
        return self

    @model_validator(mode="after")
    def _require_issuer(self) -> Self:
        for name in ("signing_key_file", "key_file"):
            if getattr(self, name) is not None and self.issuer is None:
                raise conflict("needs issuer", name, "issuer", at=name)
        return self
