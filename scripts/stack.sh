#!/usr/bin/env bash
# The stack of docker-compose.yaml: docs/how-to/compose.md.
#   scripts/stack.sh up       start it, wait until it is healthy, say where its pages are
#   scripts/stack.sh down     stop it; what it keeps is kept
#   scripts/stack.sh logs     follow what it logs (logs worker: one service)
#   scripts/stack.sh example  put months of the example into its bucket (example --next: one more)
#   scripts/stack.sh preflight  say everything that is wrong with its settings; starts nothing
#   scripts/stack.sh rotate SECRET      a new value for one of its secrets, in the running stack
#   scripts/stack.sh backup FOLDER      everything that must not be lost, while it runs
#   scripts/stack.sh restore FOLDER     the newest backup, into an empty stack
#   scripts/stack.sh compose  whatever else compose does, with the stack's settings
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { printf '%s\n' "$*" >&2; exit 2; }
say() { printf '  %s\n' "$*"; }

engine() {
  command -v docker >/dev/null || fail "ENGINE docker: must be installed; it is not. Install Docker Engine (docs/how-to/compose.md)."
  local said
  said=$(docker version --format '{{.Server.Version}}' 2>&1) \
    || fail "ENGINE docker: must answer; $(tail -n 1 <<<"$said" | cut -c1-200). Start it (systemctl start docker), or join the group docker."
  if [ -z "${COMPOSE:-}" ]; then
    if docker compose version >/dev/null 2>&1; then COMPOSE='docker compose'
    elif command -v docker-compose >/dev/null; then COMPOSE=docker-compose
    else fail "COMPOSE docker compose: must be installed; it is not. Install the compose plugin, or docker-compose 1.29.2."; fi
  fi
}

