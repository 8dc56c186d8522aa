"""YAML is read as every reader of it would, or refused with file, line, value and what to write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.errors import SpecError
from everfit.contracts.spec.load import error_found_later, load_spec
from everfit.contracts.spec.yaml_file import read_document

SPEC = """\
task: binary
target: {name: paid, positive: "Yes"}
source:
  uri: "{data}/d/*.csv"
features:
  drop:
    - id
    - "on"
gate:
  superior_by: 1%
  baseline: prior
train:
  seed: 90
"""


@pytest.fixture
def located(tmp_path: Path):
    def located(text: str | bytes) -> tuple[str, ...]:
        path = tmp_path / "bills.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(SpecError) as refused:
            load_spec(path)
        assert refused.value.exit_code == 2
        return refused.value.located

    return located


def test_the_spec_that_the_others_spoil_is_good(tmp_path: Path) -> None:
    path = tmp_path / "bills.yaml"
    path.write_text(SPEC)
    assert load_spec(path).features.drop == ("id", "on")


@pytest.mark.parametrize(
    ("good", "bad", "line", "value", "instead"),
    [
        ("seed: 90", "seed: 1:30", 13, "1:30", "90"),
        ("seed: 90", "seed: 1_000", 13, "1_000", "1000"),
        ("seed: 90", "seed: 017", 13, "017", "15"),
        ("seed: 90", "seed: 0o17", 13, "0o17", "15"),
        ("seed: 90", "seed: 0b11", 13, "0b11", "3"),
        ("seed: 90", "seed: 08", 13, "08", "8"),
        ('"Yes"', "Yes", 2, "Yes", "true"),
        ('"Yes"', "No", 2, "No", "false"),
        ('"Yes"', "on", 2, "on", "true"),
        ('"Yes"', "OFF", 2, "OFF", "false"),
        ('"on"', "on", 8, "on", "true"),
    ],
)
def test_what_versions_of_yaml_read_differently_is_refused(
    located, good, bad, line, value, instead
) -> None:
    (problem,) = located(SPEC.replace(good, bad))
    assert problem.startswith(f"bills.yaml:{line}: ")
    assert f"YAML reads {value} as {instead} " in problem
    assert f"write {instead}, or '{value}' in quotes" in problem


def test_every_such_value_is_named_at_once(located) -> None:
    found = located(SPEC.replace("seed: 90", "seed: 1:30").replace('"on"', "off"))
    assert [line.split(": ")[0] for line in found] == ["bills.yaml:8", "bills.yaml:13"]


def test_names_are_texts_whatever_they_look_like(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("on: 1\nNo: 2\n2018: 3\n017: 4\n1:30: 5\n2024-01-01: 6\nnull: 7\n")
    names = ["on", "No", "2018", "017", "1:30", "2024-01-01", "null"]
    assert list(read_document(path).data) == names


def test_dates_are_texts_and_powers_of_ten_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 2024-01-01\nb: 1e-4\nc: 2024-01-01 10:00:00\nd: 1.5e3\ne: =\nf: 0x1F\n")
    assert read_document(path).data == {
        "a": "2024-01-01",
        "b": 0.0001,
        "c": "2024-01-01 10:00:00",
        "d": 1500.0,
        "e": "=",
        "f": 31,
    }


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=8),
        max_size=5,
    )
)
def test_what_a_program_wrote_is_read_as_it_was_meant(tmp_path_factory, document) -> None:
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    path.write_text(yaml.dump(document, Dumper=Quoting, allow_unicode=True))
    assert read_document(path).data == document


class Quoting(yaml.SafeDumper):
    """Quotes every text."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SPEC + "train: {}\n", "bills.yaml:14: 'train' stands here twice"),
        (SPEC + "<<: {owner: me}\n", "bills.yaml:14: a spec merges nothing (<<)"),
        (SPEC + "owner: &me x\n", "bills.yaml:14: anchors and aliases are not allowed"),
        (SPEC + "owner: *me\n", "bills.yaml:14: anchors and aliases are not allowed"),
        (SPEC + "owner: !!str x\n", "bills.yaml:14: tags such as "),
        (SPEC + "---\ntask: binary\n", "bills.yaml:14: a second document begins here"),
        (SPEC + "monitor:\n\tscore: true\n", "bills.yaml:15: found character that cannot start"),
        (SPEC.encode("utf-16"), "bills.yaml must be UTF-8 text; it is UTF-16: save it as UTF-8"),
        (
            SPEC.encode() + b"owner: Ren\xe9\n",
            "bills.yaml:14: must be UTF-8 text; it holds the byte",
        ),
        (SPEC.encode() + b"owner: \x01\n", "bills.yaml:14: control characters"),
    ],
)
def test_what_is_no_plain_text_is_refused_at_its_line(located, text, says) -> None:
    (problem,) = located(text)
    assert problem.startswith(says)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = tmp_path / "bills.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SPEC.encode())
    assert load_spec(path).name == "bills"


@pytest.mark.parametrize("text", ["- " * 30_000, "? " * 30_000, "a:\n - " + "- " * 30_000])
def test_no_depth_of_nesting_ends_the_process(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.yaml"
    path.write_text(text)
    code = (
        "import sys, pathlib; from everfit.contracts.errors import SpecError\n"
        "from everfit.contracts.spec.yaml_file import read_document\n"
        "try: read_document(pathlib.Path(sys.argv[1]))\n"
        "except SpecError as error: print(error.located)"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "is nested more than 12 levels deep" in done.stdout


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("seed: 90", "sed: 90", "bills.yaml:13: train.sed: is no field here; did you mean"),
        ("seed: 90", "seed: many", "bills.yaml:13: train.seed: "),
        ("    - id\n", "    - [id]\n", "bills.yaml:7: features.drop.0: "),
        ("  baseline: prior\n", "", "bills.yaml:9: gate"),
        ("baseline: prior", "baseline: mean", "bills.yaml:"),
        ("superior_by: 1%", "superior_by: a lot", "bills.yaml:10: gate.superior_by: "),
        ("uri:", "url:", "bills.yaml:4: source.url: "),
    ],
)
def test_mistakes_have_the_line_they_stand_in(located, good, bad, says) -> None:
    found = located(SPEC.replace(good, bad))
    assert any(problem.startswith(says) for problem in found), found


def test_what_is_missing_at_the_top_has_the_first_line_of_the_document(located) -> None:
    (problem,) = located("# bills\n\n" + SPEC.replace("task: binary\n", ""))
    assert problem == "bills.yaml:3: task: is required"


def test_what_only_the_data_shows_has_the_line_of_its_field(tmp_path: Path) -> None:
    path = tmp_path / "bills.yaml"
    path.write_text(SPEC + "slices:\n  - name: long\n    where: x > 1\n")
    problems = (
        "features.drop: column 'on' is not in 1.csv",
        "slices.long: 'x > 1' compares a text",
        "train.families linear: has no such parameter",
        "target.positive: Yes is not among the classes",
        "1.csv: UNREADABLE fee: 3 of 9 cells are no numbers.",
        "1.csv: INF id: 3 of 9 values are infinite.",
    )
    error = error_found_later(path, problems, {problems[-1]: "features.drop.0"})
    assert [line.split(" ")[0] for line in error.located] == [
        "bills.yaml:8:",
        "bills.yaml:15:",
        "bills.yaml:12:",
        "bills.yaml:2:",
        "bills.yaml",
        "bills.yaml:7:",
    ]
