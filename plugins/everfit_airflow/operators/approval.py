"""The two tasks of a training whose gate asks a person: the question, and what the answer does.

While it waits the question holds no worker and no process; Airflow keeps it as *awaiting input* and
shows it under *Required actions*.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import AssetAlias, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException

from everfit.contracts.messages.people import PersonRequest, Question
from everfit.contracts.messages.steps import Component, Outcome, read_outcome
from everfit.contracts.messages.summaries import PromoteSummary, RegisterSummary
from everfit_airflow.operators.failures import UserActionRequired
from everfit_airflow.operators.operator import (
    ComponentOperator,
    RunsComponents,
    airflow_run,
    read_spec,
)
from everfit_airflow.operators.orders import LONGEST_REASON, make_order
from everfit_airflow.settings_here import settings_here
from everfit_airflow.ui.links import APPROVAL_LINKS
from everfit_airflow.ui.report_pages import report_address
from everfit_airflow.ui.run_tab import BECAUSE

if TYPE_CHECKING:
    from airflow.sdk import Context

APPROVE, REFUSE = "Approve", "Refuse"
ASK, ANSWER = "approve", "promote"
"""The two tasks."""

LONGEST = 600
"""Letters of a sentence that is shown; the report has the whole."""

_UNASKED = Param(None, type=["null", "string"], maxLength=LONGEST_REASON, source="task")
"""The reason while nobody is asked: Airflow fills and checks a task's params before it runs."""

REASON = Param(
    None,
    type="string",
    minLength=1,
    maxLength=LONGEST_REASON,
    title="Reason",
    description="Your reason. Kept with your name; the answers can be sent once there is one.",
    source="task",
)
"""The reason as the form asks for it: the buttons wait for it."""

_MARKUP = re.compile(r"([\\`*_\[\]<>&|~#!()@$])|(?<=www)(\.)|(:)(?=//)")


