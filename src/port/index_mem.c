/* index_mem.c - see index_mem.h. Rows are an array in order of file_id, the
 * change log an array in order of seq; both are searched by halves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/index_mem.h"
#include <pthread.h>
#include <stdlib.h>

struct entry { /* of the change log */
    uint64_t seq;
    enum index_op op;
    struct wall at;
    struct uuid file_id;
    uint64_t epoch;
};

enum commit_kind {
    COMMIT_APPLY,
    COMMIT_RESET,
    COMMIT_TRIM,
};

struct commit {
    enum commit_kind kind;
    struct index_change *change;
    size_t n;
    uint64_t seq;
};

struct index_mem {
    struct index index;
    pthread_mutex_t mu;
    size_t rows_max;
    struct index_row *row;
    size_t n_row, cap_row;
    struct entry *log;
    size_t n_log, cap_log;
    uint64_t last_seq;
    struct commit *commit;
    size_t n_commit, cap_commit;
    size_t synced;
};

static struct index_mem *
mem_of(const struct index *x)
{
    return container_of(x, struct index_mem, index);
}

/* Room for one more; NULL when there is no memory. */
static void *
grow(void **p, size_t *cap, size_t n, size_t size)
{
    if (n == *cap) {
        size_t more = *cap ? *cap * 2 : 16;
        void *q = realloc(*p, more * size);

        if (!q)
            return NULL;
        *p = q;
        *cap = more;
    }
    return *p;
}

static bool
copy_row(struct index_row *to, const struct index_row *from)
{
    *to = *from;
    if (from->attr.metadata)
        to->attr.metadata = strdup(from->attr.metadata);
    return !from->attr.metadata || to->attr.metadata;
}

