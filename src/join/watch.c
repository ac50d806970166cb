/* watch.c - see watch.h. SPDX-License-Identifier: Apache-2.0 */
#include "join/watch.h"
#include "obs/metric.h"
#include "role/common/capacity.h"
#include "wire/capacity.h"
#include "wire/endpoint.h"
#include <stdio.h>
#include <stdlib.h>

#define ELEMENTS_MAX   64
#define TICK           dur_ms(1000)
#define DATABASE_TICKS 5
#define DATABASE_SLOW  dur_ms(1000) /* PRD-175 */
#define STALE          dur_ms(15000)
/* Room for the members around the list, below HEALTH_DETAIL_MAX. */
#define DETAIL_ITEMS_MAX (HEALTH_DETAIL_MAX - 256)

enum {
    BYTES_TOTAL,
    BYTES_USED,
    BYTES_AVAILABLE,
    BYTES_RESERVED,
    BYTES_STORED,
    BYTES_KINDS
};

struct gauges {
    struct series bytes[BYTES_KINDS];
    struct series inodes_total, inodes_available;
    struct series files, status, uploads, queued, healthy;
};

struct watch {
    struct watch_conf conf;
    struct element *element[ELEMENTS_MAX];
    struct gauges gauge[ELEMENTS_MAX];
    int elements_check, database_check, audit_check;
    struct loop *loop;
    struct timer timer;
    unsigned ticks;
    /* the query */
    struct work work;
    bool working;
    struct dur took;
    enum err err;
    struct fault fault;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

static void
capacity_of(struct element *e, struct blob_capacity *out)
{
    struct blob *b = element_blob(e);

    b->ops->capacity(b, out);
}

/* ---- elements ---- */

static bool
in_order(const struct blob_capacity *c)
{
    return capacity_health_parse(slice_str(c->health), NULL) ==
           CAPACITY_HEALTHY;
}

struct tally {
    unsigned healthy, sick, tight;
    unsigned edit, rw; /* that take uploads */
    const struct blob_capacity *worst;
};

static void
tally_add(struct tally *t, const struct blob_capacity *c)
{
    bool sick = !in_order(c);
    bool tight = c->mode <= BLOB_RW && c->status >= BLOB_CRITICAL;

    t->healthy += !sick;
    t->sick += sick;
    t->tight += tight;
    t->edit += c->writable && c->mode == BLOB_EDIT;
    t->rw += c->writable && c->mode == BLOB_RW;
    if (sick || (tight && (!t->worst || (in_order(t->worst) &&
                                         c->status > t->worst->status))))
        t->worst = c;
}

static struct tally
tally_of(const struct blob_capacity *cap, unsigned n)
{
    struct tally t = {0};

    for (unsigned i = 0; i < n; i++)
        tally_add(&t, &cap[i]);
    return t;
}

/* Out of order, and takes nothing; a bucket without a limit does. */
static bool
is_out(const struct blob_capacity *c)
{
    return capacity_health_parse(slice_str(c->health), NULL) ==
           CAPACITY_UNHEALTHY;
}

/* What an operator can do about it: the element back into the list, or out of
 * the registry. */
static void
lost_text(const struct registry_stats *k, char text[WATCH_TEXT])
{
    char more[48] = "";

    if (k->lost > 1)
        snprintf(more, sizeof(more), "; %u more like it", k->lost - 1);
    if (k->lost_files == REGISTRY_UNHEARD)
        snprintf(text, WATCH_TEXT,
                 "%s is not in STORAGE_ELEMENTS, and its files, if it holds "
                 "any, are not in the list of files%s",
                 k->lost_id, more);
    else
        snprintf(text, WATCH_TEXT,
                 "%s is not in STORAGE_ELEMENTS: its %llu file%s cannot be "
                 "read%s",
                 k->lost_id, (unsigned long long)k->lost_files,
                 k->lost_files == 1 ? "" : "s", more);
}

enum health_status
watch_judge(const struct watch_conf *conf, const struct blob_capacity *cap,
            const struct registry_stats *known, char text[WATCH_TEXT])
{
    const bool lost = known && known->lost;
    const unsigned n = conf->n;
    const bool alone = conf->alone;
    struct tally t = tally_of(cap, n);
    const bool served = alone ? !is_out(cap) : t.edit + t.rw > 0;
    const bool lacks_edit = !alone && t.edit == 0;
    const bool lacks_rw = conf->wants_rw && t.rw == 0;

    if (!served && !alone)
        snprintf(text, WATCH_TEXT, "no storage element takes uploads");
    else if (t.sick)
        snprintf(text, WATCH_TEXT, "%s is %.80s", t.worst->element_id,
                 t.worst->health);
    else if (lost)
        lost_text(known, text);
    else if (lacks_edit)
        snprintf(text, WATCH_TEXT, "no element of mode edit takes uploads");
    else if (lacks_rw)
        snprintf(text, WATCH_TEXT,
                 "no element of mode rw takes uploads: PERMANENT files are "
                 "refused");
    else if (t.tight)
        snprintf(text, WATCH_TEXT, "%s is %s: %.2f %% used",
                 t.worst->element_id,
                 t.worst->status == BLOB_FULL ? "full" : "nearly full",
                 capacity_percent(t.worst->used, t.worst->total));
    else
        snprintf(text, WATCH_TEXT, "%u of %u healthy", t.healthy, n);
    if (!served)
        return HEALTH_UNHEALTHY;
    return t.sick || lost || lacks_edit || lacks_rw || t.tight ? HEALTH_DEGRADED
                                                               : HEALTH_HEALTHY;
}

static void
put_item(struct json_writer *w, const struct blob_capacity *c)
{
    json_put_object(w, NULL);
    json_put_text(w, "element_id", c->element_id);
    json_put_text(w, "mode", element_mode_text(c->mode));
    json_put_text(w, "endpoint", c->endpoint);
    json_put_text(w, "status", in_order(c) ? "ok" : "fail");
    json_put_text(w, "health", c->health);
    json_put_text(w, "capacity_status", element_status_text(c->status));
    json_put_double(w, "percent_used", capacity_percent(c->used, c->total));
    json_put_bool(w, "writable", c->writable);
    json_put_u64(w, "latency_ms", 0); /* in this process: no way to it */
    json_end_object(w);
}

/* ING-097. Elements that find no room in the detail are only counted. */
static void
tell_elements(struct watch *w, const struct blob_capacity *cap)
{
    struct tally t = tally_of(cap, w->conf.n);
    struct json_writer j;
    struct buf b;

    buf_init(&b, 2 * HEALTH_DETAIL_MAX);
    json_begin(&j, &b);
    json_put_object(&j, NULL);
    json_put_u64(&j, "total", w->conf.n);
    json_put_u64(&j, "healthy", t.healthy);
    json_put_u64(&j, "edit_storage_count", t.edit);
    json_put_u64(&j, "rw_storage_count", t.rw);
    json_put_list(&j, "items");
    for (unsigned i = 0; i < w->conf.n && b.n < DETAIL_ITEMS_MAX - 768; i++)
        put_item(&j, &cap[i]);
    json_end_list(&j);
    json_end_object(&j);
    (void)health_detail(w->conf.health, w->elements_check, buf_slice(&b));
    buf_release(&b);
}

static void
look_at_elements(struct watch *w)
{
    struct blob_capacity cap[ELEMENTS_MAX];
    struct registry_stats known = {0};
    enum health_status s;
    char text[WATCH_TEXT];

    for (unsigned i = 0; i < w->conf.n; i++)
        capacity_of(w->element[i], &cap[i]);
    if (w->conf.admin)
        registry_stats(w->conf.admin, &known);
    s = watch_judge(&w->conf, cap, &known, text);
    tell_elements(w, cap);
    health_set(w->conf.health, w->elements_check, s, text, (struct dur){0},
               w->loop->now);
}

/* ---- the catalogue ---- */

static struct mono
now_of(const struct watch *w)
{
    return w->conf.clock ? w->conf.clock() : (struct mono){0};
}

static void
query_work(struct work *work)
{
    struct watch *w = container_of(work, struct watch, work);
    struct mono began = now_of(w);
    struct buf b;

    w->fault = (struct fault){0};
    buf_init(&b, 256);
    w->err = w->conf.meta->ops->setting_get(w->conf.meta, "installation_id", &b,
                                            &w->fault);
    buf_release(&b);
    w->took = mono_sub(now_of(w), began);
}

/* Which database, and what it or the way to it has said. */
static const char *
query_text(const struct watch *w, char out[FAULT_TEXT])
{
    if (w->err == ERR_OK)
        return "ok";
    return w->fault.code ? fault_text(&w->fault, out, FAULT_TEXT)
                         : err_text(w->err);
}

static void
query_done(struct loop *l, struct work *work)
{
    struct watch *w = container_of(work, struct watch, work);
    enum health_status s = HEALTH_HEALTHY;
    char why[FAULT_TEXT];
    const char *text = query_text(w, why);

    w->working = false;
    if (w->stopped) {
        w->stopped(w->stopped_arg);
        return;
    }
    if (w->err != ERR_OK) {
        s = HEALTH_UNHEALTHY;
    } else if (w->took.ns >= DATABASE_SLOW.ns) {
        s = HEALTH_DEGRADED;
        text = "a query took more than a second";
    }
    health_set(w->conf.health, w->database_check, s, text, w->took, l->now);
}

/* A query that does not come back leaves its check stale. */
static void
look_at_database(struct watch *w)
{
    if (w->working || w->conf.meta == NULL)
        return;
    w->working = true;
    w->work = (struct work){.work = query_work, .done = query_done};
    loop_work(w->loop, &w->work);
}

/* ---- the audit log ---- */

static void
look_at_audit(struct watch *w)
{
    struct registry_stats s;

    registry_stats(w->conf.admin, &s);
    health_set(w->conf.health, w->audit_check,
               s.audit_broken ? HEALTH_DEGRADED : HEALTH_HEALTHY,
               s.audit_broken ? "the audit log is not the one that was signed: "
                                "artstore audit verify says where"
                              : NULL,
               (struct dur){0}, w->loop->now);
}

/* ---- gauges ---- */

static void
gauges_init(struct watch *w, unsigned i)
{
    static const char *const kind[] = {"total", "used", "available", "reserved",
                                       "stored"};
    const char *id = element_blob(w->element[i])->element_id;
    struct metrics *m = w->conf.metrics;
    struct gauges *g = &w->gauge[i];

    for (unsigned k = 0; k < BYTES_KINDS; k++)
        g->bytes[k] = metric_series(m, M_ELEMENT_BYTES, id, kind[k]);
    g->inodes_total = metric_series(m, M_ELEMENT_INODES, id, "total");
    g->inodes_available = metric_series(m, M_ELEMENT_INODES, id, "available");
    g->files = metric_series(m, M_ELEMENT_FILES, id);
    g->status = metric_series(m, M_ELEMENT_STATUS, id);
    g->uploads = metric_series(m, M_UPLOADS_OPEN, id);
    g->queued = metric_series(m, M_COMMIT_QUEUED, id);
    g->healthy = metric_series(m, M_ELEMENT_HEALTHY, id);
}

static void
gauges_set(struct metrics *m, const struct gauges *g,
           const struct blob_capacity *c, const struct element_stats *s,
           bool trouble)
{
    const uint64_t bytes[BYTES_KINDS] = {c->total, c->used, c->available,
                                         c->reserved, c->bytes};

    for (unsigned k = 0; k < BYTES_KINDS; k++)
        metric_set(m, g->bytes[k], (int64_t)bytes[k]);
    metric_set(m, g->inodes_total, (int64_t)c->inodes_total);
    metric_set(m, g->inodes_available, (int64_t)c->inodes_available);
    metric_set(m, g->files, (int64_t)c->files);
    metric_set(m, g->status, trouble ? 4 : (int64_t)c->status);
    metric_set(m, g->uploads, (int64_t)s->tickets);
    metric_set(m, g->queued, (int64_t)s->queued);
    metric_set(m, g->healthy, !is_out(c));
}

static void
on_scrape(struct metrics *m, void *arg)
{
    struct watch *w = arg;
    struct element_stats sum = {0};
    unsigned open[4] = {0};

    if (w->conf.n == 0)
        return; /* what there is of elements others tell of */
    for (unsigned i = 0; i < w->conf.n; i++) {
        struct blob_capacity c;
        struct element_stats s;

        capacity_of(w->element[i], &c);
        element_stats(w->element[i], &s);
        gauges_set(m, &w->gauge[i], &c, &s,
                   element_trouble(w->element[i]) != NULL);
        open[c.mode] += in_order(&c);
        sum.published += s.published;
        sum.deleted += s.deleted;
        sum.expired += s.expired;
    }
    for (unsigned mode = 0; mode < countof(open); mode++)
        metric_set(m, metric_nth(m, M_ELEMENTS_AVAILABLE, mode), open[mode]);
    metric_set(m, metric_plain(m, M_PUBLISHED), (int64_t)sum.published);
    metric_set(m, metric_nth(m, M_REMOVED, 0), (int64_t)sum.deleted);
    metric_set(m, metric_nth(m, M_REMOVED, 1), (int64_t)sum.expired);
}

/* ---- life ---- */

static void
tick(struct loop *l, struct timer *t)
{
    struct watch *w = container_of(t, struct watch, timer);

    if (w->conf.n)
        look_at_elements(w);
    if (w->conf.admin)
        look_at_audit(w);
    if (w->ticks++ % DATABASE_TICKS == 0)
        look_at_database(w);
    loop_timer(l, t, mono_add(l->now, TICK));
}

void
watch_start(struct watch *w, struct loop *l)
{
    w->loop = l;
    w->timer.fire = tick;
    tick(l, &w->timer);
}

void
watch_stop(struct watch *w, void (*done)(void *arg), void *arg)
{
    if (w->loop)
        loop_timer_stop(w->loop, &w->timer);
    if (!w->working) {
        done(arg);
        return;
    }
    w->stopped_arg = arg;
    w->stopped = done;
}

/* Before loops run: readiness has a word of the catalogue from the start. */
static void
first_query(struct watch *w)
{
    char why[FAULT_TEXT];

    query_work(&w->work);
    health_set(w->conf.health, w->database_check,
               w->err == ERR_OK ? HEALTH_HEALTHY : HEALTH_UNHEALTHY,
               query_text(w, why), w->took, now_of(w));
}

struct watch *
watch_open(const struct watch_conf *conf)
{
    struct watch *w = calloc(1, sizeof(*w));
    char text[32];

    assert(conf->n <= ELEMENTS_MAX);
    if (w == NULL)
        return NULL;
    w->conf = *conf;
    memcpy(w->element, conf->elements, conf->n * sizeof(w->element[0]));
    if (conf->n)
        w->elements_check =
            health_add(conf->health, "storage_elements", true, STALE);
    if (conf->meta)
        w->database_check = health_add(conf->health, "database", true, STALE);
    if (conf->admin)
        w->audit_check = health_add(conf->health, "audit", false, STALE);
    snprintf(text, sizeof(text), "\"%s\"", conf->durability);
    (void)health_extra(conf->health, "durability", slice_str(text));
    /* ING-093, ING-097 */
    (void)health_extra(conf->health, "data_sources",
                       SLICE("{\"primary\": \"polling\", \"fallback\": "
                             "\"admin_module\", \"fallback_chain\": "
                             "[\"POLLING\", \"Admin Module\"]}"));
    for (unsigned i = 0; i < conf->n; i++)
        gauges_init(w, i);
    if (conf->meta)
        first_query(w);
    (void)metrics_on_scrape(conf->metrics, on_scrape, w);
    return w;
}

void
watch_close(struct watch **w)
{
    free(*w);
    *w = NULL;
}
