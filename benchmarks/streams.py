"""How well Everfit decides on streams: its losses beside retraining always, never, and hindsight.

    .venv/bin/python benchmarks/streams.py [--json FILE] [--streams taxi elec2 …] [--home FOLDER]

Method: each stream is fed span by span to a pipeline with a clock of its own (a replay: the same
steps with the same requests as a live run, no registry). The champion is scored on each span before
anything may learn from it. *Always* trains on the newest ``window`` spans before each span, the
better family by cross-validation, without a gate. *Never* keeps the first champion. *Hindsight* is
the best schedule of at most a third of the spans, found by dynamic programming over the losses of
always' models on every later span. *Refit* is Everfit's own schedule, serving models that have
learnt their holdout too. Verdicts are judged in hindsight by the next three spans. All losses are
means over rows of the spans after the first champion's holdout. ``share`` is trainings over these
spans.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from everfit.engine.context import Context, open_context, pin_threads  # noqa: E402

pin_threads(1)

import numpy as np  # noqa: E402
from streams_data import Stream, streams  # noqa: E402

from everfit.contracts.messages.chain import training_tasks  # noqa: E402
from everfit.contracts.messages.planning import Trigger  # noqa: E402
from everfit.contracts.messages.requests import PrepareResult, TrainResult  # noqa: E402
from everfit.contracts.settings import Settings  # noqa: E402
from everfit.contracts.spec.metrics import METRICS  # noqa: E402
from everfit.contracts.spec.pipeline import PipelineSpec  # noqa: E402
from everfit.data.sources import list_spans  # noqa: E402
from everfit.data.tables.frames import read_table  # noqa: E402
from everfit.engine.pipeline import ChainRun  # noqa: E402
from everfit.ml.model import load_model  # noqa: E402
from everfit.ml.scoring.predictions import codes, predictions  # noqa: E402
from everfit.ml.scoring.scored import Scored, row_losses  # noqa: E402
from everfit.operations.replay.moments import Arrival  # noqa: E402
from everfit.operations.replay.replay import Stretch, replay  # noqa: E402
from everfit.operations.replay.sandbox import sandbox  # noqa: E402
from everfit.operations.replay.story import Story  # noqa: E402

MOST = 1 / 3
"""Trainings over spans that the best schedule in hindsight may use."""


@dataclass(frozen=True)
class Losses:
    """What always' models lose: ``matrix[k, t]`` is the mean row loss on span t of the model that
    was ready for span k (NaN for t before k)."""

    matrix: np.ndarray
    rows: np.ndarray

    @property
    def always(self) -> np.ndarray:
        """Of each span, the loss of the model made for it."""
        return np.diag(self.matrix)

    def mean(self, losses: np.ndarray) -> float:
        """Over rows."""
        return float(np.nansum(losses * self.rows) / self.rows[np.isfinite(losses)].sum())


@dataclass(frozen=True)
class Hindsight:
    """What became of a schedule: losses of each span, and verdicts that turned out otherwise."""

    judged: np.ndarray
    refit: np.ndarray
    promotions_worse: int
    refusals_better: int


def main() -> int:
    """Run the streams, one after another."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = HERE.parent.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="the folder of real tables")
    parser.add_argument("--streams", nargs="*", default=[], help="only these")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--home", type=Path, help="a folder to keep: what is computed is found")
    parser.add_argument("--spec", type=json.loads, default={}, help="JSON laid over each spec")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="everfit-streams-") as folder:
        for stream in streams(options.data, set(options.streams)):
            began = time.process_time()
            root = (options.home or Path(folder)) / stream.name
            found[stream.name] = run(stream, root, options.spec)
            found[stream.name]["cpu_seconds"] = round(time.process_time() - began, 1)
            print(line(stream.name, found[stream.name]), flush=True)
            if options.json:
                options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


