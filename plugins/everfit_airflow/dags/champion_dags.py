"""Three DAGs for all pipelines: a person promotes, goes back, or has everything put right.

They are built from the names of the YAMLs alone; a spec is read when a task runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable, Param

from everfit.contracts.errors import SpecError, UserError
from everfit.contracts.messages.people import PersonRequest
from everfit.contracts.messages.steps import Component
from everfit.contracts.spec.load import NAME, find_spec, load_spec, spec_paths
from everfit_airflow.dags.assets import champion_alias
from everfit_airflow.dags.describe import WORDS
from everfit_airflow.dags.schedules import Schedule
from everfit_airflow.observability.notifying import notices_of_any
from everfit_airflow.operators.failures import RETRIES, UserActionRequired
from everfit_airflow.operators.operator import ComponentOperator
from everfit_airflow.operators.orders import requested_by_form

if TYPE_CHECKING:
    from airflow.sdk import Context

    from everfit.contracts.spec.pipeline import PipelineSpec

PROMOTE, ROLLBACK, RECONCILE = "everfit.promote", "everfit.rollback", "everfit.reconcile"

DAILY = "17 4 * * *"
"""When everything is held to the ledger: once a day, UTC."""

NOBODY = "somebody"
"""Who decided, where Airflow does not say."""

VERSION = Param(
    None,
    type=["null", "string"],
    pattern="^([vV]?[1-9][0-9]{0,9})?$",
    title="Version",
    description="Such as 3 or v3. everfit history lists those that were champion.",
)
RUN = Param(
    None,
    type=["null", "string"],
    pattern="^([0-9a-f]{4,64})?$",
    title="Run",
    description="Instead of a version: the first characters of the key of a run that the gate held "
    "or rejected. Its candidate is registered first.",
)
REASON = Param(
    type="string",
    minLength=1,
    maxLength=500,
    title="Reason",
    description="Your reason. Kept in the champion's history with your name.",
)

ABOUT = {
    PROMOTE: """Makes a version champion over the gate: an **override**, recorded as one, with your
reason and your name.

Before anything is changed the version must load, its libraries must be here or be had, and every
column it reads must be in the newest data. Then one entry is appended to the champion's journal,
if nobody appended meanwhile, and `@champion` in MLflow follows.

A version that waits for approval is answered in its training run instead.
""",
    ROLLBACK: """Goes back to an earlier champion, with your reason and your name.

Checked first as in [everfit.promote](/dags/everfit.promote).
""",
    RECONCILE: """Brings MLflow and the store in line with the ledger: daily for every pipeline,
or by hand for one.

An alias that was moved, a version made twice, a registration that was cut off: what the ledger
settles is put right. What is left for a person is in the log, in the run's tab **Everfit** and in a
notice; the task succeeds even so. Who is champion is never changed.
""",
}


class ChampionOperator(ComponentOperator):
    """Runs a component for the pipeline that a form names, or that it is mapped over.

    Parameters
    ----------
    component : str
        ``promote`` or ``reconcile``.
    folder : str
        Of the specs.
    what : {"promote", "rollback"}, optional
        Of ``promote``: what the form asks.
    pipeline : str, optional
        Where no form names it.
    """

    def __init__(
        self,
        *,
        component: Component,
        folder: str,
        what: Literal["promote", "rollback"] | None = None,
        pipeline: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(component=component, spec_file="", **kwargs)
        self.folder = folder
        self.what = what
        self.pipeline = pipeline

    def execute(self, context: Context) -> dict[str, Any]:
        """Find the spec, then run the component."""
        self.spec_file = spec_file_of(self.folder, self.pipeline or named_in(context))
        return super().execute(context)

    def requested(self, context: Context) -> PersonRequest | None:
        """What the form asks, and who."""
        if self.what is None:
            return None
        return requested_by_form(self.what, context["params"], person_of(context))


class PipelinesOperator(BaseOperator):
    """Gives the names of the pipelines to look at: the one of the form, or all.

    Parameters
    ----------
    folder : str
        Of the specs.
    """

    ui_color = "#f1f8e9"
    ui_fgcolor = "#1f2328"

    def __init__(self, *, folder: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = folder

    def execute(self, context: Context) -> list[str]:
        """Those whose YAML can be read; the others show as import errors."""
        if chosen := named_in(context):
            spec_file_of(self.folder, chosen)  # a slip is said here, once
            return [chosen]
        return list(self._readable())

    def _readable(self) -> Iterator[str]:
        for path in spec_paths(Path(self.folder)):
            try:
                load_spec(path)
            except SpecError as error:
                self.log.warning("left out: %s", error.line)
            else:
                yield path.stem


def champion_dags(folder: Path, dag_id: str | None = None) -> list[DAG]:
    """Build the three; in a task's process only its own.

    Parameters
    ----------
    folder : Path
        Of the specs; only their names are read.
    """
    names = [path.stem for path in spec_paths(folder) if NAME.match(path.stem)]
    builders: dict[str, Callable[[str, Sequence[str]], DAG]] = {
        PROMOTE: _promote,
        ROLLBACK: _rollback,
        RECONCILE: _reconcile,
    }
    return [build(str(folder), names) for name, build in builders.items() if dag_id in (None, name)]


def person_of(context: Context) -> str:
    """Who started the run, as Airflow knows them."""
    name = getattr(context["dag_run"], "triggering_user_name", None)
    return " ".join(str(name).split())[:100] if name else NOBODY


def spec_file_of(folder: str, name: str) -> str:
    """The YAML of a pipeline.

    Raises
    ------
    UserActionRequired
        If there is none of that name; says what is near.
    """
    try:
        return str(find_spec(Path(folder), name))
    except UserError as error:
        raise UserActionRequired(error.line) from None


def spec_of(context: Context) -> PipelineSpec:
    """The spec that a task of these DAGs has worked for.

    Raises
    ------
    UserActionRequired, SpecError
        If there is none.
    """
    task: Any = context["task"]
    name = getattr(task, "pipeline", None) or named_in(context)
    return load_spec(Path(spec_file_of(task.folder, name)))


def named_in(context: Context) -> str:
    """The pipeline of a run's form; empty where it names none."""
    return str(context["params"].get("pipeline") or "")


