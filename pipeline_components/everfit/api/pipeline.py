"""A pipeline in Python: run it, look at it, use its champion, take one step at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from everfit.api.champion import Champion
from everfit.api.plots import Plots
from everfit.api.run import Run
from everfit.api.showing import showing
from everfit.api.step_output import StepOutput, output_of
from everfit.contracts.errors import NothingToDo, SpecError, UserError, shortlist
from everfit.contracts.messages.steps import Component, Outcome, RunOptions, Trigger, find_summary
from everfit.contracts.settings import Settings
from everfit.contracts.spec.load import find_spec, load_spec, problems_of
from everfit.contracts.spec.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pandas as pd


def pipeline(name: str | Path) -> Pipeline:
    """The pipeline of that name in this repository, or the one of a YAML file.

    Parameters
    ----------
    name : str or Path
        ``taxi_fare``, or a path that ends with ``.yaml``.

    Raises
    ------
    SpecError
        With every problem of the YAML.
    UserError
        If there is no such pipeline; says which is near.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise UserError(
                "NAME", str(path), "a pipeline's YAML is a file", "there is none", "Correct it"
            )
        return Pipeline._of(load_spec(path), Settings.from_environment(start=path.resolve().parent))
    settings = Settings.from_environment()
    return Pipeline._of(load_spec(find_spec(settings.pipelines, str(name))), settings)


