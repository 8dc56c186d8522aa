#!/bin/sh
# Prints a setting that holds a password. Airflow runs this where it needs the setting (_CMD), so
# that the password stands in no variable of the service and in no `docker inspect`.
set -eu
secret() { cat "/run/secrets/$1"; }
case ${1:-} in
  airflow-database)
    printf "postgresql+psycopg2://airflow:%s@postgres:5432/airflow" "$(secret airflow_database_password)" ;;
  broker) printf "redis://:%s@redis:6379/0" "$(secret redis_password)" ;;
  results) printf "redis://:%s@redis:6379/1" "$(secret redis_password)" ;;
  *) echo "secret.sh: knows airflow-database, broker and results; asked for '${1:-}'" >&2; exit 2 ;;
esac
