"""How many requests a client may make."""

from __future__ import annotations

from everfit.operations.serving import rates
from everfit.operations.serving.rates import Rates


def test_a_client_gets_its_rate_over_time_and_no_more() -> None:
    now = [0.0]
    limit = Rates(10, clock=lambda: now[0])
    allowed = 0
    for step in range(1, 1001):
        now[0] = step / 100
        allowed += limit.allows("one")
    assert 100 <= allowed <= 110
    assert limit.allows("another")


def test_a_pause_saves_no_more_than_a_second() -> None:
    now = [0.0]
    limit = Rates(3, clock=lambda: now[0])
    assert limit.allows("one")
    now[0] = 1e6
    assert [limit.allows("one") for _ in range(4)] == [True, True, True, False]


def test_few_clients_are_remembered(monkeypatch) -> None:
    monkeypatch.setattr(rates, "MOST_CLIENTS", 2)
    limit = Rates(1, clock=lambda: 0.0)
    assert [limit.allows(client) for client in ("a", "b", "a", "c", "b")] == [
        True,
        True,
        False,
        True,
        True,
    ]
