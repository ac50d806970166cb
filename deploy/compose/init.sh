# init.sh - once, before the first `up`: passwords, the folders of their users,
# and the superblocks of the elements. Does nothing a second time. ROOT stands
# before all paths, for its test.
# SPDX-License-Identifier: Apache-2.0
set -eu
umask 077
root=${ROOT-}/srv
owner=${OWNER-10001:10001}

secret() {
    od -An -N 24 -tx1 /dev/urandom | tr -d ' \n'
}

if [ ! -e "$root/shared/database.url" ]; then
    word=$(secret)
    printf '%s' "$word" >"$root/shared/postgres.password"
    secret >"$root/shared/redis.password"
    printf 'postgresql://artstore:%s@postgres:5432/artstore' "$word" \
        >"$root/shared/database.url"
fi
for element in "$root"/elements/*; do
    name=${element##*/}
    case $name in *-01) mode=edit ;; *) mode=rw ;; esac
    if [ ! -e "$element/disk/superblock" ]; then
        artstore storage init --alone --path "$element/disk" --id "$name" \
            --mode "$mode"
        mkdir -p "$element/run"
    fi
done
mkdir -p "$root/admin/data" "$root/postgres" "$root/prometheus/data"
chown -R "$owner" "$root/shared" "$root/admin" "$root/postgres" \
    "$root/prometheus" "$root/elements"
