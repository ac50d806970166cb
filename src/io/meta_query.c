/* meta_query.c - reading the catalogue: one file, or a page of files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"

#define PATTERN_MAX   512
#define WILDCARDS_MAX 8

static enum err
file_read(struct db_tx *t, struct meta_file *out, struct fault *f)
{
    struct file_attr *a = &out->attr;

    if (meta_read_file(t, 0, a) && meta_read_copy(t, CATALOGUE_AT_COPY, a) &&
        db_uuid(t, CATALOGUE_AT_UUID, &a->element_uuid) &&
        db_text(t, CATALOGUE_AT_ID, a->element_id, sizeof(a->element_id)))
        return ERR_OK;
    return db_corrupt(t, "row of file", f);
}

struct get {
    const struct uuid *file_id;
    struct meta_file *out;
};

static enum err
get_fn(struct db_tx *t, void *arg, struct fault *f)
{
    struct get *g = arg;
    enum err e = db_use(t, Q_GET, f);

    if (e)
        return e;
    db_bind_uuid(t, 1, g->file_id);
    if ((e = db_step(t, f)))
        return e == ERR_END ? ERR_NOENT : e;
    e = file_read(t, g->out, f);
    if (!e && !attr_own(&g->out->attr))
        e = fault_set(f, ERR_NOMEM, "catalogue get", "metadata");
    return e;
}

enum err
catalogue_get(struct meta *m, const struct uuid *file_id, struct meta_file *out,
              struct fault *f)
{
    struct get g = {.file_id = file_id, .out = out};

    return db_read(meta_self(m)->catalogue, get_fn, &g, f);
}

/* --- a page --------------------------------------------------------------- */

/* What a query comes to: which statement, between which ids. */
struct plan {
    unsigned way;    /* of the six: 2 * drive + descending */
    bool row_by_row; /* it has conditions that no index answers */
    struct uuid lo;
    struct uuid hi;  /* both included */
    int64_t element; /* its number in `feed`, where one is asked for */
    char pattern[PATTERN_MAX];
};

/* LIKE's own signs are escaped; '*' and '?' become them; a name without either
 * is looked for anywhere. Each '*' multiplies the work of a match, so they are
 * few. */
static bool
like_pattern(const char *name, char out[PATTERN_MAX])
{
    bool glob = strpbrk(name, "*?") != NULL;
    size_t n = 0, stars = 0;

    if (strlen(name) > 255)
        return false;
    if (!glob)
        out[n++] = '%';
    for (const char *p = name; *p && n + 4 < PATTERN_MAX; p++) {
        if (*p == '*' || *p == '?') {
            out[n++] = *p == '*' ? '%' : '_';
            stars++;
            continue;
        }
        if (*p == '%' || *p == '_' || *p == '\\')
            out[n++] = '\\';
        out[n++] = *p;
    }
    if (!glob)
        out[n++] = '%';
    out[n] = 0;
    return stars <= WILDCARDS_MAX;
}

