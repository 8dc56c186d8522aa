#!/usr/bin/env bash
# The documentation as a site, in build/site. The tool lives in an environment of its own, from a
# locked, hash-checked list.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
stamp=$(sha256sum requirements/docs.txt | cut -d' ' -f1)
if [ "$(cat .venv-docs/.ready 2>/dev/null)" != "$stamp" ]; then
  rm -rf .venv-docs
  "$uv" venv --quiet --python .venv/bin/python .venv-docs
  "$uv" pip install --quiet --require-hashes --python .venv-docs/bin/python -r requirements/docs.txt
  echo "$stamp" > .venv-docs/.ready
fi
exec .venv/bin/python scripts/docs_site.py
