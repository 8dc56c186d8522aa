"""What a run's and a step's identity is made of: code that can change it, and environment."""

from __future__ import annotations

import ast
import hashlib
import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from everfit.contracts.base import Frozen, canonical_json
from everfit.contracts.messages.artifacts import Artifact
from everfit.contracts.messages.evaluations import Cost
from everfit.contracts.messages.requests import EvaluateResult, GateRequest
from everfit.contracts.messages.steps import Component
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.engine import fingerprints
from everfit.engine.fingerprints import (
    AROUND_A_RUN,
    CAN_CHANGE_BITS,
    CODE,
    IN_NO_KEY,
    OF_A_RUN,
    PACKAGE,
    Code,
    code_digest,
    content_key,
    digest_of_code,
    environment,
    package_digest,
    source_hashes,
)
from everfit.engine.progress import Progress
from tests.imports import Package, is_bare

REPOSITORY = Path(__file__).resolve().parents[2]
EVERFIT = Package(PACKAGE, "everfit")

STARTS = {name: (f"steps/{name}/step.py",) for name in get_args(Component)} | {
    "run": tuple(f"steps/{name}/step.py" for name in OF_A_RUN),
    "span_statistics": ("ml/profiles/span_statistics.py",),
    "target_profiles": ("steps/validate/target_profile.py",),
    "drift_report_page": ("steps/drift_report/report/make_page.py",),
}
"""Where the work on each begins."""

CHANGES_NOTHING = {
    "__init__.py": "names for people, loaded when they are asked for (a test below)",
    "contracts/settings": "where things are; a run's steps do not look (a test below)",
    "engine/progress": "is told how far the work is, and answers nothing (a test below)",
    "storage": "hands back bytes by their digest, which it verifies, and the records it was given",
}
"""Part of the package → why it is in no digest, though everything imports it."""

SHOWS = "report", "reporting"
"""Folders of pages. tests/pipeline/test_pages.py draws others, and finds the same results."""

BY_NAME = {
    "contracts/spec/families/__init__.py": "the model families in its folder",
    "contracts/spec/metrics/__init__.py": "the metrics in its folder",
    "contracts/spec/triggers/kinds/__init__.py": "the trigger kinds in its folder",
    "data/sources/registry.py": "the source types in the folder that it searches",
    "engine/step.py": "a step, and each step is a start of its own",
    "ml/families/estimator_path.py": "an estimator of the user's",
    "ml/families/resolve.py": "a package that a model family needs, in the environment's digest",
    "ml/model/boosters/__init__.py": "the boosting libraries in its folder, by name alone",
    "ml/model/load.py": "types that ml/model/trusted.py spells out, or the user's",
    "steps/gate/find_checks.py": "the checks in the folder that it searches",
    "steps/gate/own_checks.py": "checks of the user's, whose own digests are in the run key",
}
"""File that imports by a name only known at run time → what the name can be."""

SHARED = {*fingerprints._EVERY_STEP, *fingerprints._WORDS}
"""What counts for a step whether it uses it or not, so that the table stays short."""

NOT_OF_A_RUN = (*AROUND_A_RUN, "contracts/visible", "contracts/wording")


def below(path: str, parts: tuple[str, ...] | dict[str, str]) -> bool:
    return path in parts or Code(tuple(parts), shows=True).covers(path)


def shows(path: str) -> bool:
    return any(folder in SHOWS for folder in path.split("/")[:-1])


def closure_of(made: str):
    return EVERFIT.closure(STARTS[made], CODE[made].covers)


def left_out(made: str) -> list[str]:
    """What the work on something imports, that its digest does not cover and no reason excuses."""
    closure = closure_of(made)
    excused = (*CHANGES_NOTHING, *(NOT_OF_A_RUN if CODE[made].without else ()))
    return [
        closure.way_to(path)
        for path in sorted(closure.importer.keys() - closure.entered)
        if not below(path, excused)
        and not (shows(path) and not CODE[made].shows)
        and not (path.endswith("__init__.py") and is_bare(EVERFIT.tree(path)))
    ]


def test_the_environment_names_the_versions_python_itself_reports() -> None:
    assert {name: environment()[name] for name in CAN_CHANGE_BITS} == {
        name: version(name) for name in CAN_CHANGE_BITS
    }


@pytest.mark.parametrize("made", CODE)
def test_no_import_leaves_what_the_digest_covers(made) -> None:
    assert left_out(made) == []
    assert set(STARTS[made]) <= closure_of(made).entered


