"""Slices nobody declared: found where they are, tested on rows the tree has not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everfit.contracts.messages.training import ColumnRole
from everfit.contracts.spec.expression import MAX_LENGTH, columns_of
from everfit.contracts.spec.gate import SliceSpec
from everfit.contracts.spec.margins import Margin
from everfit.data.tables.evaluate_expression import is_true
from everfit.ml.scoring.holm import holm
from everfit.ml.scoring.resampling import Design, time_blocks
from everfit.ml.scoring.scored import Scored, row_losses
from everfit.steps.evaluate.found_slices import found_slices, halves
from everfit.steps.evaluate.slices import SliceRules, slice_scores
from everfit.steps.evaluate.tree_columns import Branch, expression, tree_columns, written

ROWS = 3_000
TYPES = {"x": "float", "count": "integer", "shop": "string", "open": "boolean", "when": "timestamp"}
ROLES = [ColumnRole(name=name, type=kind, role="feature") for name, kind in TYPES.items()]


def table(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    shop = pd.Series(rng.choice([f"s{k}" for k in range(10)], rows), dtype="str")
    return pd.DataFrame(
        {
            "x": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(size=rows)),
            "count": rng.integers(0, 6, rows),
            "shop": shop.where(rng.random(rows) > 0.1),
            "open": rng.random(rows) < 0.5,
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="h"),
        }
    )


def models(frame: pd.DataFrame, worse=None, by: float = 0.6, seed: int = 1):
    """Two models equally good, apart from the rows where the candidate's errors are larger."""
    rng = np.random.default_rng(seed)
    rows = len(frame)
    truth, shared = rng.normal(size=rows), rng.normal(size=rows)
    errors = [0.8 * shared + 0.6 * rng.normal(size=rows) for _ in range(2)]
    if worse is not None:
        errors[0] = errors[0] * np.where(worse, 1 + by, 1.0)
    names = ("candidate", "baseline")
    return {
        name: Scored.of("regression", truth, truth + error)
        for name, error in zip(names, errors, strict=True)
    }


def search(frame, scored, design=None, allowed=0.01, metric="mae", roles=ROLES):
    design = design or Design(len(frame), ordered=False, entity=None, seed=0, kind="rows")
    with np.errstate(invalid="ignore"):
        losses = {who: row_losses(metric, one) for who, one in scored.items()}
    losses.setdefault("baseline", np.full(len(frame), np.nan))
    asked = SliceRules(metric, design, 0.95, Margin(value=allowed, relative=True))
    return found_slices(frame, roles, scored, losses, asked)


def surely(found) -> list[str]:
    tested = [one for one in found if one.p_value is not None]
    adjusted = holm([one.p_value for one in tested])
    return [one.where for one, p in zip(tested, adjusted, strict=True) if p < 0.05]


PLANTED = {
    "a shop": lambda f: (f["shop"] == "s3").to_numpy(),
    "large x": lambda f: (f["x"] > 1.1).to_numpy(),
    "no x": lambda f: f["x"].isna().to_numpy(),
    "one count": lambda f: (f["count"] == 4).to_numpy(),
    "early hours": lambda f: (f["when"].dt.hour < 3).to_numpy(),
}


@pytest.mark.parametrize("where", PLANTED)
def test_a_planted_slice_is_found_where_it_is(where):
    frame = table()
    bad = PLANTED[where](frame)
    found, told, strange = search(frame, models(frame, bad, by=1.0))
    (text,) = surely(found)
    mask = is_true(text, frame)
    assert (mask & bad).sum() > 0.9 * bad.sum()
    assert (mask & bad).sum() > 0.9 * mask.sum()
    assert (told.worse, told.why, strange) == (len(found), "", [])
    assert {one.kind for one in found} == {"found"}


