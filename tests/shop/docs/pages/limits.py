"""Generates limits.md: the rate-limit policies and their parameters."""

from gateway.app_loader import load_application
from gateway.ratelimit.policy import Policy
from gateway.settings.rate import MAX_WINDOWS, UNITS
from gateway.settings.schema import App
from tests.docs.pages.markdown import code, page, table

HEAD = ("Policy", "Limit", "Per", "Tiers", "Cost", "Without Redis", "Shadow")

INTRODUCTION = """
Rate-limit policies are declared in `config/limits.py` and applied to a route with
`limited(...)`. [Routes](routes.md) lists the policies of each route. To override the rate of a
policy in one environment, use the setting `limits.NAME`, for example
`LOCKGATE_LIMITS__DASHBOARDS=240/minute`.
"""

WORDS = f"""
## Parameters of a policy

- **rate**: the quota and the window, as a count, a slash and a unit
  ({", ".join(code(unit) for unit in UNITS)}), for example `120/minute` or `10/5minutes`. It
  is a sliding window: no window of that length, wherever it starts, admits more requests than the
  quota. Up to {MAX_WINDOWS} windows are counted together: `10/second, 120/minute`, or a list.
- **per**: the partition, that is, which requests share one quota: those of one `user`, `service` or
  `tenant` named by the access token, those of one OAuth `client` or API key, those with the same
  value of a claim (`claim:NAME`), or those of one client `address`. A caller without that value is
  counted by the subject of its token.
- **tiers** and **tier_claim**: other rates by the value of a claim, such as
  `tiers={{"pro": "600/minute"}}, tier_claim="plan"`. Any other value, or none, has the rate of the
  policy.
- **cost**: what one request counts as: a number, by default 1, or a function of the request
  (`HTTPConnection`) that returns one.
- **without_redis**: the fallback while Redis is unavailable. `local`: each process counts on its
  own and grants its share, the rate divided by the setting `counters.processes`. `deny`: the
  request is refused with 503. `allow`: the request is admitted without being counted.
- **burst**: turns the rate of the shortest window into a steady rate (GCRA, equivalent to a token
  bucket). Requests are admitted at that rate, and up to `burst` of them at once. Without `burst`,
  the rate is a maximum for any window.
- **prefetch**: the number of requests of a busy key that a process may take in advance, so that
  most of them need no call of Redis. By default every request is counted in Redis.
- **shadow**: a dry run. The policy counts what it would have admitted, and the log line records the
  requests that it would have refused, but it never refuses a request and is not shown in the
  response headers.

## Parameters of a concurrency limit

- **limit**: the number of requests that may run at one time, over all processes, such as `5`.
- **lease_seconds**: the time after which the places of a killed process are free again, by default
  60.
- **per**, **without_redis** and **shadow**: as above. With `local`, a process admits its share of
  the limit while Redis is unavailable.

See [what a limit means](../explanation/what-a-limit-means.md) for the algorithms.
"""


def render_limits() -> str:
    """Return the text of the page."""
    return page(
        "Limits",
        INTRODUCTION,
        table(HEAD, map(_build_row, load_application(App()).policies.values())),
        WORDS,
    )


def _build_row(policy: Policy) -> list[str]:
    return [
        code(policy.name),
        code(policy.limit_text),
        policy.per,
        f"{', '.join(policy.tiers)} by {code(policy.tier_claim)}" if policy.tier_claim else "none",
        str(policy.cost) if isinstance(policy.cost, int) else "computed",
        policy.without_redis,
        "yes" if policy.shadow else "no",
    ]
