#!/bin/sh
# Starts Debian's PostgreSQL as the official image starts its own: root makes the folders, the
# superuser `postgres` gets POSTGRES_PASSWORD, and the server runs as the user `postgres`.
set -eu

if [ -z "${POSTGRES_PASSWORD:-}" ]; then
  echo "POSTGRES_PASSWORD is not set" >&2
  exit 1
fi
data=/var/lib/postgresql/data
programs=$(echo /usr/lib/postgresql/*/bin)
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }

install -d -o postgres -g postgres -m 0700 "$data"
install -d -o postgres -g postgres -m 2775 /var/run/postgresql
install -o postgres -g postgres -m 0600 /dev/null /tmp/password
printf %s "$POSTGRES_PASSWORD" > /tmp/password
as_postgres "$programs/initdb" --pgdata="$data" --username=postgres --no-sync \
  --encoding=UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --pwfile=/tmp/password
rm /tmp/password
exec setpriv --reuid=postgres --regid=postgres --init-groups \
  "$programs/postgres" -D "$data" -c listen_addresses=127.0.0.1 -c fsync=off
