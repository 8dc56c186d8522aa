#!/bin/sh
# Starts PostgreSQL with the superuser's password from a file: no variable of the service holds it.
set -eu
POSTGRES_PASSWORD=$(cat /run/secrets/postgres_password)
export POSTGRES_PASSWORD
exec docker-entrypoint.sh "$@"
