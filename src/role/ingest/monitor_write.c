/* monitor_write.c - what is written to the store, and under which guard.
 *
 *   capacity:{id}            hash, CACHE_TTL    what the element said (CAP-044)
 *   health:{id}              text, HEALTH_TTL   "healthy", "unhealthy: why"
 *   capacity:edit:available  sorted sets,       id and priority of those that
 *   capacity:rw:available    CACHE_TTL          may be chosen (CAP-048)
 *   capacity:all:changed     sorted set, the    ids, the one written last last
 *                            same               (monitor_changed.c)
 *
 * All that concerns one element changes at once or not at all, and only while
 * the lock is ours under our epoch; a refusal means that it is not, and ends
 * our leading at once. A lazy update is guarded in the same way by a lease of
 * the element's own, which is also what lets only one gateway do it in 5 s
 * (CAP-070). SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdio.h>
#include <stdlib.h>

#define LAZY_LOCK "capacity_monitor:lazy:"

void
lazy_key(char out[COORD_KEY_MAX + 1], const char *id)
{
    (void)snprintf(out, COORD_KEY_MAX + 1, LAZY_LOCK "%s", id);
}

/* ---- what is true of an element ---- */

bool
mon_is_full(const struct monitor *m, const struct capacity *c)
{
    const struct ledger_fill fill = {.total = c->total,
                                     .used = c->used,
                                     .inodes_total = c->inodes_total,
                                     .inodes_used =
                                         c->inodes_total - c->inodes_available};

    if (c->status >= 0)
        return c->status == SELECT_FULL;
    return ledger_judge(&m->conf.marks, LEDGER_OK, &fill) == LEDGER_FULL;
}

/* CAP-051. */
static void
place_of(const struct monitor *m, const struct mon_element *e,
         const struct capacity *c, bool in[2])
{
    bool may = c->health != CAPACITY_UNHEALTHY && !mon_is_full(m, c);
    int mode = mon_element_mode(e, c->mode);

    in[0] = may && mode == SELECT_EDIT;
    in[1] = may && mode == SELECT_RW;
}

/* ---- sending ---- */

static struct mon_write *
write_new(struct monitor *m, const char *id)
{
    struct mon_write *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->m = m;
    (void)slice_copy(slice_str(id), w->id, sizeof(w->id));
    (void)snprintf(w->key[0], sizeof(w->key[0]), "capacity:%s", id);
    (void)snprintf(w->key[1], sizeof(w->key[1]), "health:%s", id);
    return w;
}

static void
add(struct mon_write *w, struct coord_write one)
{
    assert(w->r.n < countof(w->w));
    w->w[w->r.n++] = one;
}

static void
add_hash(struct mon_write *w)
{
    capacity_write_fields(&w->cap, &w->fields);
    for (size_t i = 0; i < w->fields.n; i++)
        w->pair[i] = (struct coord_pair){.name = w->fields.f[i].name,
                                         .value = w->fields.f[i].value};
    add(w, (struct coord_write){.op = COORD_HASH_PUT,
                                .key = w->key[0],
                                .pairs = w->pair,
                                .n = (unsigned)w->fields.n,
                                .ttl = w->m->conf.cache_ttl});
    add(w, (struct coord_write){.op = COORD_ZSET_RAISE,
                                .key = KEY_CHANGED,
                                .member = w->id,
                                .score = i64_max(w->m->loop->wall.ms, 1),
                                .ttl = w->m->conf.cache_ttl});
}

/* CAP-047 has two words; what else an element says of itself is in its hash. */
static void
add_health(struct mon_write *w, const struct capacity *c)
{
    bool sick = c->health == CAPACITY_UNHEALTHY;

    if (sick)
        (void)capacity_health_text(c, w->health, sizeof(w->health));
    else
        (void)slice_copy(SLICE("healthy"), w->health, sizeof(w->health));
    add(w, (struct coord_write){.op = COORD_TEXT_PUT,
                                .key = w->key[1],
                                .value = slice_str(w->health),
                                .ttl = w->m->conf.health_ttl});
}

static void
add_sets(struct mon_write *w)
{
    static const char *const key[2] = {KEY_EDIT, KEY_RW};

    w->sets = true;
    for (unsigned i = 0; i < 2; i++)
        add(w, (struct coord_write){.op = w->in[i] ? COORD_ZSET_PUT
                                                   : COORD_ZSET_DEL,
                                    .key = key[i],
                                    .member = w->id,
                                    .score = w->score,
                                    .ttl = w->m->conf.cache_ttl});
}

/* ---- what became of it ---- */

static void
written(struct mon_write *w)
{
    struct monitor *m = w->m;
    struct mon_element *e = mon_element_find(m, w->id);

    if (e == NULL)
        return;
    if (w->cleans) {
        e->have = false;
        e->in[0] = e->in[1] = false;
        mon_element_settle(m, e);
        view_polled(m);
        return;
    }
    if (w->has_cap) {
        mon_element_learn(m, e, &w->cap);
        mon_element_show(e);
    }
    for (unsigned i = 0; w->sets && i < 2; i++) {
        e->in[i] = w->in[i];
        e->score[i] = w->score;
    }
    view_polled(m);
}

