#!/bin/sh
# Starts PostgreSQL with the superuser's password from a file: no variable of the service holds it.
set -eu
POSTGRES_PASSWORD=$(cat /run/secrets/postgres_password)
export POSTGRES_PASSWORD
# At every start: the roles' passwords are those that the files hold.
(
  until pg_isready -q -h 127.0.0.1 -U postgres; do sleep 1; done
  alter() { printf "ALTER ROLE %s PASSWORD '%s';\n" "$1" "$(cat "/run/secrets/$2")"; }
  { alter postgres postgres_password; alter airflow airflow_database_password
    alter mlflow mlflow_database_password; alter everfit everfit_database_password
  } | psql -q -v ON_ERROR_STOP=1 -U postgres -d postgres
) &
exec docker-entrypoint.sh "$@"
