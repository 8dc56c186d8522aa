"""One row, one worker: `everfit serve` beside `mlflow models serve` and a bare FastAPI echo.

    .venv/bin/python benchmarks/serve.py [--seconds 5] [--rounds 3] [--write benchmarks/results.md]

Method: `everfit run` trains histogram gradient boosting on invented taxi trips and promotes it.
Three servers then answer the same row, one process each and one thread a library: Everfit's,
MLflow's of the version that Everfit registered, and an app of FastAPI that parses the JSON and
sends it back (uvicorn with uvloop and httptools, as Everfit's). They are asked in turn, round by
round, over connections that are kept open, by one client process on plain sockets: one connection
for the latency, four for requests per second. CPU is what the server's processes spent between two
looks at /proc, so it tells the servers apart on a busy machine too; memory is their resident set.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "pipeline_components"))

from everfit.data.example.trips import month_csv, month_of  # noqa: E402

NAME = "served"
MONTHS, ROWS = 4, 5_000
PATIENCE = 180.0
PROGRAM = "import sys; from everfit.cli import main; sys.exit(main())"
CONNECTIONS = 4
TICKS = os.sysconf("SC_CLK_TCK")
TITLE = "# One row over HTTP, beside MLflow's server and a bare echo"

SPEC: dict[str, Any] = {
    "task": "regression",
    "target": "fare_amount",
    "time": "pickup_datetime",
    "source": {"uri": "{data}/trips/*.csv", "period": "%Y-%m"},
    "features": {
        "drop": [
            "total_amount",
            "tip_amount",
            "tolls_amount",
            "extra",
            "mta_tax",
            "payment_type",
            "improvement_surcharge",
            "congestion_surcharge",
        ],
        "derive": {
            "trip_minutes": "minutes(pickup_datetime, dropoff_datetime)",
            "miles_per_hour": "trip_distance / trip_minutes * 60",
            "pickup_hour": "hour(pickup_datetime)",
            "pickup_weekday": "weekday(pickup_datetime)",
        },
    },
    "window": {"spans": 3, "min_spans": 1},
    "holdout": {"spans": 1},
    "train": {
        "families": [{"name": "gradient_boosting", "params": {"max_iter": 100}}],
        "trials": 1,
        "folds": 2,
    },
    "gate": {"metric": "mae", "superior_by": "1%", "baseline": "median"},
}

ECHO = """
import json
from fastapi import FastAPI, Request, Response
app = FastAPI()
@app.post("/echo")
async def echo(request: Request) -> Response:
    return Response(json.dumps(await request.json()), media_type="application/json")
