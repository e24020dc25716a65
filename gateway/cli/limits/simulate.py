"""`lockgate limits simulate`: what another limit would have done with the recorded requests."""

import argparse

from gateway.cli.limits.counts import describe_counts
from gateway.cli.limits.effect_text import describe_effect
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.limit_document import merge, to_proposal
from gateway.cli.limits.new_values import create_rate_patch
from gateway.cli.limits.ops_address import find_ops_address
from gateway.cli.limits.ops_client import OpsClient
from gateway.cli.limits.terminal import print_json, to_json

_MAX_KEYS = 20


def run(options: argparse.Namespace) -> int:
    """Print the effect of a change, which is not made."""
    with OpsClient(find_ops_address(options)) as client:
        limit = client.get_limit(options.name)
        patch = create_rate_patch(options, limit)
        if options.shadow is not None:
            patch["shadow"] = options.shadow == "on"
        document = merge(limit.live or {}, patch)
        simulation = client.simulate(limit.name, to_proposal(document))
    if options.json:
        print_json(to_json(simulation))
    else:
        print(*describe_effect(simulation, _MAX_KEYS), sep="\n")
        print(describe_counts(limit, document))
    return ExitStatus.DONE
