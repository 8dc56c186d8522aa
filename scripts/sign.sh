#!/usr/bin/env bash
# Signs, or verifies, images by digest and files, with cosign and a key of the team's.
#   scripts/sign.sh sign|verify IMAGES-FILE [FILE …]
# COSIGN_KEY: a path, env://NAME or a KMS address (awskms://…); default env://COSIGN_PRIVATE_KEY.
# COSIGN_PUBLIC: the same of the public key; default env://COSIGN_PUBLIC_KEY.
# TLOG=true also writes to, and asks for, the public transparency log; a team's images stay its own.
set -euo pipefail
what=${1:?sign or verify}; images=${2:?the file of images}; shift 2
command -v cosign >/dev/null || { echo "SIGN cosign: it must be installed; it is not. See docs/how-to/delivery.md." >&2; exit 2; }
private=${COSIGN_KEY:-env://COSIGN_PRIVATE_KEY}
public=${COSIGN_PUBLIC:-env://COSIGN_PUBLIC_KEY}
log=(--tlog-upload=false); asked=(--insecure-ignore-tlog=true)
[ "${TLOG:-false}" = true ] && { log=(--tlog-upload=true); asked=(); }
export COSIGN_PASSWORD=${COSIGN_PASSWORD-}
while IFS='=' read -r name image; do
  case $image in
    *@sha256:*) ;;
    *) echo "SIGN $name: an image is signed by digest; found ${image:-nothing}." >&2; exit 2 ;;
  esac
  case $what in
    sign) cosign sign --yes --key "$private" "${log[@]}" "$image" ;;
    verify) cosign verify --key "$public" "${asked[@]}" "$image" >/dev/null ;;
  esac
  echo "$what  $image"
done < "$images"
for file in "$@"; do
  case $what in
    sign) cosign sign-blob --yes --key "$private" "${log[@]}" --output-signature "$file.sig" "$file" >/dev/null ;;
    verify) cosign verify-blob --key "$public" "${asked[@]}" --signature "$file.sig" "$file" ;;
  esac
  echo "$what  $file"
done
