/* meta_audit.c - the audit log: see port/meta.h and wire/audit.h.
 *
 * Where the chain ends is kept apart from the rows, in the setting audit_head:
 * else the last rows could be taken away unseen. It is also what those who
 * append wait for each other at. The order of events: lock the head, number and
 * seal the rows, write them, write the head; in one transaction, so that a
 * chain is whole at every moment.
 *
 * That an id is there already is the exception, so rows are written without a
 * look first; when one collides all of it is done again with looking. The same
 * finds rows behind the head, which are not the chain's: were they let stand,
 * no row could ever be appended again.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEAD "audit_head"

#define TEXT(t, i, dst) db_text(t, i, dst, sizeof(dst))

/* --- the head ------------------------------------------------------------- */

/* STMT reads a setting. All zero: there is none. */
static enum err
head_get(struct db_tx *t, unsigned stmt, struct audit_head *h, struct fault *f)
{
    struct db_value v;
    enum err e = db_use(t, stmt, f);

    *h = (struct audit_head){0};
    if (e)
        return e;
    db_bind_text(t, 1, HEAD);
    if ((e = db_step(t, f)))
        return e == ERR_END ? ERR_OK : e;
    v = db_column(t, 0);
    return audit_head_parse(slice_of(v.p, v.n), h) ? ERR_OK
                                                   : db_corrupt(t, HEAD, f);
}

/* The head for appending: all zero when there is none, or none that can be
 * read. */
static enum err
head_lock(struct db_tx *t, struct audit_head *h, struct fault *f)
{
    struct fault why = {0};
    enum err e = head_get(t, A_SETTING_LOCK, h, &why);

    if (e == ERR_CORRUPT) {
        *h = (struct audit_head){0};
        return ERR_OK;
    }
    if (e && f)
        *f = why;
    return e;
}

static enum err
head_put(struct db_tx *t, const struct audit_head *h, struct fault *f)
{
    char text[AUDIT_HEAD_TEXT];
    enum err e = db_use(t, A_SETTING_PUT, f);

    if (e)
        return e;
    audit_head_text(h, text);
    db_bind_text(t, 1, HEAD);
    db_bind_blob(t, 2, text, strlen(text));
    return db_post(t, NULL, f);
}

static enum err
number(struct db_tx *t, unsigned stmt, uint64_t *n, struct fault *f)
{
    enum err e = db_use(t, stmt, f);

    if (!e && !(e = db_step(t, f)))
        *n = (uint64_t)db_i64(t, 0);
    return e;
}

static enum err
head_fn(struct db_tx *t, void *arg, struct fault *f)
{
    return head_get(t, A_SETTING_GET, arg, f);
}

enum err
meta_audit_head(struct meta *m, struct audit_head *out, struct fault *f)
{
    return db_read(meta_self(m)->admin, head_fn, out, f);
}

/* --- appending ------------------------------------------------------------ */

struct add {
    const struct meta_audit *a;
    size_t n;
    bool look; /* for ids that are there */
};

static struct audit_row
row_of(const struct meta_audit *a)
{
    return (struct audit_row){.n = a->n,
                              .at = a->at,
                              .id = a->id,
                              .actor = slice_str(a->actor),
                              .action = slice_str(a->action),
                              .object = slice_str(a->object),
                              .element_id = slice_str(a->element_id),
                              .result = slice_str(a->result),
                              .request_id = slice_str(a->request_id),
                              .source = slice_str(a->source)};
}

static enum err
is_there(struct db_tx *t, const struct uuid *id, bool *there, struct fault *f)
{
    enum err e = db_use(t, A_AUDIT_FIND, f);

    *there = false;
    if (e || uuid_is_nil(id))
        return e;
    db_bind_uuid(t, 1, id);
    e = db_step(t, f);
    *there = e == ERR_OK;
    return e == ERR_END ? ERR_OK : e;
}

static enum err
row_put(struct db_tx *t, const struct meta_audit *a, struct fault *f)
{
    enum err e = db_use(t, A_AUDIT_ADD, f);

    if (e)
        return e;
    db_bind_i64(t, 1, (int64_t)a->n);
    db_bind_i64(t, 2, a->at.ms);
    db_bind_text(t, 3, a->actor);
    db_bind_text(t, 4, a->action);
    db_bind_text(t, 5, a->object);
    db_bind_text(t, 6, a->result);
    db_bind_text(t, 7, a->request_id);
    if (!uuid_is_nil(&a->id))
        db_bind_uuid(t, 8, &a->id);
    db_bind_text(t, 9, a->element_id);
    db_bind_text(t, 10, a->source);
    db_bind_blob(t, 11, a->hash, AUDIT_HASH);
    return db_post(t, NULL, f);
}

