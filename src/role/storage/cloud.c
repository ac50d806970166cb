/* cloud.c - birth, end and capacity of an element in a bucket; see cloud.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include "wire/date.h"
#include <stdio.h>
#include <stdlib.h>

#define MEMORY_DEFAULT ((uint64_t)64 * MIB)

/* ---- names ---- */

const char *
cloud_date(const struct uuid *file_id, char out[CLOUD_DATE])
{
    char text[DATE_TEXT];

    date_rfc3339_ms(uuid_time(file_id), text);
    snprintf(out, CLOUD_DATE, "%.4s/%.2s/%.2s", text, text + 5, text + 8);
    return out;
}

const char *
cloud_key(const struct uuid *file_id, enum cloud_wrote which, char *key)
{
    char date[CLOUD_DATE], id[UUID_TEXT];

    snprintf(key, OBJECT_KEY_MAX + 1, "data/%s/%s%s", cloud_date(file_id, date),
             uuid_text(file_id, id),
             which == CLOUD_ATTR   ? ATTR_SUFFIX
             : which == CLOUD_SIDE ? SIDECAR_SUFFIX
                                   : "");
    return key;
}

/* ---- state ---- */

void
cloud_saw(struct cloud *c, const struct loop *l)
{
    atomic_store_explicit(&c->now_ms, l->wall.ms, memory_order_relaxed);
}

struct wall
cloud_now(struct cloud *c)
{
    return (struct wall){
        atomic_load_explicit(&c->now_ms, memory_order_relaxed)};
}

enum err
cloud_may_write(struct cloud *c, struct fault *f)
{
    int mode = atomic_load(&c->mode);
    enum err err = ERR_OK;

    if (atomic_load(&c->fenced))
        err = fault_set(f, ERR_READONLY, "store", c->trouble);
    else if (mode != BLOB_EDIT && mode != BLOB_RW)
        err = fault_set(f, ERR_READONLY, "store", "the element's mode");
    if (err != ERR_OK)
        atomic_fetch_add(&c->n_refused, 1);
    return err;
}

void
cloud_fence(struct cloud *c, const char *why)
{
    pthread_mutex_lock(&c->mu);
    if (!atomic_load(&c->fenced)) {
        snprintf(c->trouble, sizeof(c->trouble), "%s", why);
        atomic_store(&c->fenced, true);
    }
    pthread_mutex_unlock(&c->mu);
}

/* F NULL: it serves us. */
static void
note_store(struct cloud *c, const struct fault *f)
{
    char text[FAULT_TEXT];

    if (!f && !atomic_load_explicit(&c->away, memory_order_relaxed))
        return;
    pthread_mutex_lock(&c->mu);
    if (f)
        snprintf(c->away_why, sizeof(c->away_why), "%.150s",
                 fault_text(f, text, sizeof(text)));
    atomic_store(&c->away, f != NULL);
    pthread_mutex_unlock(&c->mu);
}

enum err
cloud_answer(struct cloud *c, struct object_req *r)
{
    static const bool may_lack[OBJECT_OPS] = {
        [OBJECT_GET] = true,      [OBJECT_HEAD] = true,
        [OBJECT_COMPLETE] = true, [OBJECT_GIVE_UP] = true,
        [OBJECT_DELETE] = true,
    };
    bool served = false, busy = false;

    switch (r->err) {
    case ERR_OK:
        served = true;
        break;
    case ERR_NOENT:
        served = may_lack[r->op];
        break;
    case ERR_AGAIN: /* it is overloaded, or we are */
    case ERR_NOSPC:
    case ERR_NOMEM:
        busy = true;
        break;
    default:
        break;
    }
    if (!busy)
        note_store(c, served ? NULL : &r->fault);
    if (!busy && !served && r->err != ERR_TIMEOUT)
        r->err = r->fault.code = ERR_IO;
    return r->err;
}

/* ---- account: bytes, against the soft limit (STO-022) ---- */

struct ledger_room
cloud_room(uint64_t size)
{
    return (struct ledger_room){.bytes = size};
}

enum err
cloud_reserve(struct cloud *c, struct ledger_room r, struct fault *f)
{
    enum err err;

    pthread_mutex_lock(&c->pool->mu);
    err = ledger_reserve(&c->pool->ledger, &c->account, r);
    pthread_mutex_unlock(&c->pool->mu);
    if (err != ERR_OK) {
        atomic_fetch_add(&c->n_refused, 1);
        (void)fault_set(f, err, "reserve", c->element_id);
        if (atomic_load(&c->limit) == 0)
            (void)fault_hint(f, "S3_SOFT_CAPACITY_LIMIT is not set");
    }
    return err;
}