def test_no_core_of_a_step_imports_a_page() -> None:
    """Only a step itself does, once its core is done, and what repairs that it drew."""
    core = {
        path: {found for found in EVERFIT.imports[path] if shows(found)}
        for path in EVERFIT.modules.values()
        if any(code.covers(path) for code in CODE.values() if not code.shows)
    }
    assert not {path for path, found in core.items() for one in found if one.startswith("report")}
    drawing = ("validate", "prepare", "evaluate", "gate", "register", "monitor", "drift_report")
    assert {path for path, found in core.items() if found} == {
        *(f"steps/{name}/step.py" for name in drawing),
        "champion/registration.py",
        "champion/repair/rebuild.py",
    }


@pytest.mark.parametrize("made", get_args(Component))
def test_a_step_that_writes_numbers_into_its_result_has_the_words_in_its_key(made) -> None:
    writing = {
        path
        for path in closure_of(made).entered
        if "contracts/wording.py" in EVERFIT.imports[path] and not path.startswith("contracts/")
    }
    assert not writing or CODE[made].covers("contracts/wording.py")


def test_every_file_of_the_package_counts_as_source() -> None:
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.suffix for path in files} == set(fingerprints.SUFFIXES)


def test_everything_made_has_its_code() -> None:
    assert CODE.keys() == STARTS.keys() == {*get_args(Component), *get_args(fingerprints.Kept)}


@pytest.mark.parametrize("made", CODE)
def test_the_table_names_what_there_is_and_what_is_used(made) -> None:
    code, closure = CODE[made], closure_of(made)
    used = {part for part in code.parts if any(below(path, (part,)) for path in closure.entered)}
    assert set(code.parts) - used <= SHARED
    paths = EVERFIT.modules.values()
    for part in (*code.parts, *code.without):
        assert any(below(path, (part,)) for path in paths), part


@pytest.mark.parametrize("part", ["data/tables", "ml/scoring", "steps/gate", "contracts/spec"])
def test_a_part_that_is_taken_out_of_the_table_is_missed(part, monkeypatch) -> None:
    code = CODE["gate"]
    less = Code(tuple(one for one in code.parts if one != part), code.without)
    monkeypatch.setitem(CODE, "gate", less)
    missed = left_out("gate")
    if part == "steps/gate":
        assert missed == ["steps/gate/step.py"]
    else:
        assert any(way.startswith("steps/gate/step.py → ") and part in way for way in missed)


def test_what_is_imported_by_a_name_of_run_time_is_known() -> None:
    covered = {path for code in CODE.values() for path in EVERFIT.by_name if code.covers(path)}
    assert covered == BY_NAME.keys()


def test_the_package_itself_imports_nothing_when_it_is_imported() -> None:
    top = [node for node in EVERFIT.tree("__init__.py").body if not isinstance(node, ast.If)]
    modules = [
        module
        for node in top
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in [getattr(node, "module", None), *(alias.name for alias in node.names)]
    ]
    assert not [name for name in modules if name and name.split(".")[0] == "everfit"]


