#!/bin/sh
# At every start, before anything of Airflow: its tables, and the first user where there is none.
set -eu
airflow db migrate
# The password is asked for, and so stands on no command line; a user who is there is left alone.
password=$(cat /run/secrets/airflow_admin_password)
printf '%s\n%s\n' "$password" "$password" | airflow users create --username admin --role Admin \
  --firstname Everfit --lastname Admin --email admin@example.org