def _promote(folder: str, names: Sequence[str]) -> DAG:
    form = {"pipeline": _pipeline(names), "version": VERSION, "run": RUN, "reason": REASON}
    with _dag(PROMOTE, "Makes a version champion over the gate, with a reason.") as dag:
        ChampionOperator(
            task_id="promote",
            component="promote",
            what="promote",
            folder=folder,
            outlets=[champion_alias()],
        )
    return _with_form(dag, form)


def _rollback(folder: str, names: Sequence[str]) -> DAG:
    version = Param(
        type="string",
        pattern="^[vV]?[1-9][0-9]{0,9}$",
        title=VERSION.schema["title"],
        description=VERSION.description,
    )
    form = {"pipeline": _pipeline(names), "version": version, "reason": REASON}
    with _dag(ROLLBACK, "Goes back to a version that was champion, with a reason.") as dag:
        ChampionOperator(
            task_id="promote",
            component="promote",
            what="rollback",
            folder=folder,
            outlets=[champion_alias()],
        )
    return _with_form(dag, form)


def _reconcile(folder: str, names: Sequence[str]) -> DAG:
    with _dag(
        RECONCILE,
        "Holds MLflow and the store to the ledger, for every pipeline.",
        schedule=CronTriggerTimetable(DAILY, timezone="UTC"),
        max_active_runs=1,
    ) as dag:
        which = PipelinesOperator(task_id="pipelines", folder=folder)
        ChampionOperator.partial(
            task_id="reconcile",
            component="reconcile",
            folder=folder,
            map_index_template="{{ task.pipeline }}",
            max_active_tis_per_dagrun=1,
        ).expand(pipeline=which.output)
    return _with_form(dag, {"pipeline": _pipeline(names, all_too=True)})


def _dag(
    dag_id: str, description: str, schedule: Schedule = None, max_active_runs: int = 16
) -> DAG:
    return DAG(
        dag_id=dag_id,
        description=description,
        schedule=schedule,
        # A person who must go back does not want to look for a switch first.
        is_paused_upon_creation=False if schedule is None else None,
        start_date=None,
        catchup=False,
        max_active_runs=max_active_runs,
        tags=["everfit", "champion"],
        doc_md=f"{ABOUT[dag_id]}\n{WORDS}",
        default_args={"owner": "everfit", **RETRIES, **notices_of_any(spec_of)},
    )


def _with_form(dag: DAG, form: dict[str, Param]) -> DAG:
    """Given last, so that no task copies it."""
    dag.params.update({name: copy(field) for name, field in form.items()})
    return dag


def _pipeline(names: Sequence[str], all_too: bool = False) -> Param:
    title = "Pipeline"
    if all_too:
        return Param(
            None,
            type=["null", "string"],
            enum=[None, *names],
            title=title,
            description="Empty: all of them, one after the other.",
        )
    if not names:
        return Param(type="string", minLength=1, title=title)
    return Param(type="string", enum=list(names), title=title)
