"""Callbacks of every task: what its component wants people to hear, and that it failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from everfit.contracts.messages.steps import read_outcome
from everfit.contracts.spec.notices import Destination, News
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit_airflow.observability.notifying.addresses import destinations_of
from everfit_airflow.observability.notifying.message import Message, one_line
from everfit_airflow.ui.run_tab import BECAUSE, ENDED

log = logging.getLogger(__name__)


def notices(spec: PipelineSpec) -> dict[str, Any]:
    """Default arguments of every task of a pipeline.

    Returns
    -------
    dict
        Callbacks; empty where nobody is to be told, so that it costs nothing.
    """
    destinations = destinations_of(spec)
    if not destinations:
        return {}
    teller = Notices(spec.name, destinations)
    return {
        "on_success_callback": teller.succeeded,
        "on_skipped_callback": teller.skipped,
        "on_failure_callback": teller.failed,
    }


def notices_of_any(spec_of: Callable[[Any], PipelineSpec]) -> dict[str, Any]:
    """The same where only a run knows which pipeline it is about.

    Parameters
    ----------
    spec_of : callable
        Task context → spec.
    """

    def telling(ending: str) -> Callable[[Mapping[str, Any]], None]:
        def tell(context: Mapping[str, Any]) -> None:
            try:
                spec = spec_of(context)
                destinations = destinations_of(spec)
            except (Exception, SystemExit) as error:
                log.info("nobody to tell: %s", one_line(str(error), 200))
                return
            if destinations:
                getattr(Notices(spec.name, destinations), ending)(context)

        return tell

    return {f"on_{name}_callback": telling(ending) for name, ending in ENDINGS.items()}


ENDINGS = {"success": "succeeded", "skipped": "skipped", "failure": "failed"}


class Notices:
    """Tells the destinations of one pipeline.

    Nothing here ever raises: that a message was not sent is one line in the log, and no fault of
    the task.
    """

    def __init__(self, pipeline: str, destinations: tuple[Destination, ...]) -> None:
        self.pipeline, self.destinations = pipeline, destinations

    def succeeded(self, context: Mapping[str, Any]) -> None:
        """Pass on the news of an outcome."""
        self._pass_on(context, "return_value")

    def skipped(self, context: Mapping[str, Any]) -> None:
        """Pass on the news of a component that found nothing to do."""
        self._pass_on(context, ENDED)

    def failed(self, context: Mapping[str, Any]) -> None:
        """Say that a task failed for good, once for each cause."""
        try:
            if self._wanted("failed"):
                self._say_failed(context)
        except Exception as error:
            _not_told(error)

    def _pass_on(self, context: Mapping[str, Any], key: str) -> None:
        from everfit_airflow.observability.notifying.failing import forget_failure
        from everfit_airflow.observability.notifying.links import links_of

        ti = context["ti"]
        try:
            left = read_outcome(ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=_index(ti)))
            if left is not None:
                for news in filter(lambda news: self._wanted(news.kind), left.news):
                    self._tell(Message(self.pipeline, news, links_of(ti, left, news.report)))
        except Exception as error:
            _not_told(error)
        try:
            if self._wanted("failed"):
                forget_failure(ti)
        except Exception as error:
            log.debug("cannot forget a failure: %s", type(error).__name__)

    def _say_failed(self, context: Mapping[str, Any]) -> None:
        from everfit_airflow.observability.notifying.failing import remember_failure
        from everfit_airflow.observability.notifying.links import run_page

        ti = context["ti"]
        why = _why(context)
        if not remember_failure(ti, why):
            log.info("the failure of %s was reported before; not reported again", ti.task_id)
            return
        label = getattr(ti, "rendered_map_index", None)
        task = f"{ti.task_id} ({label})" if label else ti.task_id
        news = News(kind="failed", what=f"{task} of {ti.dag_id}", why=why)
        self._tell(Message(self.pipeline, news, (("Log", ti.log_url), ("Run", run_page(ti)))))

    def _wanted(self, kind: str) -> bool:
        return any(kind in to.kinds for to in self.destinations)

    def _tell(self, message: Message) -> None:
        from everfit_airflow.observability.notifying.outlets import send

        for to in self.destinations:
            if message.kind not in to.kinds:
                continue
            try:
                send(message, to)
            except Exception as error:
                log.warning(
                    "NOTIFY %s: was not told of %r; %s: %s",
                    to,
                    message.subject,
                    type(error).__name__,
                    one_line(str(error), 200),
                )
            else:
                log.info("told %s: %s", to, message.subject)


def _why(context: Mapping[str, Any]) -> str:
    """The one line a component said; else what Airflow knows; secrets it knows are masked."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    ti, line = context["ti"], None
    try:
        line = ti.xcom_pull(task_ids=ti.task_id, key=BECAUSE, map_indexes=_index(ti))
    except Exception as error:
        log.debug("no line of %s: %s", ti.task_id, type(error).__name__)
    found = str(line or context.get("exception") or "The task ended without a message.")
    return str(redact(found))


def _index(ti: Any) -> int:
    index = getattr(ti, "map_index", None)
    return index if isinstance(index, int) else -1


def _not_told(error: Exception) -> None:
    log.warning("NOTIFY: nobody was told; %s: %s", type(error).__name__, one_line(str(error), 200))
