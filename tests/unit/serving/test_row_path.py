"""Rows without a table: the same bits as the model gives on a frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from everfit.contracts.spec.families import FAMILIES
from everfit.contracts.spec.family import Family
from everfit.contracts.spec.metrics import Task
from everfit.contracts.spec.train import FamilySpec
from everfit.ml.families.resolve import family_of
from everfit.ml.model.derived_columns import DerivedColumns
from everfit.ml.model.predict import pin_jobs
from everfit.ml.model.raw_columns import RawColumns
from everfit.ml.model.table_encoder import MOST_CODES, TableEncoder
from everfit.operations.serving.row_path import compiled as compiled_module
from everfit.operations.serving.row_path.compiled import compile_rows, verified_rows
from everfit.operations.serving.row_path.functions import NotCompiled
from everfit.operations.serving.rows import Problem, as_frame, read_records

COLUMNS = {
    "size": "float",
    "rooms": "integer",
    "new": "boolean",
    "town": "string",
    "street": "string",
    "house": "string",
    "sold": "timestamp",
    "built": "timestamp",
    "gap": "float",
}
DERIVE = {
    "age": "minutes(built, sold)",
    "per_room": "size / rooms",
    "large": "size > 100 and not new",
    "in_town": "town in ('a', 'b')",
    "at": "where(hour(sold) >= 12, log1p(size), sqrt(rooms))",
    "odd": "per_room % 3 + size // 2",
}
TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")
NAMES = [name for name, family in FAMILIES.items() if not family.stands_for]
ROWS = 400


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As the server has it."""
    with threadpool_limits(limits=1):
        yield


@cache
def training_rows() -> pd.DataFrame:
    """Few and many texts, gaps, whole numbers, times."""
    random = np.random.default_rng(5)

    def texts(kinds: int, gaps: float) -> Any:
        found = [f"{'abcdefgh'[k % 8]}{k // 8 or ''}" for k in random.integers(0, kinds, ROWS)]
        return [
            None if hole else text
            for text, hole in zip(found, random.random(ROWS) < gaps, strict=True)
        ]

    seconds = random.integers(1_500_000_000, 1_600_000_000, (2, ROWS))
    values = {
        "size": random.gamma(4, 30, ROWS).tolist(),
        "rooms": random.integers(0, 6, ROWS).tolist(),
        "new": (random.random(ROWS) < 0.3).tolist(),
        "town": texts(5, 0.1),
        "street": texts(60, 0.0),
        "house": [f"h{k % (MOST_CODES + 9)}" for k in range(ROWS)],
        "sold": [pd.Timestamp(s, unit="s") for s in seconds[0]],
        "built": [None if s % 9 == 0 else pd.Timestamp(s, unit="s") for s in seconds[1]],
        "gap": [None if g < 0.2 else float(g) for g in random.random(ROWS)],
    }
    return as_frame(values, COLUMNS)


@cache
def fitted(name: str, task: Task) -> Any:
    """A model of a family, by the family's own defaults with fewer trees."""
    spec, frame = FamilySpec(name=name), training_rows()
    metric = "mae" if task == "regression" else "log_loss"
    family = family_of(spec, task, metric, seed=1, threads=1)
    random = np.random.default_rng(6)
    target: Any = frame["size"].to_numpy() + 10 * frame["rooms"].to_numpy() + random.random(ROWS)
    if task != "regression":
        target = np.digitize(target, np.quantile(target, [0.4] if task == "binary" else [0.3, 0.6]))
    raw = RawColumns(COLUMNS).fit(frame)
    derived = DerivedColumns(DERIVE).fit(raw.transform(frame))
    encoder = TableEncoder([*COLUMNS, *DERIVE], family.encoding)
    matrix = encoder.fit_transform(derived.transform(raw.transform(frame)))
    few = {k: 12 for k in ("max_iter", "n_estimators") if k in family.defaults}
    estimator = family.build({**family.defaults, **few})
    if family.categories_as and encoder.categorical_:
        estimator.set_params(**{family.categories_as: list(encoder.categorical_)})
    estimator.fit(matrix, target)
    model = Pipeline(
        [("columns", raw), ("derive", derived), ("encode", encoder), ("model", estimator)]
    )
    pin_jobs(model)
    return model, compile_rows(model, task)


