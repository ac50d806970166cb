/* place_view.c - which element, where they are in other processes: from the
 * monitor's view, and by how they have served this gateway.
 *
 *     what was polled --none--> what Admin says --none--> refused
 *
 * as far as either is at hand: nothing is waited for here. Upload.c asks Admin
 * and comes again (CAP-062...CAP-064, CNF-004).
 *
 * Each loop has its own breakers, beside the part of the view that it used
 * last; another part takes them over by id and address (ING-151).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/common/blob_remote.h"
#include "role/ingest/impl.h"
#include "role/ingest/monitor.h"
#include "wire/json.h"
#include <stdlib.h>

#define TOLD_MAX 256 /* verdicts in one answer */

_Static_assert((int)VIEW_POLLED == (int)COUNT_MONITOR &&
                   (int)VIEW_ADMIN == (int)COUNT_ADMIN,
               "a part of the view is counted under its own number");

/* ---- what this loop knows ---- */

static struct select_live *
live_of(struct ingest_loop *il, const struct view_part *p)
{
    struct select_live *live;

    if (il->part == p)
        return il->live;
    live = calloc(p->snap->n + 1, sizeof(*live));
    if (live == NULL)
        return NULL; /* then nothing is known, and nothing is left alone */
    snapshot_carry(il->part ? il->part->snap : NULL, il->live, p->snap, live);
    place_forget(il);
    il->part = view_part_hold((struct view_part *)(uintptr_t)p);
    il->live = live;
    return live;
}

void
place_forget(struct ingest_loop *il)
{
    view_part_drop(&il->part);
    free(il->live);
    il->live = NULL;
}

/* In the log and metric, and in what is told of B, its element. */
static void
tell_breaker(struct ingest *g, const char *element_id, struct blob *b,
             const struct breaker *k)
{
    const enum breaker_state s = k->state;

    if (b)
        blob_remote_leave_alone(b, s == BREAKER_OPEN ? breaker_deadline(k)
                                                     : (struct mono){0});
    metric_set(g->conf.metrics,
               metric_series(g->conf.metrics, M_BREAKER_STATE, element_id), s);
    log_warning(g->conf.log, "circuit breaker changed",
                F_STR("se_id", element_id),
                F_STR("state", breaker_state_name(s)));
}

void
place_report(struct ingest *g, struct ingest_loop *il, struct place *p,
             const char *element_id, enum breaker_outcome o)
{
    long at = il->part ? snapshot_find(il->part->snap, element_id) : -1;

    if (!p->asked)
        return;
    p->asked = false;
    if (at < 0)
        return;
    if (breaker_report(&il->live[at].breaker, &g->conf.breakers, il->loop->now,
                       p->period, o))
        tell_breaker(g, element_id, il->part->blob[at], &il->live[at].breaker);
}

/* ---- choosing ---- */

struct far {
    const struct view_part *part;
    struct select_request q;
    struct select_out out[EXCLUDED_MAX];
};

/* The part of S, ready to be chosen from. False: there is none. */
static bool
far_of(struct ingest *g, struct ingest_loop *il, const struct place *p,
       enum view_source s, struct far *f)
{
    const struct view *v = monitor_view(g->conf.monitor, il->loop);

    if (v == NULL || (s == VIEW_POLLED && v->polled_off))
        return false;
    f->part = view_part_of(v, s, il->loop->now);
    if (f->part == NULL)
        return false;
    place_request(g, p, &f->q);
    f->q.now = il->loop->now;
    f->q.live = live_of(il, f->part);
    f->q.breakers = &g->conf.breakers;
    for (unsigned i = 0; i < p->n_excluded; i++) {
        long at = snapshot_find(f->part->snap, p->excluded[i].element_id);

        if (at >= 0)
            f->out[f->q.n_out++] = (struct select_out){
                (uint32_t)at,
                p->excluded[i].room ? SELECT_REFUSED : SELECT_FAILED};
    }
    f->q.out = f->out;
    return true;
}

static struct select_result
far_pick(const struct far *f, struct select_verdict *verdict)
{
    const struct snapshot *s = f->part->snap;
    struct select_result r = select_pick(&f->q, s->e, s->order, s->n, verdict);

    /* Who has no good address takes no files: monitor_snapshot.c. */
    assert(r.chosen < 0 || f->part->blob[r.chosen] != NULL);
    return r;
}

/* Before somebody is refused for lack of room, those who should have none are
 * asked themselves: an upload under way when they were polled may have ended
 * since. Asking costs no body and no attempt (D06, D28). */
