"""`everfit serve` in a process of its own, with champions of real runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from everfit.champion.seal import sealed
from everfit.cli import main
from everfit.cli.command import load
from everfit.contracts.messages.dossier import Dossier
from everfit.contracts.spec.load import load_spec
from everfit.data.tables.frames import read_table, to_frame
from everfit.engine.context import Context, open_context
from everfit.engine.pipeline import run_pipeline
from everfit.ml.model import load_model, predict_scores
from everfit.operations.serving.answer import answer_records, answer_tensors
from everfit.operations.serving.loaded import load_version
from everfit.operations.serving.rows import as_records
from everfit.steps.monitor.logged_predictions import read_logs
from everfit.storage.ledger.records import PromotionRecord
from everfit.storage.store import blob_key
from tests.json_shapes import mismatch
from tests.pipeline.serving import Client, listening, serving
from tests.world import settings_in

# MLflow's own store, on the SQLAlchemy that is pinned here.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``:DeprecationWarning")

REPOSITORY = Path(__file__).resolve().parents[2]
PREDICT = "/v1/quick/predict"


def version_of(number: int, context: Context) -> Any:
    """The record of a version."""
    return next(v for v in context.ledger.versions("quick") if v.version == number)


def sample_of(number: int, context: Context) -> tuple[Any, Any]:
    """A version's model, loaded directly, and the table of raw rows it was judged with."""
    record = version_of(number, context)
    dossier = Dossier.model_validate_json(context.store.get(record.dossier))
    path = context.store.local(dossier.request.evaluated.sample.digest, context.scratch)
    return load_model(context.store, record.champion.model, context.scratch), read_table(path)


def append(number: int, context: Context, **more: Any) -> None:
    """Add an entry to the journal that makes a version champion."""
    head = context.ledger.champion("quick")
    record = version_of(number, context)
    entry = PromotionRecord(
        sequence=head.sequence + 1,
        version=number,
        run_key=record.run_key,
        kind="override",
        reason="a test",
        person="ada",
    )
    context.ledger.promote("quick", sealed(entry, "quick", context).model_copy(update=more))


@pytest.fixture(scope="module")
def home(lived: Path, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("served") / "checkout"
    shutil.copytree(lived, root)
    return root


@pytest.fixture(scope="module")
def quick(home: Path) -> Iterator[Client]:
    """A server for tests that change nothing."""
    with serving(home, "quick", "--max-rows", "300", "--max-body", "1") as client:
        yield client


def test_predictions_are_those_of_the_champion_to_the_last_bit(home, quick) -> None:
    with open_context(settings_in(home)) as context:
        model, sample = sample_of(2, context)
        columns = model.steps[0][1].columns
        table = pa.Table.from_pandas(sample, preserve_index=False)
        # Every third value of every column is missing, as a table with gaps is read.
        gaps = pa.array([place % 3 == 0 for place in range(len(sample))])
        holes = to_frame(
            pa.table(
                {
                    name: pc.if_else(gaps, pa.scalar(None, table[name].type), table[name])
                    for name in table.column_names
                }
            )
        )
    for frame in (sample, holes, sample.head(1)):
        status, answer = quick.post(PREDICT, as_records(frame, columns))
        assert (status, answer["pipeline"], answer["version"]) == (200, "quick", 2)
        assert answer["predictions"] == predict_scores(model, frame, "regression").tolist()


def test_as_json_it_says_once_where_it_listens(home) -> None:
    document = listening(home, "quick")
    assert mismatch(document, load("serve").answer()) is None
    assert document["pipelines"] == {"quick": 2}


def test_the_server_describes_itself_with_real_rows_that_it_answers(home, quick) -> None:
    _, document = quick.get("/openapi.json")
    body = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]
    with open_context(settings_in(home)) as context:
        model, sample = sample_of(2, context)
    assert set(body["schema"]["items"]["required"]) == set(model.feature_names_in_)
    assert body["schema"]["items"]["properties"]["trip_distance"]["type"] == ["number", "null"]
    assert body["example"][0]["trip_distance"] == sample["trip_distance"].iloc[0]
    assert quick.post(PREDICT, body["example"])[0] == 200
    infer = document["paths"]["/v2/models/quick/infer"]["post"]["requestBody"]["content"]
    status, answer = quick.post("/v2/models/quick/infer", infer["application/json"]["example"])
    (output,) = answer["outputs"]
    assert (status, answer["model_version"], output["shape"]) == (200, "2", [2])
    assert output["data"] == quick.post(PREDICT, body["example"])[1]["predictions"]


