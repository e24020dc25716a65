"""Rules about the list of issuers as a whole."""

from collections.abc import Iterator, Sequence

from gateway.settings.errors import ConfigError
from gateway.settings.issuer_names import list_issuer_names
from gateway.settings.schema import Issuer


def find_issuer_conflicts(issuers: Sequence[Issuer]) -> Iterator[ConfigError]:
    """Find issuers that are listed twice, and issuers that must set `user_claim`.

    Two providers may give the same id to two people, and `owner` could not tell them apart. So if
    several providers issue user ids, each must say which claim has the id.
    """
    with_users = [issuer for issuer in issuers if issuer.user_claim]
    seen = set[str]()
    for index, issuer in enumerate(issuers):
        names = list_issuer_names(issuer)
        for name in sorted(names.keys() & seen):
            yield ConfigError(f"issuers.{index}.issuer", f"{name} is listed twice")
        seen |= names.keys()
        if len(with_users) > 1 and "user_claim" not in issuer.model_fields_set:
            yield ConfigError(
                f"issuers.{index}.user_claim",
                "must be set, because several issuers have users",
                "the claim with the id in your own system, because owner() compares ids without"
                ' their issuer; or "" if its tokens have no such user',
            )