static void
write_done(struct coord_request *r)
{
    struct mon_write *w = container_of(r, struct mon_write, r);
    struct monitor *m = w->m;

    store_seen(m, r);
    if (r->err == ERR_OK) {
        written(w);
        if (w->cleans)
            log_debug(m->conf.log, "Cleared cache for removed SE",
                      F_STR("se_id", w->id));
    } else if (r->err == ERR_CONFLICT) {
        if (!w->lazy)
            lease_refused(m, w->guard.epoch);
    } else if (w->cleans) {
        log_warning(m->conf.log, "Failed to clear cache for removed SE",
                    F_STR("se_id", w->id), F_FAULT(&r->fault));
    } else {
        round_doubt(m);
    }
    free(w);
    monitor_ended(m);
}

static void
submit(struct mon_write *w)
{
    w->guard.owner = w->owner;
    w->guard.key = w->guard_key;
    w->r.loop = w->m->loop;
    w->r.done = write_done;
    w->r.op = COORD_ALL;
    w->r.writes = w->w;
    w->r.guard = &w->guard;
    monitor_began(w->m);
    coord_submit(w->m->conf.coord, &w->r);
}

/* As the leader, with a fresh look at the clock; else it is dropped. */
static void
submit_leading(struct mon_write *w)
{
    struct monitor *m = w->m;

    if (!m->know_store ||
        !lease_may_write(&m->lease, monitor_now(m), &w->guard.epoch)) {
        free(w);
        return;
    }
    (void)slice_copy(slice_str(m->instance), w->owner, sizeof(w->owner));
    (void)slice_copy(SLICE(MONITOR_LOCK), w->guard_key, sizeof(w->guard_key));
    submit(w);
}

/* ---- the four changes ---- */

/* What the poller thinks goes before what the element says of itself. */
static void
judge_health(struct capacity *c, enum poll_health health, const char *why)
{
    if (health == POLL_HEALTHY)
        return;
    c->health = CAPACITY_UNHEALTHY;
    (void)slice_copy(slice_str(why), c->reason, sizeof(c->reason));
}

void
write_poll(struct monitor *m, struct mon_element *e, const struct capacity *cap,
           const struct poll_out *out, enum poll_health health)
{
    struct mon_write *w = write_new(m, e->id);

    if (w == NULL)
        return;
    w->score = e->priority;
    if (cap || e->have) {
        w->cap = cap ? *cap : e->cap;
        w->has_cap = true;
        (void)slice_copy(slice_str(e->endpoint), w->cap.endpoint,
                         sizeof(w->cap.endpoint));
    }
    judge_health(&w->cap, health, cap ? "recovering" : poll_reason(out));
    place_of(m, e, &w->cap, w->in);
    if (w->has_cap)
        add_hash(w);
    add_health(w, &w->cap);
    add_sets(w);
    submit_leading(w);
}

/* Out of the sets when it is full; into them only the leader puts, who alone
 * knows whether it is healthy. */
void
write_lazy(struct monitor *m, struct mon_element *e, const struct capacity *cap,
           const char *owner, uint64_t epoch)
{
    struct mon_write *w = write_new(m, e->id);
    bool may[2];

    if (w == NULL)
        return;
    w->lazy = true;
    w->cap = *cap;
    w->has_cap = true;
    w->score = e->priority;
    (void)slice_copy(slice_str(e->endpoint), w->cap.endpoint,
                     sizeof(w->cap.endpoint));
    if (e->have && e->cap.health == CAPACITY_UNHEALTHY)
        judge_health(&w->cap, POLL_UNHEALTHY, e->cap.reason);
    place_of(m, e, &w->cap, may);
    for (unsigned i = 0; i < 2; i++)
        w->in[i] = may[i] && e->in[i];
    add_hash(w);
    if ((e->in[0] && !w->in[0]) || (e->in[1] && !w->in[1]))
        add_sets(w);
    (void)slice_copy(slice_str(owner), w->owner, sizeof(w->owner));
    lazy_key(w->guard_key, e->id);
    w->guard.epoch = epoch;
    submit(w);
}

void
write_place(struct monitor *m, struct mon_element *e)
{
    struct mon_write *w;

    if (!e->in[0] && !e->in[1])
        return;
    w = write_new(m, e->id);
    if (w == NULL)
        return;
    w->score = e->priority;
    /* Of a later mode than before: out, until it is polled. */
    w->in[0] = e->in[0] && e->mode <= SELECT_EDIT;
    w->in[1] = e->in[1] && e->mode <= SELECT_RW;
    add_sets(w);
    submit_leading(w);
}

void
write_clean(struct monitor *m, const char *id)
{
    struct mon_write *w = write_new(m, id);

    if (w == NULL)
        return;
    w->cleans = true;
    add(w, (struct coord_write){.op = COORD_DEL, .key = w->key[0]});
    add(w, (struct coord_write){.op = COORD_DEL, .key = w->key[1]});
    add(w, (struct coord_write){
               .op = COORD_ZSET_DEL, .key = KEY_CHANGED, .member = w->id});
    add_sets(w);
    submit_leading(w);
}
