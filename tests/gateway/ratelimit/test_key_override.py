"""An override of a key: each value belongs to its kind."""

import math
from typing import Any

import pytest

from gateway.ratelimit.key_override import KeyOverride
from gateway.settings.rate import Rate

RATES = (Rate(1, 60),)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "ban"}, "must be one of rate, times, block, allow"),
        ({"kind": "rate"}, "a rate or a limit belongs to the kind rate"),
        ({"kind": "rate", "rates": ()}, "belongs to the kind rate"),
        ({"kind": "rate", "rates": RATES, "limit": 5}, "belongs to the kind rate"),
        ({"kind": "block", "rates": RATES}, "belongs to the kind rate"),
        ({"kind": "allow", "limit": 5}, "belongs to the kind rate"),
        ({"kind": "times"}, "a factor belongs to the kind times"),
        ({"kind": "rate", "rates": RATES, "times": 2.0}, "a factor belongs to the kind times"),
        ({"kind": "times", "times": 0.0}, "times is 0; it must be more than 0"),
        ({"kind": "times", "times": math.inf}, "times is inf"),
        ({"kind": "times", "times": math.nan}, "times is nan"),
        ({"kind": "block", "until": math.nan}, "until is nan; it must be a time"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KeyOverride(**values)
