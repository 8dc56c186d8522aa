#!/usr/bin/env bash
# Software bills of materials (CycloneDX 1.6, JSON): of each locked environment of the images, and of
# Debian's packages in each image that was built here.
#   scripts/sbom.sh FOLDER
# The tool lives in an environment of its own, from a locked, hash-checked list. The same locks give
# the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?a folder to write into}
uv=${UV:-.venv/bin/uv}
tools=${EVERFIT_TOOLS:-.venv-tools}
stamp=$(sha256sum deploy/workflows/tools.txt | cut -d' ' -f1)
if [ "$(cat "$tools/.ready" 2>/dev/null)" != "$stamp" ]; then
  rm -rf "$tools"
  "$uv" venv --quiet --python .venv/bin/python "$tools"
  "$uv" pip install --quiet --require-hashes --python "$tools/bin/python" -r deploy/workflows/tools.txt
  echo "$stamp" > "$tools/.ready"
fi
mkdir -p "$folder"
for lock in ${LOCKS:-components airflow-stack mlflow-server}; do
  "$tools/bin/cyclonedx-py" requirements --output-reproducible --spec-version 1.6 --output-format JSON \
    --output-file "$folder/$lock.cdx.json" "requirements/$lock.txt"
done
version=${VERSION:-$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' pipeline_components/everfit/contracts/version.py)}
for image in ${IMAGES:-everfit-components everfit-airflow everfit-mlflow}; do
  if docker image inspect "$image:$version" >/dev/null 2>&1; then
    python3 scripts/image_packages.py "$image:$version" "$folder/$image.debian.cdx.json"
  else
    echo "$image:$version is not built here: no bill of its Debian packages" >&2
  fi
done
ls "$folder"/*.cdx.json
