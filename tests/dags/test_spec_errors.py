from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from everfit_airflow.dags.spec_errors import SpecErrors, problems_of


@pytest.fixture
def bundle(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(SpecErrors, "path", property(lambda self: tmp_path / "errors"))
    return SpecErrors(name="spec-errors", pipelines=str(folder))


def names(bundle) -> list[str]:
    return sorted(path.name for path in bundle.path.iterdir())


def test_each_broken_spec_is_an_import_error_of_its_own(folder, bundle):
    (folder / "one.yaml").write_text("task: regression\n")
    (folder / "two.yaml").write_text("]")
    bundle.initialize()
    bag = DagBag(str(bundle.path), bundle_path=bundle.path)
    assert bag.dags == {}
    assert sorted(bag.import_errors) == ["one.yaml.py", "two.yaml.py"]
    assert "- one.yaml:1: gate: is required" in bag.import_errors["one.yaml.py"]
    assert "two.yaml" in bag.import_errors["two.yaml.py"]
    assert "gate: is required" not in bag.import_errors["two.yaml.py"]


def test_a_mistake_is_shown_with_its_line(folder):
    (folder / "odd.yaml").write_text("task: regression\nseed: 1:30\n")
    assert "- odd.yaml:2: seed: YAML reads 1:30 as 90 " in problems_of(folder / "odd.yaml")


def test_a_mended_or_removed_spec_is_forgotten(folder, bundle):
    good = (folder / "fares.yaml").read_text()
    (folder / "one.yaml").write_text("]")
    (folder / "two.yaml").write_text("]")
    bundle.refresh()
    assert names(bundle) == ["one.yaml.py", "two.yaml.py"]
    (folder / "one.yaml").write_text(good)
    (folder / "two.yaml").unlink()
    bundle.refresh()
    assert names(bundle) == []


def test_an_unchanged_error_is_not_written_again(folder, bundle):
    (folder / "one.yaml").write_text("]")
    bundle.refresh()
    before = (bundle.path / "one.yaml.py").stat().st_mtime_ns
    bundle.refresh()
    assert (bundle.path / "one.yaml.py").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "text", ["", "- 1", '"""', 'task: \'"""\'\n', "a: \\\n", "\u2028", "task: {{}}\n"]
)
def test_no_text_of_a_spec_becomes_code(folder, bundle, text):
    (folder / "odd.yaml").write_text(text)
    bundle.refresh()
    bag = DagBag(str(bundle.path), bundle_path=bundle.path)
    assert "BrokenSpec" in bag.import_errors["odd.yaml.py"]


def test_a_good_spec_has_no_problems(folder):
    assert problems_of(folder / "fares.yaml") == ""


def test_a_defect_of_ours_does_not_stop_airflow(folder, monkeypatch):
    def broken(path: Path):
        raise RuntimeError("ours")

    monkeypatch.setattr("everfit_airflow.dags.spec_errors.load_spec", broken)
    assert problems_of(folder / "fares.yaml") == ("fares.yaml cannot be read: RuntimeError: ours")