void
cloud_settle(struct cloud *c, struct ledger_room reserved,
             struct ledger_room stored)
{
    pthread_mutex_lock(&c->pool->mu);
    ledger_release(&c->pool->ledger, &c->account, reserved);
    ledger_add(&c->pool->ledger, &c->account, stored);
    pthread_mutex_unlock(&c->pool->mu);
}

void
cloud_set_limit(struct element *e, uint64_t limit)
{
    struct cloud *c = cloud_self(e);
    struct ledger *l = &c->pool->ledger;
    struct ledger_room total = {.bytes = limit}, room = {0};

    pthread_mutex_lock(&c->pool->mu);
    atomic_store(&c->limit, limit);
    if (limit > c->account.stored)
        room.bytes = limit - c->account.stored;
    ledger_measure_begin(l);
    ledger_measure_end(l, total, room);
    pthread_mutex_unlock(&c->pool->mu);
}

static void
capacity_of_pool(struct cloud *c, struct blob_capacity *out)
{
    struct ledger *l = &c->pool->ledger;
    struct ledger_room room;

    pthread_mutex_lock(&c->pool->mu);
    room = ledger_available(l, &c->account);
    out->total = ledger_total(l, &c->account);
    out->used = c->account.stored; /* may exceed the total: it is soft */
    out->reserved = l->reserved.bytes;
    out->available = room.bytes;
    out->inodes_available = room.inodes;
    out->status = (enum blob_status)ledger_step(l, &c->account);
    pthread_mutex_unlock(&c->pool->mu);
}

static void
tell_health(struct cloud *c, struct blob_capacity *out)
{
    bool writable = out->mode == BLOB_EDIT || out->mode == BLOB_RW;

    pthread_mutex_lock(&c->mu);
    out->seq = c->done_seq;
    if (atomic_load(&c->fenced))
        snprintf(out->health, sizeof(out->health), "unhealthy: %.80s",
                 c->trouble);
    else if (atomic_load(&c->away))
        snprintf(out->health, sizeof(out->health), "unhealthy: %.80s",
                 c->away_why);
    else if (atomic_load(&c->limit) == 0)
        snprintf(out->health, sizeof(out->health),
                 "degraded: S3_SOFT_CAPACITY_LIMIT is not set");
    else
        snprintf(out->health, sizeof(out->health), "healthy");
    pthread_mutex_unlock(&c->mu);
    out->writable =
        writable && !atomic_load(&c->fenced) && !atomic_load(&c->away);
}

static void
blob_capacity(struct blob *b, struct blob_capacity *out)
{
    struct cloud *c = cloud_of(b);

    *out = (struct blob_capacity){
        .element_uuid = c->sb->element_uuid,
        .backend = "s3",
        .mode = (enum blob_mode)atomic_load(&c->mode),
        .priority = c->conf.priority,
        .boot = c->sb->boot,
        .files = atomic_load(&c->n_files),
        .bytes = atomic_load(&c->n_bytes),
        .last_update = cloud_now(c),
    };
    snprintf(out->element_id, sizeof(out->element_id), "%s", c->element_id);
    snprintf(out->pool_id, sizeof(out->pool_id), "%s", c->sb->pool_id);
    snprintf(out->location, sizeof(out->location), "%s", c->location);
    snprintf(out->endpoint, sizeof(out->endpoint), "%s", c->endpoint);
    capacity_of_pool(c, out);
    tell_health(c, out);
}

static uint64_t
blob_generation(struct blob *b)
{
    return atomic_load(&cloud_of(b)->generation);
}

/* ---- element.h ---- */

static struct blob *
kind_blob(struct element *e)
{
    return &cloud_self(e)->blob;
}

static const struct uuid *
kind_uuid(const struct element *e)
{
    return &cloud_self(e)->sb->element_uuid;
}

static void
kind_set_mode(struct element *e, enum blob_mode mode)
{
    atomic_store(&cloud_self(e)->mode, (int)mode);
}

static void
kind_set_quota(struct element *e, uint64_t quota)
{
    struct cloud *c = cloud_self(e);

    pthread_mutex_lock(&c->pool->mu);
    c->account.quota = quota;
    pthread_mutex_unlock(&c->pool->mu);
}