def test_the_open_inference_protocol_is_spoken(quick) -> None:
    assert quick.get("/v2/health/live")[0] == 200
    assert quick.get("/v2/health/ready")[0] == 200
    assert quick.get("/v2/models/quick/ready") == (200, {"name": "quick", "ready": True})
    status, model = quick.get("/v2/models/quick")
    assert (status, model["versions"]) == (200, ["2"])
    assert {"name": "trip_distance", "datatype": "FP64", "shape": [-1]} in model["inputs"]
    status, answer = quick.post("/v2/models/quick/infer", {"inputs": []})
    assert (status, answer["error"].startswith("An input is missing for ")) == (400, True)
    assert quick.get("/v2/models/other")[0] == 404


def test_what_cannot_be_used_is_named_by_row_and_field(quick) -> None:
    _, document = quick.get("/openapi.json")
    body = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]
    good, other = body["example"]
    bad = other | {"trip_distance": "far", "vendor_id": 1.5, "pickup_datetime": "noon"}
    status, answer = quick.post(PREDICT, [good, bad])
    assert (status, answer["code"], answer["errors_in_total"]) == (422, "FIELDS", 3)
    assert sorted((one["row"], one["field"]) for one in answer["errors"]) == [
        (1, "pickup_datetime"),
        (1, "trip_distance"),
        (1, "vendor_id"),
    ]
    assert 'expected a number; found "far"' in [one["message"] for one in answer["errors"]]
    lacking = {name: value for name, value in good.items() if name != "vendor_id"}
    status, answer = quick.post(PREDICT, [lacking])
    assert (status, answer["errors"][0]["field"]) == (422, "vendor_id")
    assert quick.post(PREDICT, [good | {"not_read": [1, 2]}])[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 422, "BODY"),
        (b"{}", 422, "BODY"),
        (b"[]", 422, "BODY"),
        (b"[1]", 422, "FIELDS"),
        (b"\xff", 422, "BODY"),
        (b"[" * 100_000, 422, "BODY"),
        (b'[{"trip_distance": NaN}]', 422, "BODY"),
        (b"[" + b"1," * 300 + b"1]", 413, "ROWS"),
        (b" " * (2 << 20), 413, "BODY-SIZE"),
    ],
    ids=["cut", "object", "empty", "no record", "bytes", "deep", "nan", "rows", "size"],
)
def test_a_body_that_cannot_be_used_is_refused_in_json(quick, body, status, code) -> None:
    found, text = Client(quick.port).ask("POST", PREDICT, body)
    assert (found, json.loads(text)["code"]) == (status, code)


def test_other_paths_and_pipelines_are_not_found(quick) -> None:
    status, answer = quick.post("/v1/other/predict", [])
    assert (status, answer["code"]) == (404, "UNKNOWN")
    assert quick.get("/v3")[0] == 404
    assert quick.get(PREDICT)[0] == 405


