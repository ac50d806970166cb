/* monitor_lazy.c - an upload has found an element otherwise than it was polled:
 * 507, 404, no connection (CAP-068...CAP-072).
 *
 * The list is read again, Admin's answer forgotten, and the element polled
 * once, by one gateway: who gets a lease on it, which lasts LAZY_GAP, is never
 * given back, and guards what is written. The leader polls by its schedule, so
 * that its count of good and failed polls has the result, others for once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdio.h>
#include <stdlib.h>

#define LAZY_GAP  dur_s(5)
#define LAZY_WAIT dur_ms(300)
/* Somebody else polls it just now: when to look at what he found. */
#define LAZY_LOOK dur_ms(250)

struct lazy_ask {
    struct coord_request r;
    struct monitor *m;
    char id[65];
    char key[COORD_KEY_MAX + 1];
    char owner[COORD_KEY_MAX + 1];
};

static void
granted(struct monitor *m, struct lazy_ask *a)
{
    struct mon_element *e = mon_element_find(m, a->id);

    if (e == NULL || m->stopping)
        return;
    if (e->slot != POLL_NO_SLOT && lease_may_begin(&m->lease, monitor_now(m)))
        poll_soon(&m->poll, e->slot, m->loop->now);
    else
        poll_once(m, e, a->owner, a->r.epoch);
}

static void
taken(struct coord_request *r)
{
    struct lazy_ask *a = container_of(r, struct lazy_ask, r);
    struct monitor *m = a->m;

    store_seen(m, r);
    if (r->err == ERR_OK)
        granted(m, a);
    else if (r->err == ERR_BUSY && !m->round.busy)
        m->round.next = mono_add(m->loop->now, LAZY_LOOK);
    else if (r->err == ERR_BUSY)
        round_soon(m);
    else
        round_doubt(m);
    free(a);
    monitor_ended(m);
}

static void
take(struct monitor *m, struct mon_element *e)
{
    struct lazy_ask *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return;
    e->lazy_until = mono_add(m->loop->now, LAZY_GAP);
    a->m = m;
    memcpy(a->id, e->id, sizeof(a->id));
    lazy_key(a->key, e->id);
    /* Another owner each time, or the same gateway would get it again. */
    (void)snprintf(a->owner, sizeof(a->owner), "%.200s/%llu", m->instance,
                   (unsigned long long)++m->lazy_n);
    a->r = (struct coord_request){.loop = m->loop,
                                  .done = taken,
                                  .op = COORD_LEASE_TAKE,
                                  .key = a->key,
                                  .owner = a->owner,
                                  .ttl = LAZY_GAP,
                                  .wait = LAZY_WAIT};
    monitor_began(m);
    coord_submit(m->conf.coord, &a->r);
}

void
lazy_run(struct monitor *m, const struct mon_trouble *t)
{
    struct mon_element *e = mon_element_find(m, t->id);

    log_info(m->conf.log, "Triggering SE config reload",
             F_STR("event", "lazy reload"), F_STR("se_id", t->id),
             F_STR("reason", reload_reason_name(t->reason)),
             F_STR("triggered_by", "upload_service"));
    count_lazy(m, t->id, t->reason);
    reload_event(m, (struct reload_event){.type = RELOAD_EV_TRIGGER,
                                          .now = m->loop->now,
                                          .reason = t->reason,
                                          .element_id = t->id});
    admin_forget(m);
    if (e && m->conf.coord && mono_reached(m->loop->now, e->lazy_until))
        take(m, e);
}