static const char *
kind_trouble(struct element *e)
{
    struct cloud *c = cloud_self(e);

    return atomic_load(&c->fenced) ? c->trouble : NULL;
}

static void
kind_stats(struct element *e, struct element_stats *out)
{
    struct cloud *c = cloud_self(e);

    *out = (struct element_stats){
        .reads = atomic_load(&c->n_reads),
        .corrupt = atomic_load(&c->n_corrupt),
        .refused = atomic_load(&c->n_refused),
    };
    pthread_mutex_lock(&c->mu);
    out->batches = c->count.batches;
    out->published = c->count.published;
    out->deleted = c->count.deleted;
    out->expired = c->count.expired;
    out->failed = c->count.failed;
    out->queued = c->queued;
    out->tickets = c->tickets.n;
    out->tombs = c->tombs.map.n;
    pthread_mutex_unlock(&c->mu);
}

struct changes_upto {
    uint64_t upto;
    index_change_fn *fn;
    void *arg;
};

static bool
see_change(void *arg, const struct index_change *c)
{
    struct changes_upto *u = arg;

    return c->seq <= u->upto && u->fn(u->arg, c);
}

static enum err
kind_changes(struct element *e, uint64_t since, size_t max, index_change_fn *fn,
             void *arg, struct fault *f)
{
    struct cloud *c = cloud_self(e);
    struct changes_upto u = {.fn = fn, .arg = arg};

    pthread_mutex_lock(&c->mu);
    u.upto = c->done_seq;
    pthread_mutex_unlock(&c->mu);
    return c->index->ops->changes(c->index, since, max, see_change, &u, f);
}

static enum err
kind_log(struct element *e, uint64_t *first, uint64_t *last, struct fault *f)
{
    struct cloud *c = cloud_self(e);
    struct index_totals t;
    enum err err;

    pthread_mutex_lock(&c->mu);
    *last = c->done_seq;
    pthread_mutex_unlock(&c->mu);
    err = c->index->ops->totals(c->index, &t, f);
    *first = err == ERR_OK ? t.first_seq : 0;
    return err;
}

static void
kind_close(struct element *e)
{
    struct cloud *c = cloud_self(e);

    pthread_mutex_lock(&c->mu);
    assert(c->queued == 0 && c->pending.n == 0 && c->tickets.n == 0);
    pthread_mutex_unlock(&c->mu);
    assert(atomic_load(&c->n_open) == 0);
    /* A store that is away would keep us until the last repetition of each
     * request: the next start recovers what is left. */
    if (c->opened && !atomic_load(&c->fenced) && !atomic_load(&c->away)) {
        cloud_sweep_strays(c);
        cloud_pay_all(c);
        (void)cloud_clean_point(c, true, NULL);
    }
    cloud_free(c);
}

static const struct element_kind cloud_kind = {
    .blob = kind_blob,
    .uuid = kind_uuid,
    .serve = cloud_serve,
    .start = cloud_start,
    .stop = cloud_stop,
    .close = kind_close,
    .set_mode = kind_set_mode,
    .set_quota = kind_set_quota,
    .trouble = kind_trouble,
    .stats = kind_stats,
    .give_up = cloud_give_up,
    .changes = kind_changes,
    .log = kind_log,
    .verify = cloud_verify,
};

static const struct blob_ops ops = {
    .admit = cloud_admit,
    .append = cloud_append,
    .publish = cloud_publish,
    .put = cloud_put_blob,
    .abort = cloud_abort,
    .open = cloud_open_blob,
    .info = cloud_info,
    .read = cloud_read,
    .close = cloud_close_reader,
    .del = cloud_del_blob,
    .list = cloud_list,
    .capacity = blob_capacity,
    .generation = blob_generation,
};

/* ---- birth ---- */

