/* place.c - which element: the selection core over what the elements say.
 *
 * core/select.h decides; here its inputs are gathered, from memory alone
 * (capacity() does no I/O), and its verdicts are told: as the refusal of an
 * upload and as the answer behind `artstore se why`. A gateway that has the
 * elements elsewhere chooses from the monitor's view: place_view.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/ledger.h"
#include "core/select.h"
#include "role/ingest/impl.h"
#include "wire/endpoint.h"
#include "wire/json.h"
#include "wire/query.h"
#include <stdio.h>
#include <string.h>

_Static_assert(BLOB_SIZE_UNKNOWN == SELECT_SIZE_UNKNOWN,
               "the size of a place is handed on as it is");

/* Kept for a file whose length nobody has told (D28). */
#define UNKNOWN_NEED ((uint64_t)64 * MIB)

struct near_view {
    struct registry_element el[REGISTRY_ELEMENTS_MAX];
    struct blob_capacity cap[REGISTRY_ELEMENTS_MAX];
    struct select_element in[REGISTRY_ELEMENTS_MAX];
    struct select_verdict verdict[REGISTRY_ELEMENTS_MAX];
    unsigned n;
};

static enum select_excluded
excluded(const struct place *p, const char *id)
{
    for (unsigned i = 0; i < p->n_excluded; i++)
        if (strcmp(p->excluded[i].element_id, id) == 0)
            return p->excluded[i].room ? SELECT_REFUSED : SELECT_FAILED;
    return SELECT_NOT_EXCLUDED;
}

static void
view_fill(struct ingest *g, const struct place *p, struct near_view *v)
{
    unsigned n =
        registry_elements(g->conf.registry, v->el, REGISTRY_ELEMENTS_MAX);

    v->n = n < REGISTRY_ELEMENTS_MAX ? n : REGISTRY_ELEMENTS_MAX;
    for (unsigned i = 0; i < v->n; i++) {
        struct blob_capacity *c = &v->cap[i];

        v->el[i].blob->ops->capacity(v->el[i].blob, c);
        v->in[i] = (struct select_element){
            .element_id = c->element_id,
            .location = c->location,
            .mode = (enum select_mode)v->el[i].mode,
            .priority = v->el[i].priority,
            .status = (enum select_status)c->status,
            .available = c->available,
            .inodes_total = c->inodes_total,
            .inodes_available = c->inodes_available,
            .unwritable = !c->writable && v->el[i].mode <= BLOB_RW,
            .excluded = excluded(p, c->element_id),
        };
    }
}

static struct select_result
view_select(struct ingest *g, const struct place *p, struct near_view *v)
{
    struct select_request q;

    place_request(g, p, &q);
    return select_run(&q, v->in, v->n, v->verdict);
}

void
place_request(struct ingest *g, const struct place *p, struct select_request *q)
{
    *q = (struct select_request){
        .size = p->size,
        .unknown_need = UNKNOWN_NEED,
        .mode = select_mode_of(p->retention),
        .datacenter = g->conf.datacenter,
        .fill_width = g->conf.fill_width,
        .turn = atomic_fetch_add_explicit(&g->turn, 1, memory_order_relaxed),
    };
}

/* ": 98.31 % of its bytes are used, 3.10 % of its inodes" */
static void
fill_text(const struct blob_capacity *c, char *out, size_t n)
{
    double bytes = (double)c->used * 100 / (double)c->total, inodes = 0;

    if (c->inodes_total)
        inodes =
            100 - (double)c->inodes_available * 100 / (double)c->inodes_total;
    (void)snprintf(out, n,
                   ": %.2f %% of its bytes are used, %.2f %% of its inodes",
                   bytes, inodes);
}

/* Why; of an element that is out of order, in what way (its own word, or that
 * of who polls it), and of a full one, how full. */
static void
reason(struct buf *b, const struct blob_capacity *c,
       const struct select_verdict *v)
{
    char why[200], more[sizeof(c->health)] = "";
    char text[sizeof(why) + sizeof(more)];
    const char *colon = strstr(c->health, ": ");

    (void)select_explain(v, why, sizeof(why));
    if (v->reason == SELECT_UNHEALTHY && colon)
        (void)snprintf(more, sizeof(more), "%s", colon);
    else if (v->reason == SELECT_IS_FULL && c->total)
        fill_text(c, more, sizeof(more));
    (void)snprintf(text, sizeof(text), "%s%s", why, more);
    json_out_str(b, slice_str(text));
}

