#!/usr/bin/env bash
# Resolves all requirements together into requirements.txt, then cuts the environments out of it,
# so that Airflow's and the components' versions agree wherever both have a package.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
compile() { "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header "$@"; }
compile pyproject.toml --all-extras -o requirements.txt
printf 'uv\nsetuptools\n' | compile - -o requirements/bootstrap.txt
printf 'zensical\n' | compile - -o requirements/docs.txt   # the documentation's site; nothing imports it
compile pyproject.toml -c requirements.txt --extra components --extra lightgbm --extra serve -o requirements/components.txt
compile pyproject.toml -c requirements.txt --extra components --extra lightgbm --extra serve --extra dev -o requirements/components-dev.txt
compile pyproject.toml -c requirements.txt --extra airflow -o requirements/airflow.txt
compile pyproject.toml -c requirements.txt --extra airflow --extra airflow-dev -o requirements/airflow-dev.txt
compile pyproject.toml -c requirements.txt --extra airflow --extra stack -o requirements/airflow-stack.txt
compile pyproject.toml -c requirements.txt --extra mlflow-server -o requirements/mlflow-server.txt
