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

static enum err
credentials_save(const char *dir, const struct credentials *c, struct fault *f)
{
    /* Where the server is differs from start to start: server.json says it. */
    json_t *j = json_pack("{s:s, s:s, s:s*}", "client_id", c->client_id,
                          "client_secret", c->client_secret, "token_url",
                          c->token_url[0] ? c->token_url : NULL);
    char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;
    enum err e = text ? sec_file_write(dir, CREDENTIALS_FILE, slice_str(text),
                                       0600, false, f)
                      : fault_set(f, ERR_NOMEM, "write", CREDENTIALS_FILE);

    if (text)
        OPENSSL_cleanse(text, strlen(text));
    free(text);
    json_decref(j);
    return e;
}

/* The secret that is to be used: that of the file, or a new one put there. */
static enum err
secret_settle(const char *dir, const char *token_url, struct credentials *c,
              struct fault *f)
{
    char path[PATH_MAX];
    enum err e;

    if (snprintf(path, sizeof(path), "%s/%s", dir, CREDENTIALS_FILE) >=
        PATH_MAX)
        return fault_set(f, ERR_INVAL, "credentials", dir);
    e = credentials_load(path, c, f);
    if (e == ERR_OK && strcmp(c->client_id, BOOTSTRAP_CLIENT_ID) != 0) {
        e = fault_set(f, ERR_CONFLICT, "use", path);
        (void)fault_hint(f, "it holds another account; move it away");
    }
    if (e != ERR_NOENT)
        return e;
    memcpy(c->client_id, BOOTSTRAP_CLIENT_ID, sizeof(BOOTSTRAP_CLIENT_ID));
    account_secret_new(c->client_secret);
    (void)slice_copy(slice_str(token_url), c->token_url, sizeof(c->token_url));
    e = credentials_save(dir, c, f);
    /* Another process was first: its secret is the one. */
    return e == ERR_EXISTS ? credentials_load(path, c, f) : e;
}

enum err
bootstrap_account(struct meta *meta, const char *data_dir,
                  const char *token_url, struct wall now, bool *created,
                  struct credentials *cred, struct fault *f)
{
    struct meta_account account;
    enum err e;

    *created = false;
    *cred = (struct credentials){0};
    e = meta->ops->account_get(meta, BOOTSTRAP_CLIENT_ID, &account, f);
    if (e != ERR_NOENT)
        return e;
    e = secret_settle(data_dir, token_url, cred, f);
    if (e == ERR_OK)
        e = account_make(&account, BOOTSTRAP_CLIENT_ID,
                         "made at the first start", SCOPE_ALL,
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