void
place_verdict(struct buf *b, const struct select_element *e,
              const struct blob_capacity *c, const struct select_verdict *v)
{
    buf_add_str(b, "{\"element_id\":");
    json_out_str(b, slice_str(e->element_id));
    buf_printf(b,
               ",\"mode\":\"%s\",\"priority\":%d,\"status\":\"%s\","
               "\"location\":",
               element_mode_text(e->mode), e->priority,
               element_status_text(e->status));
    json_out_str(b, slice_str(e->location ? e->location : ""));
    buf_printf(b, ",\"health\":\"%s\"",
               e->unreachable  ? "unreachable"
               : e->unwritable ? "unhealthy"
               : e->stale      ? "stale"
                               : "healthy");
    buf_printf(b,
               ",\"total\":%llu,\"used\":%llu,\"available\":%llu,"
               "\"inodes_available\":%llu,\"verdict\":\"%s\",\"rank\":%u,"
               "\"need\":%llu,\"have\":%llu,\"reason\":",
               (unsigned long long)c->total, (unsigned long long)c->used,
               (unsigned long long)e->available,
               (unsigned long long)e->inodes_available,
               select_reason_name(v->reason), v->rank,
               (unsigned long long)v->need, (unsigned long long)v->have);
    reason(b, c, v);
    buf_add_char(b, '}');
}

static void
verdicts_json(struct buf *b, const struct near_view *v)
{
    buf_add_char(b, '[');
    for (unsigned i = 0; i < v->n; i++) {
        if (i)
            buf_add_char(b, ',');
        place_verdict(b, &v->in[i], &v->cap[i], &v->verdict[i]);
    }
    buf_add_char(b, ']');
}

bool
place_too_large(const struct ingest *g, uint64_t size, struct refusal *r)
{
    if (size <= g->conf.file_max)
        return false;
    refuse(r, 413, "file_too_large",
           "The file is larger than MAX_FILE_SIZE_MB allows (%llu MiB)",
           (unsigned long long)(g->conf.file_max / MIB));
    return true;
}

void
place_refuse(const struct place *p, enum select_kind kind, struct refusal *r)
{
    const char *mode = p->retention == RETENTION_PERMANENT ? "rw" : "edit";
    const char *name =
        p->retention == RETENTION_PERMANENT ? "PERMANENT" : "TEMPORARY";

    if (kind == SELECT_ROOM && p->size == BLOB_SIZE_UNKNOWN)
        refuse(r, 507, "insufficient_storage",
               "No storage element of mode %s has the %u MiB that are reserved "
               "for a file of unknown length; send it with Content-Length (a "
               "file, not a pipe) if it is smaller. Details say why for each",
               mode, (unsigned)(UNKNOWN_NEED / MIB));
    else if (kind == SELECT_ROOM)
        refuse(r, 507, "insufficient_storage",
               "No storage element of mode %s has room for this file; details "
               "say why for each. See: artstore se why",
               mode);
    else if (kind == SELECT_NEVER) {
        refuse(r, 503, "no_available_storage",
               "There is no storage element of mode %s, which %s files need",
               mode, name);
        r->for_good = true;
    } else
        refuse(r, 503, "no_available_storage",
               "No storage element of mode %s can take files at the moment; "
               "details say why for each",
               mode);
}

/* All but KEEP are given back. */
static void
view_release(struct near_view *v, int keep)
{
    for (unsigned i = 0; i < v->n; i++)
        if ((int)i != keep)
            blob_drop(&v->el[i].blob);
}

static struct blob *
choose_near(struct ingest *g, const struct place *p, struct refusal *r,
            struct buf *details)
{
    struct near_view v;
    struct select_result res;

    view_fill(g, p, &v);
    res = view_select(g, p, &v);
    view_release(&v, res.chosen);
    if (res.chosen >= 0)
        return v.el[res.chosen].blob;
    place_refuse(p, res.kind, r);
    if (details) {
        buf_clear(details);
        buf_add_str(details, "{\"elements\":");
        verdicts_json(details, &v);
        buf_add_char(details, '}');
        if (details->failed)
            buf_clear(details);
    }
    return NULL;
}