def test_the_steps_of_a_run_do_not_look_at_settings() -> None:
    """But extract at where its source is, and the signature of a champion at its keys."""
    looking = {
        path
        for path in EVERFIT.modules.values()
        if CODE["run"].covers(path)
        for node in ast.walk(EVERFIT.tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "settings"
    }
    sources = {path for path in looking if path.startswith("data/sources/")}
    assert looking - sources == {"champion/version/signing.py", "steps/extract/step.py"}


def test_progress_answers_nothing() -> None:
    assert get_type_hints(Progress.update)["return"] is type(None)


def models_of(annotations: Iterable[object]) -> set[type[Frozen]]:
    """The models that annotations hold, and those that their fields hold."""
    found: set[type[Frozen]] = set()
    todo = list(annotations)
    while todo:
        kind = todo.pop()
        if isinstance(kind, type) and issubclass(kind, Frozen):
            if kind not in found:
                found.add(kind)
                todo += [field.annotation for field in kind.model_fields.values()]
        else:
            todo += get_args(kind)
    return found


def test_what_is_around_a_run_is_in_no_field_that_a_run_depends_on() -> None:
    fields = PipelineSpec.model_fields
    of_a_run = {name for name in fields if IN_NO_KEY.get(name) is not True}
    around = {f"everfit.{part.replace('/', '.')}" for part in AROUND_A_RUN}

    def modules(names: set[str]) -> set[str]:
        return {kind.__module__ for kind in models_of(fields[name].annotation for name in names)}

    assert not modules(of_a_run) & around
    assert modules(fields.keys() - of_a_run) & around


def test_no_step_of_a_run_computes_with_what_is_around_it() -> None:
    """Extract knows what monitoring reads; it is not asked for it in a run. What a trigger finds of
    the champion is recorded in the ledger, once for each run, and judged by as it stands there.
    """
    using = {
        path
        for path in EVERFIT.modules.values()
        if CODE["run"].covers(path) and not path.startswith("contracts/")
        if any(below(found, AROUND_A_RUN) for found in EVERFIT.imports[path])
    }
    assert using == {
        "champion/decayed.py",
        "data/sources/prediction_log.py",
        "steps/extract/step.py",
    }


def test_no_step_of_a_run_reads_a_report_but_to_show_it() -> None:
    """The gate draws the evaluation's pictures into its page, and prepare the rows left out into
    validate's; all name theirs to people.
    """
    reports = {"card", "plots", "report", "report_html", "report_json"}
    naming = {
        path
        for path in EVERFIT.modules.values()
        if CODE["run"].covers(path)
        for node in ast.walk(EVERFIT.tree(path))
        if isinstance(node, ast.Attribute) and node.attr in reports
    }
    assert naming == {
        f"steps/{name}/step.py" for name in ("validate", "prepare", "evaluate", "gate")
    }


@pytest.fixture(scope="module")
def copied(tmp_path_factory) -> Path:
    """The package and the plugins, as a checkout has them side by side."""
    top = tmp_path_factory.mktemp("copied")
    for folder in ("pipeline_components", "plugins"):
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / folder, top / folder, ignore=leave)
    return top


def digests(top: Path) -> dict[str, str]:
    sources = source_hashes(top / "pipeline_components" / "everfit")
    return {made: digest_of_code(made, sources) for made in CODE}


def moved_by(top: Path, path: str) -> set[str]:
    """What has another digest once a file is edited."""
    file, before = top / path, digests(top)
    kept = file.read_bytes()
    file.write_bytes(kept + b"\n# edited\n")
    try:
        after = digests(top)
    finally:
        file.write_bytes(kept)
    return {made for made in CODE if before[made] != after[made]}


def test_a_copy_has_the_digests_of_the_package(copied) -> None:
    assert digests(copied) == {made: code_digest(made) for made in CODE}


PAGE = {"drift_report_page"}
"""A page that is kept by a key of its own, which holds how it looks."""


def test_no_page_style_command_door_or_plugin_is_in_a_key(copied) -> None:
    """All of them are edited, one after the other, and only then looked at."""
    package = copied / "pipeline_components" / "everfit"
    before = digests(copied)
    edited = [*copied.glob("plugins/**/*.py")]
    for path in source_hashes(package):
        first = path.split("/")[0]
        if shows(path) or first in ("cli", "operations", "serving", "storage"):
            edited.append(package / path)
    kept = {file: file.read_bytes() for file in edited}
    assert len(edited) > 150
    for file, data in kept.items():
        file.write_bytes(data + b"\n# edited\n")
    try:
        after = digests(copied)
    finally:
        for file, data in kept.items():
            file.write_bytes(data)
    assert {made for made in CODE if before[made] != after[made]} == PAGE


RUN = {"run", "validate", "prepare", "train", "evaluate", "gate"}


@pytest.mark.parametrize(
    ("path", "moved"),
    [
        ("reporting/palette.py", PAGE),
        ("reporting/templates/page.css.j2", PAGE),
        ("steps/gate/report/decision_report.py", set()),
        ("steps/evaluate/report/pictures.py", set()),
        ("steps/drift_report/report/make_page.py", PAGE),
        ("storage/ledger/ledger.py", set()),
        ("operations/reproduce/rebuild.py", set()),
        ("contracts/settings.py", set()),
        ("__init__.py", set()),
        ("steps/prepare/split.py", {"run", "prepare"}),
        ("steps/train/fit.py", {"run", "train"}),
        ("steps/gate/decide.py", {"run", "gate"}),
        ("steps/evaluate/slices.py", {"run", "evaluate"}),
        ("steps/extract/csv_read.py", {"run", "extract"}),
        ("steps/validate/choose_spans.py", {"run", "validate"}),
        ("steps/validate/leaks.py", {"run", "validate", "target_profiles"}),
        ("steps/plan/step.py", {"plan"}),
        ("steps/register/step.py", {"register"}),
        ("steps/monitor/drift.py", {"monitor"}),
        ("champion/explain.py", {"register", "fall_back", "score", "promote", "reconcile"}),
        ("ml/families/resolve.py", {"run", "train", "refit"}),
        ("steps/refit/compare.py", {"refit"}),
        (
            "ml/profiles/bins.py",
            {"run", "validate", "monitor", "score", "span_statistics", "target_profiles"} | PAGE,
        ),
    ],
)
def test_an_edit_moves_what_it_can_change_and_nothing_else(copied, path, moved) -> None:
    assert moved_by(copied, f"pipeline_components/everfit/{path}") == moved


