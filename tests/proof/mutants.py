"""Guards taken out one by one, each with the test that must notice.

``old`` must be in the file exactly once, so that this list keeps in step with the code; whoever
changes a guard changes its mutant.
"""

from __future__ import annotations

from dataclasses import dataclass

GUARDS = "tests/proof/test_guards.py::"
SYNCED = "tests/proof/test_synced.py::"
LOCAL = "tests/unit/store/test_local.py::"
STORE = "tests/unit/store/test_store.py::"
S3 = "tests/unit/store/test_s3.py::"
LEDGER = "tests/unit/ledger/test_ledger.py::"
LOADED = "tests/unit/model/test_save_and_load.py::"
SIGNED = "tests/unit/version/test_signing.py::"
REGISTER = "tests/unit/register/test_register.py::"


@dataclass(frozen=True)
class Mutant:
    """One guard, gone."""

    name: str
    file: str
    """Below ``everfit``."""
    old: str
    new: str
    killer: str
    """The test that must fail."""
    why: str
    """What the guard is for."""


MUTANTS = (
    Mutant(
        "no sync of a stored file",
        "storage/store/local.py",
        "            os.fsync(file.fileno())\n",
        "",
        f"{LOCAL}test_every_folder_up_to_the_root_is_synced_after_the_link",
        "after a power cut a key would hold an empty file under its own name",
    ),
    Mutant(
        "no sync of a stored file's folder",
        "storage/store/local.py",
        "        os.fsync(handle)\n",
        "        pass\n",
        f"{LOCAL}test_every_folder_up_to_the_root_is_synced_after_the_link",
        "after a power cut a published key would be gone, and what is built on it would not",
    ),
    Mutant(
        "a local write overwrites",
        "storage/store/local.py",
        "os.link(staged, target)",
        "os.replace(staged, target)",
        f"{GUARDS}test_a_writer_that_comes_second_overwrites_nothing",
        "two attempts of one step would both think that theirs is the result",
    ),
    Mutant(
        "an S3 write overwrites",
        "storage/store/s3.py",
        '                        IfNoneMatch="*",\n',
        "",
        f"{STORE}test_nothing_is_overwritten[s3]",
        "the same, on object storage",
    ),
    Mutant(
        "an S3 write in parts overwrites",
        "storage/store/s3.py",
        'MultipartUpload={"Parts": parts}, IfNoneMatch="*"',
        'MultipartUpload={"Parts": parts}',
        f"{S3}test_a_large_file_loses_to_one_that_was_finished_meanwhile",
        "the same, of large files",
    ),
    Mutant(
        "bytes from the store are not checked against their digest",
        "storage/store/base.py",
        "        if digest_bytes(data) != digest:\n",
        "        if False:\n",
        f"{STORE}test_altered_bytes_are_never_returned",
        "an altered artifact would be believed",
    ),
    Mutant(
        "files from the store are not checked against their digest",
        "storage/store/base.py",
        "        if digest_file(path) != digest:\n",
        "        if False:\n",
        f"{STORE}test_altered_bytes_are_never_returned",
        "an altered table would be trained on",
    ),
    Mutant(
        "a model is parsed whatever its digest",
        "ml/model/load.py",
        "parse_model(store.get(artifact.digest), artifact.name, extra_trusted)",
        'parse_model(store.read(f"blobs/{artifact.digest[:2]}/{artifact.digest}") or b"", '
        "artifact.name, extra_trusted)",
        f"{LOADED}test_the_digest_is_verified_before_anything_is_parsed",
        "bytes of a stranger would reach the parser",
    ),
    Mutant(
        "a model says itself which types to trust",
        "ml/model/load.py",
        "        if refused:\n",
        "        if False:\n",
        f"{LOADED}test_a_type_on_no_list_is_refused_by_name",
        "a planted model would run what it likes",
    ),
    Mutant(
        "the journal's head is not looked at",
        "storage/ledger/ledger.py",
        "        if reached == record.sequence - 1:\n",
        "        if True:\n",
        f"{LEDGER}test_the_journal_counts_from_one_without_gaps",
        "a promotion would be recorded on top of a champion it was not judged against",
    ),
    Mutant(
        "the journal takes a place twice",
        "storage/ledger/migrations/versions/r0001_tables.py",
        'sa.UniqueConstraint("pipeline", "sequence", name="everfit_promotions_once"),',
        "",
        f"{GUARDS}test_a_promotion_overtaken_between_look_and_record_is_superseded",
        "of two racing promotions both would win",
    ),
    Mutant(
        "a second verdict is recorded",
        "storage/ledger/migrations/versions/r0001_tables.py",
        'sa.UniqueConstraint("run_key", name="everfit_verdicts_once"),',
        "",
        f"{GUARDS}test_a_run_has_one_verdict_and_one_evaluation_whoever_comes_later",
        "a run could be judged until it is accepted",
    ),
    Mutant(
        "a later decision counts",
        "steps/register/step.py",
        "    if verdict.decision == digest_of(decision):\n",
        "    if True:\n",
        f"{REGISTER}test_the_decision_on_record_counts",
        "the same, past the record",
    ),
    Mutant(
        "a second evaluation of a run is recorded",
        "storage/ledger/migrations/versions/r0006_holdout_evaluations.py",
        '        sa.UniqueConstraint("run_key", name="everfit_holdout_evaluations_once"),\n',
        "",
        f"{GUARDS}test_a_run_has_one_verdict_and_one_evaluation_whoever_comes_later",
        "a rerun would spend again",
    ),
    Mutant(
        "two evaluations take one place",
        "storage/ledger/migrations/versions/r0006_holdout_evaluations.py",
        '        sa.UniqueConstraint("target", "sequence", '
        'name="everfit_holdout_evaluations_in_a_row"),\n',
        "",
        f"{GUARDS}test_an_evaluation_overtaken_on_its_place_is_decided_anew",
        "racing evaluations would spend the same budget",
    ),
    Mutant(
        "records can be removed",
        "storage/ledger/migrations/versions/r0002_append_only.py",
        '("update", "delete")',
        '("update",)',
        "tests/unit/ledger/test_schema.py::test_the_database_refuses_to_change_or_remove_a_record",
        "history could be rewritten",
    ),
    Mutant(
        "the ledger does not wait for the disk",
        "storage/ledger/sqlite_connection.py",
        "PRAGMA synchronous = FULL",
        "PRAGMA synchronous = OFF",
        f"{SYNCED}test_a_promotion_is_on_the_disk_before_the_ledger_answers",
        "a power cut would take back a promotion whose alias is set",
    ),
    Mutant(
        "MLflow's artifacts do not wait for the disk",
        "storage/mlflow/files.py",
        "            os.fsync(file.fileno())\n",
        "",
        f"{SYNCED}test_an_artifact_of_a_run_is_on_the_disk_before_it_has_its_name",
        "a power cut would leave an empty model under its name",
    ),
    Mutant(
        "a run takes the head's place as it finds it",
        "champion/promotion.py",
        "sequence=judged_by.sequence + 1 if judged_by else 1,",
        "sequence=(h.sequence if (h := ledger.champion(pipeline)) else 0) + 1,",
        f"{GUARDS}test_of_two_workers_with_one_token_the_later_is_fenced_off",
        "a superseded attempt would dethrone the champion it was never compared with",
    ),
    Mutant(
        "the alias is written and not looked at again",
        "champion/promotion.py",
        "        if (again.version if again else None) == wanted "
        "and registry.alias(pipeline) == wanted:\n",
        "        if True:\n",
        f"{GUARDS}test_the_alias_follows_a_promotion_made_while_it_was_written",
        "the slower of two writers would leave the older champion serving",
    ),
    Mutant(
        "no intent before the effect",
        "champion/promotion.py",
        "    ledger.intend_registration(pipeline, made.run_key)\n",
        "",
        f"{GUARDS}test_the_intent_is_recorded_before_mlflow_is_asked",
        "a version made by a process that died would be nobody's",
    ),
    Mutant(
        "MLflow's copy of the model is not looked at",
        "storage/mlflow/sqlite.py",
        "            if found != log.model:\n",
        "            if False:\n",
        f"{GUARDS}test_a_model_that_mlflow_did_not_keep_whole_is_never_registered",
        "a version could serve half a model",
    ),
    Mutant(
        "younger twins stay",
        "storage/mlflow/client.py",
        "if twin != version:",
        "if False:",
        "tests/unit/registry/test_ways_agree.py::test_a_younger_twin_is_deleted[client]",
        "a request that MLflow carried out twice would leave two versions of a run",
    ),
    Mutant(
        "reconcile does not see twins",
        "champion/repair/differences.py",
        "                twins.setdefault(key, []).append(shown.version)\n",
        "                pass\n",
        "tests/unit/champion/test_differences.py::test_twins_of_a_recorded_version_are_deleted",
        "the same, where the process that made them died",
    ),
    Mutant(
        "a race in MLflow's database is taken for a refusal",
        "storage/mlflow/client_errors.py",
        "    if refused and not raced(error):\n",
        "    if refused:\n",
        f"{GUARDS}test_a_row_that_another_process_wrote_first_is_no_refusal_of_mlflows",
        "of two runs registered at one moment one would fail for good",
    ),
    Mutant(
        "another model is taken for the same run",
        "champion/registration.py",
        "    if recorded and recorded.champion.model.digest != candidate.model.digest:\n",
        "    if False:\n",
        f"{REGISTER}test_another_model_for_a_registered_run_is_refused",
        "what MLflow keeps of a version would not be what was recorded of it",
    ),
    Mutant(
        "a signature is believed unseen",
        "champion/version/signing.py",
        "    if not _holds(public, made, text):\n",
        "    if False:\n",
        f"{GUARDS}test_a_record_that_was_altered_is_not_served",
        "whoever can write to the database could make a champion",
    ),
    Mutant(
        "any key signs",
        "champion/version/signing.py",
        "    if public not in known_keys(context.settings):\n",
        "    if False:\n",
        f"{SIGNED}test_a_strangers_signature_is_refused_and_says_how_to_know_the_key",
        "the same, with a key of one's own",
    ),
)
