#!/bin/sh
# Once, on an empty volume: three databases, each with an owner of its own who sees no other's.
set -eu
database() { # NAME: its password is in the file of the same name
  psql -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d postgres >/dev/null <<SQL
CREATE ROLE $1 LOGIN PASSWORD '$(cat "/run/secrets/$1_database_password")';
CREATE DATABASE $1 OWNER $1;
REVOKE CONNECT, TEMPORARY ON DATABASE $1 FROM PUBLIC;
SQL
}
database airflow
database mlflow
database everfit
