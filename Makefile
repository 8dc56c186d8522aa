# The same targets here and in CI. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
AIRFLOW_PY := .venv-airflow/bin/python

.PHONY: help setup setup-dev demo test lint types imports docs unit proof thorough dags package dags-package airflow browser format lock bench bench-gate bench-drift images docker kubernetes bench-containers up down logs preflight rotate backup restore stack-example stack clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup:  ## prepare both environments (locked, hash-checked)
	@scripts/setup.sh

setup-dev:  ## and the tools that test them
	@scripts/setup.sh dev

demo: setup  ## train the example through a real Airflow scheduler, then show it
	@.venv/bin/everfit example
	@PYTHONPATH=plugins $(AIRFLOW_PY) -m everfit_launch.demo taxi_fare

test:  ## everything CI runs without a Docker engine; says how long each part took
	@times=; for part in setup-dev lint types imports docs unit proof dags-package airflow browser; do \
	  printf '\n--- make %s\n' $$part; began=$$SECONDS; \
	  $(MAKE) --no-print-directory $$part || exit 1; \
	  times+=$$(printf '%5s s  %s;' $$((SECONDS - began)) $$part); \
	done; printf '\n'; tr ';' '\n' <<<"$$times"

lint:  ## ruff
	@$(PY) -m ruff check . && $(PY) -m ruff format --check .

types:  ## mypy --strict
	@$(PY) -m mypy
	@MYPYPATH=plugins:pipeline_components $(PY) -m mypy --python-executable $(AIRFLOW_PY) -p everfit_airflow -p everfit_docker_guard -p everfit_launch

imports:  ## the house's import rules
	@PYTHONPATH=plugins:pipeline_components .venv/bin/lint-imports

docs:  ## the documentation as a site in build/site; a link that leads nowhere fails
	@scripts/docs.sh

unit:  ## components, contracts and the whole chain in one process
	@$(PY) -m pytest -q -n auto --dist loadfile tests/unit tests/contract tests/pipeline tests/field

proof:  ## killed, refused, raced and mutated; EVERFIT_PROOF=all for every point (docs/explanation/proof.md)
	@$(PY) -m pytest -q -n auto --dist loadfile tests/proof

thorough:  ## every point and every further case of these parts (hours)
	@EVERFIT_PROOF=all $(MAKE) --no-print-directory unit proof airflow browser stack

package:  ## the wheel in empty environments and folders, without a network
	@$(PY) -m pytest -q tests/package

dags-package:  # neither keeps two cores busy; each says its own once it is done
	@$(MAKE) --no-print-directory -j2 -Otarget dags package

dags:  ## DAG files and plugins, without running them
	@$(AIRFLOW_PY) -m pytest -q tests/dags

# the longest first: the last one to end has nothing beside it
AIRFLOW_TESTS := $(foreach name,triggers production people real_tables storms,tests/airflow/test_$(name).py)
airflow:  ## a real scheduler: real tables, every trigger, storms, notices; two Airflows at a time
	@printf '%s\n' $(AIRFLOW_TESTS) $(filter-out $(AIRFLOW_TESTS),$(wildcard tests/airflow/test_*.py)) | xargs -P 2 -I {} \
	  sh -c '$(AIRFLOW_PY) -m pytest -q {} || [ $$? = 5 ]'  # 5: all of a file is thorough

browser:  ## Chromium clicks through Airflow's pages (needs Debian's chromium)
	@$(AIRFLOW_PY) -m pytest -q tests/browser

images:  ## build the three images with the Docker engine (docs/how-to/images.md)
	@scripts/images.sh

docker: setup-dev images  ## what needs a Docker engine: the images, components in containers, the guard
	@$(AIRFLOW_PY) -m pytest -q tests/docker

kubernetes: setup-dev  ## the kubernetes runner against a real API server, built once (minutes; docs/how-to/kubernetes.md)
	@tests/dags/kubernetes_api_server.sh .everfit/kubernetes
	@EVERFIT_TEST_API_SERVER=$(CURDIR)/.everfit/kubernetes $(AIRFLOW_PY) -m pytest -q tests/dags/test_kubernetes_flow.py

up:  ## start the stack of docker-compose.yaml, wait until it is healthy (docs/how-to/compose.md)
	@scripts/stack.sh up

down:  ## stop the stack; what it keeps is kept
	@scripts/stack.sh down

logs:  ## follow what the stack logs
	@scripts/stack.sh logs

preflight:  ## say everything that is wrong with the stack's settings; starts nothing
	@scripts/stack.sh preflight

