# Sourced by stack.sh: everything that must not be lost, into a folder.
#   ledger and store   `everfit backup`, verified byte by byte
#   airflow, mlflow    pg_dump of their databases
#   buckets            data and MLflow's artifacts, object by object
# The secrets are in no backup: keep deploy/compose/secrets in a secrets manager.
backup() { # FOLDER
  local to=${1:-}
  [ -n "$to" ] || fail "BACKUP TO: must name a folder; it does not. Say make backup TO=/mnt/backups."
  mkdir -p "$to"; to=$(cd "$to" && pwd)
  [ -n "$(running postgres)" ] || fail "BACKUP $project: must be running; it is not. Say make up."
  local database aside
  for database in airflow mlflow; do
    aside=$to/.$database.dump.$$
    compose exec -T postgres pg_dump -U postgres -Fc "$database" > "$aside" || { rm -f "$aside"; fail "BACKUP $database: pg_dump must succeed; it did not. Read: scripts/stack.sh logs postgres."; }
    mv "$aside" "$to/$database.dump"
    say "$database.dump"
  done
  in_components "$to" everfit backup --to /backups
  in_components "$to" python /opt/everfit/compose/buckets.py keep /backups/buckets
  say "in $to. The secrets are not: keep $secrets elsewhere, the signing key above all"
}

# Into a stack that holds nothing yet. Killed anywhere, say it again.
restore() { # FOLDER
  local from=${1:-}
  [ -n "$from" ] && [ -e "$from/airflow.dump" ] || fail "RESTORE ${from:-FROM}: must be a folder that make backup wrote; it is not. Say make restore FROM=/mnt/backups."
  from=$(cd "$from" && pwd)
  images; preflight
  [ -s "$secrets/signing_key" ] || say "no signing key in $secrets: a new one is made, and older versions are believed only if the old public key is named (docs/reference/registry.md)"
  scripts/stack_secrets.sh "$secrets" "$components"
  [ -z "$(running api-server)$(running worker)" ] || fail "RESTORE $project: must not be at work; it is. Say make down first."
  local database up=(postgres)
  case ",${COMPOSE_PROFILES:-}," in *,s3,*) up+=(s3) ;; esac
  compose up -d "${up[@]}" store-init >/dev/null 2>&1 || fail "RESTORE: PostgreSQL and the store must start; they did not. Read: scripts/stack.sh logs."
  settle
  for database in airflow mlflow; do
    if [ -n "$(compose exec -T postgres psql -U postgres -d "$database" -Atc "select 1 from pg_tables where schemaname = 'public' limit 1" | tr -d '\r')" ]; then
      say "$database: is there already, left alone"
    else
      compose exec -T postgres pg_restore -U postgres -d "$database" --no-owner --role "$database" --single-transaction < "$from/$database.dump" \
        || fail "RESTORE $database: pg_restore must succeed; it did not. Read: scripts/stack.sh logs postgres."
      say "$database"
    fi
  done
  in_components "$from" everfit restore --from /backups
  in_components "$from" python /opt/everfit/compose/buckets.py put /backups/buckets
  say "restored; now make up"
}

in_components() { # FOLDER WORDS…: in the command line's container, as this user, which owns the folder
  local folder=$1; shift
  compose run --rm -T --user "$(id -u):0" --entrypoint "tini -g -- sh /opt/everfit/compose/component-entry.sh" --volume "$folder:/backups" everfit "$@" \
    || fail "$(tr a-z A-Z <<<"$what"): $* must succeed; it did not (above)."
}
