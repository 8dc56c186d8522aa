"""The model as an MLflow model folder around our own bytes: nothing is loaded, nothing inferred."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import yaml

from everfit.champion.version.made_with import MadeWith
from everfit.champion.version.model_code import OURS, source_files
from everfit.champion.version.run_log import MLFLOW_TYPES
from everfit.contracts.messages.training import ColumnRole, TrainResult

MODEL = "model.skops"

ALWAYS = ("mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops")
"""What loading and calling any of our models takes."""

DISTRIBUTIONS = {"sklearn": "scikit-learn", "numpy": "numpy", "scipy": "scipy"}
"""Top-level module → distribution, for those met often; others are looked up."""


def model_folder(
    path: Path,
    trained: TrainResult,
    columns: Sequence[ColumnRole],
    with_nulls: frozenset[str],
    *,
    run: str,
    began: int,
    made_with: MadeWith,
) -> dict[str, bytes | Path]:
    """The files of the folder.

    Parameters
    ----------
    path : Path
        Our skops bytes, digest already verified; they go in as they are.
    columns : sequence of ColumnRole
        Of the prepared tables; features become the signature's inputs.
    with_nulls : frozenset of str
        Integer columns that hold missing values: pandas shows them to the model as floats.
    run : str
        MLflow's run id.
    began : int
        Milliseconds since 1970, UTC; the same for every attempt.
    made_with : MadeWith
        What it takes to load the model elsewhere.

    Returns
    -------
    dict
        File name → content.
    """
    modules = modules_of(path)
    code = source_files(modules, made_with.source)
    python = made_with.environment["python"]
    requirements = made_with.pins(distributions(modules))
    when = datetime.fromtimestamp(began / 1000, UTC)
    description = {
        "artifact_path": "model",
        "flavors": {
            "python_function": {
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": "mlflow.sklearn",
                "model_path": MODEL,
                "predict_fn": "predict",
                "python_version": python,
                **({"code": "code"} if code else {}),
            },
            "sklearn": {
                "code": "code" if code else None,
                "pickled_model": MODEL,
                "serialization_format": "skops",
                "skops_trusted_types": list(trained.trusted),
                "sklearn_version": made_with.version("scikit-learn"),
            },
        },
        "metadata": {"everfit": {"sha256": trained.model.digest, "family": trained.family}},
        "mlflow_version": made_with.version("mlflow"),
        "model_size_bytes": trained.model.size,
        "model_uuid": trained.model.digest[:32],
        "run_id": run,
        "signature": signature(columns, with_nulls),
        "utc_time_created": when.strftime("%Y-%m-%d %H:%M:%S.%f"),
    }
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": requirements}],
    }
    environment = {
        "python": python,
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }
    return {
        MODEL: path,
        "MLmodel": as_yaml(description),
        "conda.yaml": as_yaml(conda),
        "python_env.yaml": as_yaml(environment),
        "requirements.txt": ("\n".join(requirements) + "\n").encode(),
        **{f"code/{name}": content for name, content in code.items()},
    }


def signature(columns: Sequence[ColumnRole], with_nulls: frozenset[str]) -> dict[str, Any]:
    """Inputs and output in MLflow's form."""
    inputs = [
        {
            "name": column.name,
            "type": mlflow_type(column, with_nulls),
            "required": True,
        }
        for column in columns
        if column.role == "feature"
    ]
    target = next(column for column in columns if column.role == "target")
    output = [{"type": MLFLOW_TYPES[target.type], "required": True}]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(output), "params": None}


def mlflow_type(column: ColumnRole, with_nulls: frozenset[str]) -> str:
    """MLflow's type of a column; pandas shows an integer with missing values as a float."""
    lacking = column.type == "integer" and column.name in with_nulls
    return "double" if lacking else MLFLOW_TYPES[column.type]


def modules_of(path: Path) -> frozenset[str]:
    """The modules whose types a skops file holds; its text is read, none of it is loaded."""
    with zipfile.ZipFile(path) as archive:
        text = archive.read("schema.json").decode()
    return frozenset(re.findall(r'"__module__":\s*"([\w.]+)"', text))


def distributions(modules: Iterable[str]) -> set[str]:
    """The distributions that a model with types of these modules needs."""
    names = set(ALWAYS)
    for top in {module.partition(".")[0] for module in modules} - {OURS}:
        if top in sys.stdlib_module_names:
            continue
        known = DISTRIBUTIONS.get(top)
        names |= {known} if known else set(packages_distributions().get(top, ()))
    return names


def as_yaml(value: Any) -> bytes:
    """Block YAML with sorted keys."""
    return yaml.safe_dump(value, sort_keys=True, allow_unicode=True, width=10_000).encode()
