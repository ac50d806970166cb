# register.sh - tells the Admin at ADMIN_URL of ELEMENTS, words of
# NAME:MODE:PRIORITY:URL. Admin asks each element first who it is, so each is
# tried for a minute; one that Admin knows already (409) is left as it is.
# The token is signed with the key in ADMIN_DATA.
# SPDX-License-Identifier: Apache-2.0
set -eu
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# The status of Admin's answer to a POST of $1. The token goes by standard
# input: a command line can be seen by others.
post() {
    artstore token --data-dir "$ADMIN_DATA" --scope admin --ttl 60 |
        sed 's/^/header = "Authorization: Bearer /; s/$/"/' |
        curl -sS -K - -o "$answer" -w '%{http_code}' \
            -H 'Content-Type: application/json' -d "$1" \
            "$ADMIN_URL/api/v1/storage-elements" || true
}

for element in $ELEMENTS; do
    name=${element%%:*} rest=${element#*:}
    mode=${rest%%:*} rest=${rest#*:}
    priority=${rest%%:*} url=${rest#*:}
    body=$(printf '{"element_id":"%s","mode":"%s","priority":%s,%s:"%s"}' \
        "$name" "$mode" "$priority" '"api_url"' "$url")
    tries=60
    while :; do
        status=$(post "$body")
        case $status in
        201) echo "$name: registered"; break ;;
        409) echo "$name: known already"; break ;;
        esac
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
            echo "$name: $status $(cat "$answer")" >&2
            exit 1
        fi
        sleep 1
    done
done
