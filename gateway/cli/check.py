"""`lockgate check`: what is wrong with the settings and policies, said without starting."""

import argparse
import json
from pathlib import Path

from config.limits import policies
from config.loading import load_settings
from config.mistakes import Mistake, SettingsMistaken
from config.settings import Settings
from gateway import upstreams
from gateway.cli.verb import Verbs, add_config_option, add_verb
from gateway.limits.policies import effective


def add_to(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "check",
        run,
        purpose="Check the settings and policies without starting.",
        example="lockgate check --config lockgate.toml --json",
    )
    add_config_option(parser)
    parser.add_argument("--json", action="store_true", help="print the mistakes as JSON")


def run(options: argparse.Namespace) -> int:
    """Print every mistake, or that there is none; 2 if there is one."""
    found = _found(options.config)
    if options.json:
        print(json.dumps([_as_json(mistake) for mistake in found]))
    else:
        for mistake in found:
            print(mistake)
        if not found:
            print("The settings and policies are fine.")
    return 2 if found else 0


def refuse_mistakes(settings: Settings) -> None:
    """Stop where the settings cannot serve.

    Raises:
        SettingsMistaken: with all that is wrong.
    """
    if found := mistakes(settings):
        raise SettingsMistaken(found)


def mistakes(settings: Settings) -> list[Mistake]:
    """What is wrong with settings that are well formed but do not fit the product."""
    return [*_issuers(settings), *upstreams.mistakes(settings.upstreams), *_limits(settings)]


def _issuers(settings: Settings) -> list[Mistake]:
    if not settings.issuers:
        hint = (
            'set LOCKGATE_ISSUERS, such as [{"issuer": "https://login.example.com", '
            '"audience": "lockgate", "discovery_url": '
            '"https://login.example.com/.well-known/openid-configuration"}]'
        )
        return [Mistake("issuers", "no identity provider, so no token could be verified", hint)]
    return [
        Mistake(f"issuers.{index}.jwks_file", f"there is no file {issuer.jwks_file}")
        for index, issuer in enumerate(settings.issuers)
        if issuer.jwks_file and not issuer.jwks_file.is_file()
    ]


def _limits(settings: Settings) -> list[Mistake]:
    try:
        effective(policies(), settings.limits)
    except SettingsMistaken as error:
        return error.mistakes
    return []


def _found(config: Path | None) -> list[Mistake]:
    try:
        return mistakes(load_settings(config))
    except SettingsMistaken as error:
        return error.mistakes


def _as_json(mistake: Mistake) -> dict[str, str]:
    return {"path": mistake.path, "message": mistake.message, "hint": mistake.hint}
