"""Renders the completion script of bash."""

from collections.abc import Iterator, Sequence

from gateway.cli.completion.command_tree import Command, Source, Value, Word

_SCRIPT = """\
# Completion of lockgate for bash, from `lockgate completion bash`.
_lockgate() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local path="" subcommands="" options="" words="" source="" values="" place=0 first=1 word
    # The words that name the subcommand come first.
    while ((first < COMP_CWORD)); do
        case "$path ${COMP_WORDS[first]}" in
@PATHS@
            *) break ;;
        esac
        first=$((first + 1))
    done
    case "$path" in
@WORDS@
    esac
    # Count the arguments before the cursor that are neither options nor values of options.
    for ((; first < COMP_CWORD; first++)); do
        word=${COMP_WORDS[first]}
        if [[ " $values " == *" $word "* ]]; then
            first=$((first + 1))
        elif [[ $word != -* ]]; then
            place=$((place + 1))
        fi
    done
    ((place == 0)) || subcommands=""
    words="$subcommands $options"
    if [[ " $values " == *" $previous "* ]]; then
        words=""
        case "$path $previous" in
@VALUES@
        esac
    elif [[ $current != -* ]]; then
        case "$path:$place" in
@PLACES@
        esac
    fi
    case "$source" in
        files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        policies) words=$("${COMP_WORDS[0]}" completion policies 2> /dev/null) ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _lockgate lockgate"""


def render_bash(commands: Sequence[Command]) -> str:
    """Return the script."""
    blocks = {
        "@PATHS@": [
            f'"{_join(it.path)}") path="{_join(it.path)}" ;;' for it in commands if it.path
        ],
        "@WORDS@": [_format_words(it) for it in commands],
        "@VALUES@": list(_iter_values(commands)),
        "@PLACES@": list(_iter_places(commands)),
    }
    script = _SCRIPT
    for mark, lines in blocks.items():
        script = script.replace(mark, "\n".join(f"            {line}" for line in lines))
    return script


def _join(path: Sequence[str]) -> str:
    return "".join(f" {name}" for name in path)


def _format_words(command: Command) -> str:
    words = {
        "subcommands": command.subcommands,
        "options": [it.word for it in command.options],
        "values": [it.word for it in command.options if it.value is not None],
    }
    chosen = " ".join(f'{name}="{_list(found)}"' for name, found in words.items())
    return f'"{_join(command.path)}") {chosen} ;;'


def _list(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)


def _iter_values(commands: Sequence[Command]) -> Iterator[str]:
    for command in commands:
        for option in command.options:
            if option.value is not None and (chosen := _format_value(option.value)):
                yield f'"{_join(command.path)} {option.word.text}") {chosen} ;;'


def _iter_places(commands: Sequence[Command]) -> Iterator[str]:
    for command in commands:
        for place, value in enumerate(command.places):
            if chosen := _format_value(value):
                yield f'"{_join(command.path)}:{place}") {chosen} ;;'


def _format_value(value: Value) -> str:
    if value.choices:
        return f'words="{" ".join(value.choices)}"'
    return "" if value.source is Source.NOTHING else f"source={value.source.value}"
