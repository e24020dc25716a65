"""Renders the completion script of fish."""

from collections.abc import Iterator, Sequence

from gateway.cli.completion.command_tree import Command, Option, Source, Value

_HEAD = """\
# Completion of lockgate for fish, from `lockgate completion fish`.
function __lockgate_at --description 'Whether N arguments stand after these subcommands'
    # The words that name the subcommand come first.
    set -l tokens (commandline -opc)[2..]
    set -l after (count $argv)
    test (count $tokens) -ge (math $after - 1); or return 1
    test $after -eq 1; or test "$tokens[1..$(math $after - 1)]" = "$argv[2..]"; or return 1
    test $argv[1] = any; and return 0
    set -l arguments (string match --invert -- '-*' $tokens[$after..])
    test (count $arguments) -eq $argv[1]
end
function __lockgate_policies
    lockgate completion policies 2> /dev/null
end
complete -c lockgate -f"""

_SOURCES = {
    Source.NOTHING: "",
    Source.FILES: " -F",
    Source.POLICIES: " -a '(__lockgate_policies)'",
}


def render_fish(commands: Sequence[Command]) -> str:
    """Return the script."""
    return "\n".join([_HEAD, *(line for it in commands for line in _iter_lines(it))])


def _iter_lines(command: Command) -> Iterator[str]:
    for word in command.subcommands:
        yield f"{_begin(command, '0')} -a {word.text} -d '{word.meaning}'"
    for option in command.options:
        # The options of `lockgate` itself only stand before a subcommand.
        yield f"{_begin(command, 'any' if command.path else '0')} {_format_option(option)}"
    for place, value in enumerate(command.places):
        if chosen := _format_value(value):
            yield f"{_begin(command, str(place))}{chosen}"


def _begin(command: Command, place: str) -> str:
    return f"complete -c lockgate -n '__lockgate_at {' '.join((place, *command.path))}'"


def _format_option(option: Option) -> str:
    text = option.word.text
    name = f"-l {text.removeprefix('--')}" if text.startswith("--") else f"-s {text[1:]}"
    value = "" if option.value is None else f" -r{_format_value(option.value)}"
    return f"{name}{value} -d '{option.word.meaning}'"


def _format_value(value: Value) -> str:
    if value.choices:
        return f" -a '{' '.join(value.choices)}'"
    return _SOURCES[value.source]
