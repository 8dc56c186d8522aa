"""The parts of the two-sample chi-squared statistic, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from everfit.steps.monitor.contrasts import Part, ask, exact_square, parts_of_numbers

OLD = np.array([40.0, 100, 160, 160, 100, 40])
NEW = np.array([10.0, 40, 80, 90, 60, 20])


def asked(parts):
    n, m = NEW.sum(), OLD.sum()
    moved = NEW / n - OLD / m
    questions = ask(parts, (NEW + OLD) / (n + m), moved, np.array([moved, 0 * moved]))
    size = n * m / (n + m)
    return questions, [float(q.current @ q.current) * size for q in questions]


def test_the_parts_add_up_to_the_chi_squared_of_the_table():
    whole = stats.chi2_contingency(np.array([OLD, NEW]), correction=False)
    questions, squares = asked(parts_of_numbers((NEW + OLD) / (NEW + OLD).sum()))
    assert [q.name for q in questions] == ["place", "width", "shape"]
    assert sum(squares) == pytest.approx(whole.statistic)
    assert sum(q.dims for q in questions) == whole.dof
    assert sum(q.share for q in questions) == pytest.approx(1)
    ((question,), (square,)) = asked((Part("category", 1.0, None),))
    assert square == pytest.approx(whole.statistic)
    assert question.dims == whole.dof
    np.testing.assert_allclose(question.past[0], question.current)


def test_place_is_the_normal_scores_test():
    both = np.repeat(np.arange(6), (OLD + NEW).astype(int))
    scores = stats.norm.ppf((stats.rankdata(both) - 0.5) / len(both))
    values = dict(zip(both, scores, strict=True))
    score = np.array([values[k] for k in range(6)])
    n, m = NEW.sum(), OLD.sum()
    centred = score - np.average(score, weights=NEW + OLD)
    variance = np.average(centred**2, weights=NEW + OLD)
    z = (NEW @ centred / n - OLD @ centred / m) / np.sqrt(variance * (1 / n + 1 / m))
    _, squares = asked(parts_of_numbers((NEW + OLD) / (NEW + OLD).sum()))
    assert squares[0] == pytest.approx(z**2)


@pytest.mark.parametrize("table", [(3, 100, 0, 10_000), (0, 100, 7, 5_000), (2, 50, 2, 60)])
def test_the_exact_test_is_fishers(table):
    a, n, b, m = table
    tails = [
        stats.fisher_exact([[a, n - a], [b, m - b]], alternative=way).pvalue
        for way in ("less", "greater")
    ]
    expected = min(1.0, 2 * min(tails))
    assert stats.chi2.sf(exact_square(a, n, b, m), 1) == pytest.approx(expected, rel=1e-6)
