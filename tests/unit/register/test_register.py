"""Register: one run, one version, the right alias, whatever was there before."""

from __future__ import annotations

import re
import sqlite3

import pytest

from everfit.contracts.base import canonical_json, digest_of
from everfit.contracts.errors import IntegrityError, RequestError, Unavailable
from everfit.steps.register.step import Register, _decision
from everfit.storage.mlflow import champion_alias, open_registry, run_page
from everfit.storage.store import digest_file
from tests.unit.register.small_run import CARD, small_run


def rows(context, sql: str, *values):
    database = sqlite3.connect(context.settings.home / "mlflow.db")
    try:
        return database.execute(sql, values).fetchall()
    finally:
        database.close()


def artifacts(context, run: str):
    (folder,) = (context.settings.home / "mlartifacts").glob(f"*/{run}/artifacts")
    return folder


def champion_of(context, request, result):
    """The promoted version as the next plan pins it."""
    record = context.ledger.version(request.run_key)
    head = context.ledger.champion("fares")
    return record.champion.model_copy(update={"sequence": head.sequence})


def test_a_promoted_run_has_a_run_a_version_and_the_alias(context):
    request = small_run(context)
    result = Register().run(request, context)
    assert (result.version, result.champion, result.superseded) == (1, 1, False)
    assert champion_alias(context.settings, "fares") == 1
    assert rows(context, "SELECT run_uuid, status FROM runs") == [(result.mlflow_run, "FINISHED")]
    (entry,) = context.ledger.history("fares")
    assert (entry.version, entry.run_key, entry.kind) == (1, request.run_key, "promote")
    record = context.ledger.version(request.run_key)
    assert record.champion.train == request.prepared.train
    assert record.champion.window == (request.window[0].digest,)
    assert context.ledger.unfinished_registrations("fares") == []


def test_the_model_is_kept_byte_for_byte_beside_everything_else(context):
    request = small_run(context)
    folder = artifacts(context, Register().run(request, context).mlflow_run)
    assert digest_file(folder / "model/model.skops") == request.evaluated.candidate.model.digest
    assert (folder / "reports/decision_report.html").read_text() == "<h1>promote</h1>"
    kept = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert kept == [
        "lineage.json",
        "model/MLmodel",
        "model/conda.yaml",
        "model/model.skops",
        "model/python_env.yaml",
        "model/requirements.txt",
        "model_card.md",
        "plots/importances.svg",
        "plots/residuals.svg",
        "reports/data_report.html",
        "reports/decision_report.html",
        "reports/decision_report.json",
        "reports/model_card.html",
    ]


def test_the_card_says_whose_it_is_which_version_since_when_and_what_became_of_it(context):
    result = Register().run(small_run(context), context)
    page = context.store.get(result.card.digest).decode()
    recorded = context.ledger.version(small_run(context).run_key)
    day = recorded.at[:16].replace("T", " ")
    facts = re.findall(r"<dt>(\w+)</dt><dd>([^<]*)</dd>", page)[:4]
    assert facts == [
        ("Owner", "ada"),
        ("Version", "v1"),
        ("Date", f"{day} UTC"),
        ("Status", "champion"),
    ]
    assert "</svg>champion</span>" in page
    assert Register().report(result, context).reports == {"model_card": result.card}


@pytest.mark.parametrize(("verdict", "status"), [("hold", "held"), ("reject", "rejected")])
def test_the_card_of_a_run_that_is_not_promoted_says_so(context, verdict, status):
    result = Register().run(small_run(context, verdict=verdict), context)
    page = context.store.get(result.card.digest).decode()
    assert "<dt>Version</dt><dd>not registered</dd>" in page
    assert f"<dt>Status</dt><dd>{status}</dd>" in page
    folder = artifacts(context, result.mlflow_run)
    assert f"| Status | {status} |" in (folder / "model_card.md").read_text()


def test_the_card_of_a_second_version_names_it_a_challenger_where_it_waits(context):
    first = small_run(context)
    champion = champion_of(context, first, Register().run(first, context))
    request = small_run(context, "second", champion=champion)
    gate = request.spec.gate.model_copy(update={"approval": "required"})
    spec = request.spec.model_copy(update={"gate": gate})
    result = Register().run(request.model_copy(update={"spec": spec}), context)
    page = context.store.get(result.card.digest).decode()
    assert "<dt>Status</dt><dd>challenger</dd>" in page
    assert "Waits for approval." in page


