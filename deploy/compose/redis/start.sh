#!/bin/sh
# Starts Redis with its password from a file: it stands on no command line and in no variable.
# What is queued is written down once a second, so that a restart forgets next to nothing of it.
set -eu
umask 077
settings=/run/redis/redis.conf
{
  printf 'requirepass %s\n' "$(cat /run/secrets/redis_password)"
  printf 'appendonly yes\nappendfsync everysec\nsave ""\ndir /data\nmaxmemory-policy noeviction\n'
} > "$settings"
exec redis-server "$settings"