/* H is moved on to the new row. */
static enum err
append(struct db_tx *t, struct audit_head *h, const struct meta_audit *in,
       struct fault *f)
{
    struct meta_audit a = *in;
    struct audit_row row;

    audit_clean(a.actor);
    audit_clean(a.action);
    audit_clean(a.object);
    audit_clean(a.element_id);
    audit_clean(a.result);
    audit_clean(a.request_id);
    audit_clean(a.source);
    a.n = ++h->n;
    row = row_of(&a);
    audit_hash(h->hash, &row, a.hash);
    memcpy(h->hash, a.hash, AUDIT_HASH);
    return row_put(t, &a, f);
}

/* The log says something of itself, at the time of what comes next. */
static enum err
note(struct db_tx *t, struct audit_head *h, struct wall at, const char *action,
     const char *object, struct fault *f)
{
    struct meta_audit a = {.at = at, .actor = "admin", .result = "ok"};

    (void)snprintf(a.action, sizeof(a.action), "%s", action);
    (void)snprintf(a.object, sizeof(a.object), "%s", object);
    return append(t, h, &a, f);
}

/* There is no head. Rows from before the chain keep their numbers; if the last
 * row is sealed there was a head, and the chain goes on from that row. */
static enum err
head_find(struct db_tx *t, struct audit_head *h, struct wall at,
          struct fault *f)
{
    char object[64];
    enum err e = number(t, A_AUDIT_LAST, &h->n, f);

    h->first = h->n + 1;
    if (e || h->n == 0 || (e = db_use(t, A_AUDIT_HASH, f)))
        return e;
    db_bind_i64(t, 1, (int64_t)h->n);
    if ((e = db_step(t, f)))
        return e == ERR_END ? ERR_OK : e;
    if (!db_blob(t, 0, h->hash, AUDIT_HASH))
        return ERR_OK;
    (void)snprintf(object, sizeof(object), "%" PRIu64, h->n);
    if ((e = number(t, A_AUDIT_FIRST, &h->first, f)))
        return e;
    return note(t, h, at, META_AUDIT_HEAD, object, f);
}

static enum err
set_aside(struct db_tx *t, struct audit_head *h, struct wall at,
          struct fault *f)
{
    static const unsigned stmt[] = {A_AUDIT_ASIDE, A_AUDIT_DROP};
    uint64_t end = 0;
    char object[64];
    enum err e = number(t, A_AUDIT_LAST, &end, f);

    if (e || end <= h->n)
        return e;
    for (size_t i = 0; i < countof(stmt) && !e; i++) {
        if ((e = db_use(t, stmt[i], f)))
            break;
        db_bind_i64(t, 1, (int64_t)h->n);
        e = db_exec(t, NULL, f);
    }
    (void)snprintf(object, sizeof(object), "%" PRIu64 " to %" PRIu64, h->n + 1,
                   end);
    return e ? e : note(t, h, at, META_AUDIT_ASIDE, object, f);
}

static enum err
add_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct add *d = arg;
    struct audit_head h;
    bool there = false;
    enum err e = head_lock(t, &h, f);

    if (!e && h.n == 0)
        e = head_find(t, &h, d->a[0].at, f);
    if (!e && d->look)
        e = set_aside(t, &h, d->a[0].at, f);
    for (size_t i = 0; i < d->n && !e; i++) {
        if (d->look)
            e = is_there(t, &d->a[i].id, &there, f);
        if (!e && !there)
            e = append(t, &h, &d->a[i], f);
    }
    if (!e && h.n >= h.first)
        e = head_put(t, &h, f);
    return e ? e : db_flush(t, f);
}

enum err
meta_audit_with(struct db_tx *t, const struct meta_audit *a, struct fault *f)
{
    struct add d = {a, 1, true};

    return a ? add_fn(t, &d, f) : ERR_OK;
}

