"""The actions of `lockgate limits`, and their arguments."""

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from gateway.cli.limits.limit_arguments import (
    parse_key,
    parse_policy,
    parse_reason,
    parse_times,
    parse_until,
    within,
)
from gateway.cli.subcommand import Subcommands, add_config_option, add_subcommand
from gateway.ratelimit.bounds import MAX_ENTRIES, MAX_VERSION, USAGE_SECONDS


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "Show, simulate and change the limits of a running gateway, through its ops API."
    parser = subcommands.add_parser(
        "limits", help=purpose, description=purpose, epilog="example: lockgate limits list"
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for add in (
        _add_list, _add_show, _add_set, _add_shadow, _add_override, _add_simulate, _add_history,
        _add_rollback, _add_top, _add_watch, _add_status, _add_who, _add_reset, _add_record,
        _add_plan,
    ):  # fmt: skip
        add(actions)
    for name, action in actions.choices.items():
        if name != "plan":
            _add_client_options(action)
        action.add_argument("--json", action="store_true", help="print JSON")


def _add_list(actions: Subcommands) -> None:
    purpose = "List the policies: what is in force, since when, and who changed it."
    _add_action(actions, "list", purpose, "lockgate limits list --json")


def _add_show(actions: Subcommands) -> None:
    purpose = (
        "Show a policy: its values in the code, the settings and the live document, overrides."
    )
    show = _add_action(actions, "show", purpose, "lockgate limits show dashboards")
    _add_policy(show)


def _add_set(actions: Subcommands) -> None:
    example = "lockgate limits set dashboards 60/minute --until 2h --reason 'database is slow'"
    purpose = (
        "Set the rate of a policy; one in shadow stays so. It shows the simulated effect, and asks"
        " first."
    )
    change = _add_action(actions, "set", purpose, example)
    _add_policy(change)
    change.add_argument("rate", metavar="RATE", help=_RATE_HELP)
    _add_value_options(change)
    _add_simulated_change_options(change)
    _add_until(change)


def _add_shadow(actions: Subcommands) -> None:
    example = "lockgate limits shadow partners off --reason 'a week without surprises'"
    purpose = "Let a policy count only (on), or refuse requests (off)."
    change = _add_action(actions, "shadow", purpose, example)
    _add_policy(change)
    change.add_argument("state", choices=("on", "off"), metavar="on|off", help="on: never refuse")
    _add_simulated_change_options(change)
    _add_until(change)


def _add_override(actions: Subcommands) -> None:
    example = (
        "lockgate limits override dashboards user:42 --times 5 --until friday --reason 'migration'"
    )
    purpose = "Give one caller another limit than the others, block it, or never limit it."
    change = _add_action(actions, "override", purpose, example)
    _add_policy(change)
    _add_key(change)
    kind = change.add_mutually_exclusive_group(required=True)
    kind.add_argument("--rate", metavar="RATE", help=f"another limit: {_RATE_HELP}")
    kind.add_argument(
        "--times", type=parse_times, metavar="N", help="N times the limit of the others"
    )
    kind.add_argument("--block", action="store_true", help="refuse all its requests")
    kind.add_argument("--allow", action="store_true", help="never refuse its requests")
    kind.add_argument("--remove", action="store_true", help="remove the override")
    _add_simulated_change_options(change)
    _add_until(change)


def _add_simulate(actions: Subcommands) -> None:
    example = "lockgate limits simulate dashboards 60/minute"
    purpose = "Replay the recorded requests under another limit. It changes nothing."
    simulate = _add_action(actions, "simulate", purpose, example)
    _add_policy(simulate)
    simulate.add_argument(
        "rate", nargs="?", metavar="RATE", help=f"{_RATE_HELP} (default: the one in force)"
    )
    _add_value_options(simulate)
    simulate.add_argument(
        "--shadow", choices=("on", "off"), metavar="on|off", help="with or without enforcement"
    )


def _add_history(actions: Subcommands) -> None:
    example = "lockgate limits history dashboards --limit 5"
    purpose = "List the changes of a policy, the newest first: who, when, why, from and to what."
    history = _add_action(actions, "history", purpose, example)
    _add_policy(history)
    history.add_argument(
        "--limit",
        type=within(1, MAX_ENTRIES),
        default=20,
        metavar="N",
        help="at most N entries (default: 20)",
    )
    history.add_argument(
        "--before",
        type=within(1, MAX_VERSION),
        metavar="SEQ",
        help="only those before this entry of the journal",
    )


def _add_rollback(actions: Subcommands) -> None:
    example = "lockgate limits rollback dashboards --reason 'database has recovered'"
    purpose = "Put an earlier version of a policy in force. It shows the effect, and asks first."
    change = _add_action(actions, "rollback", purpose, example)
    _add_policy(change)
    change.add_argument(
        "--to",
        type=within(0, MAX_VERSION),
        metavar="VERSION",
        help="the version to restore; 0 has no live values (default: the one before the present)",
    )
    _add_simulated_change_options(change)


def _add_top(actions: Subcommands) -> None:
    purpose = "List the callers with the most requests under a policy."
    top = _add_action(actions, "top", purpose, "lockgate limits top dashboards --seconds 60")
    _add_policy(top)
    top.add_argument(
        "--seconds",
        type=within(1, USAGE_SECONDS),
        default=300,
        metavar="N",
        help="of the last N seconds (default: 300)",
    )


def _add_watch(actions: Subcommands) -> None:
    purpose = "Watch the requests per second under every policy, until Ctrl-C."
    watch = _add_action(actions, "watch", purpose, "lockgate limits watch")
    watch.add_argument(
        "--every",
        type=within(1, 3_600),
        default=1,
        metavar="SECONDS",
        help="the time between readings (default: 1)",
    )
    watch.add_argument(
        "--count", type=within(1, 1_000_000), metavar="N", help="end after N readings"
    )


def _add_status(actions: Subcommands) -> None:
    purpose = "Show the state of Redis, the database, providers, services and gateway processes."
    _add_action(actions, "status", purpose, "lockgate limits status")


def _add_who(actions: Subcommands) -> None:
    purpose = "Say under which policies a caller is limited now, and why."
    who = _add_action(actions, "who", purpose, "lockgate limits who user:42")
    _add_key(who)
    who.add_argument(
        "--tier", metavar="TIER", help="the tier that its token has, for policies with tiers"
    )


def _add_reset(actions: Subcommands) -> None:
    example = "lockgate limits reset dashboards user:42 --reason 'its loop is fixed'"
    purpose = "Forget what a caller has used under a policy. It asks first."
    reset = _add_action(actions, "reset", purpose, example)
    _add_policy(reset)
    _add_key(reset)
    _add_change_options(reset)


def _add_record(actions: Subcommands) -> None:
    example = "lockgate limits record traffic.lockgate"
    purpose = "Save the recorded requests in a file, for `lockgate limits plan`."
    record = _add_action(actions, "record", purpose, example)
    record.add_argument("file", type=Path, metavar="FILE", help="the file to write (gzip)")


def _add_plan(actions: Subcommands) -> None:
    example = "lockgate limits plan --recording traffic.lockgate --max-newly-refused 0"
    purpose = (
        "Replay a recording under the policies of the code and the settings, without a gateway."
        " The exit status is 4 if they refuse too many requests that were admitted."
    )
    plan = _add_action(actions, "plan", purpose, example)
    plan.add_argument(
        "--recording",
        type=Path,
        required=True,
        metavar="FILE",
        help="what `lockgate limits record` has saved",
    )
    plan.add_argument(
        "--max-newly-refused",
        type=within(0, MAX_VERSION),
        required=True,
        metavar="N",
        help="how many requests that were admitted may be refused",
    )
    add_config_option(plan)


_RATE_HELP = (
    "such as 60/minute, or several as '10/second, 120/minute'; a number for a concurrency limit"
)


def _add_action(
    actions: Subcommands, name: str, purpose: str, example: str
) -> argparse.ArgumentParser:
    return add_subcommand(actions, name, _import_run(name), purpose=purpose, example=example)


def _add_client_options(action: argparse.ArgumentParser) -> None:
    """Add the options of a client of the ops API; after the arguments, so they end the usage."""
    action.add_argument(
        "--ops",
        metavar="URL",
        help="the address of the ops app (default: LOCKGATE_OPS_URL, or that of this machine)",
    )
    action.add_argument(
        "--token",
        metavar="TOKEN",
        help="a token for it, `-` to read one from standard input (default: LOCKGATE_OPS_TOKEN, or"
        " the operator's of the running demo)",
    )


def _import_run(name: str) -> Callable[[argparse.Namespace], int]:
    """Return the function `run` of the module of an action, which is imported when it is called."""

    def run(options: argparse.Namespace) -> int:
        status: int = import_module(f"gateway.cli.limits.{name}").run(options)
        return status

    return run


def _add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=parse_policy, metavar="NAME", help="the name of the policy")


def _add_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "key",
        type=parse_key,
        metavar="KEY",
        help="the caller, such as user:42, or as `top` and `show` print it",
    )
    parser.add_argument(
        "--issuer",
        metavar="URL",
        help="the issuer of its tokens (needed if the settings have several)",
    )


def _add_value_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--burst", type=within(1, MAX_VERSION), metavar="N", help="at most N requests at once"
    )
    parser.add_argument("--tier", metavar="TIER", help="the rate is that of this tier alone")
    parser.add_argument(
        "--new-tier", action="store_true", help="TIER may be one that the policy does not have yet"
    )


def _add_change_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reason", required=True, type=parse_reason, metavar="TEXT", help="why, for the journal"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")


def _add_simulated_change_options(parser: argparse.ArgumentParser) -> None:
    _add_change_options(parser)
    parser.add_argument(
        "--no-simulation",
        action="store_true",
        help="do not simulate the change first, which takes seconds after many requests",
    )


def _add_until(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until",
        type=parse_until,
        metavar="WHEN",
        help="the end of the change: 2026-12-04T18:00:00Z, 30m, 2h, 3d, 18:00, tomorrow, friday or"
        " 'friday 18:00' (default: no end, also if an earlier change has set one)",
    )