struct cloud *
cloud_new(const struct element_conf *conf, const struct cloud_conf *cc)
{
    static const struct hash_cpu portable;
    struct cloud *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->kind = &cloud_kind;
    c->blob.ops = &ops;
    c->conf = *conf;
    c->cc = *cc;
    c->cc.part_size = cc->part_size ? cc->part_size : CLOUD_PART_LEAST;
    c->hash = conf->hash ? conf->hash : hash_select(&portable, "c");
    c->account.quota = conf->quota;
    atomic_init(&c->mode, (int)conf->mode);
    atomic_init(&c->now_ms, conf->now.ms);
    atomic_init(&c->limit, cc->limit);
    pthread_mutex_init(&c->sb_mu, NULL);
    pthread_mutex_init(&c->mu, NULL);
    list_init(&c->order);
    list_init(&c->ready);
    cloud_memory_init(&c->memory, cc->memory ? cc->memory : MEMORY_DEFAULT,
                      c->cc.part_size);
    c->sb = calloc(1, sizeof(*c->sb));
    c->debt = calloc(CLOUD_DEBTS_MAX, sizeof(*c->debt));
    c->unsettled = calloc(UNSETTLED_MAX, sizeof(*c->unsettled));
    c->changes = calloc(UNSETTLED_MAX + CLOUD_BATCH, sizeof(*c->changes));
    if (!c->sb || !c->debt || !c->unsettled || !c->changes ||
        !tombs_init(&c->tombs, TOMBS_MAX, conf->seed) ||
        !map_init(&c->pending, CLOUD_ITEMS_MAX, conf->seed) ||
        !map_init(&c->tickets, TICKETS_MAX, conf->seed) || !cloud_tick_new(c)) {
        cloud_free(c);
        return NULL;
    }
    return c;
}

void
cloud_free(struct cloud *c)
{
    cloud_tick_free(c);
    cloud_memory_release(&c->memory);
    tombs_release(&c->tombs);
    map_release(&c->pending);
    map_release(&c->tickets);
    free(c->changes);
    free(c->unsettled);
    free(c->debt);
    free(c->sb);
    pthread_mutex_destroy(&c->sb_mu);
    pthread_mutex_destroy(&c->mu);
    free(c);
}

static void
take_names(struct cloud *c)
{
    const struct element_conf *conf = &c->conf;

    snprintf(c->element_id, sizeof(c->element_id), "%s",
             conf->element_id ? conf->element_id : c->sb->label);
    snprintf(c->blob.element_id, sizeof(c->blob.element_id), "%s",
             c->element_id);
    snprintf(c->location, sizeof(c->location), "%s",
             conf->location ? conf->location : "default");
    snprintf(c->endpoint, sizeof(c->endpoint), "%s",
             conf->endpoint ? conf->endpoint : "");
    counts_init(&c->counts, conf->metrics, conf->clock, c->element_id);
}

static enum err
load_totals(struct cloud *c, struct fault *f)
{
    struct index_totals t;
    enum err err = c->index->ops->totals(c->index, &t, f);

    if (err != ERR_OK)
        return err;
    atomic_store(&c->n_files, t.files);
    atomic_store(&c->n_bytes, t.bytes);
    c->account.stored = t.stored;
    c->next_seq = u64_max(c->next_seq, t.last_seq);
    c->done_seq = c->next_seq;
    cloud_set_limit((struct element *)(void *)c, c->cc.limit);
    return ERR_OK;
}

enum err
cloud_open(struct element **out, const struct element_conf *conf,
           const struct cloud_conf *cc, struct objects *o, struct index *index,
           struct element_pool *pool, struct element_report *report,
           struct fault *f)
{
    struct element_report local = {0};
    struct cloud *c = cloud_new(conf, cc);
    enum blob_mode mode;
    enum err err;

    *out = NULL;
    if (!c)
        return fault_set(f, ERR_NOMEM, "open", "element");
    c->objects = o;
    c->index = index;
    c->pool = pool;
    report = report ? report : &local;
    *report = (struct element_report){0};
    if ((err = cloud_read_superblock(c, f)) == ERR_OK &&
        (err = identity_check(c->sb, conf, &mode, f)) == ERR_OK) {
        atomic_store(&c->mode, (int)mode);
        take_names(c);
        c->next_seq = c->sb->seq;
        err = cloud_load_tombs(c, f);
    }
    if (err == ERR_OK && (err = cloud_recover(c, report, f)) == ERR_OK &&
        (err = load_totals(c, f)) == ERR_OK &&
        (err = cloud_sweep_uploads(c, f)) == ERR_OK)
        err = cloud_take_over(c, f); /* last: after it a failure is unclean */
    if (err != ERR_OK) {
        (void)fault_in(f, o->place);
        cloud_free(c);
        return err;
    }
    *out = (struct element *)(void *)c;
    return ERR_OK;
}
