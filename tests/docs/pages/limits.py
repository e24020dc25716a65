"""limits.md: the rate-limit policies, and what each word of one means."""

from gateway.application import load_application
from gateway.ratelimit.policy import RateLimit
from gateway.settings.rate import UNITS
from tests.docs.pages.markdown import code, page, table

HEAD = ("Policy", "Rate", "Per", "Without Redis", "Burst", "Shadow")

INTRODUCTION = """
The policies are declared in `config/limits.py`; a route names those that hold for it with
`limited(...)`, and [routes](routes.md) says which do. An operator gives a policy another rate
with the setting `limits.NAME`, such as `LOCKGATE_LIMITS__DASHBOARDS=240/minute`.
"""

WORDS = f"""
## The words of a policy

- **rate**: a count, a slash and a unit ({", ".join(code(unit) for unit in UNITS)}), such as
  `120/minute` or `10/5minutes`. Never more than the count in any window of that length, wherever
  one starts to count.
- **per**: whose requests are counted together: those of one `user`, one `service` or one `tenant`
  as the token names them (its subject, if it names none), or those of one `address`.
- **without_redis**: what happens while Redis cannot count. `local`: each process counts for
  itself and grants its share, the rate divided by the setting `counters.processes`. `deny`: the
  request is refused with 503. `allow`: it passes uncounted.
- **burst**: makes of the rate a steady one (GCRA): requests may come at that rate, and so many of
  them at once. Without it the rate is a ceiling on any window.
- **shadow**: counts, and notes in the log line what it would have refused, but never refuses and
  is not announced in headers.

[What a limit means](../explanation/what-a-limit-means.md) tells the rest.
"""


def limits() -> str:
    """The page."""
    return page(
        "Limits",
        INTRODUCTION,
        table(HEAD, map(_row, load_application(None).policies.values())),
        WORDS,
    )


def _row(policy: RateLimit) -> list[str]:
    return [
        code(policy.name),
        code(str(policy.rate)),
        policy.per,
        policy.without_redis,
        str(policy.burst) if policy.burst else "none",
        "yes" if policy.shadow else "no",
    ]
