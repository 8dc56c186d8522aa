"""Distances from bins, against scipy on the rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats
from scipy.spatial import distance

from everfit.ml.profiles.bins import Cells, from_bins
from everfit.ml.profiles.span_statistics import profile_table
from everfit.steps.monitor.effect import Distance, jensen_shannon, wasserstein, without_noise


def cells(values) -> Cells:
    table = pa.table({"x": np.asarray(values, dtype=float)})
    return from_bins(profile_table(table, "0" * 64).columns[0].bins)


@pytest.mark.parametrize("rows", [300, 20_000])
@pytest.mark.parametrize(
    ("law", "shift", "scale"),
    [
        (stats.norm(), 0.2, 1),
        (stats.norm(), 0, 1.3),
        (stats.lognorm(0.8), 0.3, 1),
        (stats.poisson(4), 1, 1),
        (stats.uniform(), 0.05, 1),
    ],
)
def test_wasserstein_is_that_of_the_rows(rows, law, shift, scale):
    rng = np.random.default_rng(3)
    old = law.rvs(rows, random_state=rng)
    new = law.rvs(rows // 2, random_state=rng) * scale + shift
    found = wasserstein(cells(old), cells(new), float(np.std(old)))
    assert found.measure == "Wasserstein distance / std"
    assert found.value == pytest.approx(
        stats.wasserstein_distance(old, new) / np.std(old), rel=0.02, abs=2e-3
    )


def test_wasserstein_by_chance_is_its_mean_without_a_difference():
    rng = np.random.default_rng(4)
    found = [
        wasserstein(cells(rng.normal(size=200)), cells(rng.normal(size=100)), 1.0)
        for _ in range(300)
    ]
    values = [one.value for one in found]
    by_chance = np.mean([one.chance for one in found])
    error = np.std(values) / np.sqrt(len(values))
    # Independent of the code: the integral of the normal's deviation, by quadrature.
    grid = np.linspace(-6, 6, 10_001)
    rank = stats.norm.cdf(grid)
    deviation = np.sqrt(rank * (1 - rank) * (1 / 200 + 1 / 100))
    exact = np.sqrt(2 / np.pi) * float(np.trapezoid(deviation, grid))
    assert by_chance == pytest.approx(exact, rel=0.05)
    assert np.mean(values) == pytest.approx(exact, abs=6 * error)


def test_heavy_tails_are_measured_without_the_outer_values():
    rng = np.random.default_rng(5)
    old, new = rng.standard_cauchy(20_000), rng.standard_cauchy(20_000) + 1
    found = wasserstein(cells(old), cells(new), float(np.std(old)))
    assert "without the outer" in found.measure
    low, high = np.quantile(old, [0.005, 0.995])
    old, new = np.clip(old, low, high), np.clip(new, low, high)
    assert found.value == pytest.approx(
        stats.wasserstein_distance(old, new) / np.std(old), rel=0.05
    )


def test_one_absurd_value_is_no_drift_and_one_in_a_hundred_is():
    rng = np.random.default_rng(9)
    old, new = rng.normal(size=20_000), rng.normal(size=20_000)
    new[0] = 1e9
    assert wasserstein(cells(old), cells(new), float(np.std(old))).value < 0.03
    new[:200] = 1e9
    assert wasserstein(cells(old), cells(new), float(np.std(old))).value > 0.1
    spoilt = np.where(np.arange(20_000) < 40, 1e9, old)
    assert wasserstein(cells(spoilt), cells(old + 1), float(np.std(spoilt))).value > 0.5


@pytest.mark.parametrize(
    "old,new", [([5, 5, 90], [8, 1, 40]), ([10, 0, 3], [0, 20, 3]), ([7], [3])]
)
def test_jensen_shannon_is_that_of_scipy(old, new):
    found = jensen_shannon(np.array(old, float), np.array(new, float))
    assert found.value == pytest.approx(distance.jensenshannon(old, new), abs=1e-12)


@pytest.mark.parametrize("k", [2, 5, 20])
def test_jensen_shannon_by_chance_is_its_mean_without_a_difference(k):
    rng = np.random.default_rng(6)
    share = np.full(k, 1 / k)
    pairs = [(rng.multinomial(4_000, share), rng.multinomial(1_000, share)) for _ in range(400)]
    values = [distance.jensenshannon(a, b) for a, b in pairs]
    chance = np.mean([jensen_shannon(a.astype(float), b.astype(float)).chance for a, b in pairs])
    error = np.std(values) / np.sqrt(len(values))
    assert chance == pytest.approx(np.mean(values), abs=6 * error + 0.01 * chance)


def test_without_noise_inverts_the_mean_of_a_shifted_normal():
    rng = np.random.default_rng(7)
    chance = 0.1 * np.sqrt(2 / np.pi)
    for true in (0.05, 0.1, 0.2):
        seen = float(np.mean(np.abs(true + 0.1 * rng.normal(size=400_000))))
        assert without_noise(Distance(seen, chance, "")) == pytest.approx(true, abs=2e-3)
    assert without_noise(Distance(0.07, chance, "")) == 0
    assert without_noise(Distance(0.6, chance, "")) == 0.6


def test_at_100_rows_noise_is_no_effect_and_at_10000_nothing_is_taken_off():
    rng = np.random.default_rng(8)
    raw, less = [], []
    for _ in range(100):
        found = wasserstein(cells(rng.normal(size=100)), cells(rng.normal(size=100)), 1.0)
        raw.append(found.value)
        less.append(without_noise(found))
    assert np.mean(raw) > 0.1 > np.mean(less)
    found = wasserstein(cells(rng.normal(size=10_000)), cells(rng.normal(size=10_000) + 0.1), 1.0)
    assert without_noise(found) == pytest.approx(found.value, rel=1e-3)