@pytest.mark.parametrize("verdict", ["hold", "reject"])
def test_a_run_that_is_not_promoted_is_logged_and_makes_no_version(context, verdict):
    result = Register().run(small_run(context, verdict=verdict), context)
    assert (result.version, result.champion) == (None, None)
    assert rows(context, "SELECT status FROM runs") == [("FINISHED",)]
    assert rows(context, "SELECT count(*) FROM model_versions") == [(0,)]
    assert context.ledger.history("fares") == []


def test_a_second_time_changes_nothing(context):
    request = small_run(context)
    first = Register().run(request, context)
    counted = "SELECT (SELECT count(*) FROM metrics), (SELECT count(*) FROM inputs), "
    counted += "(SELECT count(*) FROM model_versions), (SELECT count(*) FROM tags)"
    before = rows(context, counted)
    again = Register().run(request, context)
    assert canonical_json(again) == canonical_json(first)
    assert (first.changed, again.changed) == (True, False)
    assert rows(context, counted) == before


def test_a_better_run_takes_over_from_the_champion_it_was_judged_by(context):
    first = small_run(context)
    pinned = champion_of(context, first, Register().run(first, context))
    result = Register().run(small_run(context, "second", champion=pinned), context)
    assert (result.version, result.champion) == (2, 2)
    assert [entry.sequence for entry in context.ledger.history("fares")] == [1, 2]


def test_a_run_that_another_overtook_stays_a_challenger(context):
    Register().run(small_run(context), context)
    late = Register().run(small_run(context, "late", champion=None), context)
    assert (late.version, late.champion, late.superseded) == (2, 1, True)
    assert champion_alias(context.settings, "fares") == 1
    tags = dict(rows(context, "SELECT key, value FROM model_version_tags WHERE version = 2"))
    assert tags["everfit.promotion"] == "superseded"
    report = Register().report(late, context)
    assert report.summary.superseded is True
    (news,) = report.news
    assert (news.kind, news.what) == ("held", "version 2 stays a challenger")
    again = Register().run(small_run(context, "late", champion=None), context)
    assert Register().report(again, context).news == ()


def test_a_promotion_is_news_where_the_alias_was_moved(context, monkeypatch):
    request = small_run(context)

    def die(*_):
        raise Unavailable("REGISTRY", "mlflow", "must answer")

    with monkeypatch.context() as patch:
        patch.setattr("everfit.steps.register.step.project_alias", die)
        with pytest.raises(Unavailable):
            Register().run(request, context)
    assert len(context.ledger.history("fares")) == 1  # in the journal, but nobody has heard of it
    (news,) = Register().report(Register().run(request, context), context).news
    assert (news.kind, news.what, news.report) == (
        "promoted",
        "version 1 is the champion",
        "decision_report",
    )
    assert news.why == request.decision.because
    assert Register().report(Register().run(request, context), context).news == ()


def test_registering_an_old_champion_again_leaves_the_new_one(context):
    first = small_run(context)
    pinned = champion_of(context, first, Register().run(first, context))
    Register().run(small_run(context, "second", champion=pinned), context)
    again = Register().run(first, context)
    assert (again.version, again.champion, again.superseded) == (1, 2, False)
    assert len(context.ledger.history("fares")) == 2


@pytest.mark.parametrize("to", [None, 2])
def test_an_alias_moved_by_hand_is_put_back(context, to):
    Register().run(small_run(context), context)
    Register().run(small_run(context, "late", champion=None), context)  # version 2, never promoted
    with open_registry(context.settings, "fares") as registry:
        registry.set_alias("fares", to)
    held = Register().run(small_run(context, "held", verdict="hold"), context)
    assert held.champion == 1
    assert champion_alias(context.settings, "fares") == 1