def test_what_was_found_can_be_declared_as_it_is_written():
    frame = table()
    scored = models(frame, PLANTED["a shop"](frame), by=1.0)
    for one in search(frame, scored)[0]:
        spec = SliceSpec(name="mine", where=one.where, min_rows=1)
        assert columns_of(spec.where) <= set(frame)
        asked = SliceRules("mae", Design(ROWS, False, None, 0, "rows"), 0.95, Margin(value=0.01))
        (declared,), _ = slice_scores([spec], frame, scored, asked)
        testing = ~halves(Design(ROWS, False, None, 0, "rows"))
        assert declared.rows == is_true(one.where, frame).sum()
        assert one.rows == (is_true(one.where, frame) & testing).sum()


def test_a_tenth_of_the_rows_is_found_most_of_the_time():
    hits = 0
    for seed in range(20):
        frame = table(seed=seed)
        bad = PLANTED["a shop"](frame)
        hits += any(
            "'s3'" in text for text in surely(search(frame, models(frame, bad, 1.0, seed))[0])
        )
    assert hits >= 16


def test_equal_models_are_hardly_ever_worse_anywhere():
    wrong = 0
    for seed in range(30):
        frame = table(seed=seed)
        wrong += bool(surely(search(frame, models(frame, seed=seed), allowed=0.0)[0]))
    assert wrong <= 5  # one in twenty: more than five of thirty come once in 300 times


def test_the_same_rows_give_the_same_slices():
    frame = table()
    scored = models(frame, PLANTED["large x"](frame))
    assert search(frame, scored) == search(frame.copy(), scored)


def test_a_candidate_that_is_worse_everywhere_is_not_a_slice_of_all_rows():
    frame = table()
    found, told, _ = search(frame, models(frame, np.ones(ROWS, dtype=bool)))
    assert told.worse >= 2
    assert all(0 < one.rows < told.tested for one in found)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 999}, "999 holdout rows are too few, 1,000 are needed"),
        ({"entities": 19}, "19 independent entities are too few, 20 are needed"),
        ({"baseline": None}, "the baseline could not be scored"),
        ({"candidate": np.nan}, "not every row loss is finite"),
        ({"roles": []}, "no feature can be divided by"),
    ],
)
def test_why_none_were_looked_for(changes, words):
    frame = table(changes.get("rows", ROWS))
    scored = models(frame)
    if "baseline" in changes:
        del scored["baseline"]
    if "candidate" in changes:
        scored["candidate"].scores[3] = np.nan
    design = None
    if "entities" in changes:
        entity = np.arange(len(frame)) % changes["entities"]
        design = Design(len(frame), False, entity, 0, "entities")
    found, told, _ = search(frame, scored, design, roles=changes.get("roles", ROLES))
    assert (found, told.why, told.fitted) == ((), words, 0)


@settings(deadline=None)
@given(st.integers(40, 3_000), st.integers(0, 9))
def test_dependent_rows_are_on_one_side(rows, seed):
    entity = np.random.default_rng(seed).integers(-1, 30, rows)
    fitting = halves(Design(rows, False, entity, seed, "entities"))
    for one in range(30):
        assert np.unique(fitting[entity == one]).size <= 1
    blocks = time_blocks(rows)
    fitting = halves(Design(rows, True, None, seed, "time blocks"))
    assert all(np.unique(fitting[blocks == block]).size == 1 for block in np.unique(blocks))
    assert abs(int(fitting.sum()) - rows / 2) <= rows / 20 + 60


