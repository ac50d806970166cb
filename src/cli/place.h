/* place.h - which server, and who we are to it.
 *
 * Looked for in this order; the first that has an answer wins:
 *
 *   server        --url, ARTSTORE_URL
 *                 server.json in the data folder (written by a running server)
 *                 "url" in the user's config.json
 *                 http://127.0.0.1:8020
 *   credentials   --token, ARTSTORE_TOKEN
 *                 --client-id and --client-secret, or ARTSTORE_CLIENT_ID and
 *                 ARTSTORE_CLIENT_SECRET
 *                 credentials.json in the data folder
 *                 "token", or "client_id" and "client_secret", in config.json
 *   tokens from   the server on the data folder, for credentials of there
 *                 --token-url, ARTSTORE_TOKEN_URL
 *                 "token_url" beside the credentials
 *                 the server
 *
 * The data folder is --data-dir, DATA_DIR, or "data_dir" in config.json; that
 * file is $XDG_CONFIG_HOME/artstore/config.json, ~/.config by default. Without
 * such a file it is also ./artstore-data, the server's default, but only when
 * that belongs to us: else whoever can write to the current folder could name
 * the server that our token is sent to. When
 * nothing is found, the message names each place and why it had nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "cli/client.h"

#define PLACE_URL_MAX     1024
#define PLACE_DEFAULT_URL "http://127.0.0.1:8020"

struct place {
    char url[PLACE_URL_MAX];      /* without a slash at the end */
    char url_from[600];           /* for messages */
    char data_url[PLACE_URL_MAX]; /* of the server on the data folder, or "" */
    char issuer[256], audience[256]; /* of its tokens; "": not said there */
    long dead_pid;       /* server.json names this process, and it is gone */
    char token[8192];    /* or "" */
    char client_id[256]; /* with secret; or "" */
    char client_secret[512];
    bool client_of_data_dir;
    char token_url[PLACE_URL_MAX]; /* where to exchange them */
    char cacert[512];
    char data_dir[512];
    struct buf looked; /* lines: places without credentials, and why */
};

/* False: something given is not valid (an address that is none, a file that
 * cannot be read); *F says what. No credentials is not a failure here. */
bool place_find(struct place *p, const struct cli_common *c, struct failure *f);
void place_release(struct place *p); /* wipes the secrets */

/* Or a data folder, where a key may be. */
static inline bool
place_may_have_credentials(const struct place *p)
{
    return p->token[0] || p->client_id[0] || p->data_dir[0];
}
/* The answer to having none: CLI_AUTH, with each place. */
enum cli_exit place_no_credentials(const struct place *p, struct failure *f);

/* http or https, a host, no user, no query; removes slashes at the end. */
bool url_check(const char *url, char out[PLACE_URL_MAX]);

#endif
