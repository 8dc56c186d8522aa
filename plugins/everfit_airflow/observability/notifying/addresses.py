"""Who is told: the spec's addresses, or those of this installation."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from everfit.contracts.spec.notices import Destination, destination, split_addresses
from everfit.contracts.spec.pipeline import PipelineSpec

log = logging.getLogger(__name__)

SETTING = "EVERFIT_NOTIFY"


def destinations_of(
    spec: PipelineSpec, environ: Mapping[str, str] | None = None
) -> tuple[Destination, ...]:
    """Where the news of a pipeline goes, each place once.

    A spec that has ``notify`` decides for itself, also that nobody is told: ``notify: []``. For
    all others the setting holds; without it nothing is sent.

    Parameters
    ----------
    environ : mapping, optional
        ``os.environ`` where left out.
    """
    if "notify" in spec.model_fields_set:
        return tuple(dict.fromkeys(destination(address) for address in spec.notify))
    found: dict[Destination, None] = {}
    for address in split_addresses((os.environ if environ is None else environ).get(SETTING, "")):
        try:
            found[destination(address)] = None
        except ValueError as error:
            # A slip in a setting must not take every DAG away.
            log.warning("%s: %s. That address gets nothing.", SETTING, error)
    return tuple(found)
