#!/bin/sh
# At every start, before anything of Airflow: its tables, and the first user with the password that
# its file holds: that file is what counts, so a password in it that is changed is changed here.
set -eu
airflow db migrate
# The password is asked for, and so stands on no command line.
password=$(cat /run/secrets/airflow_admin_password)
printf '%s\n%s\n' "$password" "$password" | airflow users create --username admin --role Admin \
  --firstname Everfit --lastname Admin --email admin@example.org
printf '%s\n%s\n' "$password" "$password" | airflow users reset-password --username admin
