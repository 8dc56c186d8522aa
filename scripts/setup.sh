#!/usr/bin/env bash
# Prepares this checkout: two environments from locked, hash-checked requirements.
#   scripts/setup.sh        what `make demo` needs
#   scripts/setup.sh dev    and what `make test` needs
# Idempotent: a finished set-up costs nothing, a half-finished one is done again.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-run}
fail() { printf 'SETUP %s\n' "$*" >&2; exit 2; }
say() { printf '  %s\n' "$*"; }

python=${PYTHON:-}
if [ -z "$python" ]; then
  for candidate in python3.11 python3.12 python3.13 python3; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$candidate; break
    fi
  done
fi
[ -n "$python" ] || fail "python3: Everfit needs Python 3.11 or newer; $(python3 --version 2>/dev/null || echo none) was found. Install python3.11, or name one: make PYTHON=/path/to/python3.11."
command -v "$python" >/dev/null || fail "PYTHON=$python: there must be such a program; there is none. Name another."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  || fail "PYTHON=$python: Everfit needs Python 3.11 or newer; it is $("$python" --version 2>&1 || true). Name another."
"$python" -c 'import venv, ensurepip' 2>/dev/null \
  || fail "$python: the venv module must be there; it is not. Install it (Debian: apt-get install python3-venv)."

suffix=; [ "$kind" = dev ] && suffix=-dev
stamp() { # ENVIRONMENT LOCK: what a finished set-up leaves behind
  cat requirements/bootstrap.txt "requirements/$2.txt" pyproject.toml | sha256sum | cut -d' ' -f1
}
done_with() { # ENVIRONMENT LOCK: whether it is finished, for this lock or the larger one
  local ready
  ready=$(cat "$1/.everfit-ready" 2>/dev/null) || return 1
  [ -x "$1/bin/python" ] || return 1
  [ "$ready" = "$(stamp "$1" "$2")" ] || [ "$ready" = "$(stamp "$1" "${2%-dev}-dev")" ]
}
log=$(mktemp); trap 'rm -f "$log"' EXIT
quietly() { # WHAT COMMAND…: shows only the last line of what went wrong
  local what=$1; shift
  if ! "$@" >"$log" 2>&1; then
    if grep -qiE 'resolve|connect|network|timed? ?out|unreachable|dns|from versions: none' "$log"; then
      fail "$what: the Python package index must be reachable; it is not. Check the network or the proxy settings, then run it again: what was downloaded is kept."
    fi
    fail "$what: failed: $(grep -iE 'error|no space' "$log" | head -1 | cut -c1-300). Fix it and run it again: what was downloaded is kept."
  fi
}
install() { # ENVIRONMENT LOCK
  done_with "$1" "$2" && return
  [ -w . ] && { [ ! -e "$1" ] || [ -w "$1" ]; } \
    || fail "$PWD/$1: this user must be able to write there; it cannot. Correct the permissions, or clone to a folder of your own."
  # A killed installer leaves packages that only look whole: such an environment is made anew,
  # from what was downloaded before.
  if [ -e "$1/.everfit-installing" ] || ! "$1/bin/python" -c '' 2>/dev/null; then
    rm -rf "$1"
  fi
  mkdir -p "$1"
  touch "$1/.everfit-installing"
  rm -f "$1/.everfit-ready"
  [ -x "$1/bin/python" ] || quietly "$1" "$python" -m venv "$1"
  say "installing $(grep -cE '^[a-z]' "requirements/$2.txt") locked packages into $1"
  quietly "requirements/bootstrap.txt" "$1/bin/python" -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
  quietly "requirements/$2.txt" "$1/bin/uv" pip install --require-hashes --compile-bytecode --python "$1/bin/python" -r "requirements/$2.txt"
  quietly "pyproject.toml" "$1/bin/uv" pip install --no-deps --no-build-isolation --python "$1/bin/python" -e .
  "$1/bin/python" -m compileall -q pipeline_components plugins dags >/dev/null 2>&1 || true
  rm "$1/.everfit-installing"
  stamp "$1" "$2" > "$1/.everfit-ready"
}
install .venv "components$suffix"
install .venv-airflow "airflow$suffix"
.venv/bin/python -m everfit.storage.mlflow.template >"$log" 2>&1 || fail "registry template: $(tail -1 "$log")"