struct blob *
place_choose(struct ingest *g, struct ingest_loop *il, struct place *p,
             struct refusal *r, struct buf *details)
{
    struct mono began = count_selection_begin(&g->counts);
    struct blob *b = g->conf.monitor ? place_far(g, il, p, r, details)
                                     : choose_near(g, p, r, details);

    count_selection(&g->counts, p->retention,
                    b == NULL                                  ? COUNT_NOWHERE
                    : g->conf.monitor && p->from == VIEW_ADMIN ? COUNT_ADMIN
                                                               : COUNT_MONITOR,
                    began);
    return b;
}

uint64_t
place_outgrown(struct ingest *g, uint64_t size, struct mono now)
{
    /* It was refused the step after the last whole one (D28). */
    uint64_t need = ledger_file(align_up(size, LEDGER_STEP)).bytes;

    /* Two at a time may mix: one of them comes again once more. */
    atomic_store(&g->stream_need, u64_max(need, place_stream_need(g, now)));
    atomic_store(&g->stream_until, mono_add(now, STREAM_MEMORY).ns);
    return need;
}

uint64_t
place_stream_need(struct ingest *g, struct mono now)
{
    struct mono until = {atomic_load(&g->stream_until)};

    return mono_before(now, until) ? atomic_load(&g->stream_need) : 0;
}

bool
place_exclude(struct place *p, const char *element_id, bool room)
{
    unsigned i = p->n_excluded;

    if (i == EXCLUDED_MAX)
        return false;
    (void)slice_copy(slice_str(element_id), p->excluded[i].element_id,
                     sizeof(p->excluded[i].element_id));
    p->excluded[i].room = room;
    p->n_excluded++;
    return true;
}

static void
explain_near(struct ingest *g, const struct place *p, struct buf *b)
{
    struct select_result res;
    struct near_view v;

    view_fill(g, p, &v);
    res = view_select(g, p, &v);
    if (res.chosen >= 0)
        json_out_str(b, slice_str(v.cap[res.chosen].element_id));
    else
        buf_add_str(b, "null");
    buf_add_str(b, ",\"elements\":");
    verdicts_json(b, &v);
    view_release(&v, -1);
}

/* GET /api/v1/selection/explain?size=&retention_policy= */
void
selection_explain(struct call *c)
{
    struct ingest *g = c->role;
    struct place p = {.retention = g->conf.retention};
    struct refusal none = {0};
    struct slice query = c->x->head->query;
    enum query_result got;
    char text[64];
    struct buf b;
    size_t n;

    got = query_get(query, SLICE("size"), text, sizeof(text), &n);
    if (got != QUERY_END &&
        (got != QUERY_OK || !slice_u64(slice_of(text, n), &p.size))) {
        reply_error(c, 400, "invalid_size",
                    "size is a number of bytes, without a unit");
        return;
    }
    got = query_get(query, SLICE("retention_policy"), text, sizeof(text), &n);
    if (got != QUERY_END &&
        (got != QUERY_OK ||
         !retention_parse(slice_of(text, n), &p.retention))) {
        reply_error(c, 400, "invalid_retention_policy",
                    "retention_policy is TEMPORARY or PERMANENT");
        return;
    }
    if (place_too_large(g, p.size, &none)) { /* as an upload is told */
        reply_error(c, none.status, none.code, "%s", none.text);
        return;
    }
    /* What JSON readers can hold; larger than any element all the same. */
    p.size = u64_min(p.size, INT64_MAX);
    buf_init(&b, VERDICTS_MAX);
    buf_printf(&b, "{\"size\":%llu,\"retention_policy\":\"%s\",\"choice\":",
               (unsigned long long)p.size,
               p.retention == RETENTION_PERMANENT ? "PERMANENT" : "TEMPORARY");
    if (g->conf.monitor)
        place_far_explain(g, ingest_loop_of(g, c->x->loop), &p, &b);
    else
        explain_near(g, &p, &b);
    buf_add_char(&b, '}');
    reply_json(c, 200, &b);
    buf_release(&b);
}