class ApprovalOperator(RunsComponents, HITLOperator):
    """Asks a person whether the version of this run shall become champion, where it waits.

    Parameters
    ----------
    spec_file : str
        The pipeline's YAML.
    """

    template_fields: Sequence[str] = ()
    custom_operator_name = "Everfit approval"
    ui_color = "#fff8e1"
    ui_fgcolor = "#1f2328"

    def __init__(self, *, spec_file: str, **kwargs: Any) -> None:
        super().__init__(
            subject="Shall the new version become champion?",
            options=[APPROVE, REFUSE],
            params={"reason": copy(_UNASKED)},
            **kwargs,
        )
        self.component = "promote"
        self.spec_file = spec_file
        self.operator_extra_links = APPROVAL_LINKS

    def execute(self, context: Context) -> Any:
        """Find out what to ask, and ask; what a component cannot say raises as in any task.

        Raises
        ------
        AirflowSkipException
            If no version waits: it was held, answered on the command line, or is too late.
        """
        register = registered(context)
        if register is None or _summary(register).awaits != "approval":
            line = f"{ASK}: no version of this run waits for approval."
            context["ti"].xcom_push(key=BECAUSE, value=line)
            raise AirflowSkipException(line)
        spec = read_spec(self.spec_file)
        requested = PersonRequest(what="ask", version=_summary(register).version)
        order = make_order("promote", spec, None, airflow_run(context), {}, {}, requested=requested)
        question = _question(self.perform(order, self.spec_file, context))
        self.subject = f"{spec.name}: shall version {question.version} become champion?"
        self.body = body(spec.name, question, links_of(question, register))
        # Airflow has filled it with the reason for which the training was started.
        self.params = ParamsDict({"reason": copy(REASON)})
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Hand the answer on; a refusal without a reason is asked for once more.

        The form sends none without a reason; a request to Airflow's API may.
        """
        if "error" in event:
            self.process_trigger_event_error(event)
        self.validate_chosen_options(event["chosen_options"])
        refused = event["chosen_options"] == [REFUSE]
        given = (event.get("params_input") or {}).get("reason")
        reason = " ".join(str(given if given is not None else "").split())
        if (refused and not reason) or len(reason) > LONGEST_REASON:
            line = (
                f"{ASK}: the answer {event['chosen_options'][0]!r} was not accepted, for a reason "
                f"of 1 to {LONGEST_REASON} letters belongs to it; it is asked again."
            )
            context["ti"].xcom_push(key=BECAUSE, value=line)
            self.log.warning(line)
            return super().execute(context)
        user = event.get("responded_by_user") or {}
        person = str(user.get("name") or user.get("id") or "")
        what = "refuse" if refused else "approve"
        line = f"{ASK}: {person or 'somebody'} answered {what}" + (f": {reason}" if reason else "")
        context["ti"].xcom_push(key=BECAUSE, value=line)
        return {"what": what, "reason": reason, "person": person}


class AnswerOperator(ComponentOperator):
    """Does what the person has answered."""

    def requested(self, context: Context) -> PersonRequest | None:
        """The answer, and the version it is about."""
        answer, register = context["ti"].xcom_pull(task_ids=ASK), registered(context)
        return PersonRequest(
            what=answer["what"],
            version=_summary(register).version if register else None,
            reason=answer["reason"],
            person=" ".join(answer["person"].split())[:100],
        )


def approval_tasks(spec_file: str, after: Any, outlets: Sequence[AssetAlias] = ()) -> None:
    """Append the two tasks to a training DAG; the answer may have events of the outlets."""
    ask = ApprovalOperator(task_id=ASK, spec_file=spec_file)
    answer = AnswerOperator(
        task_id=ANSWER, component="promote", spec_file=spec_file, outlets=list(outlets)
    )
    after >> ask >> answer


def registered(context: Context) -> Outcome | None:
    """What register has left in this run; None where it has not registered anything."""
    found = read_outcome(context["ti"].xcom_pull(task_ids="register"))
    return found if isinstance(found, Outcome) else None


def _summary(register: Outcome) -> RegisterSummary:
    if not isinstance(register.summary, RegisterSummary):
        raise _without("register", "whether a version waits")
    return register.summary


def _question(outcome: Outcome) -> Question:
    summary = outcome.summary
    if not isinstance(summary, PromoteSummary) or summary.question is None:
        raise _without("promote", "what a person is asked")
    return summary.question


def _without(component: Component, what: str) -> UserActionRequired:
    return UserActionRequired(
        f"OUTCOME {component}: its summary must say {what}; that was left out. Give the outcome "
        "more room (EVERFIT_OUTCOME_LIMIT)."
    )


def links_of(question: Question, register: Outcome) -> list[tuple[str, str]]:
    """Where to look before answering: the report, if this server can show it, and MLflow."""
    found = []
    if settings_here().store.startswith("file://"):
        found.append(("Decision report", report_address(question.report.digest)))
    if mlflow := register.links.get("mlflow_run"):
        found.append(("MLflow run", mlflow))
    return found


def body(pipeline: str, question: Question, links: Sequence[tuple[str, str]]) -> str:
    """The question as Markdown, the same for the same decision.

    Sentences quote names that users chose, and messages of users' own checks: none of it is
    markup here.
    """
    against = f"champion v{question.champion}" if question.champion else "the baseline dummy"
    lines = [
        f"The gate's verdict on version {question.version} of {plain(pipeline)} is "
        f"**{question.verdict}**, judged against {against}. Nothing changes until you answer.",
        "",
        f"- **Because** {plain(question.because)}",
    ]
    if question.gain and question.gain != question.because:
        lines.append(f"- **Gain** {plain(question.gain)}")
    if question.flip:
        lines.append(f"- **What would have changed it** {plain(question.flip).rstrip('.')}.")
    lines.append(
        f"- **Checks** {question.passed} passed" + (", and:" if question.not_passed else "")
    )
    for check in question.not_passed:
        state = check.state.replace("_", " ")
        lines.append(
            f"    - **{plain(check.code)}** ({check.severity}, {state}) {plain(check.title)}: "
            f"{plain(check.message)}"
        )
        if check.flip:
            lines.append(f"        - **Otherwise** {plain(check.flip)}")
    if question.more:
        lines.append(f"    - **and {question.more} more** in the report")
    shown = " · ".join(f"[{name}](<{_address(where)}>)" for name, where in links)
    lines += ["", shown, ""] if shown else [""]
    short = question.run_key[:12]
    lines.append(f"An answer needs a reason. Run `{short}`.")
    return "\n".join(lines)


def plain(text: str) -> str:
    """Text as it stands: on one line, without markup, links or HTML of its own."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    line = line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"
    return _MARKUP.sub(lambda found: f"\\{found.group()}", line)


def _address(where: str) -> str:
    """An address between ``<`` and ``>``."""
    return re.sub(r"[<>\s]", "", where)
