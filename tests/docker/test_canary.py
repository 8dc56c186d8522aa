"""A component in a container is given secrets as variables, and they are shown nowhere else."""

from __future__ import annotations

import json

import pytest

from tests.canary import Canaries, ProcessList, find
from tests.docker.conftest import IMAGE
from tests.docker.shell import Shell

pytestmark = pytest.mark.usefixtures("shell_image")

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "canary/of+aws=Secret0123456789",
    "EVERFIT_LEDGER": "postgresql+psycopg://books:canary-of-the-ledger@db/ledger",
    "MLFLOW_TRACKING_PASSWORD": "canary&of mlflow=0",
}
CANARIES = Canaries(SECRETS)
SCRIPT = (
    'echo "${#AWS_SECRET_ACCESS_KEY} ${#EVERFIT_LEDGER} ${#MLFLOW_TRACKING_PASSWORD}"\n'
    "sleep 1; echo 1 > /task/outcome.json\n"
)


def test_what_a_container_is_given_shows_in_its_variables_alone(engine, run_id, tmp_path):
    told: list[dict] = []
    shell = Shell(run_id)

    def look(_: str) -> None:
        """While it works: all that the engine tells of it, but for its variables."""
        seen = engine.api.inspect_container(shell.name)
        assert CANARIES.inside(json.dumps(seen["Config"].pop("Env")).encode()) == [*SECRETS]
        told.append(
            {"inspect": seen, "top": engine.api.top(shell.name), "remembered": shell.remembered}
        )
        (tmp_path / "logs").write_bytes(engine.api.logs(shell.name))

    with ProcessList(CANARIES, every=0.05) as watched:
        ending = shell.run(SCRIPT, secrets=SECRETS, log=look)
    assert ending.outcome == b"1\n"
    assert shell.lines == [" ".join(str(len(secret)) for secret in SECRETS.values())]
    assert told
    (tmp_path / "told.json").write_text(json.dumps([told, shell.lines, ending.last_line]))
    history = ["docker", "history", "--no-trunc", IMAGE]
    assert (
        find(CANARIES, [tmp_path], commands=[history, ["docker", "image", "inspect", IMAGE]]) == []
    )
    assert watched.found == set()
    assert watched.looks
