/* monitor_read.c - rounds: what the store has of all elements, read off the
 * path of any request (CAP-056).
 *
 *   both sets --> who is in them; elements that our list lacks are taken along
 *   the log ----> the hashes that have changed (monitor_changed.c)
 *   then the hash of each element that needs it, MONITOR_READS at a time
 *   then, if nothing has failed, the view is made anew
 *
 * A round that fails says that the store is lost, and what was polled is used
 * no more; the next one follows in a second, and the first that succeeds brings
 * it back. An element that is new in the list is polled by the leader at once
 * (CAP-039), so rounds follow each other for a moment until its numbers are
 * there. Else rounds come in intervals that grow with the number of elements,
 * at most 2,000 of them a second, so that a hundred gateways do not keep the
 * store busy; or 500, where nobody keeps the log. A write that fails asks for
 * one that finds out whether the store is lost: RETRY after the last began, or
 * a store that only reads would be read for each write.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdio.h>
#include <stdlib.h>

#define PER_ELEMENT ((struct dur){500000})
#define PER_HASH    dur_ms(2)
#define RETRY       dur_s(1)
#define EAGER       dur_ms(5)
#define EAGER_FOR   dur_ms(300)
#define EAGER_MOST  dur_s(3) /* while something has no numbers */
#define SET_MAX     65536u

static void read_more(struct monitor *m);

/* ---- the store comes and goes ---- */

void
store_failed(struct monitor *m, const struct fault *f)
{
    m->store_fault = *f;
    if (m->store_ok || !m->store_told)
        log_warning(m->conf.log,
                    "the coordination store does not answer; elements are "
                    "chosen by Admin's list",
                    F_FAULT(f), F_STR("instance_id", m->instance),
                    F_TYPE("redis"));
    m->store_told = true;
    m->store_ok = false;
    view_forget(m, VIEW_POLLED);
}

static void
store_works(struct monitor *m)
{
    if (!m->store_ok && m->store_told)
        log_info(m->conf.log, "the coordination store answers again",
                 F_STR("instance_id", m->instance));
    if (!m->store_ok)
        m->polled = m->loop->now; /* nobody could lead */
    m->store_ok = true;
    m->store_told = false;
}

/* ---- the end of a round ---- */

/* Members without a hash: it has expired (CAP-053). Elements in no list of
 * ours, who lead and poll: somebody else's list is the older one. */
static void
sweep(struct monitor *m, struct mon_element *e)
{
    bool in = e->in[0] || e->in[1];

    if (lease_may_write(&m->lease, m->loop->now, NULL) && m->list && in &&
        (!e->listed || !e->have))
        write_clean(m, e->id);
    if (!e->listed && e->seen != m->round.number) {
        e->in[0] = e->in[1] = false;
        mon_element_settle(m, e);
    }
}

static struct dur
interval(struct monitor *m, bool missing)
{
    struct dur each = m->round.logged ? PER_ELEMENT : PER_HASH;
    int64_t least = (int64_t)m->n_elements * each.ns;
    struct dur d = m->conf.refresh;

    /* Also for a moment when nothing seems to be missing: numbers of an element
     * that was removed and is back may be from before. */
    if (m->round.eager.ns && mono_sub(m->loop->now, m->round.eager).ns <
                                 (missing ? EAGER_MOST.ns : EAGER_FOR.ns))
        d = EAGER;
    return least > d.ns ? (struct dur){least} : d;
}

static void
round_over(struct monitor *m)
{
    struct mon_round *o = &m->round;
    bool missing = false;

    if (o->waiting || (!o->failed && o->at < o->n))
        return;
    o->busy = false;
    for (uint32_t i = 0; i < o->n; i++)
        missing |= o->todo[i] && o->todo[i]->listed && !o->todo[i]->have;
    o->next = mono_add(m->loop->now, o->failed ? RETRY : interval(m, missing));
    if (o->failed) {
        count_read(m, "error", mono_sub(monitor_now(m), o->began));
        store_failed(m, &o->fault);
    } else {
        store_works(m);
        for (uint32_t i = 0; i < o->n; i++)
            if (o->todo[i])
                sweep(m, o->todo[i]);
        view_polled(m);
    }
    if (o->again)
        o->next = o->failed ? o->next : m->loop->now;
    if (o->doubt)
        round_doubt(m);
    o->again = o->doubt = false;
    free((void *)o->todo);
    o->todo = NULL;
    o->n = 0;
    for (unsigned i = 0; i < 2; i++) {
        free(o->member[i]);
        o->member[i] = NULL;
        buf_release(&o->text[i]);
    }
    changed_end(m);
}

void
round_failed(struct monitor *m, const struct coord_request *r)
{
    m->round.failed = true;
    m->round.fault = r->fault;
}

/* ---- hashes ---- */