@pytest.mark.parametrize("path", ["contracts/wording.py", "contracts/spec/triggers/kinds/drift.py"])
def test_how_a_number_is_written_and_what_wakes_a_run_move_no_run(copied, path) -> None:
    moved = moved_by(copied, f"pipeline_components/everfit/{path}")
    assert "plan" in moved and not moved & {"run", "prepare", "train"}


@pytest.mark.parametrize("made", CODE)
def test_an_edit_of_any_file_of_the_closure_moves_the_digest(made) -> None:
    sources = source_hashes(PACKAGE)
    whole = digest_of_code(made, sources)
    other = hashlib.sha256(b"edited").digest()
    for path in closure_of(made).entered:
        assert digest_of_code(made, {**sources, path: other}) != whole, path


def test_a_new_or_a_renamed_file_moves_the_digest() -> None:
    sources = source_hashes(PACKAGE)
    whole = digest_of_code("train", sources)
    fit = sources["steps/train/fit.py"]
    assert digest_of_code("train", {**sources, "ml/families/newest.py": fit}) != whole
    renamed = {
        "steps/train/fitting.py" if path == "steps/train/fit.py" else path: found
        for path, found in sources.items()
    }
    assert digest_of_code("train", renamed) != whole


def test_the_files_of_a_process_are_read_once(monkeypatch) -> None:
    reads = []

    def counted(root: Path) -> dict[str, bytes]:
        reads.append(root)
        return source_hashes(root)

    monkeypatch.setattr(fingerprints, "source_hashes", counted)
    for kept in (code_digest, package_digest, fingerprints._own_sources):
        kept.cache_clear()
    digests_of_all = {code_digest(made) for made in CODE} | {package_digest()}
    assert reads == [PACKAGE]
    assert len(digests_of_all) == len(CODE) + 1


def request(**changes: object) -> GateRequest:
    """One with a picture and a cost, built without the fields that do not matter here."""
    picture = Artifact(name="residuals.svg", digest="a" * 64, size=1)
    evaluated = EvaluateResult.model_construct(rows=7, plots=(picture,), card=picture)
    cost = Cost(result="b" * 64, component="train", seconds=1.0, cpu_seconds=1.0, peak_mb=1.0)
    whole = GateRequest.model_construct(seed=1, evaluated=evaluated, costs=(cost,))
    return whole.model_copy(update=changes)


def test_a_content_key_holds_component_request_code_environment_and_image(monkeypatch) -> None:
    def keys() -> list[str]:
        return [
            content_key("gate", request()),
            content_key("train", request()),
            content_key("gate", request(seed=2)),
            content_key("gate", request(), "registry.example/own@sha256:" + "0" * 64),
        ]

    before = keys()
    assert len(set(before)) == 4 and keys() == before
    for name in ("code_digest", "environment_digest"):
        with monkeypatch.context() as patched:
            patched.setattr(fingerprints, name, lambda *_: "c" * 64)
            assert not set(keys()) & set(before)


def test_what_is_only_shown_is_in_no_content_key() -> None:
    first = request()
    other = Artifact(name="residuals.svg", digest="d" * 64, size=2)
    shown = {"plots": (other, other), "card": other}
    drawn = request(evaluated=first.evaluated.model_copy(update=shown), costs=())
    assert content_key("gate", drawn) == content_key("gate", first)
    assert canonical_json(drawn) != canonical_json(first)
    scored = request(evaluated=first.evaluated.model_copy(update={"rows": 8}))
    assert content_key("gate", scored) != content_key("gate", first)
