"""The MLflow model folder: our bytes, an explicit environment, a signature MLflow understands."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
import yaml

from everfit.champion.version.made_with import made_here
from everfit.champion.version.model_code import source_files
from everfit.champion.version.model_folder import distributions, model_folder, modules_of, signature
from everfit.contracts.messages.training import ColumnRole, TrainResult
from tests.unit.register.small_run import fitted

COLUMNS = (
    ColumnRole(name="miles", type="float", role="feature"),
    ColumnRole(name="riders", type="integer", role="feature"),
    ColumnRole(name="gap", type="integer", role="feature"),
    ColumnRole(name="when", type="timestamp", role="feature"),
    ColumnRole(name="zone", type="string", role="entity"),
    ColumnRole(name="kind", type="string", role="target"),
)


@pytest.fixture
def folder(context, tmp_path):
    path = tmp_path / "kept.skops"
    path.write_bytes(fitted())
    trained = TrainResult(
        family="linear",
        model=context.store.put("linear.skops", path),
        params={},
        cv_score=0.0,
        trials=(),
        trusted=("sklearn.tree._tree.Tree",),
        rows=4,
    )
    return model_folder(
        path, trained, COLUMNS, frozenset({"gap"}), run="r" * 32, began=0, made_with=made_here()
    )


def test_the_model_goes_in_as_it_is(folder, tmp_path):
    assert folder["model.skops"] == tmp_path / "kept.skops"


def test_the_description_names_format_trusted_types_and_environment(folder):
    found = yaml.safe_load(folder["MLmodel"])
    flavor = found["flavors"]["sklearn"]
    assert flavor["serialization_format"] == "skops"
    assert flavor["skops_trusted_types"] == ["sklearn.tree._tree.Tree"]
    assert found["flavors"]["python_function"]["model_path"] == "model.skops"
    assert found["run_id"] == "r" * 32
    assert found["utc_time_created"] == "1970-01-01 00:00:00.000000"


def test_requirements_are_what_is_installed_here(folder):
    lines = folder["requirements.txt"].decode().split()
    assert f"scikit-learn=={version('scikit-learn')}" in lines
    assert f"mlflow=={version('mlflow')}" in lines
    assert yaml.safe_load(folder["conda.yaml"])["dependencies"][-1] == {"pip": lines}


def test_the_signature_holds_features_alone_in_types_mlflow_accepts(monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.models import ModelSignature

    found = ModelSignature.from_dict(signature(COLUMNS, frozenset({"gap"})))
    assert found.inputs.input_names() == ["miles", "riders", "gap", "when"]
    assert [kind.name for kind in found.inputs.input_types()] == [
        "double",
        "long",
        "double",
        "datetime",
    ]
    assert [kind.name for kind in found.outputs.input_types()] == ["string"]


def test_equal_requests_give_equal_folders(folder, context, tmp_path):
    trained = TrainResult(
        family="linear",
        model=context.store.put("linear.skops", tmp_path / "kept.skops"),
        params={},
        cv_score=0.0,
        trials=(),
        trusted=("sklearn.tree._tree.Tree",),
        rows=4,
    )
    again = model_folder(
        tmp_path / "kept.skops",
        trained,
        COLUMNS,
        frozenset({"gap"}),
        run="r" * 32,
        began=0,
        made_with=made_here(),
    )
    assert again == folder


def test_modules_are_read_from_the_text_of_the_file(tmp_path):
    path = tmp_path / "kept.skops"
    path.write_bytes(fitted())
    tops = {name.partition(".")[0] for name in modules_of(path)}
    assert "sklearn" in tops


def test_a_module_of_another_distribution_is_pinned():
    assert f"PyYAML=={version('PyYAML')}" in made_here().pins(distributions({"yaml.nodes"}))


def test_a_model_without_our_types_carries_no_code(folder):
    assert not [name for name in folder if name.startswith("code/")]


def test_our_source_imports_alone_where_everfit_is_not_installed(tmp_path):
    files = source_files({"everfit.contracts.spec.expression"}, made_here().source)
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    text = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import everfit.contracts.spec.expression as found; print(found.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", text, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip().startswith(str(tmp_path))
