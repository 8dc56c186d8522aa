# Sourced by stack.sh: a new value for a secret, in the running stack, with no training lost.
# The file is what counts: PostgreSQL, Airflow and MLflow take the passwords of the files at every
# start, so a rotation that is killed anywhere is finished by saying it again, or by `make up`.
rotate() { # SECRET [FILE]: made anew, or the value in that file
  local name=${1:-} from=${2:-} new words
  words=$(scripts/stack_secrets.sh --words)
  case " $words " in *" $name "*) [ -n "$name" ] ;; *) false ;; esac \
    || fail "ROTATE ${name:-SECRET}: must be one of the stack's secrets; it is not. They are: $words."
  [ -d "$secrets" ] || fail "ROTATE $secrets: must be there; it is not. Start the stack first: make up."
  [ -z "$from" ] || [ -s "$from" ] || fail "ROTATE $from: must be a file that holds the new value; it is not. Correct FROM."
  case $name in s3_*) if [ -z "$from" ] && [[ ${EVERFIT_S3_ENDPOINT-http://s3:7070} != *//s3:* ]]; then
    fail "ROTATE $name: keys of another store are made there, not here. Say FROM=a file with the new one."; fi ;; esac
  umask 077
  new=$(mktemp "$secrets/.$name.XXXXXX")
  # shellcheck disable=SC2064  # now: at the exit the name is gone
  trap "rm -f '$new'" EXIT
  if [ -n "$from" ]; then cat "$from" > "$new"; else scripts/stack_secrets.sh --fresh "$name" "$components" > "$new"; fi
  [ -s "$new" ] || fail "ROTATE $name: must be made; it could not be. Look whether the disk is full."
  chmod 0644 "$new"
  case $name in
    fernet_key) # both, until everything that was sealed with the old one is sealed with the new
      local key old aside
      key=$(cat "$new") old=$(cat "$secrets/fernet_key")  # all of it: a rotation may have been cut short
      aside=$(mktemp "$secrets/.both.XXXXXX"); printf '%s,%s' "$key" "$old" > "$aside"; chmod 0644 "$aside"
      mv "$aside" "$secrets/fernet_key"; reload; settle
      compose exec -T api-server airflow rotate-fernet-key >/dev/null || fail "ROTATE fernet_key: Airflow could not seal its connections anew; both keys are kept. Say it again." ;;
    signing_key) # versions signed with the old key stay verified
      if [ -s "$secrets/verify_key" ]; then # else it was cut short, and the old one is kept already
        cat "$secrets/verify_key" >> "$secrets/verify_keys_before"; chmod 0644 "$secrets/verify_keys_before"
        rm -f "$secrets/verify_key"
      fi ;;
  esac
  mv "$new" "$secrets/$name"
  scripts/stack_secrets.sh "$secrets" "$components"
  reload
  settle
  [ "$name" != airflow_admin_password ] || compose run --rm -T airflow-init >/dev/null 2>&1 \
    || fail "ROTATE $name: Airflow must take it; it did not. Say it again."
  say "$name is new; whoever knew the old one does not get in with it"
}
