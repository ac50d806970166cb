# keys.sh - what elements and gateways get from Admin: jwks.json, the public
# keys that elements trust from the start, and gateway.env, the account that
# gateways ask with. SHARED and ADMIN_DATA name other folders, for its test.
# SPDX-License-Identifier: Apache-2.0
set -eu
umask 077
shared=${SHARED-/shared}
account=${ADMIN_DATA-/srv/admin/data}/gateway.json

curl -fsS --retry 60 --retry-delay 1 --retry-all-errors \
    -o "$shared/jwks.json.new" "$ADMIN_URL/.well-known/jwks.json"
mv "$shared/jwks.json.new" "$shared/jwks.json"

field() {
    sed -n "s/^ *\"$1\": *\"\([^\"]*\)\".*/\1/p" "$account"
}
{
    echo "SERVICE_ACCOUNT_CLIENT_ID=$(field client_id)"
    echo "SERVICE_ACCOUNT_CLIENT_SECRET=$(field client_secret)"
} >"$shared/gateway.env.new"
mv "$shared/gateway.env.new" "$shared/gateway.env"
