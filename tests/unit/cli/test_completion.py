"""Completion, as real shells do it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.cli import main
from everfit.cli.command import load, names
from everfit.cli.completion import SHELLS
from everfit.cli.parser import parser_of, top_parser

PROGRAM = Path(sys.executable).with_name("everfit")
ASK = """
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
eval "$(complete -p everfit | sed -E 's/.*-F (\\S+).*/\\1/') everfit"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the script of each shell."""
    folder = tmp_path_factory.mktemp("scripts")
    for shell, script in SHELLS.items():
        (folder / shell).write_text(script())
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder below a repository of two pipelines."""
    pipelines = tmp_path / "my repository" / "dags" / "pipelines"
    pipelines.mkdir(parents=True)
    for name in ("taxi_fare.yaml", "taxi_fare.schema.yaml", "tips.yaml", "notes.txt"):
        (pipelines / name).touch()
    return pipelines.parent


def run(command: list[str], cwd: Path, **environ: str) -> list[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("EVERFIT")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.split()


def in_bash(scripts: Path, cwd: Path, *words: str, **environ: str) -> list[str]:
    """What bash offers after the words, the last of which is being typed."""
    command = f"source {scripts / 'bash'}\n{ASK}"
    return run(["bash", "--norc", "-c", command, "bash", *words], cwd, **environ)


def test_bash_reads_it_from_the_program(folder: Path) -> None:
    command = f"source <({PROGRAM} completion bash)\n{ASK}"
    found = run(["bash", "--norc", "-c", command, "bash", "everfit", "run", "ta"], folder)
    assert found == ["taxi_fare"]


def test_every_command_is_offered(scripts: Path, folder: Path) -> None:
    assert set(in_bash(scripts, folder, "everfit", "")) == {*names(), *top_parser().options()}
    assert in_bash(scripts, folder, "everfit", "doc") == ["doctor"]


@pytest.mark.parametrize("name", names())
def test_every_option_of_a_command_is_offered(scripts: Path, folder: Path, name: str) -> None:
    found = in_bash(scripts, folder, "everfit", "-v", name, "--")
    assert sorted(found) == sorted(parser_of(name, load(name)).options())


def test_pipelines_are_offered_where_a_command_takes_one(scripts: Path, folder: Path) -> None:
    pipelines = ["taxi_fare", "tips"]
    assert in_bash(scripts, folder, "everfit", "run", "") == pipelines
    assert in_bash(scripts, folder, "everfit", "status", "tips", "--short", "t") == pipelines
    assert in_bash(scripts, folder, "everfit", "doctor", "") == []
    elsewhere = folder.parents[1]
    assert in_bash(scripts, elsewhere, "everfit", "run", "") == []
    for variable, place in (("ROOT", folder.parent), ("PIPELINES", folder / "pipelines")):
        given = {f"EVERFIT_{variable}": str(place)}
        assert in_bash(scripts, elsewhere, "everfit", "run", "", **given) == pipelines


def test_values_and_files_are_offered_where_an_option_takes_them(
    scripts: Path, folder: Path
) -> None:
    verdicts = ["promote", "hold", "reject"]
    assert in_bash(scripts, folder, "everfit", "runs", "--verdict", "") == verdicts
    assert in_bash(scripts, folder, "everfit", "run", "tips", "--reason", "t") == []
    assert in_bash(scripts, folder, "everfit", "schema", "tips", "--to", "pi") == ["pipelines"]
    assert in_bash(scripts, folder, "everfit", "completion", "") == list(SHELLS)


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish")
def test_fish_offers_the_same(scripts: Path, folder: Path) -> None:
    def offered(line: str) -> list[str]:
        lines = "source $argv[1]; complete -C $argv[2] | string replace -r '\\t.*' ''"
        return run(["fish", "--no-config", "-c", lines, str(scripts / "fish"), line], folder)

    assert set(names()) == set(offered("everfit "))
    assert offered("everfit run ") == ["taxi_fare", "tips"]
    assert offered("everfit run --if") == ["--if-due"]
    assert set(offered("everfit runs --verdict ")) == {"promote", "hold", "reject"}


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
def test_zsh_completes_what_is_typed(scripts: Path, folder: Path) -> None:
    typing = f"""
zmodload zsh/zpty
zpty z 'zsh -f -i'
zpty -w z 'PS1=; everfit() {{ print -r -- "CALLED $*" }}; source {scripts / "zsh"}; print RE''ADY'
zpty -r -m z out '*READY*'
zpty -w -n z $'everfit run ta\\t --if\\t\\n'
zpty -r -m z out '*CALLED run *'$'\\n'
print -r -- "$out"
"""
    assert "CALLED run taxi_fare --if-due" in " ".join(run(["zsh", "-f", "-c", typing], folder))


def test_a_shell_that_is_none_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fsh"]) == 2
    line = "USAGE everfit completion: SHELL is bash, zsh or fish; found 'fsh'. Did you mean fish?\n"
    assert capsys.readouterr().err == line