enum err
meta_audit_add(struct meta *m, const struct meta_audit *a, size_t n,
               struct fault *f)
{
    struct add d = {a, n, false};
    enum err e = n ? db_write(meta_self(m)->admin, add_fn, &d, f) : ERR_OK;

    if (e == ERR_CONFLICT) {
        d.look = true;
        e = db_write(meta_self(m)->admin, add_fn, &d, f);
    }
    return e;
}

/* --- reading -------------------------------------------------------------- */

struct list {
    const struct meta_audit_query *q;
    meta_audit_fn *fn;
    void *arg;
    uint64_t next;
};

static bool
row_read(struct db_tx *t, struct meta_audit *a)
{
    *a = (struct meta_audit){.n = (uint64_t)db_i64(t, 0),
                             .at = {db_i64(t, 1)},
                             .sealed = db_column(t, 10).kind != DB_NULL};
    if (db_column(t, 7).kind != DB_NULL && !db_uuid(t, 7, &a->id))
        return false;
    return TEXT(t, 2, a->actor) && TEXT(t, 3, a->action) &&
           TEXT(t, 4, a->object) && TEXT(t, 5, a->result) &&
           TEXT(t, 6, a->request_id) && TEXT(t, 8, a->element_id) &&
           TEXT(t, 9, a->source) &&
           (!a->sealed || db_blob(t, 10, a->hash, AUDIT_HASH));
}

static enum err
rows_ask(struct db_tx *t, const struct meta_audit_query *q, uint64_t low,
         uint64_t high, struct fault *f)
{
    enum err e = db_use(t, q->ascending ? A_AUDIT_UP : A_AUDIT_DOWN, f);

    if (e)
        return e;
    db_bind_i64(t, 1, (int64_t)low);
    db_bind_i64(t, 2, (int64_t)high);
    db_bind_text(t, 3, q->actor ? q->actor : "");
    db_bind_text(t, 4, q->action ? q->action : "");
    db_bind_text(t, 5, q->object ? q->object : "");
    db_bind_i64(t, 6, q->from.ms);
    db_bind_i64(t, 7, q->to.ms ? q->to.ms : INT64_MAX);
    db_bind_i64(t, 8, q->limit);
    return ERR_OK;
}

/* The last row of ours: what stands behind the head is not. */
static enum err
end_get(struct db_tx *t, uint64_t *end, struct fault *f)
{
    struct audit_head h;
    enum err e = head_get(t, A_SETTING_GET, &h, NULL);

    *end = h.n;
    if (e && e != ERR_CORRUPT)
        return fault_set(f, e, "audit list", HEAD);
    return e || h.n == 0 ? number(t, A_AUDIT_LAST, end, f) : ERR_OK;
}

/* Numbers have no holes, so that numbers bound how many rows are looked at. */
static enum err
list_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct list *l = arg;
    const struct meta_audit_query *q = l->q;
    uint64_t end = 0, low, high;
    struct meta_audit a;
    unsigned n = 0;
    enum err e = end_get(t, &end, f);

    if (q->ascending) {
        low = u64_min(q->after, end);
        high = u64_min(end, low + META_SCAN_MAX);
        l->next = high < end ? high : 0;
    } else {
        high = q->after ? u64_min(q->after - 1, end) : end;
        low = high > META_SCAN_MAX ? high - META_SCAN_MAX : 0;
        l->next = low ? low + 1 : 0;
    }
    if (!e)
        e = rows_ask(t, q, low, high, f);
    while (!e && !(e = db_step(t, f))) {
        if (!row_read(t, &a)) {
            e = db_corrupt(t, "row of audit", f);
            break;
        }
        if (++n == q->limit && (q->ascending ? a.n < end : a.n > 1))
            l->next = a.n;
        if (!l->fn(l->arg, &a))
            break;
    }
    return e == ERR_END ? ERR_OK : e;
}

enum err
meta_audit_list(struct meta *m, const struct meta_audit_query *q,
                meta_audit_fn *fn, void *arg, uint64_t *next, struct fault *f)
{
    struct list l = {q, fn, arg, 0};
    enum err e;

    if (q->limit < 1 || q->limit > META_AUDIT_PAGE)
        return fault_set(f, ERR_INVAL, "audit list", "limit");
    e = db_read(meta_self(m)->admin, list_fn, &l, f);
    *next = e ? 0 : l.next;
    return e;
}