class Pipeline:
    """A pipeline, as its YAML or its fields describe it.

    Parameters
    ----------
    name : str
    **fields
        The fields of a spec (docs/reference/spec.md), as its YAML would hold them.

    Raises
    ------
    SpecError
        With every problem.
    """

    def __init__(self, name: str, **fields: Any) -> None:
        try:
            self.spec = PipelineSpec.model_validate({"name": name, **fields})
        except ValidationError as error:
            raise SpecError(name, problems_of(PipelineSpec, error)) from None
        self.settings = Settings.from_environment()

    @classmethod
    def _of(cls, spec: PipelineSpec, settings: Settings) -> Pipeline:
        made = cls.__new__(cls)
        made.spec, made.settings = spec, settings
        return made

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name

    def __repr__(self) -> str:
        return f"<pipeline {self.name}: {self.spec.task} of {self.spec.target.name}>"

    def run(
        self,
        *,
        force: bool = False,
        window: int | Literal["all"] | None = None,
        reason: str = "",
        quiet: bool = False,
    ) -> Run:
        """Run the chain from plan to register in this process.

        Work, keys and results are those of ``everfit run`` and of Airflow: what was done there is
        not done again.

        Parameters
        ----------
        force : bool
            Run every step, also where nothing changed.
        window : int or "all", optional
            Train on so many spans, instead of the spec's number.
        reason : str
            Why; kept in the ledger.
        quiet : bool
            Show no progress.

        Returns
        -------
        Run
            With ``verdict`` None where there is nothing to do.

        Raises
        ------
        EverfitError
            If something is wrong that a person must fix, or a service is away.
        """
        from threadpoolctl import threadpool_limits

        from everfit.contracts.messages.chain import training_tasks
        from everfit.engine.context import open_context, pin_threads
        from everfit.engine.pipeline import run_pipeline
        from everfit.operations.report_files import write_reports

        # By its name: an import of it here closes a circle that mypy cannot read.
        person = str(import_module("everfit.champion.overrule").this_person())
        total, began, done = len(list(training_tasks(self.spec))), time.monotonic(), 0
        pin_threads(self.spec.train.threads)
        with (
            open_context(self.settings) as context,
            showing(self.name, quiet=quiet) as say,
            threadpool_limits(limits=self.spec.train.threads),
        ):

            def watch(component: Component, family: str | None, outcome: Outcome | None) -> None:
                nonlocal done
                done += outcome is not None
                say(component if family is None else f"{component} {family}", done, total)

            try:
                outcomes = run_pipeline(
                    self.spec,
                    context,
                    Trigger(run_type="cli", reason=reason, person=person),
                    RunOptions(force=force, window=window),
                    watch=watch,
                )
            except NothingToDo as why:
                return Run(self.name, None, why.line, seconds=time.monotonic() - began)
            pages = write_reports(self.name, outcomes, context)
            return _ended(self.name, outcomes, context, pages, time.monotonic() - began)

    def monitor(self) -> pd.DataFrame:
        """Compare what has arrived with what the champion was trained on, and score it.

        Returns
        -------
        DataFrame, a row for each span that was ever measured of this champion
            Empty where there is no champion yet, or nothing new has come.

        Raises
        ------
        EverfitError
            If something is wrong that a person must fix, or a service is away.
        """
        from everfit.engine.context import open_context, pin_threads
        from everfit.engine.pipeline import monitor_pipeline

        pin_threads(self.spec.train.threads)
        with open_context(self.settings) as context:
            monitor_pipeline(self.spec, context, Trigger(run_type="cli"))
            head = context.ledger.champion(self.name)
            found = context.ledger.monitorings(self.name, head.run_key) if head else []
        return _frame([_flat(one, but=("rises",)) for one in found], times=("at",))

    def score(
        self,
        output: str | Path | None = None,
        *,
        input: str | Path | None = None,
        spans: int | Literal["all"] | None = None,
        version: str | int | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """Write the champion's predictions for whole spans, once for a version.

        Parameters
        ----------
        output : str or Path, optional
            A folder or ``s3://bucket/prefix``, a file a span; one ``.parquet`` or ``.csv`` file; or
            ``sql:connection:table``. Default ``score.output`` of the spec.
        input : str or Path, optional
            A path, a glob, ``s3://…``, ``https://…`` or ``sql:connection:table``; default
            ``score.input`` of the spec, else the pipeline's own source.
        spans : int or "all", optional
            The newest so many; default ``score.spans`` of the spec, else all.
        version : str or int, optional
            ``champion``, ``challenger`` or a version's number; default ``score.version`` of the
            spec, else ``champion``.
        as_of : datetime, optional
            The champion of then; UTC where it names no zone.

        Returns
        -------
        DataFrame, a row a span
            With ``state`` ``scored``, ``already`` or ``refused``, ``output``, ``rows``, and counts
            of what could not be read.

        Raises
        ------
        EverfitError
            If nothing can be scored, or a service is away.
        """
        from everfit.engine.context import open_context, pin_threads
        from everfit.engine.own_images import refuse_own_images

        refuse_own_images(self.spec, ("extract", "score"))
        pin_threads(self.spec.train.threads)
        from everfit.steps.score.request import placed, request_of, score_request

        def given(address: str | Path | None) -> str | None:
            return None if address is None else placed(str(address), Path.cwd())

        when = as_of.replace(tzinfo=as_of.tzinfo or UTC).isoformat() if as_of else None
        request = request_of(
            self.spec,
            self.settings.root,
            input=given(input),
            output=given(output),
            spans=spans,
            version=None if version is None else str(version),
            as_of=when,
        )
        with open_context(self.settings) as context:
            found = score_request(request, context)
        return _frame([one.model_dump(mode="json") for one in found])

    def runs(
        self,
        *,
        verdict: Literal["promote", "hold", "reject"] | None = None,
        limit: int = 20,
    ) -> pd.DataFrame:
        """The newest runs, oldest first: verdict, gain, version, duration and cost.

        Returns
        -------
        DataFrame, a row a run, indexed by run key
        """
        from everfit.champion.runs import Filter, overview
        from everfit.engine.context import open_context

        with open_context(self.settings) as context:
            found = overview(context.ledger, context.store, self.name, Filter(verdict, None, limit))
        rows = [_flat(one, but=("costs",)) for one in found]
        return _frame(rows, index="run_key", times=("opened", "decided"))

    def spans(self) -> pd.DataFrame:
        """Every span that was snapshotted, in the order they were first seen.

        Returns
        -------
        DataFrame, a row a span
        """
        from everfit.engine.context import open_context

        with open_context(self.settings) as context:
            found = context.ledger.spans(self.name)
        return _frame([_flat(one) for one in found])

    def history(self) -> pd.DataFrame:
        """Every champion there was, with reasons, oldest first.

        Returns
        -------
        DataFrame, a row a promotion
        """
        from everfit.champion.journal import reigns
        from everfit.engine.context import open_context

        with open_context(self.settings) as context:
            found = [dict(reign.document()) for reign in reigns(context.ledger, self.name)]
        return _frame(found)

    def triggers(self, *, limit: int = 20) -> pd.DataFrame:
        """The newest trigger evaluations, oldest first: what was decided, and why.

        Returns
        -------
        DataFrame, a row an evaluation
        """
        from everfit.engine.context import open_context

        with open_context(self.settings) as context:
            found = context.ledger.evaluations(self.name, limit)
        return _frame([_flat(one) for one in reversed(found)], times=("at",))

    @property
    def champion(self) -> Champion:
        """The model that serves.

        Raises
        ------
        UserError
            If there is none yet.
        """
        from everfit.engine.context import open_context

        with open_context(self.settings) as context:
            head = context.ledger.champion(self.name)
            record = context.ledger.version(head.run_key) if head else None
        if record is None:
            raise UserError(
                "API-CHAMPION",
                self.name,
                "a pipeline has a champion once a run was promoted",
                "it has none yet",
                "Call run(), or look at runs() for why",
            )
        return Champion(self.spec, record, self.settings)

    def step(self, component: str) -> StepOutput:
        """Do what one step needs, and the step itself; what was done before is found.

        Parameters
        ----------
        component : str
            ``plan``, ``extract``, ``validate``, ``prepare``, ``train``, ``evaluate`` or ``gate``;
            of train the first family. ``register`` is what ``run`` does.

        Raises
        ------
        UserError
            If there is no such step.
        NothingToDo
            If an earlier step ended the run: see ``run``.
        """
        from everfit.contracts.messages.chain import training_tasks
        from everfit.engine.context import open_context, pin_threads
        from everfit.engine.pipeline import ChainRun

        tasks = list(training_tasks(self.spec))
        known = list(dict.fromkeys(t.component for t in tasks if t.component != "register"))
        if component not in known:
            raise UserError(
                "API-STEP",
                str(component),
                f"a step is one of {shortlist(known, 10)}",
                todo="Call run() to register",
            )
        pin_threads(self.spec.train.threads)
        with open_context(self.settings) as context:
            chain = ChainRun(self.spec, context, Trigger(run_type="cli"), RunOptions(force=True))
            for task in tasks:
                outcome = chain.perform(task)
                if task.component == component:
                    return output_of(outcome, context)
        raise AssertionError(component)

    @property
    def plot(self) -> Plots:
        """Pictures of the reports."""
        return Plots(self.spec, self.settings)


def _ended(
    name: str, outcomes: list[Outcome], context: Any, pages: dict[str, Path], seconds: float
) -> Run:
    from everfit.contracts.messages.requests import EvaluateResult
    from everfit.contracts.messages.summaries import GateSummary, RegisterSummary

    gate, register = find_summary(outcomes, GateSummary), find_summary(outcomes, RegisterSummary)
    assert gate is not None and register is not None
    evaluated = next(one for one in outcomes if one.component == "evaluate")
    result = EvaluateResult.model_validate_json(context.store.get(evaluated.result))
    scores = {
        who: {metric: one.value for metric, one in result.scores.get(who, {}).items()}
        for who in ("candidate", "baseline")
    }
    return Run(
        pipeline=name,
        verdict=gate.verdict,
        because=gate.because,
        metrics=scores["candidate"],
        baseline=scores["baseline"],
        compared_with=result.baseline,
        version=register.version,
        refit=register.refit,
        champion=register.champion,
        reports=pages,
        key=_run_key(outcomes, context),
        seconds=seconds,
    )


def _run_key(outcomes: Iterable[Outcome], context: Any) -> str:
    from everfit.contracts.messages.requests import ValidateResult

    validated = next(one for one in outcomes if one.component == "validate")
    return ValidateResult.model_validate_json(context.store.get(validated.result)).run_key


def _flat(record: BaseModel, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """A record as one row: what is nested one level down gets its field's name before it."""
    row: dict[str, Any] = {}
    for name, value in record.model_dump(mode="json", exclude=set(but)).items():
        if isinstance(value, dict):
            row |= {f"{name}_{key}": inner for key, inner in value.items()}
        else:
            row[name] = value
    return row


def _frame(
    rows: list[dict[str, Any]], index: str | None = None, times: tuple[str, ...] = ()
) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows)
    for name in times:
        if name in frame:
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    return frame.set_index(index) if index is not None and index in frame else frame
