/* meta_account.c - service accounts: see port/meta.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"
#include <string.h>

#define TEXT(t, i, dst) db_text(t, i, dst, sizeof(dst))

/* --- rows ----------------------------------------------------------------- */

static enum err
row_read(struct db_tx *t, struct meta_account *out, struct fault *f)
{
    memset(out, 0, sizeof(*out));
    out->created_at.ms = db_i64(t, 4);
    out->disabled = db_i64(t, 5) != 0;
    out->old_until.ms = db_i64(t, 7);
    out->updated_at.ms = db_i64(t, 8);
    return TEXT(t, 0, out->client_id) && TEXT(t, 1, out->secret_hash) &&
                   TEXT(t, 2, out->scopes) && TEXT(t, 3, out->name) &&
                   TEXT(t, 6, out->old_hash)
               ? ERR_OK
               : db_corrupt(t, "row of account", f);
}

/* STMT: A_ACCOUNT_PUT or A_ACCOUNT_ADD. */
static enum err
row_put(struct db_tx *t, unsigned stmt, const struct meta_account *a,
        struct fault *f)
{
    enum err e = db_use(t, stmt, f);

    if (e)
        return e;
    db_bind_text(t, 1, a->client_id);
    db_bind_text(t, 2, a->secret_hash);
    db_bind_text(t, 3, a->scopes);
    db_bind_text(t, 4, a->name);
    db_bind_i64(t, 5, a->created_at.ms);
    db_bind_i64(t, 6, a->disabled);
    db_bind_text(t, 7, a->old_hash);
    db_bind_i64(t, 8, a->old_until.ms);
    db_bind_i64(t, 9, a->updated_at.ms);
    return db_exec(t, NULL, f);
}

/* STMT: A_ACCOUNT_GET or A_ACCOUNT_LOCK. */
static enum err
row_get(struct db_tx *t, unsigned stmt, const char *client_id,
        struct meta_account *out, struct fault *f)
{
    enum err e = db_use(t, stmt, f);

    memset(out, 0, sizeof(*out));
    if (e)
        return e;
    db_bind_text(t, 1, client_id);
    if ((e = db_step(t, f)))
        return e == ERR_END ? ERR_NOENT : e;
    return row_read(t, out, f);
}

/* --- one ------------------------------------------------------------------ */

struct account_get {
    const char *client_id;
    struct meta_account *out;
};

static enum err
get_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct account_get *g = arg;

    return row_get(t, A_ACCOUNT_GET, g->client_id, g->out, f);
}

enum err
meta_account_get(struct meta *m, const char *client_id,
                 struct meta_account *out, struct fault *f)
{
    struct account_get g = {client_id, out};

    return db_read(meta_self(m)->admin, get_fn, &g, f);
}

static enum err
put_fn(struct db_tx *t, void *arg, struct fault *f)
{
    return row_put(t, A_ACCOUNT_PUT, *(const struct meta_account **)arg, f);
}

enum err
meta_account_put(struct meta *m, const struct meta_account *a, struct fault *f)
{
    if (!a->client_id[0])
        return fault_set(f, ERR_INVAL, "account put", "no client_id");
    return db_write(meta_self(m)->admin, put_fn, &a, f);
}

struct account_add {
    const struct meta_account *a;
    const struct meta_audit *entry;
    bool added;
};

static enum err
add_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct account_add *d = arg;
    enum err e = db_use(t, A_ACCOUNT_COUNT, f);

    d->added = false;
    if (!e)
        e = db_step(t, f);
    if (!e && db_i64(t, 0) >= META_ACCOUNTS_MAX)
        e = fault_set(f, ERR_TOOBIG, "account add", "too many accounts");
    if (!e)
        e = row_put(t, A_ACCOUNT_ADD, d->a, f);
    d->added = !e;
    return e ? e : meta_audit_with(t, d->entry, f);
}

enum err
meta_account_add(struct meta *m, const struct meta_account *a,
                 const struct meta_audit *entry, struct fault *f)
{
    struct account_add d = {a, entry, false};
    enum err e;

    if (!a->client_id[0])
        return fault_set(f, ERR_INVAL, "account add", "no client_id");
    e = db_write(meta_self(m)->admin, add_fn, &d, f);
    return e == ERR_CONFLICT && !d.added
               ? fault_set(f, ERR_EXISTS, "account add", a->client_id)
               : e;
}

struct account_change {
    const char *client_id;
    meta_account_change_fn *fn;
    void *arg;
    const struct meta_audit *entry;
};

static enum err
change_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct account_change *c = arg;
    struct meta_account a;
    enum err e = row_get(t, A_ACCOUNT_LOCK, c->client_id, &a, f);

    if (!e)
        e = c->fn(c->arg, &a, f);
    if (e)
        return e;
    assert(strcmp(a.client_id, c->client_id) == 0);
    e = row_put(t, A_ACCOUNT_PUT, &a, f);
    return e ? e : meta_audit_with(t, c->entry, f);
}

enum err
meta_account_change(struct meta *m, const char *client_id,
                    meta_account_change_fn *fn, void *arg,
                    const struct meta_audit *entry, struct fault *f)
{
    struct account_change c = {client_id, fn, arg, entry};

    return db_write(meta_self(m)->admin, change_fn, &c, f);
}

struct account_del {
    const char *client_id;
    const struct meta_audit *entry;
};

static enum err
del_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct account_del *d = arg;
    struct db_posted gone = {0};
    enum err e = db_use(t, A_ACCOUNT_DEL, f);

    if (e)
        return e;
    db_bind_text(t, 1, d->client_id);
    e = db_exec(t, &gone, f);
    if (!e && gone.changed == 0)
        return ERR_NOENT;
    return e ? e : meta_audit_with(t, d->entry, f);
}

enum err
meta_account_del(struct meta *m, const char *client_id,
                 const struct meta_audit *entry, struct fault *f)
{
    struct account_del d = {client_id, entry};

    return db_write(meta_self(m)->admin, del_fn, &d, f);
}

/* --- all ------------------------------------------------------------------ */

struct account_list {
    const char *after;
    unsigned max;
    meta_account_fn *fn;
    void *arg;
};

static enum err
list_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct account_list *l = arg;
    struct meta_account a;
    enum err e = db_use(t, A_ACCOUNT_LIST, f);

    if (e)
        return e;
    db_bind_text(t, 1, l->after);
    db_bind_i64(t, 2, l->max);
    while ((e = db_step(t, f)) == ERR_OK)
        if ((e = row_read(t, &a, f)) || !l->fn(l->arg, &a))
            break;
    return e == ERR_END ? ERR_OK : e;
}

enum err
meta_account_list(struct meta *m, const char *after, unsigned max,
                  meta_account_fn *fn, void *arg, struct fault *f)
{
    struct account_list l = {after, max, fn, arg};

    return db_read(meta_self(m)->admin, list_fn, &l, f);
}