def by_frame(model: Any, task: Task, values: Any, columns: Any = COLUMNS) -> Any:
    """The model on a frame."""
    frame = as_frame(values, columns)
    found = model.predict(frame) if task == "regression" else model.predict_proba(frame)
    found = np.asarray(found, dtype=np.float64)
    return found.reshape(-1) if task == "regression" else found


def same_bits(one: Any, other: Any) -> bool:
    return (one.shape, one.dtype) == (other.shape, other.dtype) and one.tobytes() == other.tobytes()


NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 100.0, 1e308, 5e-324]),
    st.integers(-(2**63), 2**63 - 1),
)
TEXTS = st.one_of(
    st.sampled_from(["a", "b", "h1", "h260", "g7", "", "\0", "é"]), st.text(max_size=4)
)
TIMES = st.datetimes(
    min_value=pd.Timestamp("1900-01-01").to_pydatetime(),
    max_value=pd.Timestamp("2200-01-01").to_pydatetime(),
).map(lambda moment: moment.isoformat())
OF_KIND = {
    "float": NUMBERS,
    "integer": st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 9),
    "boolean": st.booleans(),
    "string": TEXTS,
    "timestamp": TIMES,
}
ANYTHING = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.just([1]), st.just({}))
RECORDS = st.lists(
    st.fixed_dictionaries({name: st.none() | OF_KIND[kind] for name, kind in COLUMNS.items()}),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", NAMES)
def test_random_rows_are_predicted_to_the_same_bits(name: str, task: Task) -> None:
    model, by_row = fitted(name, task)

    @settings(max_examples=10, deadline=None, database=None)
    @given(records=RECORDS)
    def check(records: list[dict[str, Any]]) -> None:
        values = read_records(records, COLUMNS, 12)
        assert same_bits(by_row(values), by_frame(model, task, values))

    check()


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_training_are_predicted_to_the_same_bits_one_by_one_and_together(name) -> None:
    model, by_row = fitted(name, "regression")
    frame = training_rows()
    values = {
        column: [None if pd.isna(v) else v for v in frame[column].astype(object).tolist()]
        for column in COLUMNS
    }
    for places in ([0], [1], [2], range(3, 30)):
        some = {column: [values[column][k] for k in places] for column in COLUMNS}
        assert same_bits(by_row(some), by_frame(model, "regression", some))


@settings(max_examples=40, deadline=None, database=None)
@given(record=st.fixed_dictionaries(dict.fromkeys(COLUMNS, ANYTHING)))
def test_a_value_of_another_type_is_refused_before_either_path(record: dict[str, Any]) -> None:
    model, by_row = fitted("linear", "regression")
    try:
        values = read_records(json.loads(json.dumps([record])), COLUMNS, 10)
    except Problem as problem:
        assert problem.status == 422
        return
    assert same_bits(by_row(values), by_frame(model, "regression", values))


EXPRESSIONS = (
    "size + rooms * 2 - gap",
    "-size / (rooms - 2)",
    "size // rooms",
    "size % rooms",
    "rooms % -2.5",
    "size / 1e-300 * 1e300",
    "abs(size) + +rooms",
    "sqrt(size) + log1p(gap)",
    "min(size, rooms) - max(gap, 1)",
    "minutes(built, sold) / 60",
    "hour(sold) + weekday(built) * day(sold) - month(built)",
    "epoch(sold)",
    "isnull(town) or size > 3",
    "isnull(gap) and new",
    "not (size > rooms)",
    "not new",
    "not rooms",
    "1 < rooms <= 3",
    "size == rooms",
    "size != gap",
    "town == 'a'",
    "town != 'a' or street == town",
    "town in ('a', 'b')",
    "town not in ('a', 'é')",
    "rooms in (1, -2)",
    "sold > '2020-03-01'",
    "'2020-03-01T10:00' >= built",
    "sold == built",
    "new == True",
    "(size > 3) == new",
    "where(new, size, rooms)",
    "where(size > 2, 1, new)",
    "where(isnull(sold), 0, hour(sold))",
    "(size > 1) + new",
    "rooms and (gap > 0.5 or new)",
    "town",
    "sold",
    "size",
    "new",
)


@settings(max_examples=30, deadline=None, database=None)
@given(records=RECORDS)
def test_expressions_give_on_a_row_what_they_give_on_a_frame(records: list[dict[str, Any]]) -> None:
    values = read_records(records, COLUMNS, 12)
    frame = DerivedColumns({f"x{k}": text for k, text in enumerate(EXPRESSIONS)}).transform(
        RawColumns(COLUMNS).fit(training_rows()).transform(as_frame(values, COLUMNS))
    )
    found = derived(values)
    for k, text in enumerate(EXPRESSIONS):
        wanted = frame[f"x{k}"]
        if pd.api.types.is_numeric_dtype(wanted.dtype):
            one = wanted.to_numpy(dtype=np.float64, na_value=np.nan)
            other = np.array([row[k] for row in found], dtype=np.float64)
            assert same_bits(np.where(np.isnan(one), np.nan, one), other), text
        else:
            assert [None if pd.isna(v) else v for v in wanted] == [row[k] for row in found], text


def derived(values: Any) -> list[list[Any]]:
    """What the compiled expressions give for each row."""
    from everfit.operations.serving.row_path import encoding, expressions

    kinds = {name: encoding.KINDS[kind] for name, kind in COLUMNS.items()}
    gets = [expressions.compiled(text, kinds).get for text in EXPRESSIONS]
    rows = []
    for place in range(len(values["size"])):
        row = {name: values[name][place] for name in COLUMNS}
        for name, kind in kinds.items():
            if kind == "number":
                row[name] = float("nan") if row[name] is None else float(row[name])
        rows.append([get(row) for get in gets])
    return rows


@pytest.mark.parametrize(
    "text", ["1 + 2", "town < 'b'", "new in (True, 1)", "sold > '2020-03-01T00:00Z'", "size == 'a'"]
)
def test_what_frames_alone_compute_is_not_compiled(text: str) -> None:
    from everfit.operations.serving.row_path import encoding, expressions

    kinds = {name: encoding.KINDS[kind] for name, kind in COLUMNS.items()}
    with pytest.raises(NotCompiled):
        expressions.compiled(text, kinds)


def known_values() -> Any:
    return read_records(
        [dict.fromkeys(COLUMNS) | {"size": float(k), "town": "a"} for k in range(40)],
        COLUMNS,
        100,
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_family_is_compiled_and_passes_its_canaries(name: str) -> None:
    model, _ = fitted(name, "binary")
    asked = SimpleNamespace(frames=0)

    def ask(values: Any) -> Any:
        asked.frames += 1
        return by_frame(model, "binary", values)

    by_row = verified_rows(model, "binary", known_values(), COLUMNS, ask)
    assert asked.frames > len(COLUMNS)
    one = {column: [None] for column in COLUMNS}
    assert same_bits(by_row(one), by_frame(model, "binary", one))


def test_a_difference_in_the_last_bit_is_seen(monkeypatch) -> None:
    model, _ = fitted("gradient_boosting", "regression")
    real = compiled_module.compile_rows

    def off_by_one(model: Any, task: Task) -> Any:
        by_row = real(model, task)
        return lambda values: np.nextafter(by_row(values), np.inf)

    monkeypatch.setattr(compiled_module, "compile_rows", off_by_one)
    with pytest.raises(NotCompiled, match="come out different"):
        verified_rows(
            model,
            "regression",
            known_values(),
            COLUMNS,
            lambda values: by_frame(model, "regression", values),
        )


def test_trees_that_another_release_builds_otherwise_are_not_compiled() -> None:
    model, _ = fitted("gradient_boosting", "regression")
    other = Pipeline([*model.steps[:-1], ("model", type(model.steps[-1][1])())])
    with pytest.raises(NotCompiled, match="trees are not as expected"):
        compile_rows(other, "regression")


def test_an_estimator_by_its_path_is_asked_itself() -> None:
    model, _ = fitted("linear", "regression")
    dummy = DummyRegressor().fit(np.zeros((3, 1)), [1.0, 2.0, 4.0])
    other = Pipeline([*model.steps[:-1], ("model", dummy)])
    values = {name: [None, None] for name in COLUMNS}
    assert compile_rows(other, "regression")(values).tolist() == [7 / 3, 7 / 3]


def test_a_preparation_of_another_kind_is_not_compiled() -> None:
    model, _ = fitted("linear", "regression")
    with pytest.raises(NotCompiled, match="not Everfit's own"):
        compile_rows(Pipeline([model.steps[0], model.steps[-1]]), "regression")


def test_all_families_are_covered() -> None:
    assert all(isinstance(FAMILIES[name], Family) for name in NAMES)
    assert {"linear", "gradient_boosting", "lightgbm"} <= set(NAMES)