/* Where ID is, or would be. */
static size_t
row_at(const struct index_mem *m, const struct uuid *id)
{
    size_t lo = 0, hi = m->n_row;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (memcmp(m->row[mid].attr.file_id.b, id->b, sizeof(id->b)) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool
row_is(const struct index_mem *m, size_t k, const struct uuid *id)
{
    return k < m->n_row && uuid_eq(&m->row[k].attr.file_id, id);
}

static size_t
log_at(const struct index_mem *m, uint64_t seq)
{
    size_t lo = 0, hi = m->n_log;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (m->log[mid].seq < seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static enum err
put_row(struct index_mem *m, const struct index_row *row)
{
    size_t k = row_at(m, &row->attr.file_id);
    struct index_row copy;

    if (!copy_row(&copy, row))
        return ERR_NOMEM;
    if (row_is(m, k, &row->attr.file_id)) {
        index_row_release(&m->row[k]);
    } else {
        if (!grow((void **)&m->row, &m->cap_row, m->n_row, sizeof(*m->row))) {
            index_row_release(&copy);
            return ERR_NOMEM;
        }
        memmove(&m->row[k + 1], &m->row[k], (m->n_row - k) * sizeof(*m->row));
        m->n_row++;
    }
    m->row[k] = copy;
    return ERR_OK;
}

static void
drop_row(struct index_mem *m, const struct uuid *id)
{
    size_t k = row_at(m, id);

    if (!row_is(m, k, id))
        return;
    index_row_release(&m->row[k]);
    m->n_row--;
    memmove(&m->row[k], &m->row[k + 1], (m->n_row - k) * sizeof(*m->row));
}

static enum err
put_log(struct index_mem *m, const struct index_change *c)
{
    size_t k = log_at(m, c->seq);
    struct entry e = {c->seq, c->op, c->at, c->row.attr.file_id,
                      c->row.attr.epoch};

    if (k == m->n_log || m->log[k].seq != c->seq) {
        if (!grow((void **)&m->log, &m->cap_log, m->n_log, sizeof(*m->log)))
            return ERR_NOMEM;
        memmove(&m->log[k + 1], &m->log[k], (m->n_log - k) * sizeof(*m->log));
        m->n_log++;
    }
    m->log[k] = e;
    m->last_seq = u64_max(m->last_seq, c->seq);
    return ERR_OK;
}

static enum err
change(struct index_mem *m, const struct index_change *c)
{
    enum err e = ERR_OK;

    if (c->op == INDEX_PUBLISH)
        e = put_row(m, &c->row);
    else
        drop_row(m, &c->row.attr.file_id);
    return e == ERR_OK ? put_log(m, c) : e;
}

static void
release_commit(struct commit *t)
{
    for (size_t i = 0; i < t->n; i++)
        index_row_release(&t->change[i].row);
    free(t->change);
}

static bool
remember(struct index_mem *m, enum commit_kind kind,
         const struct index_change *c, size_t n, uint64_t seq)
{
    struct commit t = {.kind = kind, .seq = seq};

    if (!grow((void **)&m->commit, &m->cap_commit, m->n_commit,
              sizeof(*m->commit)))
        return false;
    if (n && !(t.change = calloc(n, sizeof(*t.change))))
        return false;
    for (; t.n < n; t.n++) {
        t.change[t.n] = c[t.n];
        if (!copy_row(&t.change[t.n].row, &c[t.n].row)) {
            release_commit(&t);
            return false;
        }
    }
    m->commit[m->n_commit++] = t;
    return true;
}

static bool
over_limit(const struct index_mem *m, const struct index_change *c, size_t n)
{
    size_t rows = m->n_row;

    for (size_t i = 0; i < n; i++)
        rows += c[i].op == INDEX_PUBLISH &&
                !row_is(m, row_at(m, &c[i].row.attr.file_id),
                        &c[i].row.attr.file_id);
    return m->rows_max && rows > m->rows_max && rows > m->n_row;
}

static enum err
mem_apply(struct index *x, const struct index_change *c, size_t n,
          struct fault *f)
{
    struct index_mem *m = mem_of(x);
    enum err e = ERR_OK;

    for (size_t i = 0; i < n; i++)
        if (c[i].seq == 0)
            return fault_set(f, ERR_INVAL, "apply", "seq");
    pthread_mutex_lock(&m->mu);
    if (over_limit(m, c, n))
        e = fault_set(f, ERR_NOSPC, "apply", "rows");
    else if (!remember(m, COMMIT_APPLY, c, n, 0))
        e = fault_set(f, ERR_NOMEM, "apply", "");
    for (size_t i = 0; i < n && e == ERR_OK; i++)
        e = change(m, &c[i]);
    pthread_mutex_unlock(&m->mu);
    return e;
}

static enum err
mem_get(struct index *x, const struct uuid *id, struct index_row *row,
        struct fault *f)
{
    struct index_mem *m = mem_of(x);
    enum err e = ERR_NOENT;
    size_t k;

    pthread_mutex_lock(&m->mu);
    k = row_at(m, id);
    if (row_is(m, k, id))
        e = copy_row(row, &m->row[k]) ? ERR_OK
                                      : fault_set(f, ERR_NOMEM, "get", "");
    pthread_mutex_unlock(&m->mu);
    return e;
}

static enum err
mem_list(struct index *x, const struct uuid *after, size_t max,
         index_row_fn *fn, void *arg, struct fault *f)
{
    struct index_mem *m = mem_of(x);
    size_t k;

    (void)f;
    pthread_mutex_lock(&m->mu);
    k = row_at(m, after);
    k += row_is(m, k, after);
    for (size_t i = 0; i < max && k < m->n_row; i++)
        if (!fn(arg, &m->row[k++]))
            break;
    pthread_mutex_unlock(&m->mu);
    return ERR_OK;
}

static enum err
mem_bucket(struct index *x, const char *bucket, index_row_fn *fn, void *arg,
           struct fault *f)
{
    struct index_mem *m = mem_of(x);

    (void)f;
    pthread_mutex_lock(&m->mu);
    for (size_t k = 0; k < m->n_row; k++)
        if (strcmp(m->row[k].bucket, bucket) == 0 && !fn(arg, &m->row[k]))
            break;
    pthread_mutex_unlock(&m->mu);
    return ERR_OK;
}

static void
tell(const struct index_mem *m, const struct entry *e, struct index_change *c)
{
    size_t k = row_at(m, &e->file_id);

    *c = (struct index_change){.seq = e->seq, .op = e->op, .at = e->at};
    if (e->op == INDEX_PUBLISH && row_is(m, k, &e->file_id)) {
        c->row = m->row[k];
        return;
    }
    if (e->op == INDEX_PUBLISH)
        c->op = INDEX_DELETE; /* what it has become */
    c->row.attr.file_id = e->file_id;
    c->row.attr.epoch = e->epoch;
}

static enum err
mem_changes(struct index *x, uint64_t since, size_t max, index_change_fn *fn,
            void *arg, struct fault *f)
{
    struct index_mem *m = mem_of(x);
    struct index_change *c = malloc(sizeof(*c));

    if (!c)
        return fault_set(f, ERR_NOMEM, "changes", "");
    pthread_mutex_lock(&m->mu);
    if (since < UINT64_MAX)
        for (size_t k = log_at(m, since + 1); max-- && k < m->n_log; k++) {
            tell(m, &m->log[k], c);
            if (!fn(arg, c))
                break;
        }
    pthread_mutex_unlock(&m->mu);
    free(c);
    return ERR_OK;
}

/* The next to expire after AFTER (by time, then file_id), that is due. */
static const struct index_row *
next_due(const struct index_mem *m, const struct index_row *after,
         struct wall now)
{
    const struct index_row *best = NULL;

    for (size_t k = 0; k < m->n_row; k++) {
        const struct index_row *r = &m->row[k];
        const struct file_attr *a = &r->attr;

        if (a->retention != RETENTION_TEMPORARY || a->expires_at.ms == 0 ||
            a->expires_at.ms > now.ms || a->state == ATTR_HELD)
            continue;
        if (after &&
            (a->expires_at.ms < after->attr.expires_at.ms ||
             (a->expires_at.ms == after->attr.expires_at.ms && r <= after)))
            continue;
        if (!best || a->expires_at.ms < best->attr.expires_at.ms)
            best = r;
    }
    return best;
}

static enum err
mem_expired(struct index *x, struct wall now, size_t max, index_row_fn *fn,
            void *arg, struct fault *f)
{
    struct index_mem *m = mem_of(x);
    const struct index_row *r = NULL;

    (void)f;
    pthread_mutex_lock(&m->mu);
    while (max-- && (r = next_due(m, r, now)))
        if (!fn(arg, r))
            break;
    pthread_mutex_unlock(&m->mu);
    return ERR_OK;
}

static void
clear(struct index_mem *m)
{
    for (size_t k = 0; k < m->n_row; k++)
        index_row_release(&m->row[k]);
    m->n_row = m->n_log = 0;
}

static void
trim(struct index_mem *m, uint64_t seq)
{
    size_t k = seq < UINT64_MAX ? log_at(m, seq + 1) : m->n_log;

    m->n_log -= k;
    memmove(m->log, m->log + k, m->n_log * sizeof(*m->log));
}

static enum err
mem_reset(struct index *x, struct fault *f)
{
    struct index_mem *m = mem_of(x);
    bool ok;

    pthread_mutex_lock(&m->mu);
    if ((ok = remember(m, COMMIT_RESET, NULL, 0, 0)))
        clear(m);
    pthread_mutex_unlock(&m->mu);
    return ok ? ERR_OK : fault_set(f, ERR_NOMEM, "reset", "");
}

static enum err
mem_trim(struct index *x, uint64_t seq, struct fault *f)
{
    struct index_mem *m = mem_of(x);
    bool ok;

    pthread_mutex_lock(&m->mu);
    if ((ok = remember(m, COMMIT_TRIM, NULL, 0, seq)) && m->n_log)
        trim(m, seq);
    pthread_mutex_unlock(&m->mu);
    return ok ? ERR_OK : fault_set(f, ERR_NOMEM, "trim", "");
}

static enum err
mem_totals(struct index *x, struct index_totals *out, struct fault *f)
{
    struct index_mem *m = mem_of(x);

    (void)f;
    pthread_mutex_lock(&m->mu);
    *out = (struct index_totals){.files = m->n_row, .last_seq = m->last_seq};
    if (m->n_log)
        out->first_seq = m->log[0].seq;
    for (size_t k = 0; k < m->n_row; k++) {
        out->bytes += m->row[k].attr.size;
        out->stored += m->row[k].attr.stored_size;
    }
    pthread_mutex_unlock(&m->mu);
    return ERR_OK;
}

static enum err
mem_sync(struct index *x, struct fault *f)
{
    struct index_mem *m = mem_of(x);

    (void)f;
    pthread_mutex_lock(&m->mu);
    m->synced = m->n_commit;
    pthread_mutex_unlock(&m->mu);
    return ERR_OK;
}

static void
mem_close(struct index *x)
{
    struct index_mem *m = mem_of(x);

    clear(m);
    for (size_t i = 0; i < m->n_commit; i++)
        release_commit(&m->commit[i]);
    free(m->row);
    free(m->log);
    free(m->commit);
    pthread_mutex_destroy(&m->mu);
    free(m);
}

static const struct index_ops ops = {
    .apply = mem_apply,
    .get = mem_get,
    .list = mem_list,
    .bucket = mem_bucket,
    .changes = mem_changes,
    .expired = mem_expired,
    .reset = mem_reset,
    .totals = mem_totals,
    .trim = mem_trim,
    .sync = mem_sync,
    .close = mem_close,
};

struct index *
index_mem_new(size_t rows)
{
    struct index_mem *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    m->index.ops = &ops;
    m->rows_max = rows;
    pthread_mutex_init(&m->mu, NULL);
    return &m->index;
}

size_t
index_mem_commits(const struct index *x)
{
    return mem_of(x)->n_commit;
}

size_t
index_mem_synced(const struct index *x)
{
    return mem_of(x)->synced;
}

struct index *
index_mem_first(const struct index *x, size_t n)
{
    const struct index_mem *m = mem_of(x);
    struct index *out = index_mem_new(m->rows_max);

    for (size_t i = 0; out && i < n; i++) {
        const struct commit *t = &m->commit[i];

        if (t->kind == COMMIT_APPLY)
            (void)mem_apply(out, t->change, t->n, NULL);
        else if (t->kind == COMMIT_RESET)
            (void)mem_reset(out, NULL);
        else
            (void)mem_trim(out, t->seq, NULL);
    }
    return out;
}
