/* bootstrap.h - the first accounts, so that a fresh installation can be used.
 *
 * At the first start the service account `artstore-bootstrap` with all scopes
 * is made; its secret is written to DATA_DIR/credentials.json (mode 0600) and
 * given back once, to be shown. The file comes before the account: if the
 * process dies between, or the database is lost, the next start gives the
 * account the secret that is in the file, and nobody is locked out.
 *
 * In the same way the account `ingester-service` is made, with which gateways
 * in other processes ask Admin and elements (scopes read and gateway); its
 * secret is in DATA_DIR/gateway.json, for SERVICE_ACCOUNT_CLIENT_SECRET.
 *
 * Blocking: start-up and the CLI only. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_BOOTSTRAP_H
#define SEC_BOOTSTRAP_H

#include "sec/account.h"

#define BOOTSTRAP_CLIENT_ID "artstore-bootstrap"
#define CREDENTIALS_FILE    "credentials.json"
#define GATEWAY_CLIENT_ID   "ingester-service"
#define GATEWAY_FILE        "gateway.json"

struct credentials {
    char client_id[65];
    char client_secret[SECRET_MAX + 1];
    char token_url[256];
};

/* Whether an account was made; then CRED holds its secret, which the caller
 * shows once and wipes (credentials_release). TOKEN_URL goes into the file as
 * a hint. */
enum err
bootstrap_account(struct meta *meta, const char *data_dir,
                  const char *token_url, struct wall now, bool *created,
                  struct credentials *cred, struct fault *f);

enum err bootstrap_gateway(struct meta *meta, const char *data_dir,
                           struct wall now, struct fault *f);

/* Reads such a file: PATH is the file itself. ERR_NOENT leaves *F alone;
 * ERR_DENIED: others may read it; ERR_CORRUPT: not what we write. */
enum err
credentials_load(const char *path, struct credentials *out, struct fault *f);
void credentials_release(struct credentials *c);

#endif
