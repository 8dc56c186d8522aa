"""Specs are read completely or refused with every mistake named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from everfit.contracts.base import canonical_json
from everfit.contracts.errors import SpecError, UserError
from everfit.contracts.spec.load import find_spec, load_spec, spec_paths
from everfit.contracts.spec.yaml_file import MAX_BYTES

GOOD = {
    "task": "regression",
    "target": "fare_amount",
    "source": {"uri": "{data}/trips/*.csv"},
    "gate": {"superior_by": "1%", "baseline": "median"},
}


def write(folder: Path, document: object, name: str = "fares") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.line
    return caught.value.problems


def test_a_small_spec_is_complete(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, GOOD))
    assert spec.name == "fares"
    assert spec.primary_metric == "mae"
    assert spec.gate.superior_by is not None
    assert spec.gate.superior_by.relative
    assert spec.gate.superior_by.value == pytest.approx(0.01)
    assert [family.name for family in spec.train.families] == ["linear", "boosting"]


def test_every_mistake_is_named_at_once_with_its_path(tmp_path: Path) -> None:
    document = {
        **GOOD,
        "sorce": {},
        "train": {"trails": 3, "folds": 1},
        "gate": {"superior_by": "a lot", "baseline": "median"},
    }
    found = problems(write(tmp_path, document))
    assert any(line.startswith("sorce: ") and "did you mean 'source'" in line for line in found)
    assert any(
        line.startswith("train.trails: ") and "did you mean 'trials'" in line for line in found
    )
    assert any(line.startswith("train.folds: ") for line in found)
    assert any(line.startswith("gate.superior_by: a margin is") for line in found)


def test_a_spec_without_a_gate_is_refused(tmp_path: Path) -> None:
    document = {key: value for key, value in GOOD.items() if key != "gate"}
    (line,) = problems(write(tmp_path, document))
    assert line.startswith("gate: is required: a pipeline says what better means")


@pytest.mark.parametrize(
    ("gate", "part"),
    [
        ({"baseline": "median"}, "either superior_by or not_worse_than"),
        ({"superior_by": 1, "not_worse_than": 1, "baseline": "median"}, "either superior_by"),
        ({"superior_by": 1, "baseline": "prior"}, "gate.baseline of a regression is one of"),
        ({"superior_by": 1, "baseline": "mean", "metric": "roc_auc"}, "is no metric of a"),
        (
            {"superior_by": 1, "baseline": "mean", "metric": "rms"},
            "gate.metric: 'rms' is no metric of a regression; did you mean 'rmse'?",
        ),
        (
            {"superior_by": 1, "baseline": "mean", "limits": {"acuracy": {"min": 0.5}}},
            "gate.limits: 'acuracy' is no metric of a regression; known: mae, median_ae, r2, rmse",
        ),
        (
            {"superior_by": 1, "baseline": "mean", "limits": {"r2": {"min": 90}}},
            "gate.limits.r2: R² is at most 1, never 90",
        ),
        ({"superior_by": "nan%", "baseline": "mean"}, "gate.superior_by"),
        ({"superior_by": -1, "baseline": "mean"}, "gate.superior_by"),
    ],
)
def test_gates_that_mean_nothing(tmp_path: Path, gate: dict[str, object], part: str) -> None:
    assert any(part in line for line in problems(write(tmp_path, {**GOOD, "gate": gate})))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "must be a mapping"),
        ("- a\n- b\n", "must be a mapping"),
        ("task: [\n", "did not find"),
        ("task: binary\ntask: regression\n", "stands here twice"),
        ("a: &x 1\nb: *x\n", "anchors and aliases"),
        ("a: !!python/object/apply:os.system ['true']\n", "tags such as"),
        ("a: " + "[" * 600, "too many brackets"),
        ("a:\n" + "".join(" " * d + "b:\n" for d in range(1, 40)), "nested more than"),
        ("a: " + "9" * 5000, "cannot read"),
        ("x" * (MAX_BYTES + 1), "at most 64 KiB"),
    ],
)
def test_texts_that_are_no_spec(tmp_path: Path, text: str, part: str) -> None:
    (line,) = problems(write(tmp_path, text))
    assert part in line


def test_a_yaml_bomb_is_refused_before_it_grows(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    (line,) = problems(write(tmp_path, "\n".join(lines)))
    assert "anchors and aliases" in line


@pytest.mark.parametrize("name", ["../../etc/passwd", "Fares", "a/b", "", "a b", "x" * 64])
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="lower-case letters"):
        find_spec(tmp_path, name)


def test_a_near_name_is_suggested(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    with pytest.raises(UserError, match="Did you mean 'fares'"):
        find_spec(tmp_path, "fare")


def test_the_name_is_the_files_name(tmp_path: Path) -> None:
    (line,) = problems(write(tmp_path, {**GOOD, "name": "other"}))
    assert "must equal the file's name 'fares'" in line


def test_the_curated_schema_beside_it_is_read_with_it(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    (tmp_path / "fares.schema.yaml").write_text(
        yaml.safe_dump({"columns": {"fare_amount": {"type": "float", "max_null": 0.0}}})
    )
    spec = load_spec(path)
    assert spec.curated is not None
    assert spec.curated.columns["fare_amount"].max_null == 0
    assert spec_paths(tmp_path) == [path]


def test_a_wrong_schema_names_its_own_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    (tmp_path / "fares.schema.yaml").write_text("columns: {fare_amount: {typ: float}}\n")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.where == "fares.schema.yaml"
    assert any("did you mean 'type'" in line for line in caught.value.problems)


@pytest.mark.parametrize("uri", ["postgresql://me:secret@host/db", "https://me:secret@host/x.csv"])
def test_credentials_in_an_address_are_refused_and_not_repeated(tmp_path: Path, uri: str) -> None:
    found = problems(write(tmp_path, {**GOOD, "source": {"uri": uri}}))
    assert found
    assert "secret" not in " ".join(found)


def test_a_target_that_is_computed_must_say_which_columns_leak(tmp_path: Path) -> None:
    document = {
        **GOOD,
        "task": "binary",
        "target": {"name": "generous", "expression": "tips > 0.2 * fare"},
        "gate": {"superior_by": "1%", "baseline": "prior"},
        "features": {"keep": ["fare"]},
    }
    (line,) = problems(write(tmp_path, document))
    assert "the target is computed from 'tips'" in line
    document["features"] = {"keep": ["fare"], "drop": ["tips"]}
    assert load_spec(write(tmp_path, document)).target_columns == {"tips", "fare"}


def test_a_derived_column_cannot_read_what_is_hidden(tmp_path: Path) -> None:
    document = {**GOOD, "features": {"derive": {"cheat": "fare_amount * 2"}}}
    assert any("which is hidden" in line for line in problems(write(tmp_path, document)))


def test_derived_columns_are_computed_in_one_order_however_they_are_written(tmp_path: Path) -> None:
    derive = {"c": "1 + a", "z": "2", "a": "z * 2", "b": "3"}
    written = load_spec(write(tmp_path, {**GOOD, "features": {"derive": derive}}))
    assert list(written.features.derive) == ["b", "z", "a", "c"]
    sent = type(written).model_validate_json(canonical_json(written))
    assert list(sent.features.derive) == ["b", "z", "a", "c"]
    turned = dict(reversed(derive.items()))
    again = load_spec(write(tmp_path, {**GOOD, "features": {"derive": turned}}))
    assert list(again.features.derive) == ["b", "z", "a", "c"]


def test_columns_derived_from_each_other_are_refused(tmp_path: Path) -> None:
    document = {**GOOD, "features": {"derive": {"a": "b + 1", "b": "a - 1"}}}
    (line,) = problems(write(tmp_path, document))
    assert "features.derive: computed from each other: " in line


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_document_gives_a_spec_or_a_spec_error(tmp_path_factory, document: object) -> None:
    folder = tmp_path_factory.mktemp("specs")
    try:
        load_spec(write(folder, yaml.safe_dump(document)))
    except SpecError as error:
        assert error.problems


@given(st.text(max_size=300))
def test_any_text_gives_a_spec_or_a_spec_error(tmp_path_factory, text: str) -> None:
    path = tmp_path_factory.mktemp("specs") / "fares.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SpecError):
        load_spec(path)


@pytest.mark.parametrize(
    "cron",
    ["0 3 * * 1", "*/15 0-6,22 1 1,7 0", "59 23 31 12 7", "0 3 * JAN MON-FRI", "@daily", "@hourly"],
)
def test_schedules(tmp_path: Path, cron: str) -> None:
    spec = load_spec(write(tmp_path, {**GOOD, "triggers": {"schedule": cron}}))
    assert spec.triggers.schedule == cron


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("", "a schedule is five cron fields"),
        ("daily", "a schedule is five cron fields"),
        ("0 3 * *", "a schedule is five cron fields"),
        ("60 3 * * 1", "the minute of a schedule, '60', is not valid"),
        ("0 6-3 * * *", "the hour of a schedule, '6-3', is not valid"),
        ("*/0 * * * *", "the minute of a schedule, '*/0', is not valid"),
    ],
)
def test_schedules_that_are_none(tmp_path: Path, cron: str, says: str) -> None:
    (line,) = problems(write(tmp_path, {**GOOD, "triggers": {"schedule": cron}}))
    assert line.startswith(f"triggers.schedule: {says}")


def test_a_timezone_is_a_known_one(tmp_path: Path) -> None:
    (line,) = problems(write(tmp_path, {**GOOD, "triggers": {"timezone": "Mars/Olympus"}}))
    assert line.startswith("triggers.timezone: a timezone is an IANA name")