"""


@dataclass
class Subject:
    """A server, what it is asked, and what came out of it."""

    name: str
    process: subprocess.Popen[str]
    port: int
    request: bytes
    seconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: float = 0.0


def main() -> int:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="put the section into this page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="everfit-serve-") as folder:
        home = Path(folder)
        environment = trained(home)
        with servers(home, environment) as subjects:
            for subject in subjects:
                asked(subject, 1, 1.0)
            for _ in range(options.rounds):
                for subject in subjects:
                    measure(subject, options.seconds)
    section = table(subjects, options.rounds, options.seconds)
    print(section)
    if options.write:
        put(options.write, section)
    return 0


def trained(home: Path) -> dict[str, str]:
    """A checkout whose pipeline has a champion; its environment."""
    (home / "dags" / "pipelines").mkdir(parents=True)
    trips = home / "data" / "trips"
    trips.mkdir(parents=True)
    for index in range(MONTHS):
        year, month = month_of(index)
        (trips / f"{year}-{month:02d}.csv").write_text(month_csv(year, month, ROWS, seed=3))
    (home / "dags" / "pipelines" / f"{NAME}.yaml").write_text(yaml.safe_dump(SPEC))
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # MLflow calls uvicorn
        "PYTHONPATH": str(ROOT / "pipeline_components"),
        "EVERFIT_ROOT": str(home),
        "OMP_NUM_THREADS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    run = [sys.executable, "-c", PROGRAM, "run", NAME]
    subprocess.run(run, env=environment, check=True, stdout=subprocess.DEVNULL)
    return environment


@contextlib.contextmanager
def servers(home: Path, environment: dict[str, str]) -> Iterator[list[Subject]]:
    """The three of them, each in processes of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *command],
            env=environment | more,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        started.append(process)
        return process

    ports = [free_port() for _ in range(3)]
    try:
        ours = start("-c", PROGRAM, "serve", NAME, "--port", str(ports[0]))
        answering(ports[0], "/readyz")
        rows, frame = payloads(ports[0])
        mlflow = start(
            *("-m", "mlflow", "models", "serve", "-m", f"models:/{NAME}@champion"),
            *("--env-manager", "local", "--port", str(ports[1]), "--workers", "1"),
            MLFLOW_TRACKING_URI=f"sqlite:///{home}/.everfit/mlflow.db",
        )
        (home / "echo_app.py").write_text(ECHO)
        echo = start(
            *("-m", "uvicorn", "echo_app:app", "--app-dir", str(home), "--port", str(ports[2])),
            *("--log-level", "error", "--no-access-log"),
        )
        answering(ports[1], "/ping")
        answering(ports[2], "/docs")
        yield [
            Subject("`everfit serve`", ours, ports[0], post(f"/v1/{NAME}/predict", rows)),
            Subject("`mlflow models serve`", mlflow, ports[1], post("/invocations", frame)),
            Subject("FastAPI echo", echo, ports[2], post("/echo", rows)),
        ]
    finally:
        for process in started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """One that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def answering(port: int, path: str) -> bytes:
    """The first answer with status 200."""
    give_up = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as one:
            one.settimeout(PATIENCE)
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: one.recv(1 << 16), b"")).partition(b"\r\n\r\n")
            if b" 200 " in head.partition(b"\r\n")[0]:
                return body
        if time.monotonic() > give_up:
            raise SystemExit(f"no answer at port {port}")
        time.sleep(0.2)


def payloads(port: int) -> tuple[Any, Any]:
    """One real row, as records and as MLflow reads it."""
    document = json.loads(answering(port, "/openapi.json"))
    body = document["paths"][f"/v1/{NAME}/predict"]["post"]["requestBody"]
    row = body["content"]["application/json"]["example"][:1]
    # MLflow's schema has times without a zone.
    plain = {k: v.removesuffix("Z") if isinstance(v, str) else v for k, v in row[0].items()}
    return row, {"dataframe_records": [plain]}


def post(path: str, document: Any) -> bytes:
    """The bytes of a request."""
    body = json.dumps(document).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def asked(subject: Subject, connections: int, seconds: float) -> list[float]:
    """Seconds that each answer took, over connections that always have one request under way."""
    found: list[float] = []
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as waiting:
        for _ in range(connections):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", subject.port)))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.sendall(subject.request)
            waiting.register(one, selectors.EVENT_READ, [time.perf_counter(), b""])
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for key, _ in waiting.select(PATIENCE):
                one, state = key.fileobj, key.data
                assert isinstance(one, socket.socket)
                state[1] += one.recv(1 << 16)
                if not whole(state[1]):
                    continue
                if not state[1].startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"{subject.name}: {state[1][:400]!r}")
                now = time.perf_counter()
                found.append(now - state[0])
                state[:] = [now, b""]
                one.sendall(subject.request)
    return found


def whole(answer: bytes) -> bool:
    """Whether an answer is complete."""
    head, found, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return bool(found) and length is not None and len(body) >= int(length[1])


def measure(subject: Subject, seconds: float) -> None:
    """One round: latency over one connection, then requests per second over several."""
    subject.seconds += asked(subject, 1, seconds)
    before, began = cpu(subject.process.pid), time.perf_counter()
    answers = len(asked(subject, CONNECTIONS, seconds))
    subject.rates.append(answers / (time.perf_counter() - began))
    subject.cpu.append((cpu(subject.process.pid) - before) / answers)
    subject.memory = max(subject.memory, memory(subject.process.pid))


def processes(session: int) -> list[Path]:
    """The processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((path / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                found.append(path)
    return found


def cpu(session: int) -> float:
    """Seconds of CPU that its processes have spent."""
    total = 0
    for path in processes(session):
        fields = (path / "stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def memory(session: int) -> float:
    """Resident MB of its processes."""
    pages = sum(int((path / "statm").read_text().split()[1]) for path in processes(session))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def table(subjects: list[Subject], rounds: int, seconds: float) -> str:
    """The section of the page."""
    ours, mlflow, echo = subjects
    lines = [
        TITLE,
        "",
        f"Histogram gradient boosting of 100 trees, one row, one worker, {os.cpu_count()} cores "
        "that other work shared, so that",
        "the ratios say more than the figures; "
        f"{rounds} rounds of {seconds:g} s, taken in turn (medians of the rounds). Method: the",
        "docstring of `benchmarks/serve.py`.",
        "",
        f"| | requests/s, {CONNECTIONS} connections | CPU ms a request | p50 ms | p99 ms | MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in subjects:
        cuts = statistics.quantiles(one.seconds, n=100)
        lines.append(
            f"| {one.name} | {statistics.median(one.rates):,.0f} "
            f"| {statistics.median(one.cpu) * 1000:.2f} | {cuts[49] * 1000:.2f} "
            f"| {cuts[98] * 1000:.2f} | {one.memory:,.0f} |"
        )
    lines += [
        "",
        "Round by round: requests/s over MLflow's "
        + ", ".join(f"{a / b:.1f}" for a, b in zip(ours.rates, mlflow.rates, strict=True))
        + "; of the echo's "
        + ", ".join(f"{a / b:.2f}" for a, b in zip(ours.rates, echo.rates, strict=True))
        + ".",
        "CPU a request, MLflow's over Everfit's "
        + ", ".join(f"{b / a:.1f}" for a, b in zip(ours.cpu, mlflow.cpu, strict=True))
        + "; Everfit's over the echo's "
        + ", ".join(f"{a / b:.2f}" for a, b in zip(ours.cpu, echo.cpu, strict=True))
        + ".",
    ]
    return "\n".join(lines)


def put(page: Path, section: str) -> None:
    """Put the section in the place of the one of the same title, or at the end."""
    parts = re.split(r"(?m)^(?=# )", page.read_text())
    kept = [part for part in parts if not part.startswith(TITLE)]
    page.write_text("".join(kept).rstrip() + "\n\n" + section + "\n")


if __name__ == "__main__":
    sys.exit(main())
