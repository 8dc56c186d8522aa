#!/bin/sh
# Runs a program of the component image with the credentials of the stack, read from files.
set -eu
secret() { cat "/run/secrets/$1" 2>/dev/null || true; }
if [ -e /run/secrets/everfit_database_password ] && [ -z "${EVERFIT_LEDGER:-}" ]; then
  EVERFIT_LEDGER="postgresql+psycopg://everfit:$(secret everfit_database_password)@postgres:5432/everfit"
  export EVERFIT_LEDGER
fi
if [ -e /run/secrets/mlflow_admin_password ]; then
  MLFLOW_TRACKING_USERNAME=admin MLFLOW_TRACKING_PASSWORD=$(secret mlflow_admin_password)
  export MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD
fi
[ ! -s /run/secrets/verify_keys_before ] || export EVERFIT_VERIFY_KEY=/run/secrets/verify_keys_before
[ ! -e /run/secrets/signing_key ] || export EVERFIT_SIGNING_KEY=/run/secrets/signing_key
exec "$@"
