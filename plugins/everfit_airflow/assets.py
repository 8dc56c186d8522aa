"""The assets of a pipeline: its source, and a bell for each thing training can be woken for.

An event of one of them says that it is time to look, and nothing else; what there is to do,
``plan`` finds out for itself. So an event that is lost or doubled costs a delay or a short look.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args
from urllib.parse import urlsplit

from airflow.sdk import Asset, AssetAlias, AssetWatcher
from airflow.sdk.definitions.asset import AssetUriRef

from pipeline_components.contracts.planning import Signal
from pipeline_components.contracts.triggers import TriggerSpec

SCHEME = "everfit"
GROUP = "everfit"
SOURCE = "source"
SIGNALS: tuple[Signal, ...] = get_args(Signal)


def source_asset(pipeline: str, watchers: Iterable[AssetWatcher]) -> Asset:
    """What the source's watchers ring."""
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
    """What monitoring rings to wake the training."""
    return Asset(name=f"{pipeline}.{signal}", uri=_uri(pipeline, signal), group=GROUP)


def bells(pipeline: str) -> AssetAlias:
    """What a task names that rings some of the signals.

    With a plain asset for an outlet every success of the task is an event of that asset. An alias
    has events only where the task says so, one by one.
    """
    return AssetAlias(name=f"{pipeline}.wake", group=GROUP)


def signals_of(triggers: TriggerSpec) -> tuple[Signal, ...]:
    """What training can be woken for; ``due`` is for the time, and for what is unfinished."""
    if not triggers.automatic:
        return ()
    kinds = {"due", *(condition.given for condition in triggers.conditions())}
    return tuple(signal for signal in SIGNALS if signal in kinds)


def what_rang(uris: Iterable[str]) -> str:
    """Assets that woke a run, in words for the ledger: ``new_data, drift``."""
    rang = {parts.path.strip("/") for uri in uris if (parts := urlsplit(uri)).scheme == SCHEME}
    return ", ".join(name for name in (SOURCE, *SIGNALS) if name in rang)


def _uri(pipeline: str, name: str) -> str:
    return f"{SCHEME}://{pipeline}/{name}"
