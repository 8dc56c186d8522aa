#!/bin/sh
# Starts VersityGW over a volume, with its keys from files: they stand on no command line.
set -eu
ROOT_ACCESS_KEY_ID=$(cat /run/secrets/s3_access_key)
ROOT_SECRET_ACCESS_KEY=$(cat /run/secrets/s3_secret_key)
ROOT_ACCESS_KEY=$ROOT_ACCESS_KEY_ID ROOT_SECRET_KEY=$ROOT_SECRET_ACCESS_KEY
export ROOT_ACCESS_KEY_ID ROOT_SECRET_ACCESS_KEY ROOT_ACCESS_KEY ROOT_SECRET_KEY
exec "$(command -v versitygw || echo /app/versitygw)" --port :7070 --health /_/health --quiet posix /data