static struct select_result
far_doubt(const struct far *f, struct place *p, struct select_result r)
{
    const struct snapshot *s = f->part->snap;
    struct select_result other;

    if (r.chosen >= 0 || r.kind != SELECT_ROOM || p->doubts >= DOUBTS_MAX)
        return r;
    other = select_doubted(&f->q, s->e, s->n);
    if (other.chosen < 0)
        return r;
    assert(f->part->blob[other.chosen] != NULL);
    p->doubts++;
    return other;
}

static struct blob *
far_take(struct ingest *g, struct ingest_loop *il, struct place *p,
         const struct far *f, int at)
{
    if (il->part == f->part)
        p->asked = breaker_ask(&il->live[at].breaker, &g->conf.breakers,
                               il->loop->now, &p->period);
    return blob_hold(f->part->blob[at]);
}

/* ---- telling ---- */

static const char *
source_name(enum view_source s)
{
    return s == VIEW_POLLED ? "adaptive_monitor" : "admin_module";
}

/* "choice", "source", "elements"; CHOICE: with it. */
static void
far_json(struct buf *b, const struct far *f, enum view_source s, bool choice)
{
    const struct snapshot *n = f->part->snap;
    struct select_verdict *v = calloc(n->n + 1, sizeof(*v));
    struct blob_capacity cap = {0};
    struct select_result r;

    if (v == NULL)
        return;
    r = far_pick(f, v);
    if (choice && r.chosen >= 0)
        json_out_str(b, slice_str(n->e[r.chosen].element_id));
    else if (choice)
        buf_add_str(b, "null");
    buf_printf(b, "%s\"source\":\"%s\",\"elements\":[", choice ? "," : "",
               source_name(s));
    for (size_t i = 0; i < n->n && i < TOLD_MAX; i++) {
        if (i)
            buf_add_char(b, ',');
        if (f->part->blob[i])
            f->part->blob[i]->ops->capacity(f->part->blob[i], &cap);
        else
            cap = (struct blob_capacity){0};
        place_verdict(b, &n->e[i], &cap, &v[i]);
    }
    buf_add_char(b, ']');
    free(v);
}

static void
refuse_blind(struct ingest *g, struct ingest_loop *il, struct refusal *r)
{
    const struct view *v = monitor_view(g->conf.monitor, il->loop);

    refuse(r, 503, "no_available_storage",
           "Nobody says how full the storage elements are: %.85s; %.85s",
           v && v->why[VIEW_POLLED][0] ? v->why[VIEW_POLLED]
                                       : "nothing was polled yet",
           v && v->why[VIEW_ADMIN][0] ? v->why[VIEW_ADMIN]
                                      : "Admin was not asked yet");
}

struct blob *
place_far(struct ingest *g, struct ingest_loop *il, struct place *p,
          struct refusal *r, struct buf *details)
{
    bool refused = false;

    p->from = VIEW_SOURCES;
    for (unsigned s = 0; s < VIEW_SOURCES; s++) {
        struct far f = {0};
        struct select_result res;

        if (!far_of(g, il, p, (enum view_source)s, &f)) {
            count_source_failed(&g->counts, (enum count_source)s);
            continue;
        }
        res = far_doubt(&f, p, far_pick(&f, NULL));
        if (res.chosen >= 0) {
            p->from = (enum view_source)s;
            return far_take(g, il, p, &f, res.chosen);
        }
        count_source_failed(&g->counts, (enum count_source)s);
        if (refused)
            continue; /* the reasons of the first are told */
        refused = true;
        place_refuse(p, res.kind, r);
        if (details == NULL)
            continue;
        buf_clear(details);
        buf_add_char(details, '{');
        far_json(details, &f, (enum view_source)s, false);
        buf_add_char(details, '}');
        if (details->failed)
            buf_clear(details);
    }
    if (!refused)
        refuse_blind(g, il, r);
    return NULL;
}

bool
place_admin_asks(struct ingest *g, struct ingest_loop *il)
{
    struct far f = {0};
    const struct place p = {0};

    return g->conf.monitor && !far_of(g, il, &p, VIEW_ADMIN, &f);
}

void
place_far_explain(struct ingest *g, struct ingest_loop *il,
                  const struct place *p, struct buf *b)
{
    /* As an upload: by the first that has a place, else the first's reasons. */
    for (int choice = 1; choice >= 0; choice--)
        for (unsigned s = 0; s < VIEW_SOURCES; s++) {
            struct far f = {0};

            if (far_of(g, il, p, (enum view_source)s, &f) &&
                (!choice || far_pick(&f, NULL).chosen >= 0)) {
                far_json(b, &f, (enum view_source)s, true);
                return;
            }
        }
    buf_add_str(b, "null,\"source\":\"none\",\"elements\":[]");
}
