"""A clean process serves the published bytes, or says why not; what it is given cannot lie."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import pytest

from everfit.contracts.messages.artifacts import Artifact
from everfit.engine.fingerprints import KERNEL_VARIABLES
from everfit.steps.gate.evidence import serve_in_clean_process
from everfit.steps.gate.evidence.clean_process import compare
from everfit.steps.gate.evidence.serve_in_clean_process import try_serving


@pytest.fixture
def serve(context, served):
    """Serve these bytes; the sound model, sample and predictions where left out."""

    def attempt(model=None, sample=None, predictions=None, **options):
        put = context.store.put
        found = try_serving(
            context.store,
            put("model.skops", served[0] if model is None else model),
            context.scratch,
            sample=put("sample.parquet", served[1] if sample is None else sample).digest,
            predictions=put("p.json", served[2] if predictions is None else predictions).digest,
            task="regression",
            **options,
        )
        assert list(context.scratch.iterdir()) == []
        assert str(context.scratch) not in found.reason
        return found

    return attempt


def test_the_published_model_predicts_what_was_published(serve):
    found = serve()
    assert found.same
    assert found.rows == 20
    assert "predicted all 20 sample rows exactly as published" in found.reason


@pytest.mark.thorough
def test_single_rows_are_timed_only_where_that_is_asked_for(serve):
    assert (serve().p50_ms, serve().p95_ms) == (None, None)
    found = serve(timed=True)
    assert found.same
    assert 0 < found.p50_ms <= found.p95_ms


def test_the_slow_ones_are_counted_from_the_slowest(monkeypatch):
    import pandas as pd

    from everfit.steps.gate.evidence import clean_process

    class Model:
        def predict(self, rows):
            assert len(rows) == 1

    # calls 1 to 20 warm up and are slow; of the next 200, call n takes n milliseconds
    moments = [0.0]
    for taken in [1e6] * clean_process.WARM_UP + list(range(1, clean_process.CALLS + 1)):
        moments += [moments[-1] + taken, moments[-1] + taken]
    clock = iter(int(moment * 1e6) for moment in moments)
    monkeypatch.setattr(clean_process.time, "perf_counter_ns", lambda: next(clock))
    found = clean_process.take_time(Model(), pd.DataFrame({"x": [1.0, 2.0, 3.0]}), "regression")
    assert found == {"p50_ms": 100.0, "p95_ms": 190.0}


def test_a_wrong_answer_is_still_an_answer(serve, served):
    predictions = [value + 1 for value in json.loads(served[2])]
    found = serve(predictions=json.dumps(predictions).encode())
    assert (found.same, found.rows) == (False, 20)
    assert serve(model=b"no model").rows == 0


def test_one_prediction_off_by_one_bit_is_noticed(serve, served):
    predictions = json.loads(served[2])
    predictions[3] = predictions[3] * (1 + 2**-52)
    found = serve(predictions=json.dumps(predictions).encode())
    assert not found.same
    assert found.reason == (
        "A clean process predicted 1 of 20 sample rows other than as published."
    )


@pytest.mark.parametrize(
    ("published", "reason"),
    [
        ([1.0], "A clean process predicted 2 sample rows, but the predictions of 1 are published."),
        (
            [1.0, None],
            "A clean process predicted 1 of 2 sample rows other than as published.",
        ),
        (
            [[1.0], [2.0]],
            "A clean process predicted 2 of 2 sample rows other than as published.",
        ),
        ([], "There are no published predictions to compare with."),
        ({"a": 1}, "There are no published predictions to compare with."),
    ],
)
def test_other_predictions_are_told(published, reason):
    assert compare(published, [1.0, 2.0], "0" * 64) == {"same": False, "reason": reason, "rows": 2}


def test_a_prediction_that_is_no_number_is_never_equal():
    assert not compare([float("nan")], [float("nan")], "0" * 64)["same"]


def test_a_model_altered_after_it_was_published_is_not_loaded(serve, served, context, monkeypatch):
    blob = context.store.put("model.skops", served[0])
    path = context.store.local(blob.digest, context.scratch)
    path.chmod(0o644)
    path.write_bytes(served[0][:-1] + b"x")
    monkeypatch.setattr(
        serve_in_clean_process, "_attempt", lambda *a: pytest.fail("nothing may be started")
    )
    found = serve()
    assert not found.same
    assert found.reason.endswith("they differ, so nothing was loaded.")


def test_a_model_that_is_not_there(context, served):
    absent = Artifact(name="model.skops", digest="0" * 64, size=1)
    found = try_serving(
        context.store,
        absent,
        context.scratch,
        sample="0" * 64,
        predictions="0" * 64,
        task="regression",
    )
    assert not found.same
    assert "must be in the store" in found.reason


def test_a_pickle_in_the_model_s_place_does_nothing(serve, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "boom"),)

    found = serve(model=pickle.dumps(Bomb()))
    assert not found.same
    assert "MODEL-FILE" in found.reason
    assert not (tmp_path / "boom").exists()


def test_a_skops_file_that_asks_for_another_type_does_nothing(serve, served, tmp_path):
    with zipfile.ZipFile(io.BytesIO(served[0])) as archive:
        schema = json.loads(archive.read("schema.json"))
    schema |= {
        "__class__": "mkdir",
        "__module__": "os",
        "__loader__": "FunctionNode",
        "content": {"module_path": "os", "function": "mkdir"},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    found = serve(model=buffer.getvalue())
    assert not found.same
    assert "MODEL-" in found.reason


def test_a_sample_that_lacks_a_column_is_told(serve):
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table({"distance": [1.0]}), buffer)
    found = serve(sample=buffer.getvalue())
    assert not found.same
    assert found.reason.startswith("A clean process could not serve the model: ")


def test_a_process_that_takes_too_long_is_ended(serve):
    found = serve(seconds=0.01)
    assert not found.same
    assert found.reason == "The clean process did not finish within 0.01 seconds."


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal 9"),
        ("raise SystemExit(7)", "ended with exit code 7 and no answer"),
        ("pass", "ended with exit code 0 and no answer"),
        ("open('answer.json', 'w').write('{}')", "an answer that cannot be read"),
    ],
)
def test_a_process_that_crashes_is_no_pass(serve, monkeypatch, start, reason):
    monkeypatch.setattr(serve_in_clean_process, "_START", start)
    found = serve()
    assert not found.same
    assert reason in found.reason


def test_a_process_that_was_killed_once_gets_another_chance(serve, monkeypatch):
    monkeypatch.setattr(
        serve_in_clean_process,
        "_START",
        "import os, sys, json\n"
        "if not os.path.exists('seen'):\n"
        "    open('seen', 'w').close(); os.abort()\n"
        "json.dump({'same': True, 'reason': 'Yes.', 'rows': 1}, open('answer.json', 'w'))",
    )
    assert serve().same


ELSEWHERE = set(KERNEL_VARIABLES) - {"OPENBLAS_CORETYPE"}
"""Kernel variables that this machine may have or not."""


def test_the_process_knows_nothing_of_this_one(serve, monkeypatch):
    monkeypatch.setenv("EVERFIT_LEDGER", "sqlite:///secret.db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr(
        serve_in_clean_process,
        "_START",
        "import os, json; json.dump({'same': False, 'reason': ' '.join(sorted(os.environ)),"
        "'rows': 0}, open('answer.json', 'w'))",
    )
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")  # another kernel adds up otherwise
    assert set(serve().reason.split()) - {"LC_CTYPE", "LD_LIBRARY_PATH", *ELSEWHERE} == {
        "HOME",
        "LANG",
        "MKL_NUM_THREADS",
        "OMP_NUM_THREADS",
        "OMP_WAIT_POLICY",
        "OPENBLAS_CORETYPE",
        "OPENBLAS_NUM_THREADS",
        "TMPDIR",
    }
