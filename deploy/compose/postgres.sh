# postgres.sh - PostgreSQL of Debian on PGDATA, with one user and one database,
# made at the first start. initdb works beside and is moved into place when all
# of it is there, so that a start that was cut off begins again.
# SPDX-License-Identifier: Apache-2.0
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
sockets=${SOCKETS-/tmp}
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA.new"
    "$bin/initdb" -D "$PGDATA.new" -U artstore -E UTF8 --locale=C \
        --auth=scram-sha-256 \
        --pwfile="${PASSWORD_FILE-/shared/postgres.password}" >/dev/null
    echo 'host all all samenet scram-sha-256' >>"$PGDATA.new/pg_hba.conf"
    echo 'CREATE DATABASE artstore' | "$bin/postgres" --single -D \
        "$PGDATA.new" postgres >/dev/null
    sync
    mv "$PGDATA.new" "$PGDATA"
fi
exec "$bin/postgres" -D "$PGDATA" -k "$sockets" \
    -h "${LISTEN-0.0.0.0}" -p "${PGPORT-5432}"