def test_a_version_the_ledger_knows_nothing_of_keeps_its_alias_and_is_told(context):
    held = small_run(context, verdict="hold")
    place = Register().run(held, context)
    with open_registry(context.settings, "fares") as registry:
        version = registry.ensure_version("fares", "0" * 64, place.mlflow_run, {}, "by hand")
        registry.set_alias("fares", version)
    with pytest.raises(IntegrityError, match=r"DEPLOYMENT .* v1, which the ledger does not know"):
        Register().run(held, context)
    assert champion_alias(context.settings, "fares") == version


def test_an_altered_model_is_replaced_by_the_judged_one(context):
    request = small_run(context)
    folder = artifacts(context, Register().run(request, context).mlflow_run)
    (folder / "model/model.skops").write_bytes(b"something else")
    Register().run(request, context)
    assert digest_file(folder / "model/model.skops") == request.evaluated.candidate.model.digest


def test_a_finished_run_keeps_its_reports_and_gets_back_what_was_lost(context):
    request = small_run(context)
    folder = artifacts(context, Register().run(request, context).mlflow_run)
    (folder / "plots/residuals.svg").unlink()
    other = CARD.model_copy(update={"description": "Another attempt"})
    card = context.store.put("model_card.json", canonical_json(other))
    evaluated = request.evaluated.model_copy(update={"card_values": card})
    Register().run(request.model_copy(update={"evaluated": evaluated}), context)
    assert "A small model." in (folder / "model_card.md").read_text()
    assert (folder / "plots/residuals.svg").read_text() == "<svg/>"


def test_a_run_deleted_by_hand_comes_back_as_itself(context):
    request = small_run(context, verdict="hold")
    first = Register().run(request, context)
    database = sqlite3.connect(context.settings.home / "mlflow.db")
    with database:
        database.execute("UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = 1")
    database.close()
    assert Register().run(request, context) == first
    assert rows(context, "SELECT lifecycle_stage FROM runs") == [("active",)]


def test_a_recorded_version_that_is_gone_is_an_error_with_a_way_out(context):
    request = small_run(context)
    Register().run(request, context)
    database = sqlite3.connect(context.settings.home / "mlflow.db")
    with database:
        database.execute("UPDATE model_versions SET current_stage = 'Deleted_Internal'")
        database.execute("DELETE FROM registered_model_aliases")
    database.close()
    with pytest.raises(IntegrityError, match=r"REGISTRY-VERSION-GONE .* version 1.*Restore"):
        Register().run(request, context)


def test_an_emptied_registry_does_not_reuse_a_number_of_the_ledger(context):
    Register().run(small_run(context), context)
    for name in ("mlflow.db", "mlflow.db-wal", "mlflow.db-shm"):
        (context.settings.home / name).unlink(missing_ok=True)
    with pytest.raises(IntegrityError, match=r"REGISTRY-RESET .*version 1 of run"):
        Register().run(small_run(context, "second"), context)


def test_another_model_for_a_registered_run_is_refused(context):
    request = small_run(context)
    Register().run(request, context)
    other = small_run(context, model=b"other bytes", record=False)
    with pytest.raises(IntegrityError, match=r"REGISTER-MODEL .*one run has one model"):
        Register().run(other, context)


def test_a_run_without_a_recorded_verdict_is_refused(context):
    request = small_run(context, record=False)
    with pytest.raises(RequestError, match="REGISTER-VERDICT"):
        _decision(request.decision, request.run_key, context)


def test_the_decision_on_record_counts(context):
    request = small_run(context, verdict="hold")
    context.store.put("gate.json", canonical_json(request.decision))
    later = request.decision.model_copy(update={"verdict": "promote"})
    assert _decision(later, request.run_key, context) == request.decision
    assert context.ledger.verdict(request.run_key).decision == digest_of(request.decision)


def test_links_lead_to_the_run_where_a_page_is_known(context, settings):
    result = Register().run(small_run(context), context)
    assert Register().report(result, context).links == {}
    shown = settings.model_copy(update={"mlflow_page": "http://localhost:5000/"})
    page = f"http://localhost:5000/#/experiments/1/runs/{result.mlflow_run}"
    assert run_page(shown, result.mlflow_experiment, result.mlflow_run) == page


def test_asking_for_the_alias_makes_no_database(settings):
    assert champion_alias(settings, "fares") is None
    assert not (settings.home / "mlflow.db").exists()
