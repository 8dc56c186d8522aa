"""The script for fish: a line for each thing that may follow."""

from __future__ import annotations

import re
import shlex

from everfit.cli.completion.words import all_words, top_words


def fish() -> str:
    """The script."""
    lines = [
        "function __everfit_pipelines",
        "    set -l root $PWD",
        '    while not test -d "$root/dags/pipelines"; and test "$root" != /',
        '        set root (dirname "$root")',
        "    end",
        '    set -q EVERFIT_ROOT; and test -n "$EVERFIT_ROOT"; and set root $EVERFIT_ROOT',
        "    set -l folder $root/dags/pipelines",
        '    set -q EVERFIT_PIPELINES; and test -n "$EVERFIT_PIPELINES"; '
        "and set folder $EVERFIT_PIPELINES",
        "    for path in $folder/*.yaml",
        "        string match -q '*.schema.yaml' $path; or basename $path .yaml",
        "    end",
        "end",
        "complete -c everfit -f",
    ]
    for flag, text in top_words().options.items():
        lines.append(_line("__fish_use_subcommand", f"-l {flag[2:]}", text))
    for words in all_words():
        lines.append(_line("__fish_use_subcommand", f"-a {words.command}", words.help))
        here = f"__fish_seen_subcommand_from {words.command}"
        for flag, text in words.options.items():
            takes = ""
            if flag in words.file_flags:
                takes = " -r -F"
            elif flag in words.values:
                takes = f" -x -a {shlex.quote(' '.join(words.values[flag]))}"
            lines.append(_line(here, f"-l {flag[2:]}{takes}", text))
        if words.pipelines:
            lines.append(_line(here, "-a '(__everfit_pipelines)'", "pipeline"))
        if words.choices:
            lines.append(_line(here, f"-a {shlex.quote(' '.join(words.choices))}", ""))
        if words.files:
            lines.append(_line(here, "-F", ""))
    return "\n".join(lines) + "\n"


def _line(condition: str, what: str, text: str) -> str:
    about = re.sub(r"([\\'])", r"\\\1", text)
    return f"complete -c everfit -n '{condition}' {what}" + (f" -d '{about}'" if about else "")