/* The numbers of the store over ours, or none (CAP-061 is the snapshot's). */
static bool
take(struct monitor *m, struct mon_element *e, const struct coord_pair *p,
     unsigned n)
{
    struct capacity_field f[READ_FIELDS];
    struct capacity_error why = {"too many fields"};
    struct capacity cap;
    bool ok;

    if (n == 1 && p[0].name.n == 0) {
        ok = capacity_read(&cap, p[0].value, e->id, &why);
    } else {
        for (unsigned i = 0; i < n && i < READ_FIELDS; i++)
            f[i] = (struct capacity_field){p[i].name, p[i].value};
        ok = n <= READ_FIELDS && capacity_read_fields(&cap, f, n, e->id, &why);
    }
    if (!ok) {
        log_warning(m->conf.log, "capacity in the store is not valid",
                    F_STR("se_id", e->id), F_STR("detail", why.text));
        return false;
    }
    mon_element_learn(m, e, &cap);
    if (!e->listed && !e->by_admin && cap.endpoint[0])
        (void)mon_element_put(m, e->id, cap.endpoint); /* CAP-058 */
    mon_element_show(e);
    return true;
}

static bool
is_stale(const struct monitor *m, const struct mon_element *e)
{
    return mono_sub(m->loop->now, e->polled).ns >= m->conf.cache_ttl.ns;
}

void
round_took(struct monitor *m, struct mon_element *e, const struct coord_pair *p,
           unsigned n, struct dur took)
{
    e->have = n && take(m, e, p, n);
    count_read(m, e->have && !is_stale(m, e) ? "hit" : "miss", took);
}

static void hash_done(struct coord_request *r);

static void
hash_ask(struct mon_read *d, enum coord_op op)
{
    buf_clear(&d->out);
    d->r = (struct coord_request){.loop = d->m->loop,
                                  .done = hash_done,
                                  .op = op,
                                  .key = d->key,
                                  .pairs = d->pair,
                                  .cap = countof(d->pair),
                                  .out = &d->out};
    d->began = monitor_now(d->m);
    d->m->round.waiting++;
    monitor_began(d->m);
    coord_submit(d->m->conf.coord, &d->r);
}

static void
judge(struct mon_read *d)
{
    struct monitor *m = d->m;
    struct mon_element *e = d->e;
    const struct coord_request *r = &d->r;
    struct dur took = mono_sub(monitor_now(m), d->began);
    const struct coord_pair text = {.value = buf_slice(&d->out)};
    bool is_text = r->op == COORD_TEXT_GET;

    if (r->err != ERR_OK && r->err != ERR_NOENT && r->err != ERR_INVAL &&
        r->err != ERR_TOOBIG) {
        if (e)
            e->have = false;
        round_failed(m, r);
    } else if (e) {
        round_took(m, e, is_text ? &text : d->pair,
                   r->err    ? 0
                   : is_text ? 1
                             : r->n,
                   took);
    }
}

static void
hash_done(struct coord_request *r)
{
    struct mon_read *d = container_of(r, struct mon_read, r);
    struct monitor *m = d->m;

    m->round.waiting--;
    store_seen(m, r);
    if (r->err == ERR_INVAL && r->op == COORD_HASH_GET && d->e) {
        hash_ask(d, COORD_TEXT_GET);
    } else {
        judge(d);
        d->busy = false;
        d->e = NULL;
        read_more(m);
        round_over(m);
    }
    monitor_ended(m);
}

static struct mon_read *
spare(struct mon_round *o)
{
    for (unsigned i = 0; i < MONITOR_READS; i++)
        if (!o->read[i].busy)
            return &o->read[i];
    return NULL;
}

/* By itself: it is not in the log, or stood there before we knew of it. */
static bool
wanted(const struct mon_round *o, const struct mon_element *e)
{
    if (e->told == o->number)
        return false;
    return o->full || e->fresh || (!e->have && (e->in[0] || e->in[1]));
}

static void
read_more(struct monitor *m)
{
    struct mon_round *o = &m->round;
    struct mon_read *d;

    while (!o->failed && !m->stopping && o->at < o->n &&
           (d = spare(o)) != NULL) {
        struct mon_element *e = o->todo[o->at++];

        if (e == NULL || !wanted(o, e))
            continue;
        e->fresh = false;
        d->m = m;
        d->e = e;
        d->busy = true;
        (void)snprintf(d->key, sizeof(d->key), "capacity:%s", e->id);
        hash_ask(d, COORD_HASH_GET);
    }
    if (m->stopping)
        o->at = o->n;
}

/* ---- sets ---- */

static void
members(struct monitor *m, unsigned which)
{
    const struct coord_request *r = &m->round.set[which];
    char id[65];

    for (unsigned i = 0; i < r->n; i++) {
        struct mon_element *e = NULL;

        if (slice_copy(r->pairs[i].name, id, sizeof(id)))
            e = mon_element_find(m, id);
        if (e == NULL && id[0])
            e = mon_element_unlisted(m, id);
        if (e == NULL)
            continue;
        e->in[which] = true;
        e->score[which] = r->pairs[i].score;
        e->seen = m->round.number;
    }
}

