"""`lockgate limits plan`: whether the policies of the code refuse what was admitted."""

import argparse

from gateway.app_loader import load_application
from gateway.bounded_file import UnreadableFile, read_bounded_file
from gateway.cli.limits.effect_text import describe_left_out
from gateway.cli.limits.exit_status import ExitStatus
from gateway.cli.limits.terminal import format_rows, print_json
from gateway.cli.standard_streams import print_error
from gateway.cli.time_format import format_time
from gateway.ratelimit.recording.import_file import (
    MAX_FILE_BYTES,
    InvalidRecording,
    import_recordings,
)
from gateway.ratelimit.settings_rates import put_in_force
from gateway.ratelimit.simulation.plan_deployment import Plan, plan
from gateway.ratelimit.simulation.reproduction import CannotSimulate
from gateway.settings.errors import escape
from gateway.settings.loader import load_settings

_HEAD = ("POLICY", "REQUESTS", "NEWLY REFUSED", "NEWLY ADMITTED", "REFUSED", "COUNTS")


def run(options: argparse.Namespace) -> int:
    """Replay the recording under the policies of the code and the settings."""
    settings = load_settings(options.config)
    policies = put_in_force(load_application(settings.app).policies, settings.limits)
    in_force = {it.policy.name: it for it in policies}
    try:
        recordings = import_recordings(read_bounded_file(options.recording, MAX_FILE_BYTES))
        found = plan(recordings, in_force, options.max_newly_refused)
    except (UnreadableFile, InvalidRecording, CannotSimulate) as error:
        print_error(escape(f"{options.recording}: {error}"))
        return ExitStatus.FAILED
    except MemoryError:
        print_error(escape(f"{options.recording}: there is not enough memory to replay it"))
        return ExitStatus.FAILED
    if options.json:
        print_json(_to_json(found))
    else:
        print(_describe(found))
    return ExitStatus.DONE if found.is_accepted else ExitStatus.PLAN_EXCEEDED


def _describe(found: Plan) -> str:
    simulation, covers = found.simulation, found.simulation.covers
    rows = [
        (
            name,
            str(effect.requests),
            str(effect.own.newly_refused),
            str(effect.own.newly_admitted),
            f"{effect.own.refused_before} -> {effect.own.refused_after}",
            "restart" if effect.restarts_counts else "go on",
        )
        for name, effect in simulation.effects.items()
    ]
    times = f"{format_time(covers.begin)} to {format_time(covers.end)}"
    newly = simulation.newly_refused
    verdict = "accepted" if found.is_accepted else "REFUSED"
    left_out = [f"Left out: {text}" for text in [describe_left_out(covers.left_out)] if text]
    return "\n".join(
        [
            f"{covers.requests:,} requests of {covers.keys:,} callers, from {times}",
            format_rows(_HEAD, rows),
            *left_out,
            f"Accuracy: {escape(simulation.accuracy)}",
            f"{verdict}: {newly:,} newly refused; at most {found.max_newly_refused:,} are allowed",
        ]
    )


def _to_json(found: Plan) -> dict[str, object]:
    simulation, covers = found.simulation, found.simulation.covers
    return {
        "accepted": found.is_accepted,
        "newly_refused": simulation.newly_refused,
        "newly_admitted": simulation.newly_admitted,
        "max_newly_refused": found.max_newly_refused,
        "covers": {
            "from": format_time(covers.begin),
            "to": format_time(covers.end),
            "requests": covers.requests,
            "keys": covers.keys,
            "processes": list(covers.processes),
            "left_out": dict(covers.left_out),
        },
        "accuracy": simulation.accuracy,
        "policies": {
            name: {
                "requests": effect.requests,
                "newly_refused": effect.own.newly_refused,
                "newly_admitted": effect.own.newly_admitted,
                "refused_before": effect.own.refused_before,
                "refused_after": effect.own.refused_after,
                "shadow_refused": effect.shadow_refused,
                "restarts_counts": effect.restarts_counts,
            }
            for name, effect in simulation.effects.items()
        },
    }
