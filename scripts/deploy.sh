#!/usr/bin/env bash
# Deploys a bundle and images by digest, or goes back. Only tells, unless APPLY=true.
#   DEPLOY_TO=s3://bucket/prefix [APPLY=true] [BACK=N] [RUNNERS=FILE] [OUT=build] scripts/deploy.sh
set -euo pipefail
cd "$(dirname "$0")/.."
out=${OUT:-build}
words=(--to "${DEPLOY_TO:?DEPLOY_TO must say where to, such as s3://bucket/prefix}")
if [ -n "${BACK:-}" ]; then
  words+=(--back "$BACK")
else
  words+=(--bundle "$out/bundle")
  [ -f "$out/images.env" ] && words+=(--images "$out/images.env")
  [ -n "${RUNNERS:-}" ] && words+=(--runners "$RUNNERS")
fi
[ "${APPLY:-}" = true ] && words+=(--apply)
[ -n "${DEPLOY_BY:-}" ] && words+=(--by "$DEPLOY_BY")
exec .venv/bin/everfit deploy "${words[@]}"
