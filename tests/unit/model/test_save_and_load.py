"""Equal models give equal bytes; hostile files give one clear line."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from everfit.contracts.errors import IntegrityError
from everfit.contracts.messages.artifacts import Artifact
from everfit.ml.model import load_model, predict_scores, save_model
from everfit.ml.model.load import parse_model, untrusted
from everfit.ml.model.raw_columns import RawColumns
from everfit.ml.model.table_encoder import TableEncoder
from everfit.storage.store import open_store

ROOT = Path(__file__).resolve().parents[3]
COLUMNS = {"a": "float", "b": "integer", "c": "string", "t": "timestamp"}
ESTIMATORS = {
    "ridge": (Ridge(), "scaled"),
    "logistic": (LogisticRegression(), "scaled"),
    "boosting": (HistGradientBoostingRegressor(max_iter=5, random_state=0), "codes"),
    "absolute": (
        HistGradientBoostingRegressor(max_iter=3, loss="absolute_error", random_state=0),
        "codes",
    ),
    "boosting_classes": (HistGradientBoostingClassifier(max_iter=3, random_state=0), "codes"),
    "forest": (RandomForestRegressor(3, random_state=0, n_jobs=1), "onehot"),
    "extra": (ExtraTreesClassifier(3, random_state=0, n_jobs=1), "onehot"),
}


def rows(n=300):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.integers(0, 5, n)})
    frame["c"] = pd.array(rng.choice(["red", "green", "blue"], n), dtype="str")
    start = pd.Timestamp("2020-01-01")
    frame["t"] = (start + pd.to_timedelta(rng.integers(0, 10**6, n), unit="s")).astype(
        "datetime64[us]"
    )
    frame.loc[::7, "a"] = np.nan
    return frame


def fitted(name):
    estimator, style = ESTIMATORS[name]
    frame = rows()
    is_class = hasattr(estimator, "predict_proba")
    target = (frame["b"] > 2).to_numpy() if is_class else frame["b"].to_numpy(float)
    encoder = TableEncoder(list(COLUMNS), style)
    if style == "codes":
        estimator.set_params(categorical_features=[2])
    model = Pipeline([("columns", RawColumns(COLUMNS)), ("encode", encoder), ("model", estimator)])
    return model.fit(frame, target), "binary" if is_class else "regression"


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_model_round_trips_to_the_same_bytes_and_predictions(name, tmp_path):
    model, task = fitted(name)
    data, types = save_model(model)
    assert untrusted(types) == []
    store = open_store("memory://models")
    back = load_model(store, store.put("m.skops", data), tmp_path)
    assert save_model(back)[0] == data
    np.testing.assert_array_equal(
        predict_scores(back, rows(), task), predict_scores(model, rows(), task)
    )
    again, _ = fitted(name)
    assert save_model(again)[0] == data


@pytest.mark.thorough
def test_bytes_do_not_depend_on_the_process():
    code = (
        "import runpy,hashlib,sys;space=runpy.run_path(sys.argv[1]);"
        "print([hashlib.sha256(space['save_model'](space['fitted'](n)[0])[0]).hexdigest()"
        " for n in ('ridge','boosting','forest')])"
    )
    told = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"}
        told.add(
            subprocess.run(
                [sys.executable, "-c", code, __file__],
                cwd=ROOT,
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
    assert len(told) == 1


def test_archives_hold_no_addresses_and_no_times():
    data, _ = save_model(fitted("forest")[0])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        schema = archive.read("schema.json").decode()
        assert archive.namelist()[0] == "schema.json"
    assert "\n" not in schema and '": ' not in schema
    import re

    ids = [int(found) for found in re.findall(r'"__id__":(\d+)', schema)]
    assert not ids or max(ids) <= len(ids)


def refused(data, extra=()):
    store = open_store("memory://hostile")
    with pytest.raises(IntegrityError) as error:
        load_model(store, store.put("m.skops", data), Path(), extra)
    return error.value


class Evil:
    """Would touch a file if anything unpickled it."""

    def __reduce__(self):
        return (Path.touch, (Path("/tmp/everfit-evil"),))


def test_what_is_no_archive_is_refused():
    for data in (pickle.dumps(Evil()), b"", b"PK\x03\x04 and rubbish", b"\x80\x04K\x01."):
        assert refused(data).code == "MODEL-FILE"
    assert not Path("/tmp/everfit-evil").exists()


def archive_of(entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_type_on_no_list_is_refused_by_name():
    def double(x):
        return x

    double.__module__, double.__qualname__ = "os", "system"
    double.__name__ = "system"
    model = Pipeline([("f", FunctionTransformer(double)), ("m", Ridge())])
    data, types = save_model(model)
    assert "os.system" in types
    assert "os.system" in refused(data).line
    # Not even a spec that names it: it is no estimator.
    assert "os.system" in refused(data, ["os.system"]).line


def test_naming_an_estimator_trusts_its_package_but_never_the_standard_ones(monkeypatch):
    import types

    module, parts = types.ModuleType("mycompany"), types.ModuleType("mycompany.parts")
    module.Forest = type("Forest", (), {"fit": None, "__module__": "mycompany"})
    parts.Tree = type("Tree", (), {"__module__": "mycompany.parts"})
    monkeypatch.setitem(sys.modules, "mycompany", module)
    monkeypatch.setitem(sys.modules, "mycompany.parts", parts)
    wanted = ["mycompany.Forest", "mycompany.parts.Tree", "othercompany.Tree", "sklearn.x.Tree"]
    assert untrusted(wanted, ["mycompany.Forest"]) == ["othercompany.Tree", "sklearn.x.Tree"]
    assert untrusted(["sklearn.x.Tree"], ["sklearn.svm.SVR"]) == ["sklearn.x.Tree"]
    assert untrusted(wanted, ["mycompany.absent"]) == sorted(wanted)


def test_a_plain_estimator_is_no_model_of_ours():
    data, _ = save_model(Ridge().fit(np.eye(3), [1.0, 2, 3]))
    assert "not a Pipeline" in refused(data).line


def test_damaged_and_absurd_archives_are_refused(monkeypatch):
    assert "lacks schema.json" in refused(archive_of({"other": b"x"})).line
    assert refused(archive_of({"schema.json": b"{" * 200_000})).code == "MODEL-FILE"
    assert refused(archive_of({"schema.json": b'{"protocol": 999}'})).code == "MODEL-FILE"
    assert refused(archive_of({"schema.json": b"[]"})).code == "MODEL-FILE"
    monkeypatch.setattr("everfit.ml.model.load.MOST_BYTES", 1 << 20)
    bomb = archive_of({"schema.json": b"{}", "0.npy": bytes(2 << 20)})
    assert len(bomb) < 10_000
    assert "unpacks to 2 MiB" in refused(bomb).line


def test_the_digest_is_verified_before_anything_is_parsed(tmp_path, monkeypatch):
    store = open_store(f"file://{tmp_path}/store")
    data, _ = save_model(fitted("ridge")[0])
    artifact = store.put("m.skops", data)
    (path,) = [p for p in (tmp_path / "store" / "blobs").rglob("*") if p.is_file()]
    path.chmod(0o644)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    monkeypatch.setattr(
        "everfit.ml.model.load.parse_model",
        lambda *_: pytest.fail("parsed before it was verified"),
    )
    with pytest.raises(IntegrityError, match="STORE-ALTERED"):
        load_model(store, artifact, tmp_path)
    absent = Artifact(name="m", digest=hashlib.sha256(b"none").hexdigest(), size=1)
    with pytest.raises(IntegrityError, match="STORE-MISSING"):
        load_model(store, absent, tmp_path)


def test_flipped_bits_never_give_a_model_silently_wrong_types():
    data, _ = save_model(fitted("ridge")[0])
    for place in range(0, len(data), 97):
        altered = bytearray(data)
        altered[place] ^= 0xFF
        try:
            model = parse_model(bytes(altered), "m")
        except IntegrityError:
            continue
        assert isinstance(model, Pipeline)