/* A copy of all places, since elements come and go during the round. */
static bool
places(struct monitor *m)
{
    struct mon_round *o = &m->round;
    struct mon_element **all;

    for (size_t i = 0; i <= m->elements.mask; i++)
        for (struct map_item *it = m->elements.slot[i]; it; it = it->next) {
            struct mon_element *e = container_of(it, struct mon_element, item);

            e->in[0] = e->in[1] = false;
        }
    members(m, 0);
    members(m, 1);
    all = elements_sorted(m);
    o->todo = malloc(sizeof(struct mon_element *) * (m->n_elements + 1));
    if (all == NULL || o->todo == NULL)
        return false;
    memcpy((void *)o->todo, (void *)all,
           sizeof(struct mon_element *) * m->n_elements);
    o->n = m->n_elements;
    o->at = 0;
    return true;
}

/* Who the log tells of is known by now. */
static void
sets_over(struct monitor *m)
{
    struct mon_round *o = &m->round;

    if (!o->failed && (!places(m) || !changed_begin(m))) {
        o->failed = true;
        (void)fault_set(&o->fault, ERR_NOMEM, "read", "capacity");
    }
    if (o->failed)
        round_over(m);
}

void
round_log_over(struct monitor *m)
{
    struct mon_round *o = &m->round;

    /* A store without all three has nothing to be read. */
    o->empty = !o->logged && o->set[0].n == 0 && o->set[1].n == 0;
    if (o->empty)
        o->full = false;
    read_more(m);
    round_over(m);
}

static void
set_done(struct coord_request *r)
{
    struct monitor *m = r->priv;

    m->round.waiting--;
    store_seen(m, r);
    if (r->err != ERR_OK)
        round_failed(m, r);
    if (m->round.waiting == 0)
        sets_over(m);
    monitor_ended(m);
}

static void
round_begin(struct monitor *m)
{
    static const char *const key[2] = {KEY_EDIT, KEY_RW};
    struct mon_round *o = &m->round;

    o->cap = m->n_elements * 2 + 1024;
    if (o->cap > SET_MAX)
        o->cap = SET_MAX;
    o->next = mono_add(m->loop->now, RETRY);
    for (unsigned i = 0; i < 2; i++) {
        o->member[i] = malloc(sizeof(struct coord_pair) * o->cap);
        if (o->member[i] == NULL) {
            free(o->member[0]);
            o->member[0] = NULL;
            return;
        }
    }
    o->began = monitor_now(m);
    o->busy = true;
    o->failed = false;
    o->again = false;
    o->number++;
    for (unsigned i = 0; i < 2; i++) {
        buf_init(&o->text[i], (size_t)o->cap * 65);
        o->set[i] = (struct coord_request){.loop = m->loop,
                                           .done = set_done,
                                           .op = COORD_ZSET_RANGE,
                                           .key = key[i],
                                           .pairs = o->member[i],
                                           .cap = o->cap,
                                           .out = &o->text[i],
                                           .priv = m};
        o->waiting++;
        monitor_began(m);
        coord_submit(m->conf.coord, &o->set[i]);
    }
}

/* ---- for the turn ---- */

void
round_drive(struct monitor *m)
{
    if (m->conf.coord && !m->round.busy && !m->stopping &&
        mono_reached(m->loop->now, m->round.next))
        round_begin(m);
}

struct mono
round_due(const struct monitor *m)
{
    return m->conf.coord && !m->round.busy && !m->stopping ? m->round.next
                                                           : MONO_NEVER;
}

void
round_soon(struct monitor *m)
{
    if (m->round.busy)
        m->round.again = true;
    else
        m->round.next = m->loop->now;
}

/* A round that is under way does not tell: it may have read all before. */
void
round_doubt(struct monitor *m)
{
    const struct mono at = mono_add(m->round.began, RETRY);

    m->round.doubt = m->round.busy;
    if (mono_before(at, m->round.next))
        m->round.next = at;
}

void
round_eager(struct monitor *m)
{
    m->round.eager = m->loop->now;
    round_soon(m);
}

void
round_full(struct monitor *m)
{
    m->round.full_next = true;
}

void
round_forget(struct monitor *m, const struct mon_element *e)
{
    struct mon_round *o = &m->round;

    for (uint32_t i = 0; i < o->n; i++)
        if (o->todo[i] == e)
            o->todo[i] = NULL;
    for (unsigned i = 0; i < MONITOR_READS; i++)
        if (o->read[i].e == e)
            o->read[i].e = NULL;
}

void
round_release(struct monitor *m)
{
    for (unsigned i = 0; i < MONITOR_READS; i++)
        buf_release(&m->round.read[i].out);
}