def test_branches_are_expressions_that_hold_where_the_tree_goes():
    frame = table()
    known = {(c.kind, c.name, c.equals): c for c in tree_columns(frame, ROLES)}
    x, count = known["number", "x", ""], known["whole", "count", ""]
    shop, absent = known["equals", "shop", "s3"], known["absent", "shop", ""]
    flag, hour = known["flag", "open", ""], known["whole", "hour(when)", ""]
    half = Branch().below(0.5, missing=False), Branch().above(0.5, missing=True)
    cases = {
        "not isnull(x)": (x, Branch().below(np.inf, missing=False)),
        "isnull(x)": (x, Branch().above(np.inf, missing=True)),
        "x <= 0.5": (x, half[0]),
        "(isnull(x) or x > 0.5)": (x, half[1]),
        "(isnull(x) or (x > 0.5 and x <= 0.8))": (x, half[1].below(0.8, missing=True)),
        "count > 2": (count, Branch().above(2.5, missing=False)),
        "count == 3": (count, Branch().above(2.5, False).below(3.5, False)),
        "(isnull(shop) or shop != 's3')": (shop, half[0]),
        "shop == 's3'": (shop, half[1]),
        "isnull(shop)": (absent, half[1]),
        "not isnull(shop)": (absent, half[0]),
        "open": (flag, half[1]),
        "not open": (flag, half[0]),
        "hour(when) > 20": (hour, Branch().above(20.5, missing=False)),
    }
    assert [expression([path]) for path in cases.values()] == list(cases)
    for text, (column, branch) in cases.items():
        values = column.values
        goes = (values > branch.low) & (values <= branch.high)
        assert (is_true(text, frame) == np.where(np.isnan(values), branch.missing, goes)).all()


@settings(deadline=None)
@given(st.text(min_size=1, max_size=45), st.text(max_size=45))
def test_three_conditions_of_any_names_are_an_expression(name, value):
    frame = pd.DataFrame({name: pd.array([value, None, "other one"], dtype="str")})
    for column in tree_columns(frame, [ColumnRole(name=name, type="string", role="feature")]):
        if column.kind == "equals" and column.equals == value:
            text = expression([(column, Branch().below(0.5, True))] * 3)
            assert len(text) <= MAX_LENGTH
            assert is_true(text, frame).tolist() == [False, True, True]


@settings(deadline=None)
@given(st.text(min_size=1, max_size=45), st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_conditions_on_numbers_of_any_name_are_an_expression(name, low, high):
    times = [pd.Timestamp("2026-01-01"), None]
    frame = pd.DataFrame({name: times, f"{name}!": [0.1, np.nan]})
    roles = [ColumnRole(name=n, type="float", role="feature") for n in frame]
    for column in tree_columns(frame, roles):
        both = Branch().above(low, True).below(high, True)
        text = expression([(column, both), (column, Branch().below(low, True))])
        assert len(text) <= MAX_LENGTH
        assert is_true(text, frame)[1]


def test_names_that_are_no_names_are_quoted():
    assert [written(name) for name in ("a_1", "Trip Miles", "min", "if", "größe")] == [
        "a_1",
        "col('Trip Miles')",
        "col('min')",
        "col('if')",
        "col('größe')",
    ]


def test_trips_that_the_candidate_is_made_worse_for_are_found_among_real_ones(shared_data):
    from sklearn.linear_model import LinearRegression

    trips = pd.read_csv(shared_data / "chicago_taxi" / "data.csv")
    trips = trips.dropna(subset=["fare", "trip_miles", "trip_seconds"]).reset_index(drop=True)
    trips["company"] = trips["company"].astype("str")
    numbers = trips[["trip_miles", "trip_seconds", "trip_start_hour"]]
    truth = trips["fare"].clip(upper=100).to_numpy()
    answer = LinearRegression().fit(numbers[:7_000], truth[:7_000]).predict(numbers)
    spoilt_trips = (trips["payment_type"] == "Credit Card").to_numpy() & (numbers["trip_miles"] > 2)
    spoilt = answer + np.where(spoilt_trips, 2.0, 0.0)
    scored = {
        who: Scored.of("regression", truth, given)
        for who, given in (("candidate", spoilt), ("baseline", answer))
    }
    kinds = {
        "trip_miles": "float",
        "trip_start_hour": "integer",
        "payment_type": "string",
        "company": "string",
        "pickup_community_area": "float",
    }
    roles = [ColumnRole(name=name, type=kind, role="feature") for name, kind in kinds.items()]
    found, _, _ = search(trips, scored, roles=roles)
    texts = surely(found)
    assert texts
    assert all("payment_type == 'Credit Card'" in text for text in texts)
    assert all(spoilt_trips[is_true(text, trips)].mean() > 0.9 for text in texts)
