"""All checks, in the order in which one builds on another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

from everfit.contracts.settings import Settings
from everfit.operations.doctor import pipelines
from everfit.operations.doctor.environments import Environments
from everfit.operations.doctor.finding import Finding, looked
from everfit.operations.doctor.places import Places


class Examination:
    """Looks at everything a run needs; one broken part keeps no other from being looked at.

    Parameters
    ----------
    settings : Settings
    environ : mapping, optional
        ``os.environ`` where left out.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        around = dict(os.environ if environ is None else environ)
        installed, places = Environments(settings, around), Places(settings)
        self._looks: dict[str, Callable[[], Finding]] = {
            "Python": installed.python,
            "parts": installed.parts,
            "components": installed.components,
            "Airflow": installed.airflow,
            "pipelines": lambda: pipelines.specs(settings),
            "credentials": lambda: pipelines.credentials(settings, around),
            "ledger": places.ledger,
            "store": places.store,
            "MLflow": places.mlflow,
            "deployment": places.deployment,
            "disk": places.disk,
            "clock": places.clock,
        }

    def findings(self, begin: Callable[[str], None]) -> Iterator[Finding]:
        """Look at one after the other.

        Parameters
        ----------
        begin : callable
            Is told what is looked at next.
        """
        for check, look in self._looks.items():
            begin(check)
            yield looked(check, look)
