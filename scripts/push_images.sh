#!/usr/bin/env bash
# Pushes the images that were built, and writes their digests: what is deployed, signed and verified.
#   REGISTRY=registry.example.org/team scripts/push_images.sh FILE
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:?a file to write to}
: "${REGISTRY:?REGISTRY must name the registry and path to push to, such as registry.example.org/team}"
version=${VERSION:-$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' pipeline_components/everfit/contracts/version.py)}
mkdir -p "$(dirname "$file")"
: > "$file.part"
for image in ${IMAGES:-everfit-components everfit-airflow everfit-mlflow}; do
  name=$(tr 'a-z-' 'A-Z_' <<< "$image")_IMAGE
  target=$REGISTRY/$image
  docker tag "$image:$version" "$target:$version"
  docker push --quiet "$target:$version" >/dev/null
  digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$target:$version" \
    | grep -F "$target@sha256:" | head -1)
  [ -n "$digest" ] || { echo "PUSH $image: the engine must know its digest once it is pushed; it does not." >&2; exit 1; }
  echo "$name=$digest" >> "$file.part"
done
mv "$file.part" "$file"
cat "$file"
