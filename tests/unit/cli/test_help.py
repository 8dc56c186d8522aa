"""Help, versions and mistakes in how the command line is called."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version

import pytest

from everfit.cli import main
from everfit.cli.command import Group, load, names
from everfit.cli.parser import parser_of, top_parser
from tests.json_shapes import is_documented

HEAVY = (
    "rich",
    "numpy",
    "pandas",
    "pyarrow",
    "sklearn",
    "mlflow",
    "sqlalchemy",
    "boto3",
    "pydantic",
    "rich",
)


def output(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What help or version print; they end with exit code 0."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_bare_everfit_is_its_help(capsys) -> None:
    assert output([], capsys) == output(["--help"], capsys) == output(["-v"], capsys)


@pytest.mark.parametrize("width", [80, 120])
def test_the_help_lists_every_command_once_in_its_group_and_fits(
    width, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = output(["--help"], capsys)
    assert max(map(len, text.splitlines())) <= width
    parts = {part.partition(":\n")[0]: part.splitlines() for part in text.split("\n\n")}
    for name in names():
        command = load(name)
        lines = [line for line in parts[command.group.value] if line.startswith(f"  {name} ")]
        assert [line.split() for line in lines] == [
            [name, *command.help.split()][: len(lines[0].split())]
        ]
    assert [group.value for group in Group] == [title for title in parts if title[0] in "WLDO"][:4]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("width", [80, 120])
def test_the_help_of_each_command_fits_and_its_arguments_say_what_they_are(
    name, width, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    parser = parser_of(name, load(name))
    assert max(map(len, parser.format_help().splitlines())) <= width
    assert [action.dest for action in parser._actions if not action.help] == []
    assert {"--json", "--verbose"} <= set(parser.options())


@pytest.mark.parametrize("name", names())
def test_each_command_says_what_its_json_is(name) -> None:
    command = load(name)
    assert is_documented(command.answer())
    assert not command.help.endswith(".")
    assert command.help[0].islower()


def test_the_help_of_all_commands_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom everfit.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Work on a pipeline:" in done.stdout
    assert done.stderr == "[]\n"


def test_the_version_is_that_of_the_package(capsys) -> None:
    assert output(["--version"], capsys) == f"everfit {version('everfit')}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["chek"], "USAGE everfit chek: this is not a command. Did you mean check?"),
        (["xyz"], "USAGE everfit xyz: this is not a command. Run everfit --help to see them all."),
        (["../run"], "USAGE everfit ../run: this is not a command. Did you mean run?"),
        (["--versio"], "USAGE everfit: there is no option --versio. Did you mean --version?"),
        (
            ["run", "--forse"],
            "USAGE everfit run: there is no option --forse. Did you mean --force?",
        ),
        (
            ["run", "--forc", "x"],
            "USAGE everfit run: there is no option --forc. Did you mean --force?",
        ),
        (["run", "x", "-z"], "USAGE everfit run: there is no option -z. See everfit run --help."),
        (["run"], "USAGE everfit run: NAME is missing. See everfit run --help."),
        (
            ["reproduce"],
            "USAGE everfit reproduce: NAME and VERSION are missing. See everfit reproduce --help.",
        ),
        (
            ["champion", "a", "b"],
            "USAGE everfit champion: 'b' is more than it takes. See everfit champion --help.",
        ),
        (
            ["promote", "a", "--reason", "x"],
            "USAGE everfit promote: one of --to or --run is needed. See everfit promote --help.",
        ),
        (
            ["promote", "a", "--to", "1", "--run", "b", "--reason", "x"],
            "USAGE everfit promote: --run and --to exclude each other. Leave one out.",
        ),
        (
            ["promote", "a", "--to"],
            "USAGE everfit promote: --to needs a value. See everfit promote --help.",
        ),
        (
            ["example", "--rows", "many"],
            "USAGE everfit example: --rows takes a whole number; found 'many'. "
            "See everfit example --help.",
        ),
        (
            ["runs", "--verdict", "promoted"],
            "USAGE everfit runs: --verdict is promote, hold or reject; found 'promoted'. "
            "Did you mean promote?",
        ),
        (
            ["run", "a", "--if-due", "--force"],
            "USAGE everfit run: --if-due and --force exclude each other. Leave one out.",
        ),
    ],
)
def test_a_call_that_is_wrong_is_one_line_with_what_is_near(arguments, line, capsys) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"{line}\n")


def test_verbose_may_stand_on_either_side_of_the_command(monkeypatch) -> None:
    from dataclasses import replace

    from everfit.cli.commands import changed

    seen = []

    def note(options: object, terminal: object) -> int:
        seen.append(options.verbose)
        return 0

    monkeypatch.setattr(changed, "COMMAND", replace(changed.COMMAND, run=note))
    for arguments in (["changed"], ["-v", "changed"], ["changed", "--verbose"]):
        assert main(arguments) == 0
    assert seen == [False, True, True]


def test_a_file_with_an_underscore_is_a_command_with_a_hyphen(
    monkeypatch, tmp_path, capsys
) -> None:
    from everfit.cli import commands

    (tmp_path / "say_hello.py").write_text(
        "from everfit.cli.command import Command, Group\n"
        "def run(options, terminal):\n"
        "    terminal.document({'hello': 'world'})\n"
        "    terminal.line('hello world')\n"
        "    return 0\n"
        "COMMAND = Command(Group.OPERATE, 'greet', run, lambda: dict[str, str])\n"
    )
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    assert "say-hello" in names()
    assert main(["say-hello"]) == 0
    assert capsys.readouterr().out == "hello world\n"
    assert main(["say-hello", "--json"]) == 0
    assert capsys.readouterr().out == '{\n  "hello": "world"\n}\n'
    assert re.search(r"^  say-hello +greet$", top_parser().format_help(), re.MULTILINE)