rotate:  ## SECRET=name [FROM=file]: a new value for a secret of the running stack (docs/how-to/upkeep.md)
	@scripts/stack.sh rotate $(SECRET) $(FROM)

backup:  ## TO=folder: what the stack must not lose (docs/how-to/upkeep.md)
	@scripts/stack.sh backup $(TO)

restore:  ## FROM=folder: a backup, into an empty stack
	@scripts/stack.sh restore $(FROM)

stack-example:  ## months of the example into the stack's bucket
	@scripts/stack.sh example

stack: setup-dev images  ## the stack, used: trained through Celery, rotated, restored; EVERFIT_PROOF=all: every part killed too
	@$(AIRFLOW_PY) -m pytest -q tests/stack

format:  ## rewrite the code in the house's format
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

lock:  ## resolve the requirements anew
	@scripts/lock.sh

bench:  ## the chain beside a plain script (minutes)
	@$(PY) benchmarks/chain.py

bench-gate:  ## 10,000 simulated years of the gate in six worlds, rare bad rows, and the worst world found (minutes)
	@$(PY) benchmarks/gate.py --search 100

bench-drift:  ## level and power of drift in every world, and the worst world found (tens of minutes)
	@$(PY) benchmarks/drift.py table
	@$(PY) benchmarks/drift.py search

bench-containers:  ## a container per component beside a process; the engine otherwise idle (minutes)
	@$(AIRFLOW_PY) benchmarks/containers.py

clean:  ## forget runs, models and environments of this checkout
	rm -rf .venv .venv-airflow .venv-tools .venv-docs .everfit data build

# Delivery of pipelines (docs/how-to/delivery.md): what the workflows in deploy/workflows call.
# BASE: what a change is compared with; OUT: the folder for what is made.
DELIVERY := check-specs changed sample comment login push-images sbom sign verify bundle deploy deployed
.PHONY: $(DELIVERY)
$(DELIVERY): export BASE ?= origin/main
$(DELIVERY): export OUT ?= build
$(DELIVERY): export SPANS ?= 4
$(DELIVERY): export ROWS ?= 2000

check-specs:  ## every pipeline's YAML and source; SPEC_ONLY=true leaves the sources alone
	@.venv/bin/everfit check $(if $(filter true 1,$(SPEC_ONLY)),--spec-only)

changed:  ## the pipelines that differ from BASE
	@.venv/bin/everfit changed --base "$$BASE"

sample:  ## run those on a sample in observe mode; reports and comment.md in OUT/sample
	@.venv/bin/everfit sample --base "$$BASE" --spans "$$SPANS" --rows "$$ROWS" --link "$${LINK:-}" --to "$$OUT/sample"

comment:  ## put OUT/sample/comment.md on the pull request
	@PYTHONPATH=pipeline_components python3 -m everfit.operations.delivery.post "$$OUT/sample/comment.md"

login:  ## log in to REGISTRY as REGISTRY_USER with REGISTRY_PASSWORD
	@printf '%s' "$$REGISTRY_PASSWORD" | docker login "$${REGISTRY%%/*}" --username "$$REGISTRY_USER" --password-stdin

push-images:  ## push the images to REGISTRY; their digests in OUT/images.env
	@scripts/push_images.sh "$$OUT/images.env"

sbom:  ## a bill of materials of each image's environment, in OUT/sbom
	@scripts/sbom.sh "$$OUT/sbom"

bundle:  ## the DAG files as one archive with a version, in OUT/bundle
	@.venv/bin/everfit bundle --to "$$OUT/bundle" --commit "$$(git rev-parse HEAD)"

sign:  ## sign OUT's images by digest, their list, bundle and bills of materials
	@scripts/sign.sh sign "$$OUT/images.env" "$$OUT/images.env" $$(ls -d "$$OUT"/bundle/bundle.json "$$OUT"/sbom/*.cdx.json 2>/dev/null)

verify:  ## the same, verified
	@scripts/sign.sh verify "$$OUT/images.env" "$$OUT/images.env" $$(ls -d "$$OUT"/bundle/bundle.json "$$OUT"/sbom/*.cdx.json 2>/dev/null)

deploy:  ## tell what deploying OUT to DEPLOY_TO changes; APPLY=true does it, BACK=N goes back
	@scripts/deploy.sh

deployed:  ## what is deployed at DEPLOY_TO; images.env, runners.yaml and guard.yaml of it in OUT/deployed
	@.venv/bin/everfit deployed --at "$$DEPLOY_TO" --write "$$OUT/deployed" --runners "$${EVERFIT_RUNNERS_FILE:-deploy/compose/runners.yaml}" --guard "$${EVERFIT_GUARD_FILE:-deploy/compose/guard.yaml}"
