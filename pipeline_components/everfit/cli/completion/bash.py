"""The script for bash, which zsh reads too: one function that fills ``COMPREPLY``."""

from __future__ import annotations

from collections.abc import Iterator

from everfit.cli.command import names
from everfit.cli.completion.words import Words, all_words, top_words

SCRIPT = r"""\
_everfit_pipelines() {
    local root="$PWD" folder name
    while [ ! -d "$root/dags/pipelines" ] && [ -n "$root" ]; do root="${root%/*}"; done
    root="${EVERFIT_ROOT:-$root}"
    folder="${EVERFIT_PIPELINES:-$root/dags/pipelines}"
    command ls -- "$folder" 2>/dev/null | while IFS= read -r name; do
        case "$name" in
            *.schema.yaml | .*) ;;
            *.yaml) printf '%s\n' "${name%.yaml}" ;;
        esac
    done
}
_everfit() {
    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}"
    local command="" options="" values="" pipelines=no files=no any=yes at=1
    while [ "$at" -lt "$COMP_CWORD" ]; do
        case "${COMP_WORDS[at]}" in
            -*) ;;
            *) command="${COMP_WORDS[at]}"; break ;;
        esac
        at=$((at + 1))
    done
    case "$command" in
        "") values="@commands@" ;;
        @cases@
    esac
    [ "$pipelines" = no ] || values="$values $(_everfit_pipelines)"
    case "$word" in -*) [ "$any" = no ] || values="$values $options" ;; esac
    COMPREPLY=($(compgen -W "$values" -- "$word"))
    [ "$files" = no ] || COMPREPLY+=($(compgen -f -- "$word"))
}
complete -F _everfit everfit
"""

ZSH = """\
autoload -U +X compinit && compinit -u
autoload -U +X bashcompinit && bashcompinit
"""
"""What lets zsh read it."""


def bash() -> str:
    """The script."""
    cases = "\n".join(line for words in all_words() for line in _case(words))
    text = SCRIPT.replace("@commands@", " ".join([*names(), *top_words().options]))
    return text.replace("        @cases@", cases)


def zsh() -> str:
    """The same, where zsh has learnt what bash knows."""
    return ZSH + bash()


def _case(words: Words) -> Iterator[str]:
    """What of a command bash is told."""
    yield f"        {words.command})"
    yield f'            options="{" ".join(words.options)}"'
    takes = [(flag, f'values="{" ".join(values)}" any=no') for flag, values in words.values.items()]
    takes += [(flag, "files=yes any=no") for flag in words.file_flags]
    if takes:
        yield '            case "$before" in'
        yield from (f"                {flag}) {what} ;;" for flag, what in takes)
        yield "            esac"
    here = ["pipelines=yes"] * words.pipelines + ["files=yes"] * words.files
    if words.choices:
        here.append(f'values="{" ".join(words.choices)}"')
    if here:
        yield f'            [ "$any" = no ] || {{ {"; ".join(here)}; }}'
    yield "            ;;"
