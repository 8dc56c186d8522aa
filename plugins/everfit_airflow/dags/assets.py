"""The assets of a pipeline: its source, and one for each signal that can wake its training.

An event of one of them says that it is time to look, and nothing else; what there is to do,
``plan`` finds out for itself. So an event that is lost or doubled costs a delay or a short run.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from airflow.sdk import Asset, AssetAlias, AssetWatcher
from airflow.sdk.definitions.asset import AssetUriRef

from everfit.contracts.messages.planning import Signal
from everfit.contracts.spec.pipeline import PipelineSpec
from everfit.contracts.spec.triggers import TriggerSpec
from everfit.contracts.spec.triggers.kinds import DUE, SIGNALS

SCHEME = "everfit"
GROUP = "everfit"
SOURCE = "source"
CHAMPION, NEW_SPANS, PREDICTIONS = "champion", "new_spans", "predictions"


def source_asset(pipeline: str, watchers: Iterable[AssetWatcher]) -> Asset:
    """The source, with an event for each arrival that its watchers notice."""
    return Asset(
        name=f"{pipeline}.{SOURCE}",
        uri=_uri(pipeline, SOURCE),
        group=GROUP,
        watchers=list(watchers),
    )


def source_ref(pipeline: str) -> AssetUriRef:
    """The same, for a task that keeps what it has seen of it; a name only, without watchers."""
    return AssetUriRef(_uri(pipeline, SOURCE))


def signal_asset(pipeline: str, signal: Signal) -> Asset:
    """A signal of monitoring; an event of it wakes the training."""
    return Asset(name=f"{pipeline}.{signal}", uri=_uri(pipeline, signal), group=GROUP)


def wake_alias(pipeline: str) -> AssetAlias:
    """What a task names as its outlet that sends some of the signals.

    With a plain asset for an outlet every success of the task is an event of that asset. An alias
    has events only where the task says so, one by one.
    """
    return AssetAlias(name=f"{pipeline}.wake", group=GROUP)


def champion_asset(pipeline: str) -> Asset:
    """The champion: an event each time that a task makes another version champion."""
    return Asset(name=f"{pipeline}.{CHAMPION}", uri=_uri(pipeline, CHAMPION), group=GROUP)


def champion_alias() -> AssetAlias:
    """What a task names as its outlet that may make a version champion."""
    return AssetAlias(name="everfit.champions", group=GROUP)


def scores_by_champion(spec: PipelineSpec) -> bool:
    """Whether a new champion is news to the pipeline's scoring."""
    return spec.score is not None and CHAMPION in spec.score.on


def new_spans_asset(pipeline: str) -> Asset:
    """Spans that monitoring has found and read."""
    return Asset(name=f"{pipeline}.{NEW_SPANS}", uri=_uri(pipeline, NEW_SPANS), group=GROUP)


def predictions_asset(pipeline: str) -> Asset:
    """Predictions: an event for each run that has published some."""
    return Asset(name=f"{pipeline}.{PREDICTIONS}", uri=_uri(pipeline, PREDICTIONS), group=GROUP)


def signals_of(triggers: TriggerSpec) -> tuple[Signal, ...]:
    """What can wake the training: the signals of its conditions, and always ``due``.

    ``due`` is for the clock, and for what is stale or unfinished.
    """
    if not triggers.automatic:
        return ()
    known = {DUE, *(condition.signal for condition in triggers.conditions())}
    return tuple(signal for signal in SIGNALS if signal in known)


def signals_in_words(uris: Iterable[str]) -> str:
    """The signals behind asset events, for the ledger: ``drift, new_data``."""
    parts = (urlsplit(uri) for uri in uris)
    names = {part.path.strip("/") for part in parts if part.scheme == SCHEME}
    return ", ".join(n for n in (SOURCE, CHAMPION, NEW_SPANS, *SIGNALS) if n in names)


def _uri(pipeline: str, name: str) -> str:
    return f"{SCHEME}://{pipeline}/{name}"