def run(stream: Stream, root: Path, over: dict[str, Any]) -> dict[str, Any]:
    """One stream, and what it came to."""
    folder = root / "data" / stream.name
    if not folder.exists():
        (root / "dags" / "pipelines").mkdir(parents=True)
        stream.write(folder)
    settings = Settings.from_environment({"EVERFIT_ROOT": str(root)})
    values = {"name": stream.name, "source": {"uri": f"{{data}}/{stream.name}/*.csv"}}
    spec = PipelineSpec.model_validate(stream.spec | values | over)
    with open_context(settings) as context:
        ends = {f"{name}.csv": at.replace(tzinfo=UTC) for name, at, _ in stream.spans}
        listed = list_spans(spec.source, settings).spans
        arrivals = tuple(Arrival(ends[ref.name], ref) for ref in listed)
        first = int(spec.window.spans)
        losses = cached_losses(root, context, spec, arrivals)
        long = timedelta(days=36_500)
        stretch = Stretch(arrivals[first].at, arrivals[-1].at, long)
        story = replay("as it is", spec, arrivals, stretch, context, lambda *_: None)
    return told(story, losses, arrivals, first)


def cached_losses(
    root: Path, context: Context, spec: PipelineSpec, arrivals: tuple[Arrival, ...]
) -> Losses:
    """``always_losses``, kept in the stream's folder."""
    path = root / "losses.npz"
    if not path.exists():
        made = always_losses(context, spec, arrivals)
        np.savez(path, matrix=made.matrix, rows=made.rows)
    kept = np.load(path)
    return Losses(kept["matrix"], kept["rows"])


def always_losses(context: Context, spec: PipelineSpec, arrivals: tuple[Arrival, ...]) -> Losses:
    """Train for every span, and score every model on the spans from there on."""
    by_hand = spec.model_copy(update={"triggers": type(spec.triggers)()})
    spans, first = len(arrivals), int(spec.window.spans)
    matrix = np.full((spans, spans), np.nan)
    rows = np.zeros(spans)
    sign = METRICS[spec.primary_metric].sign
    models: dict[int, Any] = {}
    with sandbox(context, by_hand, arrivals[first].at) as world:
        for t in range(first, spans):
            world.now = arrivals[t].at
            world.let_arrive(arrivals)
            chain = ChainRun(by_hand, world.context, Trigger())
            for task in training_tasks(by_hand):
                if task.component == "evaluate":
                    break
                chain.perform(task)
            (prepared,) = _results(chain, "prepare", PrepareResult, context)
            trained = _results(chain, "train", TrainResult, context)
            best = max(trained, key=lambda one: sign * one.cv_score)
            models[t] = load_model(context.store, best.model, context.scratch)
            frame = read_table(context.store.local(prepared.holdout.digest, context.scratch))
            rows[t] = len(frame)
            for k, model in models.items():
                matrix[k, t] = loss(spec, model, frame)
    return Losses(matrix, rows)


def loss(spec: PipelineSpec, model: Any, frame: Any) -> float:
    """Mean row loss of a model on a holdout table."""
    target = frame[spec.target.name]
    if spec.task == "regression":
        truth, classes = target.to_numpy(np.float64), None
    else:
        classes = tuple(str(name) for name in sorted(target.unique()))
        truth = codes(target, classes)
    scores = predictions(model, frame, spec.task, classes)
    scored = Scored.of(spec.task, truth, scores, len(classes) - 1 if classes else 0)
    return float(row_losses(spec.primary_metric, scored).mean())


def _results(chain: ChainRun, component: Any, kind: Any, context: Context) -> list[Any]:
    return [kind.model_validate_json(context.store.get(digest)) for digest in chain.done[component]]


