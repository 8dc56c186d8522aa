#!/usr/bin/env bash
# Builds the images of this checkout; what has not changed comes from the engine's cache.
#   scripts/images.sh [components] [airflow] [mlflow]      all three where none is named
# EVERFIT_IMAGES     what their names begin with, e.g. registry.example/ml/
# EVERFIT_VERSION    their tag; that of everfit/contracts/version.py where left out
# EVERFIT_REVISION   the commit, and EVERFIT_SOURCE the repository's address, for their labels
# PYTHON_IMAGE       the base, e.g. python@sha256:…; the public tag where left out
# DOCKER             the client; docker
set -euo pipefail
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
fail() { printf 'IMAGES %s\n' "$*" >&2; exit 2; }
say() { printf '  %s\n' "$*"; }

command -v "$docker" >/dev/null || fail "$docker: there must be a Docker client; there is none. Install one, or name it: DOCKER=/path/to/docker."
engine=$("$docker" version --format '{{.Server.Version}}' 2>/dev/null) \
  || fail "$docker: a Docker engine must answer; none does. Start it, or set DOCKER_HOST."
version=${EVERFIT_VERSION:-$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' pipeline_components/everfit/contracts/version.py)}
log=$(mktemp); id=$(mktemp); trap 'rm -f "$log" "$id"' EXIT

arguments=()
[ -z "${PYTHON_IMAGE:-}" ] || arguments+=(--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE")
labels=(--label "org.opencontainers.image.version=$version")
[ -z "${EVERFIT_REVISION:-}" ] || labels+=(--label "org.opencontainers.image.revision=$EVERFIT_REVISION")
[ -z "${EVERFIT_SOURCE:-}" ] || labels+=(--label "org.opencontainers.image.source=$EVERFIT_SOURCE")

build() { # DOCKERFILE OPTION…: quiet; of a failure the end is shown. The image's id is in $id.
  local file=$1; shift
  : >"$id"
  "$docker" build --file "$file" --iidfile "$id" "${arguments[@]}" "$@" . >"$log" 2>&1 \
    || { tail -25 "$log" >&2; fail "$file: could not be built; the lines above say why. Fix it and run it again: what is finished is kept."; }
}
size() { "$docker" image inspect --format '{{.Size}}' "$1" | awk '{printf "%.0f MB", $1 / 1e6}'; }
image() { # NAME DOCKERFILE OPTION…
  local tag="${EVERFIT_IMAGES:-}everfit-$1:$version" began=$SECONDS
  say "$tag …"
  build "$2" "${labels[@]}" --tag "$tag" "${@:3}"
  say "$tag  $(size "$tag")  $(cut -d: -f2 "$id" | cut -c1-12)  $((SECONDS - began)) s"
}

components() {
  # What the code inside says of itself, asked of the code inside: no checkout has that Python.
  say "components: environment and code …"
  build pipeline_components/Dockerfile --target app
  local code package environment
  read -r code package environment < <("$docker" run --rm --network none --entrypoint python \
    "$(cat "$id")" -c 'from everfit.engine.fingerprints import *
print(code_digest("run"), package_digest(), environment_digest())')
  [ -n "$environment" ] || fail "components: the code inside must say its digests; it says none."
  image components pipeline_components/Dockerfile --label "io.everfit.code=$code" \
    --label "io.everfit.package=$package" --label "io.everfit.environment=$environment"
}
airflow() { image airflow Dockerfile; }
mlflow() { image mlflow deploy/mlflow/Dockerfile; }

say "engine $engine"
for one in "${@:-components airflow mlflow}"; do
  for name in $one; do
    case $name in
      components|airflow|mlflow) $name ;;
      *) fail "$name: must be components, airflow or mlflow." ;;
    esac
  done
done
