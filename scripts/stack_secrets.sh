#!/usr/bin/env bash
# Makes what the stack keeps secret, each in a file of its own, where it is not there yet:
#   scripts/stack_secrets.sh FOLDER COMPONENTS-IMAGE
#   scripts/stack_secrets.sh --words                         their names
#   scripts/stack_secrets.sh --fresh NAME COMPONENTS-IMAGE   a new value of one, on standard output
# Whoever may enter the folder may read the files: the folder is closed to other users of this
# machine, and a container sees only the files it is given, under its own user.
set -euo pipefail
words() {
  echo postgres_password airflow_database_password mlflow_database_password \
    everfit_database_password redis_password mlflow_admin_password airflow_admin_password \
    jwt_secret api_secret_key mlflow_flask_secret lister_token guard_token \
    fernet_key s3_access_key s3_secret_key signing_key
}
word() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
fresh() { # NAME: a value that nobody has had
  case $1 in
    *_password) word 18 ;;
    fernet_key) head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' ;;
    s3_access_key) printf 'everfit%s' "$(word 6)" ;;
    s3_secret_key) word 20 ;;
    # The key that signs versions, by the library that signs with it; the engine keeps no log of it.
    signing_key) docker run --rm --network none --log-driver none --read-only --cap-drop ALL \
      --entrypoint python "$image" -c '
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as Key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
pem = Key.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
print(pem.decode(), end="")' ;;
    *) word 32 ;;
  esac
}
if [ "$1" = --words ]; then words; exit; fi
if [ "$1" = --fresh ]; then image=$3; fresh "$2"; exit; fi

folder=$1 image=$2
mkdir -p "$folder"
chmod 0700 "$folder"
umask 022
keep() { # NAME: its text from standard input, whole or not at all
  local aside
  aside=$(mktemp "$folder/.$1.XXXXXX")
  cat > "$aside"
  [ -s "$aside" ] || { rm -f "$aside"; printf 'SECRETS %s: could not be made.\n' "$1" >&2; return 2; }
  chmod 0644 "$aside"
  # Untouched where it is the same: a newer file means that who read it starts anew.
  if cmp -s "$aside" "$folder/$1"; then rm -f "$aside"; else mv "$aside" "$folder/$1"; fi
}
absent() { [ ! -s "$folder/$1" ]; }
line() { tr -d '\r\n' < "$folder/$1"; }

for name in $(words); do
  ! absent "$name" || fresh "$name" | keep "$name"
done
# Its public part, for whoever verifies elsewhere (docs/reference/registry.md).
! absent verify_key || docker run --rm -i --network none --log-driver none --read-only --cap-drop ALL \
  --entrypoint python "$image" -c '
import sys
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
public = load_pem_private_key(sys.stdin.buffer.read(), password=None).public_key()
pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
print(pem.decode(), end="")' < "$folder/signing_key" | keep verify_key

# Public keys of signing keys that were rotated out: what they signed stays verified.
[ -e "$folder/verify_keys_before" ] || { : > "$folder/verify_keys_before"; chmod 0644 "$folder/verify_keys_before"; }

# From here on: the same, in the shape in which AWS libraries and Airflow read it. Made anew each
# time, so that a key somebody puts in a file above counts at the next start.
quoted() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' | awk '{printf "%s%s", (NR > 1 ? "\\n" : ""), $0}'; }
if [ "$(line s3_access_key)" = chain ]; then # whatever the machine gives: an instance's role, say
  printf '# the usual chain of AWS\n' | keep aws_credentials
  keys=
else
  printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' \
    "$(line s3_access_key)" "$(line s3_secret_key)" | keep aws_credentials
  keys=$(printf '"login": "%s", "password": "%s",' "$(line s3_access_key | quoted)" "$(line s3_secret_key | quoted)")
fi
endpoint=$(printf %s "${EVERFIT_S3_ENDPOINT-http://s3:7070}" | quoted)
[ -z "$endpoint" ] || endpoint=$(printf '"endpoint_url": "%s", ' "$endpoint")
before=
[ ! -s "$folder/verify_keys_before" ] || before=", \"extra\": {\"verify_key\": \"$(quoted < "$folder/verify_keys_before")\\n\"}"
keep connections.json <<JSON
{
  "everfit_s3": {"conn_type": "aws", $keys "extra": {$endpoint"region_name": "$(printf %s "${EVERFIT_S3_REGION:-us-east-1}" | quoted)"}},
  "everfit_ledger": {"conn_type": "postgres", "host": "postgres", "port": 5432, "schema": "everfit", "login": "everfit", "password": "$(line everfit_database_password | quoted)"},
  "everfit_mlflow": {"conn_type": "http", "host": "mlflow", "schema": "http", "port": 5000, "login": "admin", "password": "$(line mlflow_admin_password | quoted)"},
  "everfit_signing": {"conn_type": "generic", "password": "$(quoted < "$folder/signing_key")\\n"$before}
}
JSON
