/* monitor_changed.c - the part of a round that reads what has changed.
 *
 * Whoever writes capacity:{id} raises the id in the sorted set KEY_CHANGED, in
 * the same write. So a reader asks for the hashes of those above the highest
 * score that it has seen, BATCH in one answer, instead of asking for each
 * element: a hundred gateways at ten thousand elements ask the store 2,000
 * times a second less than one of them would have to.
 *
 * What a log cannot tell is asked for in another way: SINCE is 0, for all of
 * it, at first, when the store is another one, when its highest score is below
 * what was seen, and every FULL_EVERY, for whatever else may have gone wrong;
 * such a round also reads the hash of each element that the log did not name
 * (somebody else may have written it). An element that is new in our list may
 * have been told of before, and is asked for by itself, once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdlib.h>

#define BATCH      100u
#define BATCH_SURE 16u /* fits, whatever the hashes are */
#define PAIRS      (BATCH * 64u)
#define BYTES      ((size_t)64 * MIB)
#define FULL_EVERY dur_s(300)

static void changed_done(struct coord_request *r);

static void
ask(struct monitor *m)
{
    struct mon_round *o = &m->round;

    buf_clear(&o->text[2]);
    o->began = monitor_now(m);
    o->changed = (struct coord_request){.loop = m->loop,
                                        .done = changed_done,
                                        .op = COORD_CHANGED,
                                        .key = KEY_CHANGED,
                                        .member = "capacity:",
                                        .score = o->since,
                                        .amount = o->batch,
                                        .pairs = o->changes,
                                        .cap = PAIRS,
                                        .out = &o->text[2],
                                        .priv = m};
    o->waiting++;
    monitor_began(m);
    coord_submit(m->conf.coord, &o->changed);
}

bool
changed_begin(struct monitor *m)
{
    struct mon_round *o = &m->round;

    o->changes = malloc(sizeof(o->changes[0]) * PAIRS);
    if (o->changes == NULL)
        return false;
    buf_init(&o->text[2], BYTES);
    if (o->full_next || o->life != m->life ||
        mono_reached(m->loop->now, o->full_at))
        o->since = 0;
    o->full_next = false;
    o->life = m->life;
    o->full = o->since == 0;
    o->batch = BATCH;
    ask(m);
    return true;
}

void
changed_end(struct monitor *m)
{
    struct mon_round *o = &m->round;

    free(o->changes);
    o->changes = NULL;
    buf_release(&o->text[2]);
    if (o->failed)
        o->since = 0;
    else if (o->full)
        o->full_at = mono_add(m->loop->now, FULL_EVERY);
}

/* One member with its N fields. */
static void
told(struct monitor *m, const struct coord_pair *p, unsigned n)
{
    struct mon_element *e = NULL;
    char id[65];

    m->round.since = p->score;
    if (slice_copy(p->name, id, sizeof(id)))
        e = mon_element_find(m, id);
    if (e == NULL)
        return; /* it is read when we learn of it */
    e->told = m->round.number;
    e->fresh = false;
    round_took(m, e, p + 1, n, mono_sub(monitor_now(m), m->round.began));
}

static unsigned
told_all(struct monitor *m, const struct coord_request *r)
{
    unsigned members = 0, n;

    for (unsigned i = 0; i < r->n; i += n + 1, members++) {
        for (n = 0; i + 1 + n < r->n && r->pairs[i + 1 + n].score == 0;)
            n++;
        told(m, &r->pairs[i], n);
    }
    return members;
}

static void
changed_done(struct coord_request *r)
{
    struct monitor *m = r->priv;
    struct mon_round *o = &m->round;

    o->waiting--;
    store_seen(m, r);
    o->logged = r->err == ERR_OK && r->number; /* R is asked again below */
    if (r->err == ERR_TOOBIG && o->batch > BATCH_SURE) {
        o->batch = BATCH_SURE;
        ask(m);
    } else if (r->err == ERR_INVAL || r->err == ERR_TOOBIG) {
        o->full = true; /* somebody's else: as if there were no log */
        o->since = 0;
    } else if (r->err != ERR_OK) {
        round_failed(m, r);
    } else if (r->number < (uint64_t)o->since) {
        o->full = true;
        o->since = 0;
        if (r->number)
            ask(m);
    } else if (told_all(m, r) == o->batch && !m->stopping) {
        ask(m);
    }
    if (o->waiting == 0)
        round_log_over(m);
    monitor_ended(m);
}
