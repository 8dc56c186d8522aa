#!/usr/bin/env bash
# The stack of docker-compose.yaml: docs/compose.md.
#   scripts/stack.sh up       start it, wait until it is healthy, say where its pages are
#   scripts/stack.sh down     stop it; what it keeps is kept
#   scripts/stack.sh logs     follow what it logs (logs worker: one service)
#   scripts/stack.sh example  put months of the example into its bucket (example --next: one more)
#   scripts/stack.sh compose  whatever else compose does, with the stack's settings
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { printf '%s\n' "$*" >&2; exit 2; }
say() { printf '  %s\n' "$*"; }

engine() {
  command -v docker >/dev/null || fail "ENGINE docker: must be installed; it is not. Install Docker Engine (docs/compose.md)."
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
  while IFS='=' read -r name value; do
    [[ $name =~ ^[A-Z_]+$ ]] || continue
    [ -n "${!name+set}" ] || export "$name=$value"
  done < .env
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

parts() { # every container of the stack: service, id, state, health, exit code
  docker ps -aq --filter "label=com.docker.compose.project=$project" | xargs -r docker inspect --format \
    '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}}' 2>/dev/null || true
}

free_ports() { # that we are about to publish, and do not publish already
  local one
  for one in api-server:AIRFLOW:8080 mlflow:MLFLOW:5000; do
    local service name variable number
    IFS=: read -r service name number <<<"$one"
    variable=EVERFIT_${name}_PORT number=${!variable:-$number}
    [ -z "$(docker ps -q --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$service")" ] || continue
    if (: > "/dev/tcp/127.0.0.1/$number") 2>/dev/null; then
      fail "PORT $number: must be free for the pages of $service; something else listens there. Choose another: $variable in .env."
    fi
  done
}

last_words() { docker logs --tail 30 "$1" 2>&1 | grep -v '^\s*$' | tail -n 1 | cut -c1-300; }

amiss() { # [early]: one line about the first service that does not come up
  local service id state health code restarts
  while read -r service id state health code restarts; do
    [ -n "$service" ] || continue
    # While compose is at work, what is left from before may be unhealthy still.
    if { [ "$state" = restarting ] && [ "$restarts" -gt 2 ]; } || { [ -z "${1:-}" ] && [ "$health" = unhealthy ]; } \
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

up() {
  engine; settings; images; free_ports
  scripts/stack_secrets.sh "$secrets" "$components"
  log=$(mktemp); trap 'rm -f "$log"' EXIT
  say "starting $project"
  compose up -d --remove-orphans "$@" >"$log" 2>&1 &
  local pid=$!
  watch "$pid"
  if ! wait "$pid"; then
    amiss
    fail "COMPOSE up: must succeed; $(grep -iE 'error|cannot|failed|denied|invalid' "$log" | tail -n 1 | cut -c1-300). Read: scripts/stack.sh logs."
  fi
  local host=${EVERFIT_BIND:-127.0.0.1}
  case $host in 127.0.0.1|0.0.0.0) host=localhost;; esac
  cat <<WORDS

  Airflow   http://$host:${EVERFIT_AIRFLOW_PORT:-8080}   user admin, password in $secrets/airflow_admin_password
  MLflow    http://$host:${EVERFIT_MLFLOW_PORT:-5000}   user admin, password in $secrets/mlflow_admin_password

  Next: make stack-example puts the example's months into the bucket; then switch taxi_fare.monitor
  and taxi_fare.train on in Airflow. make down stops all and keeps everything.
WORDS
}

case ${1:-} in
  up) shift; up "$@" ;;
  down) engine; settings; shift
    compose rm --stop --force -v >/dev/null 2>&1 || true  # with their nameless volumes
    compose down --remove-orphans "$@" ;;
  logs) engine; settings; shift; compose logs -f --tail 100 "$@" ;;
  example) engine; settings; shift; compose run --rm everfit example "$@" ;;
  compose) engine; settings; shift; compose "$@" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
