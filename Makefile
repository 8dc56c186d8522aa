# The same targets here and in CI. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
AIRFLOW_PY := .venv-airflow/bin/python

.PHONY: help setup setup-dev demo test lint types imports unit proof dags airflow format lock bench bench-gate clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## prepare both environments (locked, hash-checked)
	@scripts/setup.sh

setup-dev:  ## and the tools that test them
	@scripts/setup.sh dev

demo: setup  ## train the example through a real Airflow scheduler, then show it
	@.venv/bin/everfit example
	@PYTHONPATH=plugins $(AIRFLOW_PY) -m everfit_launch.demo taxi_fare

test: setup-dev lint types imports unit proof dags airflow  ## everything CI runs

lint:  ## ruff
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

types:  ## mypy --strict
	@$(PY) -m mypy pipeline_components
	@MYPYPATH=plugins:. $(PY) -m mypy --python-executable $(AIRFLOW_PY) -p everfit_airflow -p everfit_launch

imports:  ## the house's import rules
	@PYTHONPATH=plugins .venv/bin/lint-imports

unit:  ## components, contracts and the whole chain in one process
	@$(PY) -m pytest -q tests/unit tests/contract tests/pipeline

proof:  ## killed, refused, raced and mutated; EVERFIT_PROOF=all for every point (docs/proof.md)
	@$(PY) -m pytest -q tests/proof

dags:  ## DAG files and plugins, without running them
	@$(AIRFLOW_PY) -m pytest -q tests/dags

airflow:  ## a real scheduler: real tables, every trigger, storms, notices; one Airflow at a time
	@for file in tests/airflow/test_*.py; do $(AIRFLOW_PY) -m pytest -q $$file || exit 1; done

format:  ## rewrite the code in the house's format
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

lock:  ## resolve the requirements anew
	@scripts/lock.sh

bench:  ## the chain beside a plain script (minutes)
	@$(PY) benchmarks/chain.py

bench-gate:  ## 10,000 simulated years of the gate, in six worlds (minutes)
	@$(PY) benchmarks/gate.py

clean:  ## forget runs, models and environments of this checkout
	rm -rf .venv .venv-airflow .everfit data
