/* monitor_lease.c - who leads: core/lease.h over the coordination store.
 *
 * Before the first take the store is asked for something that costs nothing:
 * its answer says which life of which store it is, and the core must know that
 * before it believes any other (D32).
 *
 * The core gives a request up before the driver does; what comes then is known
 * by its number. So each has memory of its own, and two can be under way.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdlib.h>

struct lease_ask {
    struct coord_request r;
    struct monitor *m;
    uint64_t ask;
    struct buf out; /* of a probe; stays empty */
};

static void step(struct monitor *m, struct lease_event *ev);

static struct lease_ask *
lease_ask_new(struct monitor *m, enum coord_op op,
              void (*done)(struct coord_request *r))
{
    struct lease_ask *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->m = m;
    a->r = (struct coord_request){.loop = m->loop,
                                  .done = done,
                                  .op = op,
                                  .key = MONITOR_LOCK,
                                  .owner = m->instance,
                                  .wait = m->conf.lease.patience};
    return a;
}

static void
lease_send(struct lease_ask *a)
{
    monitor_began(a->m);
    coord_submit(a->m->conf.coord, &a->r);
}

/* ---- answers ---- */

static enum lease_result
result_of(const struct coord_request *r)
{
    switch (r->err) {
    case ERR_OK:
        return LEASE_OK;
    case ERR_BUSY:
        return LEASE_BUSY;
    case ERR_CONFLICT:
        return LEASE_CONFLICT;
    default:
        return r->unsent ? LEASE_FAILED : LEASE_UNKNOWN;
    }
}

static void
asked_done(struct coord_request *r)
{
    struct lease_ask *a = container_of(r, struct lease_ask, r);
    struct monitor *m = a->m;
    struct lease_event ev = {.type = LEASE_EV_ANSWER,
                             .now = m->loop->now,
                             .ask = a->ask,
                             .result = result_of(r),
                             .epoch = r->err == ERR_OK ? r->epoch : 0,
                             .left = r->left};

    store_seen(m, r);
    step(m, &ev);
    if (r->fault.code && ev.result != LEASE_CONFLICT)
        log_warning(m->conf.log, "leader lock: the store does not answer",
                    F_FAULT(&r->fault), F_STR("instance_id", m->instance));
    free(a);
    monitor_ended(m);
}

static void
told_done(struct coord_request *r)
{
    struct lease_ask *a = container_of(r, struct lease_ask, r);
    struct monitor *m = a->m;

    free(a);
    monitor_ended(m);
}

/* So that somebody else leads at once, not when he looks next. */
static void
announce(struct monitor *m)
{
    struct lease_ask *a = lease_ask_new(m, COORD_PUBLISH, told_done);

    if (a == NULL)
        return;
    a->r.key = MONITOR_RELEASED;
    a->r.value = slice_str(m->instance);
    lease_send(a);
}

/* ---- what the core says ---- */

static void
became_leader(struct monitor *m, uint64_t epoch)
{
    count_leads(m, true);
    log_info(m->conf.log, "leadership acquired",
             F_STR("instance_id", m->instance), F_STR("role", "leader"),
             F_U64("epoch", epoch));
    if (m->conf.acquired)
        m->conf.acquired(m->conf.acquired_arg, epoch);
    for (size_t i = 0; i <= m->elements.mask; i++)
        for (struct map_item *it = m->elements.slot[i]; it; it = it->next) {
            struct mon_element *e = container_of(it, struct mon_element, item);

            if (e->slot != POLL_NO_SLOT && e->have)
                poll_health_set(&m->poll, e->slot,
                                e->cap.health == CAPACITY_UNHEALTHY
                                    ? POLL_UNHEALTHY
                                    : POLL_HEALTHY);
        }
    poll_lead(&m->poll, m->loop->now);
    round_soon(m); /* what others left behind is cleaned up */
}

static void
left_off(struct monitor *m, const struct lease_out *out)
{
    count_leads(m, false);
    poll_rest(&m->poll);
    polls_cancel(m);
    if (out->change == LEASE_RELEASED)
        log_info(m->conf.log, "leadership released",
                 F_STR("instance_id", m->instance), F_STR("role", "follower"),
                 F_U64("epoch", out->changed_epoch));
    else
        log_info(m->conf.log, "leadership lost",
                 F_STR("instance_id", m->instance), F_STR("role", "follower"),
                 F_U64("epoch", out->changed_epoch),
                 F_STR("reason", lease_why_text(out->why)));
}

static void
send_asked(struct monitor *m, const struct lease_out *out)
{
    static const enum coord_op op[] = {
        [LEASE_TAKE] = COORD_LEASE_TAKE,
        [LEASE_RENEW] = COORD_LEASE_RENEW,
        [LEASE_FREE] = COORD_LEASE_FREE,
    };
    struct lease_ask *a = lease_ask_new(m, op[out->action], asked_done);

    if (a == NULL) {
        struct lease_event ev = {.type = LEASE_EV_ANSWER,
                                 .now = m->loop->now,
                                 .ask = out->ask,
                                 .result = LEASE_FAILED};

        step(m, &ev);
        return;
    }
    a->ask = out->ask;
    a->r.ttl = m->conf.lease.ttl;
    a->r.epoch = out->epoch;
    a->r.floor = out->floor;
    lease_send(a);
}

