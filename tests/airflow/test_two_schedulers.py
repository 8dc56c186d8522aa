"""Two schedulers share the work: a burst on both, the death of one, and everything once."""

from __future__ import annotations

from tests.airflow.processes import training
from tests.airflow.soundness import assert_sound, wait_until_trained
from tests.airflow.stand import SCHEDULERS, Stand, until

NAMES = ("first", "second")


def test_a_burst_on_two_schedulers_one_of_them_killed_is_trained_on_once(stand: Stand):
    for name in NAMES:
        stand.pipeline(name)
        stand.arrive(name, range(3))
    stand.ready(*(f"{name}.{part}" for name in NAMES for part in ("train", "monitor")))
    bells = [bell for name in NAMES for bell in stand.bells(name)]
    stand.burst(bells, 200)
    until(lambda: training(stand.settings.home, *NAMES), "one of them trains")
    first, second = SCHEDULERS
    stand.kill(first)
    stand.burst(bells, 50, seed=1)
    for name in NAMES:
        wait_until_trained(stand, name, stand.present(name))
        assert_sound(stand, name, trainings=1)

    stand.restart(first)
    stand.kill(second, components=True)
    for name in NAMES:
        wait_until_trained(stand, name, stand.arrive(name, (3,)))
        assert_sound(stand, name, trainings=2)
    stand.restart(second)
    for name in NAMES:
        for part in ("train", "monitor"):
            stand.api.pause(f"{name}.{part}", True)