static struct uuid
born(int64_t ms, uint8_t rest)
{
    struct uuid u;

    if (ms < 0)
        ms = 0;
    memset(u.b, rest, sizeof(u.b));
    for (int i = 0; i < 6; i++)
        u.b[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
    return u;
}

static bool
any(const char *s)
{
    return !s || !*s;
}

static bool
of_element(const struct meta_query *q)
{
    return !any(q->element_id) || !uuid_is_nil(&q->element_uuid);
}

static bool
make_plan(struct plan *p, const struct meta_query *q)
{
    unsigned drive = !any(q->user) ? 1 : of_element(q) ? 2 : 0;

    memset(p, 0, sizeof(*p));
    p->way = 2 * drive + q->descending;
    memset(&p->hi, 0xff, sizeof(p->hi));
    if (q->from.ms)
        p->lo = born(q->from.ms - META_BIRTH_BEFORE_MS, 0);
    if (q->to.ms)
        p->hi = born(q->to.ms + META_BIRTH_AFTER_MS, 0xff);
    if (!uuid_is_nil(&q->after)) {
        if (!q->descending && memcmp(&q->after, &p->lo, sizeof(p->lo)) > 0)
            p->lo = q->after;
        if (q->descending && memcmp(&q->after, &p->hi, sizeof(p->hi)) < 0)
            p->hi = q->after;
    }
    p->row_by_row = !any(q->name) || q->retention >= 0 || q->from.ms ||
                    q->to.ms || q->size_min || q->size_max ||
                    !any(q->metadata_key) || (drive == 1 && of_element(q));
    return q->limit >= 1 && q->limit <= META_PAGE_MAX &&
           (any(q->name) || like_pattern(q->name, p->pattern));
}

/* ERR_NOENT: it has never fed. */
static enum err
find_element(struct db_tx *t, const struct meta_query *q, int64_t *n,
             struct fault *f)
{
    bool named = uuid_is_nil(&q->element_uuid);
    enum err e = db_use(t, named ? Q_FEED_NAMED : Q_FEED_GET, f);

    if (e)
        return e;
    if (named)
        db_bind_text(t, 1, q->element_id);
    else
        db_bind_uuid(t, 1, &q->element_uuid);
    if ((e = db_step(t, f)))
        return e == ERR_END ? ERR_NOENT : e;
    *n = db_i64(t, 0);
    return ERR_OK;
}

static void
bind_range(struct db_tx *t, const struct plan *p, const struct meta_query *q)
{
    db_bind_uuid(t, 1, &p->lo);
    db_bind_uuid(t, 2, &p->hi);
    db_bind_uuid(t, 3, &q->after);
    if (of_element(q))
        db_bind_i64(t, 4, p->element);
    if (!any(q->user))
        db_bind_text(t, 14, q->user);
}

/* Narrows P to META_SCAN_MAX rows; CUT when there are more. */
static enum err
narrow(struct db_tx *t, struct plan *p, const struct meta_query *q, bool *cut,
       struct fault *f)
{
    struct uuid *end = q->descending ? &p->lo : &p->hi;
    enum err e = db_use(t, Q_BOUND + p->way, f);

    *cut = false;
    if (e)
        return e;
    bind_range(t, p, q);
    db_bind_i64(t, 5, META_SCAN_MAX - 1);
    e = db_step(t, f);
    if (e)
        return e == ERR_END ? ERR_OK : e;
    *cut = true;
    return db_uuid(t, 0, end) ? ERR_OK : db_corrupt(t, "file_id", f);
}

static void
bind_filters(struct db_tx *t, const struct plan *p, const struct meta_query *q)
{
    uint64_t size_max = q->size_max ? q->size_max : INT64_MAX;

    if (p->pattern[0])
        db_bind_text(t, 5, p->pattern);
    if (q->retention >= 0)
        db_bind_i64(t, 6, q->retention);
    db_bind_i64(t, 7, q->from.ms);
    db_bind_i64(t, 8, q->to.ms ? q->to.ms : INT64_MAX);
    db_bind_i64(t, 9, (int64_t)u64_min(q->size_min, INT64_MAX));
    db_bind_i64(t, 10, (int64_t)u64_min(size_max, INT64_MAX));
    if (!any(q->metadata_key)) {
        db_bind_text(t, 11, q->metadata_key);
        db_bind_text(t, 12, q->metadata_value);
    }
    db_bind_i64(t, 13, (int64_t)q->limit + 1); /* one more: is there more? */
}

struct list {
    const struct meta_query *q;
    struct plan plan;
    meta_file_fn *fn;
    void *arg;
    struct uuid *next;
};

/* Tells at most q->limit rows; MORE when another would have followed. LAST is
 * the last that was told. */
static enum err
tell(struct db_tx *t, const struct list *l, struct uuid *last, bool *more,
     struct fault *f)
{
    struct meta_file file;
    enum err e;

    *more = false;
    for (unsigned n = 0; (e = db_step(t, f)) == ERR_OK; n++) {
        *more = n == l->q->limit;
        if (*more)
            break;
        if ((e = file_read(t, &file, f)))
            break;
        *last = file.attr.file_id;
        if (!l->fn(l->arg, &file)) {
            *more = true;
            break;
        }
    }
    return e == ERR_END ? ERR_OK : e;
}

static enum err
list_fn(struct db_tx *t, void *arg, struct fault *f)
{
    const struct list *l = arg;
    struct plan p = l->plan;
    struct uuid last = l->q->after;
    bool cut = false, more = false;
    enum err e = ERR_OK;

    memset(l->next, 0, sizeof(*l->next));
    if (of_element(l->q))
        e = find_element(t, l->q, &p.element, f);
    if (e)
        return e == ERR_NOENT ? ERR_OK : e;
    if (p.row_by_row)
        e = narrow(t, &p, l->q, &cut, f);
    if (!e)
        e = db_use(t, Q_LIST + p.way, f);
    if (e)
        return e;
    bind_range(t, &p, l->q);
    bind_filters(t, &p, l->q);
    e = tell(t, l, &last, &more, f);
    if (!e && more)
        *l->next = last;
    else if (!e && cut)
        *l->next = l->q->descending ? p.lo : p.hi;
    return e;
}

enum err
catalogue_list(struct meta *m, const struct meta_query *q, meta_file_fn *fn,
               void *arg, struct uuid *next, struct fault *f)
{
    struct list l = {.q = q, .fn = fn, .arg = arg, .next = next};

    memset(next, 0, sizeof(*next));
    if (!make_plan(&l.plan, q))
        return fault_set(f, ERR_INVAL, "catalogue list", "limit or name");
    return db_read(meta_self(m)->catalogue, list_fn, &l, f);
}
