"""What MLflow says otherwise than the ledger, from facts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from everfit.champion.repair.differences import Facts, differences
from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.planning import ChampionRef
from everfit.storage.ledger.records import PromotionRecord, VersionRecord
from everfit.storage.mlflow import LoggedRun, ShownVersion

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
BYTES = Artifact(name="model", digest="d" * 64, size=1)


def ref(run_key: str, version: int = 0) -> ChampionRef:
    return ChampionRef(
        version=version, run_key=run_key, model=BYTES, train=BYTES, window=(), sequence=0
    )


def record(version: int, run_key: str) -> VersionRecord:
    return VersionRecord(
        run_key=run_key, version=version, mlflow_run=f"run{version}", champion=ref(run_key, version)
    )


def head(version: int, run_key: str) -> PromotionRecord:
    return PromotionRecord(sequence=2, version=version, run_key=run_key, kind="promote", reason="r")


WELL = Facts(
    pipeline="fares",
    registry="sqlite:///mlflow.db",
    head=head(2, B),
    promoted=frozenset({A, B}),
    recorded=[record(1, A), record(2, B)],
    before=frozenset({A, B}),
    unfinished={},
    judged=frozenset({A, B}),
    alias=2,
    versions=[ShownVersion(1, A), ShownVersion(2, B)],
    runs=[LoggedRun("run1", A, "FINISHED"), LoggedRun("run2", B, "FINISHED")],
)


def found(**changes):
    compared = differences(replace(WELL, **changes))
    return [r.what for r in compared.repairs], [r.code for r in compared.reports]


def test_all_well_is_nothing_to_do() -> None:
    assert found() == ([], [])
    nothing = Facts(
        "fares", "there", None, frozenset(), [], frozenset(), {}, frozenset(), None, [], []
    )
    compared = differences(nothing)
    assert (compared.repairs, compared.reports) == ([], [])


@pytest.mark.parametrize("alias", [None, 1, 99])
def test_an_alias_that_was_moved_or_removed_is_put_back(alias: int | None) -> None:
    assert found(alias=alias) == (["alias"], [])


@pytest.mark.parametrize(
    ("promoted", "repairs"), [({B}, ["unnamed"]), ({A, B}, [])], ids=["never", "once"]
)
def test_while_the_champion_is_gone_the_alias_names_none_that_never_was(promoted, repairs) -> None:
    left = {"versions": [ShownVersion(1, A)], "alias": 1, "promoted": frozenset(promoted)}
    assert found(**left) == (repairs, ["RECONCILE-GONE"])
    assert found(**{**left, "alias": None}) == ([], ["RECONCILE-GONE"])


def test_an_alias_over_an_empty_journal_is_removed() -> None:
    assert found(head=None) == (["alias"], [])


def test_a_deleted_version_is_reported_and_an_alias_never_moved_to_it() -> None:
    assert found(versions=[ShownVersion(1, A)], alias=1) == ([], ["RECONCILE-GONE"])
    (report,) = differences(replace(WELL, versions=[ShownVersion(1, A)], alias=None)).reports
    assert "v2 not there, the champion among them" in report.line


def test_a_number_that_another_run_has_counts_as_gone_and_strange() -> None:
    moved = [ShownVersion(1, A), ShownVersion(2, C)]
    assert found(versions=moved) == ([], ["RECONCILE-GONE", "RECONCILE-STRANGER"])


def test_many_deleted_versions_are_one_line() -> None:
    assert found(versions=[], alias=None) == ([], ["RECONCILE-GONE"])


def test_a_version_recorded_while_we_looked_is_not_missed() -> None:
    assert found(
        before=frozenset({A}), versions=[ShownVersion(1, A)], head=head(1, A), alias=1
    ) == ([], [])


def test_twins_of_a_recorded_version_are_deleted() -> None:
    twins = [*WELL.versions, ShownVersion(3, B), ShownVersion(4, B)]
    compared = differences(replace(WELL, versions=twins, alias=4))
    assert [r.what for r in compared.repairs] == ["twins", "alias"]
    assert (compared.repairs[0].run_key, compared.repairs[0].version) == (B, 2)
    assert "v3, v4 repeated v2" in compared.repairs[0].sentence
    assert compared.reports == []


def test_a_twin_of_a_deleted_version_is_left_for_a_person() -> None:
    assert found(versions=[ShownVersion(1, A), ShownVersion(3, B)]) == (
        [],
        ["RECONCILE-GONE", "RECONCILE-STRANGER"],
    )


@pytest.mark.parametrize("run_key", [None, C])
def test_a_version_that_nobody_recorded_is_reported(run_key: str | None) -> None:
    assert found(versions=[*WELL.versions, ShownVersion(3, run_key)]) == (
        [],
        ["RECONCILE-STRANGER"],
    )


def test_an_unfinished_registration_is_finished_from_its_finished_run() -> None:
    logged = LoggedRun("run3", C, "FINISHED")
    made = {C: ref(C)}
    assert found(unfinished=made, runs=[*WELL.runs, logged]) == (["register"], [])
    # with the version made already, and only its record missing
    there = [*WELL.versions, ShownVersion(3, C)]
    assert found(unfinished=made, runs=[*WELL.runs, logged], versions=there) == (["register"], [])


def test_an_unfinished_registration_that_cannot_be_finished_says_why() -> None:
    assert found(unfinished={C: ref(C)}) == ([], ["RECONCILE-UNFINISHED"])
    lost = IntegrityError("STORE-MISSING", "blob", "it must be there", "it is not there")
    (report,) = differences(replace(WELL, unfinished={C: lost})).reports
    assert "it has none, and it is not there" in report.line
    assert "everfit run fares --force" in report.line


def test_a_judged_run_left_running_is_reported_and_an_unjudged_one_is_let_be() -> None:
    running = LoggedRun("run9", C, "RUNNING")
    assert found(runs=[*WELL.runs, running]) == ([], [])
    judged = WELL.judged | {C}
    assert found(runs=[*WELL.runs, running], judged=judged) == ([], ["RECONCILE-RUN"])
    twin = replace(WELL, runs=[*WELL.runs, LoggedRun("run9", A, "RUNNING")])
    assert "Delete this one in MLflow." in differences(twin).reports[0].line