static void
step(struct monitor *m, struct lease_event *ev)
{
    struct lease_out out;

    lease_step(&m->lease, ev, &out);
    count_lease(m, &out);
    if (out.change == LEASE_ACQUIRED)
        became_leader(m, out.changed_epoch);
    else if (out.change == LEASE_LOST || out.change == LEASE_RELEASED)
        left_off(m, &out);
    if (out.label == LEASE_L_RELEASED)
        announce(m);
    if (out.action != LEASE_NONE)
        send_asked(m, &out);
}

/* ---- the store ---- */

void
store_seen(struct monitor *m, const struct coord_request *r)
{
    struct lease_event ev = {.type = LEASE_EV_STORE,
                             .now = m->loop->now,
                             .store = r->life,
                             .doubt = m->conf.doubt && m->conf.floor == 0};

    if (r->life == 0 || (m->know_store && m->life == r->life))
        return;
    if (m->know_store)
        log_warning(m->conf.log,
                    "the coordination store is another one, or began anew",
                    F_STR("instance_id", m->instance),
                    F_STR("role", lease_role(&m->lease)));
    m->know_store = true;
    m->life = r->life;
    step(m, &ev);
    round_soon(m);
}

void
lease_refused(struct monitor *m, uint64_t epoch)
{
    struct lease_event ev = {
        .type = LEASE_EV_REFUSED, .now = m->loop->now, .epoch = epoch};

    step(m, &ev);
}

static void
probed(struct coord_request *r)
{
    struct lease_ask *a = container_of(r, struct lease_ask, r);
    struct monitor *m = a->m;

    m->probing = false;
    m->probe_at = mono_add(m->loop->now, m->conf.lease.retry);
    store_seen(m, r);
    if (!m->know_store) {
        const struct lease_out out = {.label = LEASE_L_ERROR,
                                      .took = m->conf.lease.patience};

        count_lease(m, &out);
        log_warning(m->conf.log, "leader lock: the store does not answer",
                    F_FAULT(&r->fault), F_STR("instance_id", m->instance));
    }
    free(a);
    monitor_ended(m);
}

static void
probe(struct monitor *m)
{
    struct lease_ask *a;

    if (m->probing || !mono_reached(m->loop->now, m->probe_at))
        return;
    a = lease_ask_new(m, COORD_ZSET_RANGE, probed);
    if (a == NULL) {
        m->probe_at = mono_add(m->loop->now, m->conf.lease.retry);
        return;
    }
    m->probing = true;
    a->r.key = KEY_RW;
    a->r.out = &a->out;
    lease_send(a);
}

static void
heard(struct coord_sub *s, struct slice msg)
{
    struct monitor *m = container_of(s, struct monitor, released);
    struct lease_event ev = {.type = LEASE_EV_HINT, .now = m->loop->now};

    (void)msg;
    if (m->know_store)
        step(m, &ev);
    monitor_turn(m);
}

/* ---- for the turn ---- */

void
lease_open(struct monitor *m)
{
    if (m->conf.coord == NULL)
        return;
    lease_init(&m->lease, &m->conf.lease, m->conf.seed, m->conf.floor,
               m->loop->now);
    m->probe_at = m->loop->now;
    m->released = (struct coord_sub){
        .loop = m->loop, .channel = MONITOR_RELEASED, .message = heard};
    /* Without it an orderly hand-over takes a renewal interval (CAP-023). */
    m->hears = coord_subscribe(m->conf.coord, &m->released) == ERR_OK;
}

void
lease_drive(struct monitor *m)
{
    struct lease_event ev = {.type = LEASE_EV_TIME, .now = m->loop->now};

    if (m->conf.coord == NULL)
        return;
    if (!m->know_store) {
        if (!m->stopping)
            probe(m);
        return;
    }
    while (mono_reached(m->loop->now, lease_deadline(&m->lease)))
        step(m, &ev);
}

struct mono
lease_due(const struct monitor *m)
{
    if (m->conf.coord == NULL)
        return MONO_NEVER;
    if (!m->know_store)
        return m->probing || m->stopping ? MONO_NEVER : m->probe_at;
    return lease_deadline(&m->lease);
}

void
lease_end(struct monitor *m)
{
    struct lease_event ev = {.type = LEASE_EV_STOP, .now = m->loop->now};

    if (m->conf.coord == NULL)
        return;
    if (m->hears)
        coord_unsubscribe(m->conf.coord, &m->released);
    m->hears = false;
    if (m->know_store)
        step(m, &ev);
}

bool
lease_over(const struct monitor *m)
{
    return m->conf.coord == NULL || !m->know_store ||
           m->lease.state == LEASE_STOPPED;
}