def told(story: Story, losses: Losses, arrivals: tuple[Arrival, ...], first: int) -> dict[str, Any]:
    """The figures of one stream."""
    names = [one.span.name for one in arrivals]
    after = in_hindsight(story, losses, [one.at for one in arrivals], first)
    begin = first + 1
    counted = slice(begin, len(names))
    place = {name: index for index, name in enumerate(names)}
    served = np.full(len(names), np.nan)
    for one in story.served:
        served[place[one.name]] = np.nan if one.score is None else one.score
    # Where the champion could not be scored, always' model of the same window stands in for it.
    unmeasured = int(np.isnan(served[counted]).sum())
    filled = np.where(np.isnan(served), after.judged, served)
    always, never = losses.always.copy(), losses.matrix[first].copy()
    for line_ in (filled, always, never, after.refit):
        line_[:begin] = np.nan
    spans = len(names) - begin
    summary = story.summary()
    base = losses.mean(always)
    best, most = hindsight(losses, first, int(spans * MOST))
    return {
        "ratio": round(losses.mean(filled) / base, 4),
        "share": round(summary.trainings / spans, 3),
        "never": round(losses.mean(never) / base, 4),
        "hindsight": round(best / base, 4),
        "hindsight_share": round(most / spans, 3),
        "always": base,
        "spans": spans,
        "trainings": summary.trainings,
        "promotions": summary.promotions,
        "unmeasured": unmeasured,
        "promotions_worse": after.promotions_worse,
        "refusals_better": after.refusals_better,
        "refit": round(losses.mean(after.refit) / base, 4),
        "by_span": {
            names[t]: [round(float(x), 4) for x in (filled[t], always[t], never[t])]
            for t in range(begin, len(names))
        },
        "history": [f"{one.at:%Y-%m-%d} {one.verdict}: {one.because}" for one in story.trainings],
    }


def in_hindsight(story: Story, losses: Losses, ends: list[datetime], first: int) -> Hindsight:
    """Verdicts by the mean loss over the next three spans, and what the same schedule had given.

    A candidate is compared with the champion of the time. The *refit* of a promoted model is
    trained on one span more, its holdout: here always' model for the next span.
    """
    last, champion, begin = len(ends) - 1, first, first + 1
    worse = better = 0
    judged, refit = losses.matrix[first].copy(), losses.matrix[begin].copy()
    for one in story.trainings:
        candidate = ends.index(one.at)
        after = slice(candidate + 1, min(candidate + 4, last + 1))
        ours, theirs = losses.matrix[candidate, after], losses.matrix[champion, after]
        wins = bool(len(ours)) and float(ours.mean()) < float(theirs.mean())
        if one.verdict == "promote":
            worse += bool(len(ours)) and not wins
            champion = candidate
            if candidate < last:
                judged[candidate + 1 :] = losses.matrix[candidate, candidate + 1 :]
                refit[candidate + 1 :] = losses.matrix[candidate + 1, candidate + 1 :]
        else:
            better += wins
    return Hindsight(judged, refit, worse, better)


def hindsight(losses: Losses, first: int, most: int) -> tuple[float, int]:
    """The least mean loss of any schedule with at most so many trainings, and how many it used."""
    spans = losses.matrix.shape[0]
    begin = first + 1
    cost = np.nan_to_num(losses.matrix) * losses.rows
    total = losses.rows[begin:].sum()
    # least[n][k]: serving with model k from span k on, after n trainings, everything before paid.
    least: dict[tuple[int, int], float] = {(0, first): 0.0}
    ends: list[tuple[float, int]] = []
    for n in range(most + 1):
        for k in range(first, spans):
            if (n, k) not in least:
                continue
            paid, served = least[n, k], 0.0
            for t in range(max(k, begin), spans):
                key = (n + 1, t)
                if t > k and paid + served < least.get(key, np.inf):
                    least[key] = paid + served
                served += cost[k, t]
            ends.append((paid + served, n))
    value, count = min(ends)
    return value / total, count


def line(name: str, one: dict[str, Any]) -> str:
    """One stream in one line."""
    return (
        f"{name:8} ratio {one['ratio']:.3f} share {one['share']:.2f} "
        f"({one['trainings']} of {one['spans']}, {one['promotions']} promoted) never "
        f"{one['never']:.3f} hindsight {one['hindsight']:.3f} at {one['hindsight_share']:.2f} "
        f"refit {one['refit']:.3f} promotions worse {one['promotions_worse']} refusals better "
        f"{one['refusals_better']} "
        f"unmeasured {one['unmeasured']} cpu {one['cpu_seconds']}"
    )


if __name__ == "__main__":
    sys.exit(main())
