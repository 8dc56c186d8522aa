"""What watch names to be read and evaluated, for every state of source, ledger and champion."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from everfit.contracts.base import digest_of
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.monitoring_levels import DriftLevel
from everfit.contracts.messages.planning import ChampionRef
from everfit.contracts.messages.spans import Snapshot, Span, SpanRef
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.data.sources import Listing
from everfit.ml.fleet_level import Elsewhere
from everfit.ml.monitoring_key import evaluation_key
from everfit.steps.watch.due_spans import AT_ONCE, DueSpans, World
from everfit.storage.ledger.records import MonitorRecord, SpanRecord

READER = digest_of("reader")
LOG_READER = digest_of("log reader")
NOW = datetime(2019, 1, 1, tzinfo=UTC)


class Months:
    """Monthly spans ``2018-01`` to ``2018-12``, and what is known of them."""

    def __init__(self, **more):
        self.spec = PipelineSpec.model_validate(
            {
                "name": "trips",
                "task": "regression",
                "target": "fare",
                "source": {"uri": "{data}/m/*.csv", "period": "%Y-%m"},
                "window": {"spans": 3, "min_spans": 1},
                "gate": {"superior_by": "1%", "baseline": "median"},
                **more,
            }
        )
        self.listed: list[SpanRef] = []
        self.records: list[SpanRecord] = []
        self.monitored: list[MonitorRecord] = []
        self.quarantined: set[str] = set()
        self.champion: ChampionRef | None = None
        self.logs: list[SpanRef] = []
        self.elsewhere: Elsewhere | None = None

    def ref(self, month, content=""):
        return SpanRef(
            name=f"2018-{month:02}",
            fingerprint=f"{month}{content}",
            location="x",
            period_start=f"2018-{month:02}-01T00:00:00",
            period_end=f"2018-{month:02}-28T00:00:00",
        )

    def arrive(self, *months):
        self.listed += [self.ref(month) for month in months]

    def know(self, *months, digest=None, refused=None, content=""):
        for month in months:
            ref = self.ref(month, content)
            self.records.append(
                self.record(ref, digest or digest_of(f"{month}{content}"), READER, refused)
            )

    def record(self, ref, digest, reader, refused=None):
        span = Span(
            name=ref.name,
            digest=digest,
            rows=1,
            size=1,
            period_start=ref.period_start,
            period_end=ref.period_end,
        )
        snapshot = Snapshot(span=span, fingerprint=ref.fingerprint, provenance={})
        return SpanRecord(
            name=ref.name,
            fingerprint=ref.fingerprint,
            reader=reader,
            digest=None if refused else digest,
            snapshot=None if refused else snapshot.model_dump(mode="json"),
            code=refused,
            at="2018-12-24T00:00:00.000Z",
        )

    def crown(self, window, holdout=()):
        blob = Artifact(name="x", digest=digest_of("x"), size=1)
        self.champion = ChampionRef(
            version=3,
            run_key=digest_of("run"),
            model=blob,
            train=blob,
            sequence=1,
            window=[digest_of(str(m)) for m in window],
            holdout=[digest_of(str(m)) for m in holdout],
        )

    def answered(self, *months, labelled=True, content="", document="d", tested=None):
        for month in months:
            self.monitored.append(
                MonitorRecord(
                    champion=digest_of("run"),
                    version=3,
                    span=digest_of(f"{month}{content}"),
                    name=f"2018-{month:02}",
                    rows=1,
                    asked=evaluation_key(self.spec, labelled),
                    state="measured",
                    inputs=0,
                    columns=0,
                    strongest=(),
                    rises=(),
                    because="so",
                    document=digest_of(f"{document}{month}"),
                    tested=tested,
                )
            )

    def look(self):
        return DueSpans(
            self.spec,
            World(
                listing=Listing(tuple(self.listed)),
                records=self.records,
                reader=READER,
                quarantined=frozenset(self.quarantined),
                champion=self.champion,
                monitored=self.monitored,
                now=NOW,
                logs=Listing(tuple(self.logs)),
                log_reader=LOG_READER,
                elsewhere=self.elsewhere,
            ),
        ).result()

    def named(self):
        result = self.look()
        return (
            [int(ref.name[5:]) for ref in result.spans],
            [int(name[5:]) for name in result.evaluate],
        )


@pytest.fixture
def months():
    return Months()


def crowned():
    """Champion of 1 to 3 judged on 4; 1 to 4 are read."""
    made = Months()
    made.arrive(1, 2, 3, 4)
    made.know(1, 2, 3, 4)
    made.crown((1, 2, 3), (4,))
    return made


def test_without_a_champion_what_a_training_would_take_is_read(months):
    months.arrive(*range(1, 8))
    assert months.named() == ([4, 5, 6, 7], [])
    months.know(4, 5, 6, 7)
    result = months.look()
    assert (result.spans, result.evaluate, result.champion) == ((), (), None)
    assert (
        result.because == "there is no champion yet, and every span a training would take was read"
    )


def test_an_empty_source_says_so(months):
    assert months.look().because == "the source is empty"


def test_new_months_are_read_and_evaluated_oldest_first():
    months = crowned()
    assert months.named() == ([], [])
    assert months.look().because == "no good span is newer than those champion v3 knows"
    months.arrive(5, 6)
    assert months.named() == ([5, 6], [5, 6])
    assert months.look().because == (
        "to read: 2018-05, 2018-06; to evaluate champion v3 on: 2018-05, 2018-06"
    )


def test_what_was_answered_is_not_asked_again():
    months = crowned()
    months.arrive(5, 6)
    months.know(5, 6)
    months.answered(5)
    assert months.named() == ([6], [6])
    months.answered(6)
    assert months.named() == ([], [])
    assert months.look().because == ("champion v3 was evaluated on all 2 spans newer than itself")


def test_another_question_is_asked_anew():
    months = crowned()
    months.arrive(5)
    months.know(5)
    months.answered(5)
    monitor = months.spec.monitor.model_copy(update={"level": 0.01})
    months.spec = months.spec.model_copy(update={"monitor": monitor})
    assert months.named() == ([5], [5])


def test_changed_content_is_evaluated_anew():
    months = crowned()
    months.know(5)
    months.answered(5)
    months.listed.append(months.ref(5, content="with labels"))
    assert months.named() == ([5], [5])
    months.know(5, content="with labels")
    assert months.named() == ([5], [5])
    months.answered(5, content="with labels")
    assert months.named() == ([], [])


def test_a_late_old_month_is_not_held_against_the_champion(months):
    months.arrive(1, 2, 3, 4, 5)
    months.know(1, 3, 4)
    months.crown((1, 3), (4,))
    assert months.named() == ([2, 5], [5]), "read for the next training, but not newer"


def test_bad_spans_and_copies_are_left_out():
    months = crowned()
    months.arrive(5, 6, 7, 8)
    months.know(5, refused="SPAN-EMPTY")
    months.know(6)
    months.quarantined.add(digest_of("6"))
    months.know(7, digest=digest_of("2"))
    assert months.named() == ([8], [8])
    assert months.look().notes == (
        "2018-05 is left out: refused earlier (SPAN-EMPTY)",
        "2018-06 is left out: in quarantine since it was validated",
        "2018-07 is left out: it is a copy of 2018-02",
    )


def test_the_champions_months_may_be_gone_from_the_source():
    months = crowned()
    months.listed = []
    months.arrive(3, 5, 6)
    assert months.named() == ([5, 6], [5, 6])
    months.listed = [months.ref(2), months.ref(6)]
    assert months.named() == ([6], [6])


def test_labels_that_are_not_due_are_asked_for_again_when_they_are():
    months = crowned()
    months.spec = months.spec.model_copy(
        update={"monitor": months.spec.monitor.model_copy(update={"labels_after": "30d"})}
    )
    months.arrive(11, 12)
    months.know(11, 12)
    months.answered(11, 12, labelled=False)
    # 2018-11-28 + 30 days is past, 2018-12-28 + 30 days is not
    assert months.named() == ([11], [11])
    months.answered(11)
    assert months.named() == ([], [])


def test_only_so_many_at_once_and_the_newest_first():
    made = Months(window={"spans": 1, "min_spans": 1})
    made.arrive(1, 2)
    made.know(1, 2)
    made.crown((1,), (2,))
    days = [
        made.ref(3).model_copy(update={"name": f"day-{n}", "fingerprint": str(n)})
        for n in range(40)
    ]
    made.listed += days
    result = made.look()
    assert list(result.evaluate) == [f"day-{n}" for n in range(40 - AT_ONCE, 40)]
    assert any("40 spans are to be evaluated" in note for note in result.notes)


def test_the_past_and_earlier_results_are_named_in_order():
    months = crowned()
    months.arrive(5, 6, 7)
    months.know(5, 6)
    months.answered(6, document="first")
    months.answered(5, document="second")
    months.answered(5, document="third")
    result = months.look()
    assert result.evaluate == ("2018-07",)
    assert result.past == tuple(digest_of(str(month)) for month in range(1, 7))
    assert result.earlier == (
        ("2018-05", digest_of("third5")),
        ("2018-06", digest_of("first6")),
    )


def test_new_logged_predictions_have_the_newest_months_looked_at_again():
    months = crowned()
    months.spec = months.spec.model_copy(
        update={
            "monitor": months.spec.monitor.model_validate(
                {"predictions": {"uri": "{data}/log/*.csv", "key": ["trip"]}}
            )
        }
    )
    months.arrive(5, 6)
    months.know(5, 6)
    months.answered(5, 6)
    assert months.named() == ([], [])
    log = SpanRef(name="log-1.csv", fingerprint="1", location="x")
    months.logs = [log]
    assert months.named() == ([5, 6], [5, 6])
    assert months.look().predictions == (log,)
    months.records.append(months.record(log, digest_of("log"), LOG_READER, refused="SPAN-EMPTY"))
    assert months.named() == ([], []), "a refused log changes nothing"


def test_no_level_is_named_where_every_pipeline_is_on_its_own():
    months = Months()
    months.arrive(1, 2, 3)
    months.know(1, 2)
    months.crown(window=[1], holdout=[2])
    assert months.look().tested == {}


def test_each_span_has_its_level_of_one_rate_over_all_pipelines():
    months = Months(monitor={"across_pipelines": 0.05, "level": 0.04})
    months.arrive(1, 2, 3, 4, 5)
    months.know(1, 2, 3)
    months.crown(window=[1], holdout=[2])
    at = "2018-12-01T00:00:00.000Z"
    windows = [("a", digest_of("x")), ("b", digest_of("y")), ("b", digest_of("3"))]
    months.elsewhere = Elsewhere({"trips": at, "a": at, "b": at, "c": at, "d": at}, windows)
    found = months.look().tested
    assert {name: round(one.level, 6) for name, one in found.items()} == {
        "2018-03": 0.02,  # two windows of others drifted; the third is of these rows
        "2018-04": 0.01,
        "2018-05": 0.01,
    }
    again = DriftLevel(level=0.03, rate=0.05, pipelines=2)
    months.answered(3, labelled=False, tested=again)
    found = months.look().tested
    assert found["2018-03"] == again.model_copy(update={"repeated": True})
    assert found["2018-04"].level == pytest.approx(0.02)


def test_another_rate_is_another_question():
    one, other = Months(), Months(monitor={"across_pipelines": 0.05})
    assert evaluation_key(one.spec, True) != evaluation_key(other.spec, True)
    same = one.spec.model_copy(
        update={"monitor": one.spec.monitor.model_copy(update={"across_pipelines": None})}
    )
    assert evaluation_key(same, True) == evaluation_key(one.spec, True)