settings() { # what compose reads from .env, for this script too; the environment wins, as there
  [ -e .env ] || { cp .env.example .env; say "made .env from .env.example"; }
  local name value
  while IFS='=' read -r name value || [ -n "$name" ]; do
    [[ $name =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || continue
    value=${value%$'\r'}
    case $value in \"*\"|\'*\') value=${value:1:${#value}-2};; esac  # compose takes them off, too
    [ -n "${!name+set}" ] || export "$name=$value"
  done < .env
  # Addresses for people: localhost unless .env says how browsers reach the pages.
  export EVERFIT_AIRFLOW_URL=${EVERFIT_AIRFLOW_URL:-http://localhost:${EVERFIT_AIRFLOW_PORT:-8080}}
  export EVERFIT_MLFLOW_URL=${EVERFIT_MLFLOW_URL:-http://localhost:${EVERFIT_MLFLOW_PORT:-5000}}
  value=${EVERFIT_MLFLOW_URL#*://} value=${value%%/*}
  case $value in localhost*) ;; *) export EVERFIT_MLFLOW_HOSTS="${EVERFIT_MLFLOW_HOSTS:-},$value" ;; esac
  project=${COMPOSE_PROJECT_NAME:-everfit}
  secrets=${EVERFIT_SECRETS:-./deploy/compose/secrets}
  components=${EVERFIT_COMPONENTS_IMAGE:-everfit-components:0.1.0}
}

compose() { $COMPOSE "$@"; }

images() { # our own are built from this checkout where they are missing
  local image missing=
  for image in "$components" "${EVERFIT_AIRFLOW_IMAGE:-everfit-airflow:0.1.0}" "${EVERFIT_MLFLOW_IMAGE:-everfit-mlflow:0.1.0}"; do
    docker image inspect "$image" >/dev/null 2>&1 || missing="$missing $image"
  done
  [ -n "$missing" ] || return 0
  case $missing in */*) say "fetching$missing"; compose pull --quiet store-init api-server mlflow; return;; esac
  say "building$missing (once, minutes)"
  scripts/images.sh || fail "IMAGES$missing: must be built; they are not. Read what scripts/images.sh says."
}

parts() { # every container of the stack: service, id, state, health, exit code, restarts
  docker ps -aq --filter "label=com.docker.compose.project=$project" | xargs -r docker inspect --format \
    '{{index .Config.Labels "com.docker.compose.service"}} {{.ID}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}}' 2>/dev/null || true
}

running() { # SERVICE: its containers that run
  docker ps -q --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1"
}

taken_ports() { # those we are about to publish that something else holds; one line each
  local one
  for one in api-server:AIRFLOW:8080 mlflow:MLFLOW:5000; do
    local service name variable number
    IFS=: read -r service name number <<<"$one"
    variable=EVERFIT_${name}_PORT number=${!variable:-$number}
    [[ $number =~ ^[0-9]+$ ]] && [ "$number" -le 65535 ] || continue  # preflight.py says so
    ! running "$service" | xargs -r docker port 2>/dev/null | grep -q ":$number\$" || continue
    if (: > "/dev/tcp/127.0.0.1/$number") 2>/dev/null; then
      printf 'PORT %s: must be free for the pages of %s; something else listens there. Choose another: %s in .env.\n' "$number" "$service" "$variable"
    fi
  done
}

preflight() { # everything that is wrong with the settings, at once, before anything is replaced
  local files said ports name
  files=$(mktemp -d)
  cp .env "$files/env"; cp .env.example "$files/example"; cp deploy/compose/preflight.py "$files"
  cp "${EVERFIT_RUNNERS_FILE:-./deploy/compose/runners.yaml}" "$files/runners.yaml" 2>/dev/null || true
  cp "${EVERFIT_GUARD_FILE:-./deploy/compose/guard.yaml}" "$files/guard.yaml" 2>/dev/null || true
  [ ! -d "${EVERFIT_DAGS:-./dags}/pipelines" ] || mkdir "$files/pipelines"
  for name in $(compgen -e | grep -E '^(EVERFIT|COMPOSE)_'); do printf '%s=%s\n' "$name" "${!name}"; done > "$files/environ"
  ports=$(taken_ports)
  # By the image's Python: nothing else need be installed on this machine.
  said=$( (cd "$files" && tar -c *) | docker run --rm -i --network none --log-driver none --read-only --cap-drop ALL \
    --tmpfs /tmp --entrypoint sh "$components" -c 'mkdir /tmp/set && cd /tmp/set && tar -xo && exec python -B preflight.py .' 2>&1) || true
  rm -rf "$files"
  said=$(printf '%s\n%s' "$ports" "$said" | grep -v '^$' || true)
  [ -z "$said" ] || { printf '%s\n' "$said" >&2; exit 2; }
}

last_words() { docker logs --tail 30 "$1" 2>&1 | grep -v '^\s*$' | tail -n 1 | cut -c1-300; }

amiss() { # [early]: one line about the first service that does not come up
  local service id state health code restarts past
  while read -r service id state health code restarts; do
    [ -n "$service" ] || continue
    # What a container went through before this start counts for nothing: its mistake may be fixed.
    past=0; [[ $before != *" $id="* ]] || { past=${before#*" $id="}; past=${past%% *}; }
    # While compose is at work, what is left from before may be unhealthy still.
    if { [ "$state" = restarting ] && [ $((restarts - past)) -gt 2 ]; } || { [ -z "${1:-}" ] && [ "$health" = unhealthy ]; } \
      || { [ -z "${1:-}" ] && [ "$state" = exited ] && [ "$code" != 0 ]; }; then
      fail "SERVICE $service: must be healthy; it is $state, health $health, exit code $code. Its last line: $(last_words "$id") Read: scripts/stack.sh logs $service."
    fi
  done < <(parts)
}

watch() { # PID of `compose up`, or nothing: tells of each service as it becomes healthy
  local told=' ' give_up=$((SECONDS + ${EVERFIT_STACK_PATIENCE:-900})) pid=${1:-}
  while :; do
    local waiting='' running=0 service id state health code restarts
    [ -z "$pid" ] || ! kill -0 "$pid" 2>/dev/null || running=1
    while read -r service id state health code restarts; do
      [ -n "$service" ] || continue
      if [ "$health" = healthy ] || { [ "$state" = exited ] && [ "$code" = 0 ]; } || { [ "$state" = running ] && [ "$health" = none ] && [[ $service != *-init ]]; }; then
        [[ $told == *" $id "* ]] || { told="$told$id "; printf '  %4d s  %s\n' "$SECONDS" "$service"; }
      else
        waiting="$waiting $service"
      fi
    done < <(parts)
    [ $running = 1 ] || [ -n "$waiting" ] || return 0
    [ $SECONDS -lt $give_up ] || { amiss; fail "STACK: must be healthy within ${EVERFIT_STACK_PATIENCE:-900} s; still waiting for:$waiting. Read: scripts/stack.sh logs."; }
    (amiss "${pid:+$([ $running = 0 ] || echo early)}") || { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; exit 2; }
    sleep 2
  done
}

reload() { # services whose secrets or settings files are newer than they: those that serve others first
  local service id started sources source again
  for service in postgres redis s3 mlflow lister docker-guard api-server scheduler dag-processor triggerer worker; do
    for id in $(running "$service"); do
      read -r started sources < <(docker inspect --format '{{.State.StartedAt}}{{range .Mounts}}{{if eq .Type "bind"}} {{.Source}}{{end}}{{end}}' "$id")
      again=
      for source in $sources; do
        if [ -f "$source" ] && [ "$(stat -c %Z "$source")" -gt "$(date -d "$started" +%s)" ]; then again=$source; fi
      done
      [ -z "$again" ] || { say "$service: ${again##*/} changed, starting it anew"; docker restart -t 60 "$id" >/dev/null; }
    done
  done
}

settle() { # wait until every service that runs is healthy again
  local give_up=$((SECONDS + ${EVERFIT_STACK_PATIENCE:-900})) waiting
  while :; do
    waiting=$(parts | awk '$3 != "exited" && $4 != "healthy" && $4 != "none" {print $1}' | xargs)
    [ -n "$waiting" ] || return 0
    [ $SECONDS -lt $give_up ] || fail "STACK: must be healthy within ${EVERFIT_STACK_PATIENCE:-900} s; still waiting for: $waiting. Read: scripts/stack.sh logs."
    sleep 2
  done
}

up() {
  engine; settings; images; preflight
  scripts/stack_secrets.sh "$secrets" "$components"
  local log=${TMPDIR:-/tmp}/$project-up.log each workers=
  before=' '
  while read -r each; do before="$before$each "; done < <(parts | awk '{print $2 "=" $6}')
  # As many workers as there are, unless this call says how many.
  case " $* " in *" --scale worker="*|*" worker="*) ;; *) workers=$(running worker | wc -l);; esac
  [ "${workers:-0}" -lt 2 ] || { say "keeping $workers workers"; set -- --scale "worker=$workers" "$@"; }
  say "starting $project"
  reload
  compose up -d --remove-orphans "$@" >"$log" 2>&1 &
  local pid=$!
  watch "$pid"
  if ! wait "$pid"; then
    (amiss) || exit 2
    fail "COMPOSE up: must succeed; $(grep -iE 'error|cannot|failed|denied|invalid' "$log" | tail -n 1 | cut -c1-300). All it said is in $log."
  fi
  cat <<WORDS

  Airflow   $EVERFIT_AIRFLOW_URL   user admin, password in $secrets/airflow_admin_password
  MLflow    $EVERFIT_MLFLOW_URL   user admin, password in $secrets/mlflow_admin_password

  Next: make stack-example puts the example's months into the bucket; then switch taxi_fare.monitor
  and taxi_fare.train on in Airflow. make down stops all and keeps everything.
WORDS
}

before=' '
case ${1:-} in
  up) shift; up "$@" ;;
  preflight) engine; settings; images; preflight; say "settings are valid" ;;
  rotate|backup|restore) what=$1; shift; engine; settings; . "scripts/stack_${what/restore/backup}.sh"; "$what" "$@" ;;
  down) engine; settings; shift
    compose rm --stop --force -v >/dev/null 2>&1 || true  # with their nameless volumes
    compose down --remove-orphans "$@" ;;
  logs) engine; settings; shift; compose logs -f --tail 100 "$@" ;;
  example) engine; settings; shift; compose run --rm everfit example "$@" ;;
  compose) engine; settings; shift; compose "$@" ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
