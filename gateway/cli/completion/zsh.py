"""Renders the completion script of zsh."""

from collections.abc import Iterator, Sequence

from gateway.cli.completion.command_tree import Command, Option, Source, Value, Word

_SCRIPT = """\
#compdef lockgate
# Completion of lockgate for zsh, from `lockgate completion zsh`.
_lockgate() {
    local current=${words[CURRENT]} previous=${words[CURRENT - 1]} at="" from="" word
    local -a subcommands=() options=() valued=() chosen=()
    integer place=0 first=2
    # The words that name the subcommand come first.
    while ((first < CURRENT)); do
        case "$at ${words[first]}" in
@PATHS@
            *) break ;;
        esac
        first+=1
    done
    case "$at" in
@WORDS@
    esac
    # Count the arguments before the cursor that are neither options nor values of options.
    for ((; first < CURRENT; first++)); do
        word=${words[first]}
        if ((${valued[(Ie)$word]})); then
            first+=1
        elif [[ $word != -* ]]; then
            place+=1
        fi
    done
    ((place == 0)) || subcommands=()
    if ((${valued[(Ie)$previous]})); then
        subcommands=() options=()
        case "$at $previous" in
@VALUES@
        esac
    elif [[ $current != -* ]]; then
        case "$at:$place" in
@PLACES@
        esac
    fi
    case "$from" in
        files) _files; return ;;
        policies) chosen=(${(f)"$(${words[1]} completion policies 2> /dev/null)"}) ;;
    esac
    (($#chosen)) && compadd -a chosen && return
    (($#subcommands)) && _describe command subcommands
    (($#options)) && _describe option options
}
# In a folder of $fpath, this file is the body of the function; otherwise it is sourced.
if [[ ${funcstack[1]} == _lockgate ]]; then _lockgate "$@"; else compdef _lockgate lockgate; fi"""


def render_zsh(commands: Sequence[Command]) -> str:
    """Return the script."""
    blocks = {
        "@PATHS@": [f'"{_join(it.path)}") at="{_join(it.path)}" ;;' for it in commands if it.path],
        "@WORDS@": [line for it in commands for line in _iter_words(it)],
        "@VALUES@": list(_iter_values(commands)),
        "@PLACES@": list(_iter_places(commands)),
    }
    script = _SCRIPT
    for mark, lines in blocks.items():
        script = script.replace(mark, "\n".join(f"            {line}" for line in lines))
    return script


def _join(path: Sequence[str]) -> str:
    return "".join(f" {name}" for name in path)


def _iter_words(command: Command) -> Iterator[str]:
    yield f'"{_join(command.path)}")'
    yield f"    subcommands=({_describe(command.subcommands)})"
    yield f"    options=({_describe([it.word for it in command.options])})"
    yield f"    valued=({' '.join(it.word.text for it in command.options if it.value)}) ;;"


def _describe(words: Sequence[Word]) -> str:
    return " ".join(f"'{it.text}:{it.meaning}'" for it in words)


def _iter_values(commands: Sequence[Command]) -> Iterator[str]:
    for command in commands:
        for option in command.options:
            if chosen := _format_option(option):
                yield f'"{_join(command.path)} {option.word.text}") {chosen} ;;'


def _iter_places(commands: Sequence[Command]) -> Iterator[str]:
    for command in commands:
        for place, value in enumerate(command.places):
            if chosen := _format_value(value):
                yield f'"{_join(command.path)}:{place}") {chosen} ;;'


def _format_option(option: Option) -> str:
    return "" if option.value is None else _format_value(option.value)


def _format_value(value: Value) -> str:
    if value.choices:
        return f"chosen=({' '.join(value.choices)})"
    return "" if value.source is Source.NOTHING else f"from={value.source.value}"