def test_requests_rows_and_strange_inputs_are_counted(quick) -> None:
    _, document = quick.get("/openapi.json")
    body = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]

    def counted() -> dict[str, float]:
        lines = quick.ask("GET", "/metrics")[1].splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    before = counted()
    good = body["example"][0]
    strange = good | {"store_and_fwd_flag": "?", "trip_distance": None}
    assert quick.post(PREDICT, [good, strange])[0] == 200
    after = counted()
    moved = {name: after[name] - before.get(name, 0) for name in after}
    assert moved['everfit_serve_requests_total{pipeline="quick",status="200"}'] == 1
    assert moved['everfit_serve_rows_total{pipeline="quick"}'] == 2
    of = 'pipeline="quick"}'
    assert moved[f'everfit_serve_missing_values_total{{column="trip_distance",{of}'] == 1
    assert moved[f'everfit_serve_unseen_values_total{{column="store_and_fwd_flag",{of}'] == 1
    assert after['everfit_serve_version{pipeline="quick"}'] == 2
    assert after['everfit_serve_compiled{pipeline="quick"}'] == 1
    assert after['everfit_serve_reachable{what="ledger"}'] == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_a_promotion_and_a_rollback_lose_no_request(checkout, everfit, workers) -> None:
    with open_context(settings_in(checkout)) as context:
        wanted = {}
        for number in (1, 2):
            model, sample = sample_of(number, context)
            if number == 1:
                first = model
            rows = as_records(sample.head(3), model.steps[0][1].columns)
        wanted[1] = predict_scores(first, sample.head(3), "regression").tolist()
        wanted[2] = predict_scores(model, sample.head(3), "regression").tolist()
    assert wanted[1] != wanted[2]
    seen: list[tuple[int, Any, Any]] = []
    enough = threading.Event()

    def hammer(port: int) -> None:
        with Client(port) as client:
            while not enough.is_set():
                status, answer = client.post(PREDICT, rows)
                seen.append((status, answer.get("version"), answer.get("predictions")))

    def all_of(number: int, client: Client) -> None:
        """Wait until every process has answered with a version."""
        agree: set[int] = set()

        def agrees(told: Any) -> bool:
            if told["pipelines"]["quick"]["version"] == number:
                agree.add(told["worker"])
            return agree == set(range(workers))

        client.wait("/readyz", agrees)

    with serving(checkout, "quick", "--workers", str(workers)) as client:
        all_of(2, client)
        threads = [threading.Thread(target=hammer, args=(client.port,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for command, number in (("rollback", 1), ("promote", 2), ("rollback", 1)):
                assert everfit(command, "quick", "--to", str(number), "--reason", "x")[0] == 0
                all_of(number, client)
        finally:
            enough.set()
            for thread in threads:
                thread.join()
        assert client.get("/readyz")[1]["pipelines"]["quick"]["warm"] == 2
        counted = 'everfit_serve_requests_total{pipeline="quick",status="200"} '
        (line,) = [x for x in client.ask("GET", "/metrics")[1].splitlines() if counted in x]
        assert float(line.removeprefix(counted)) == len(seen)
    assert {status for status, _, _ in seen} == {200}
    assert {version for _, version, _ in seen} == {1, 2}
    assert all(predictions == wanted[version] for _, version, predictions in seen)


def test_a_worker_that_is_killed_comes_back(home) -> None:
    with serving(home, "quick", "--workers", "2") as client:
        _, document = client.get("/openapi.json")
        body = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]
        pids: dict[int, int] = {}

        def found(told: Any) -> bool:
            pids[told["worker"]] = told["pid"]
            return len(pids) == 2

        client.wait("/readyz", found)
        killed = pids[1]
        os.kill(killed, signal.SIGKILL)
        client.wait("/readyz", lambda told: told["worker"] == 1 and told["pid"] != killed)
        assert client.post(PREDICT, body["example"])[0] == 200


def test_a_client_that_asks_too_much_is_told_when_to_come_again(home) -> None:
    with serving(home, "quick", "--rate-limit", "1") as client, client:
        answers = [client.post(PREDICT, []) for _ in range(5)]
        assert {status for status, _ in answers} == {422, 429}
        assert {answer["code"] for status, answer in answers if status == 429} == {"RATE"}
        assert client.get("/readyz")[0] == 200


def test_it_goes_on_while_ledger_and_store_are_away_and_a_rollback_needs_no_store(
    checkout, tmp_path
) -> None:
    home, away = checkout / ".everfit", tmp_path / "away"
    away.mkdir()

    def move(names: list[str], source: Path, target: Path) -> None:
        for name in names:
            (source / name).rename(target / name)

    with serving(checkout, "quick") as client:
        _, document = client.get("/openapi.json")
        body = document["paths"][PREDICT]["post"]["requestBody"]["content"]["application/json"]
        client.wait("/readyz", lambda told: told["pipelines"]["quick"]["warm"] == 1)

        ledger = [path.name for path in home.glob("ledger.db*")]
        move(ledger, home, away)
        told = client.wait("/readyz", lambda told: not told["ledger"]["reachable"])
        assert (told["ready"], "there is no such file" in told["ledger"]["problem"]) == (True, True)
        assert client.post(PREDICT, body["example"])[1]["version"] == 2
        assert 'reachable{what="ledger"} 0.0' in client.ask("GET", "/metrics")[1]
        assert list(home.glob("ledger.db*")) == []
        move(ledger, away, home)
        client.wait("/readyz", lambda told: told["ledger"]["reachable"])

        with open_context(settings_in(checkout)) as context:
            move(["store", "mlflow.db"], home, away)
            told = client.wait("/readyz", lambda told: not told["store"]["reachable"])
            assert (told["ready"], told["ledger"]["reachable"]) == (True, True)
            append(1, context)
        client.wait("/readyz", lambda told: told["pipelines"]["quick"]["version"] == 1)
        assert client.post(PREDICT, body["example"])[1]["version"] == 1
        move(["store", "mlflow.db"], away, home)
        client.wait("/readyz", lambda told: told["store"]["reachable"])


@pytest.mark.thorough
def test_a_champion_that_cannot_be_verified_does_not_answer(checkout, everfit) -> None:
    with open_context(settings_in(checkout)) as context:
        held = context.ledger.runs("quick")[0].run_key
    assert everfit("promote", "quick", "--run", held, "--reason", "x")[0] == 0
    assert everfit("rollback", "quick", "--to", "2", "--reason", "x")[0] == 0

    def problem(told: Any) -> str:
        return told["pipelines"]["quick"]["problem"] or ""

    with serving(checkout, "quick") as client, open_context(settings_in(checkout)) as context:
        client.wait("/readyz", lambda told: told["pipelines"]["quick"]["warm"] == 3)
        blob = context.store.root / blob_key(version_of(1, context).champion.model.digest)
        whole = blob.read_bytes()
        blob.chmod(0o644)
        blob.write_bytes(whole + b" ")
        append(1, context)
        told = client.wait("/readyz", lambda told: "STORE-ALTERED" in problem(told))
        assert (told["ready"], told["pipelines"]["quick"]["version"]) == (True, 2)
        assert 'everfit_serve_behind{pipeline="quick"} 1.0' in client.ask("GET", "/metrics")[1]
        append(2, context)
        client.wait("/readyz", lambda told: not problem(told))
        blob.write_bytes(whole)
        append(3, context, person="mallory")
        told = client.wait("/readyz", lambda told: "LEDGER-SIGNATURE" in problem(told))
        assert told["pipelines"]["quick"]["version"] == 2
    assert everfit("serve", "quick")[0] == 2  # a new server has no version before to go on with


@pytest.mark.thorough
def test_the_first_champion_is_taken_when_it_comes(world) -> None:
    world.load()
    root = world.context.settings.root
    with serving(root, "quick") as client:
        status, told = client.get("/readyz")
        assert (status, told["pipelines"]["quick"]["problem"]) == (
            503,
            "quick has no champion yet.",
        )
        assert client.get("/healthz")[0] == 200
        assert client.post(PREDICT, [])[0] == 503
        world.months(3)
        world.run()
        told = client.wait("/readyz", lambda told: told["ready"])
        assert told["pipelines"]["quick"]["version"] == 1
        assert client.get("/v2/health/ready")[0] == 200


def test_a_key_opens_the_predictions(home) -> None:
    with serving(home, "quick", EVERFIT_SERVE_API_KEY="open sesame") as client:
        assert client.get("/readyz")[0] == 200
        for path in ("/openapi.json", "/v2/models/quick"):
            assert client.get(path)[0] == 401
        assert client.post(PREDICT, [])[0] == 401
        for name, value in (("Authorization", "Bearer open sesame"), ("X-API-Key", "open sesame")):
            friend = Client(client.port, {name: value, "X-Request-ID": "mine"})
            assert friend.get("/openapi.json")[0] == 200
            status, answer = friend.post(PREDICT, [])
            assert (status, answer["request_id"]) == (422, "mine")
        assert Client(client.port, {"X-API-Key": "open"}).post(PREDICT, [])[0] == 401


def test_what_is_logged_is_what_monitoring_reads(world, tmp_path, monkeypatch, capsys) -> None:
    world.spec["monitor"] = {
        "predictions": {
            "uri": f"{tmp_path / 'log'}/quick/*.parquet",
            "key": ["pickup_datetime", "trip_distance", "total_amount"],
            "prediction": "fare",
        }
    }
    world.months(3)
    world.run()
    world.months(4)
    context = world.context
    trips = pd.read_csv(world.trips / "2018-04.csv", dtype={"store_and_fwd_flag": "str"})
    trips = trips.head(400).astype(object).where(trips.head(400).notna(), None)
    rows = trips.to_dict("records")
    with serving(context.settings.root, "quick", "--log", str(tmp_path / "log")) as client:
        answers = [client.post(PREDICT, rows[:300]), client.post(PREDICT, rows[300:])]
        lacking = {name: value for name, value in rows[0].items() if name != "total_amount"}
        answers.append(client.post(PREDICT, [lacking]))
    assert [status for status, _ in answers] == [200, 200, 200]
    (file,) = (tmp_path / "log" / "quick").iterdir()
    logged = read_logs([file], world.load().monitor.predictions)
    served = [fare for _, answer in answers[:2] for fare in answer["predictions"]]
    assert pq.read_table(file)["fare"].to_pylist() == served
    assert set(logged["fare"]) <= set(served)

    monkeypatch.setenv("EVERFIT_ROOT", str(context.settings.root))
    assert main(["monitor", "quick", "--json"]) == 0
    (measured,) = json.loads(capsys.readouterr().out)["evaluations"]
    assert measured["span"]["name"] == "2018-04.csv"
    (rise,) = [rise for rise in measured["rises"] if rise["source"] == "logged"]
    truth = trips["fare_amount"].to_numpy(float)
    assert rise["current"] == pytest.approx(np.abs(truth - served).mean())
    assert rise["rows"] == 400


def test_a_log_that_nobody_could_read_is_refused(checkout, everfit, tmp_path) -> None:
    code, _, err = everfit("serve", "quick", "--port", "0", "--log", str(tmp_path / "log"))
    assert (code, "SERVE-LOG quick" in err, err.count("\n")) == (2, True, 1)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["quik"], "Did you mean 'quick'"),
        (["quick", "--host", "192.0.2.1"], "SERVE-ADDRESS 192.0.2.1:8000"),
        (["quick", "--port", "70000"], "SERVE-ADDRESS"),
        (["quick", "--max-rows", "0"], "a number from 1"),
    ],
)
def test_a_server_that_cannot_start_says_why_in_a_line(checkout, everfit, arguments, part) -> None:
    port = [] if "--port" in arguments or "--host" in arguments else ["--port", "0"]
    code, _, err = everfit("serve", *arguments, *port)
    assert (code, part in err, err.count("\n")) == (2, True, 1)


