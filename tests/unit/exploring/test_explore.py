"""``everfit explore``: one page about a table, before any spec exists."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import f_oneway, spearmanr

from everfit.cli import main
from everfit.cli.command import load
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.operations.exploring.relations import correlated, explained
from tests.json_shapes import mismatch


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is no repository yet."""
    for name in ("EVERFIT_HOME", "EVERFIT_STORE", "EVERFIT_LEDGER", "EVERFIT_MLFLOW"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EVERFIT_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def section(page: str, title: str) -> str:
    """The text of a section, without its tags."""
    found = re.search(rf"<h2>{title}</h2>(.*?)</section>", page, re.DOTALL)
    assert found, title
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def test_real_taxi_months_are_explored_and_nothing_else_is_left(empty, shared_data, capsys):
    (empty / "trips").mkdir()
    for month in ("2018-12", "2019-01"):
        shutil.copyfile(shared_data / "nyc_yellow" / f"{month}.csv", empty / f"trips/{month}.csv")
    assert main(["explore", "trips", "--target", "fare_amount", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert mismatch(answer, load("explore").answer()) is None
    assert (answer["spans"], answer["rows"]) == (2, 20_000)
    assert (answer["task"], answer["time"]) == ("regression", "pickup_datetime")
    # A surcharge that begins with the new year.
    assert any("NULL-DROP congestion_surcharge" in line for line in answer["findings"])
    assert sorted(path.name for path in empty.iterdir()) == ["trips", "trips_explored.html"]

    page = (empty / "trips_explored.html").read_text()
    assert "Likely leaks total_amount" in section(page, "In short")
    relations = section(page, "The target")
    assert relations.index("total_amount") < relations.index("trip_distance")
    assert re.search(r"total_amount 9\d(\.\d)? % likely leak", relations)
    assert "trip_distance total_amount" in section(page, "Columns that go together")
    assert "2018-11-30T12:10:01 2018-12-31T23:55:33" in section(page, "Spans and time")
    text = re.search(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    assert text
    spec = {"name": "trips", **yaml.safe_load(text[1].replace("&#39;", "'").replace("&#34;", '"'))}
    assert PipelineSpec.model_validate(spec).target.name == "fare_amount"


def test_what_is_odd_is_told_and_a_key_is_found(empty, capsys):
    random = np.random.default_rng(0)
    table = pd.DataFrame({"id": np.arange(400), "size": random.normal(size=400).round(3)})
    table["paid"] = np.where(table["size"] + random.normal(size=400) > 0, "yes", "no")
    table["size"] = table["size"].astype(str)
    table.loc[:1, "size"] = "?"
    table.to_csv(empty / "bills.csv", index=False)
    assert main(["explore", "bills.csv", "--to", "out/page.html"]) == 0
    shown = capsys.readouterr()
    assert "target paid (binary)" in shown.out
    assert "UNREADABLE size" in shown.err and "'?'" in shown.err
    page = (empty / "out" / "page.html").read_text()
    assert "Likely keys id" in section(page, "In short")
    assert "No column of times was found" in section(page, "Spans and time")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nothing/"], "INIT-DATA"), (["bills.csv", "--target", "color"], "INIT-TARGET")],
)
def test_what_cannot_be_explored_is_one_line(empty, capsys, arguments, code):
    (empty / "bills.csv").write_text("x,y\n1,2\n2,3\n")
    assert main(["explore", *arguments]) == 2
    told = capsys.readouterr().err
    assert sum(line.startswith(code) for line in told.splitlines()) == 1
    assert "Traceback" not in told


def test_what_a_column_explains_is_the_correlation_ratio_without_chance():
    """By scipy's F: epsilon squared is 1 - (n - 1) / (n - k + (k - 1) F)."""
    random = np.random.default_rng(1)
    group = pd.Series(random.integers(0, 4, 300)).map(dict(enumerate("abcd")))
    target = pd.Series(random.normal(size=300)) + group.map({"a": 0, "b": 1, "c": 0, "d": 2})
    ranks = target.rank()
    f = f_oneway(*(ranks[group == name] for name in "abcd")).statistic
    expected = 1 - 299 / (296 + 3 * f)
    assert explained(group, target, classes=False) == pytest.approx(expected, abs=1e-4)
    assert explained(target, target, classes=False) == pytest.approx(1 - 1 / 400, abs=2e-3)
    noise = pd.Series(random.normal(size=300))
    assert explained(noise, target, classes=False) < 0.05
    assert explained(noise.where(noise > 9), target, classes=False) == 0  # all missing: one group
    assert explained(group, group, classes=True) == 1
    assert explained(group, target.where(target > 99), classes=False) is None


def test_pairs_are_those_of_a_strong_rank_correlation():
    random = np.random.default_rng(2)
    x = random.normal(size=500)
    frame = pd.DataFrame({"x": x, "cube": -(x**3), "noise": random.normal(size=500), "one": 1.0})
    frame["when"] = pd.Timestamp(2024, 1, 1) + pd.to_timedelta(x + 0.5 * frame["noise"], "D")
    pairs = correlated(frame)
    assert [(one.first, one.second) for one in pairs] == [
        ("x", "cube"),
        ("x", "when"),
        ("cube", "when"),
    ]
    assert pairs[1].correlation == pytest.approx(spearmanr(x, frame["when"].astype("int64"))[0])
