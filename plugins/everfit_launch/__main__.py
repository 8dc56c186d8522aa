"""``python -m everfit_launch``: Airflow on this machine until Ctrl-C, all DAGs as they are."""

from __future__ import annotations

import os
import signal
import sys
import time

from everfit.contracts.settings import Settings
from everfit_launch.airflow_here import AirflowHere
from everfit_launch.errors import LaunchError
from everfit_launch.screen import Screen


def main() -> int:
    """Start, tell the address, wait for Ctrl-C, stop."""
    screen = Screen()
    airflow = AirflowHere(Settings.from_environment(), dict(os.environ))
    try:
        airflow.start(screen.now if screen.terminal else screen.line)
        airflow.start_triggerer()
        screen.line(f"Airflow is at {airflow.address}, login {airflow.user} / {airflow.password}.")
        while True:
            airflow.services.check()
            time.sleep(1)
    except LaunchError as error:
        screen.line(str(error))
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        airflow.stop()


if __name__ == "__main__":
    sys.exit(main())
