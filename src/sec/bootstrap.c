/* bootstrap.c - see bootstrap.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/bootstrap.h"
#include "sec/file.h"
#include "sec/scope.h"
#include "wire/json.h"
#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

void
credentials_release(struct credentials *c)
{
    OPENSSL_cleanse(c, sizeof(*c));
}

static bool
text_take(const json_t *j, const char *key, char *out, size_t cap)
{
    const json_t *v = json_object_get(j, key);

    return json_is_string(v) &&
           slice_copy(slice_of(json_string_value(v), json_string_length(v)),
                      out, cap);
}

enum err
credentials_load(const char *path, struct credentials *out, struct fault *f)
{
    struct json_error ignored = {0};
    struct buf b;
    json_t *j = NULL;
    enum err e;

    *out = (struct credentials){0};
    buf_init(&b, 64 * KIB);
    e = sec_file_read(path, true, &b, f);
    if (e != ERR_OK)
        goto out;
    j = json_read(buf_slice(&b), &ignored);
    if (!json_is_object(j) ||
        !text_take(j, "client_id", out->client_id, sizeof(out->client_id)) ||
        !text_take(j, "client_secret", out->client_secret,
                   sizeof(out->client_secret)))
        e = fault_set(f, ERR_CORRUPT, "not credentials", path);
    (void)text_take(j, "token_url", out->token_url, sizeof(out->token_url));
out:
    json_decref(j);
    if (b.p)
        OPENSSL_cleanse(b.p, b.cap);
    buf_release(&b);
    if (e != ERR_OK)
        credentials_release(out);
    return e;
}

/* An account that a first start makes. */
struct first {
    const char *client_id;
    const char *name;
    const char *file;
    unsigned scopes;
};

static enum err
credentials_save(const char *dir, const char *file, const struct credentials *c,
                 struct fault *f)
{
    /* Where the server is differs from start to start: server.json says it. */
    json_t *j = json_pack("{s:s, s:s, s:s*}", "client_id", c->client_id,
                          "client_secret", c->client_secret, "token_url",
                          c->token_url[0] ? c->token_url : NULL);
    char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    enum err e =
        text ? sec_file_write(dir, file, slice_str(text), 0600, false, f)
             : fault_set(f, ERR_NOMEM, "write", file);

    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    json_decref(j);
    return e;
}

/* The secret that is to be used: that of the file, or a new one put there. */
static enum err
secret_settle(const struct first *first, const char *dir, const char *token_url,
              struct credentials *c, struct fault *f)
{
    char path[PATH_MAX];
    enum err e;

    if (snprintf(path, sizeof(path), "%s/%s", dir, first->file) >= PATH_MAX)
        return fault_set(f, ERR_INVAL, "credentials", dir);
    e = credentials_load(path, c, f);
    if (e == ERR_OK && strcmp(c->client_id, first->client_id) != 0) {
        e = fault_set(f, ERR_CONFLICT, "use", path);
        (void)fault_hint(f, "it holds another account; move it away");
    }
    if (e != ERR_NOENT)
        return e;
    (void)slice_copy(slice_str(first->client_id), c->client_id,
                     sizeof(c->client_id));
    account_secret_new(c->client_secret);
    (void)slice_copy(slice_str(token_url), c->token_url, sizeof(c->token_url));
    e = credentials_save(dir, first->file, c, f);
    /* Another process was first: its secret is the one. */
    return e == ERR_EXISTS ? credentials_load(path, c, f) : e;
}

static enum err
account_settle(const struct first *first, struct meta *meta,
               const char *data_dir, const char *token_url, struct wall now,
               bool *created, struct credentials *cred, struct fault *f)
{
    struct meta_account account;
    enum err e;

    *created = false;
    *cred = (struct credentials){0};
    e = meta->ops->account_get(meta, first->client_id, &account, f);
    if (e != ERR_NOENT)
        return e;
    e = secret_settle(first, data_dir, token_url, cred, f);
    if (e == ERR_OK)
        e = account_make(&account, first->client_id, first->name, first->scopes,
                         slice_str(cred->client_secret), now, f);
    if (e == ERR_OK)
        e = meta->ops->account_put(meta, &account, f);
    if (e == ERR_OK)
        *created = true;
    else
        credentials_release(cred);
    OPENSSL_cleanse(&account, sizeof(account));
    return e;
}

enum err
bootstrap_account(struct meta *meta, const char *data_dir,
                  const char *token_url, struct wall now, bool *created,
                  struct credentials *cred, struct fault *f)
{
    static const struct first first = {.client_id = BOOTSTRAP_CLIENT_ID,
                                       .name = "made at the first start",
                                       .file = CREDENTIALS_FILE,
                                       .scopes = SCOPE_ALL};

    return account_settle(&first, meta, data_dir, token_url, now, created, cred,
                          f);
}

enum err
bootstrap_gateway(struct meta *meta, const char *data_dir, struct wall now,
                  struct fault *f)
{
    static const struct first first = {.client_id = GATEWAY_CLIENT_ID,
                                       .name = "gateways in other processes",
                                       .file = GATEWAY_FILE,
                                       .scopes = SCOPE_READ | SCOPE_GATEWAY};
    struct credentials cred;
    bool created;
    enum err e =
        account_settle(&first, meta, data_dir, "", now, &created, &cred, f);

    credentials_release(&cred);
    return e;
}