def test_classes_are_answered_with_their_probabilities(real_world) -> None:
    context = real_world.context
    run_pipeline(load_spec(REPOSITORY / "tests/specs/penguins.yaml"), context)
    loaded = load_version("penguins", context.ledger.champion("penguins"), context)
    wanted = predict_scores(loaded.model, loaded.sample, loaded.task)
    rows = as_records(loaded.sample, loaded.columns)
    answer = answer_records(loaded, json.dumps(rows).encode(), "1", 1000).document["predictions"]
    assert [list(one["probabilities"].values()) for one in answer] == wanted.tolist()
    assert [list(one["probabilities"]) for one in answer[:1]] == [["0", "1", "2"]]
    best = [max(one["probabilities"], key=one["probabilities"].get) for one in answer]
    assert [one["class"] for one in answer] == best
    inputs = [
        {
            "name": name,
            "datatype": "BYTES" if kind == "string" else "FP64",
            "shape": [len(rows), 1],
            "data": [[row[name]] for row in rows],
        }
        for name, kind in loaded.columns.items()
    ]
    body = json.dumps({"id": "7", "inputs": inputs, "outputs": [{"name": "probabilities"}]})
    document = answer_tensors(loaded, body.encode(), "1", 1000).document
    (output,) = document["outputs"]
    assert (document["id"], output["shape"]) == ("7", [len(rows), 3])
    assert output["data"] == wanted.reshape(-1).tolist()
