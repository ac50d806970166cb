/* upload.c - uploads without bytes: which element a gateway takes is decided by
 * role/ingest/place.c, with its breakers and its doubts, and what an element
 * answers by its account (room.c). The way between the two is the network, and
 * what follows an answer is what role/ingest/upload.c does.
 *
 *     choose --> admit --> write, in pieces --> publish
 *        ^         |            |
 *        +---------+------------+ refused or failed: another element
 *
 * A gateway that is killed takes its uploads with it; the element finds out
 * when nothing more comes. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/impl.h"
#include "sim/impl.h"
#include <stdlib.h>

#define PATIENCE dur_s(15)
#define REPLAY   (8 * MIB) /* D04: with more behind it nothing is tried again */
#define LARGEST  (4 * GIB) /* less than SIM_ROOMY */
#define PIECES   4
#define LIFE_S   1200 /* of a file, on average */

struct sim_client {
    struct ingest ingest;
    struct ingest_loop loop;
    struct list uploads;
};

struct sim_upload {
    struct sim_event ev;
    struct list item;
    struct sim_gateway *g;
    struct place place;
    struct refusal refusal;
    struct monitor_wait wait;
    bool waits, asked;
    uint64_t size, sent, piece;
    struct dur pace; /* of a piece */
    unsigned failures;
    struct sim_element *e;
    unsigned moved; /* where it is said to be */
    struct sim_ticket *t;
    enum err err;
};

static void choose(struct sim_upload *u);

static void
upload_free(struct sim_upload *u)
{
    if (u->t)
        sim_room_left(u->t);
    heap_remove(&u->g->s->queue, &u->ev.item);
    list_remove(&u->item);
    free(u);
}

/* At the gateway, now or when it goes on. False: later. */
static bool
enter(struct sim_upload *u, struct sim_event *ev)
{
    if (sim_gateway_enter(u->g))
        return true;
    sim_at(u->g->s, ev, u->g->paused_until);
    return false;
}

static void
then(struct sim_upload *u, void (*run)(struct sim *s, struct sim_event *ev),
     struct dur d)
{
    u->ev.run = run;
    sim_at(u->g->s, &u->ev, mono_add(u->g->s->now, d));
}

/* ---- the way to an element ---- */

static bool
is_silent(const struct sim_upload *u)
{
    return (u->e->dead && u->e->silent) || sim_element_far(u->g, u->e);
}

/* The answer ERR comes after a message's time, or none within PATIENCE. */
static void
answer(struct sim_upload *u, enum err err,
       void (*run)(struct sim *s, struct sim_event *ev))
{
    bool lost = is_silent(u);

    u->err = lost ? ERR_TIMEOUT : err;
    then(u, run, lost ? PATIENCE : sim_latency(u->g->s, false));
}

/* ---- the end of an attempt ---- */

/* role/ingest/upload.c: judge_element(). */
static void
judge(struct sim_upload *u, enum err err)
{
    struct sim_client *c = u->g->client;
    enum breaker_outcome o = BREAKER_NEUTRAL;

    if (err == ERR_OK)
        o = BREAKER_SUCCESS;
    else if (err == ERR_NOSPC || err == ERR_NOINODES)
        monitor_trouble(u->g->m, u->e->id, RELOAD_NO_ROOM);
    else if (err == ERR_NOENT)
        monitor_trouble(u->g->m, u->e->id, RELOAD_NOT_FOUND);
    else if (err == ERR_IO || err == ERR_TIMEOUT) {
        o = BREAKER_FAILURE;
        monitor_trouble(u->g->m, u->e->id, RELOAD_CONNECTION);
    }
    place_report(&c->ingest, &c->loop, &u->place, u->e->id, o);
}

/* may_try_again() of the same. */
static bool
may_try_again(struct sim_upload *u)
{
    bool room = u->err == ERR_NOSPC || u->err == ERR_NOINODES;

    if (!room && u->err != ERR_READONLY && ++u->failures >= 3)
        return false;
    return place_exclude(&u->place, u->e->id, room);
}

static void
failed(struct sim_upload *u)
{
    struct sim *s = u->g->s;

    if (u->t && is_silent(u))
        sim_room_left(u->t);
    else if (u->t)
        sim_room_abort(s, u->t);
    judge(u, u->err);
    if (u->sent > REPLAY || !may_try_again(u)) {
        s->out->failed++;
        upload_free(u);
        return;
    }
    u->sent = 0;
    choose(u);
}

static void
stored(struct sim *s, struct sim_event *ev)
{
    struct sim_upload *u = container_of(ev, struct sim_upload, ev);
    struct sim_gateway *g = u->g;

    if (!enter(u, ev))
        return;
    if (u->err == ERR_OK) {
        judge(u, ERR_OK);
        s->out->stored++;
        upload_free(u);
    } else {
        failed(u);
    }
    sim_gateway_leave(g);
}

/* ---- the body ---- */

static void
publish(struct sim *s, struct sim_event *ev)
{
    struct sim_upload *u = container_of(ev, struct sim_upload, ev);
    bool there = u->t && !is_silent(u);

    if (there)
        sim_room_publish(s, u->t, u->size,
                         sim_between_ms(s, 1000, (int64_t)LIFE_S * 2 * 1000));
    answer(u, there ? ERR_OK : ERR_IO, stored);
}

static void
piece(struct sim *s, struct sim_event *ev)
{
    struct sim_upload *u = container_of(ev, struct sim_upload, ev);
    struct sim_gateway *g = u->g;

    if (!enter(u, ev))
        return;
    u->err = is_silent(u) ? ERR_TIMEOUT : u->t ? ERR_OK : ERR_IO;
    if (u->err == ERR_OK && sim_chance(s, 1)) { /* the client goes */
        sim_room_abort(s, u->t);
        upload_free(u);
        sim_gateway_leave(g);
        return;
    }
    if (u->err == ERR_OK) {
        u->sent = u64_min(u->sent + u->piece, u->size);
        u->err = sim_room_write(s, u->t, u->sent);
    }
    if (u->err != ERR_OK)
        failed(u);
    else if (u->sent < u->size)
        then(u, piece, u->pace);
    else
        then(u, publish, sim_latency(s, g->store.slow));
    sim_gateway_leave(g);
}

static void
admitted(struct sim *s, struct sim_event *ev)
{
    struct sim_upload *u = container_of(ev, struct sim_upload, ev);
    struct sim_gateway *g = u->g;

    (void)s;
    if (!enter(u, ev))
        return;
    if (u->err == ERR_OK)
        then(u, piece, u->pace);
    else
        failed(u);
    sim_gateway_leave(g);
}

/* At the element. */
static void
admit(struct sim *s, struct sim_event *ev)
{
    struct sim_upload *u = container_of(ev, struct sim_upload, ev);
    struct sim_element *e = u->e;
    enum err err = ERR_OK;

    if (is_silent(u))
        err = ERR_TIMEOUT;
    else if (e->dead)
        err = ERR_IO;
    else if (e->moved != u->moved)
        err = ERR_NOENT;
    else if (e->mode > SELECT_RW)
        err = ERR_READONLY;
    else
        err = sim_room_admit(s, e, u->place.size, &u->t);
    answer(u, err, admitted);
}

/* ---- choosing ---- */

/* 507 says that nobody has room; somebody had it for so long that it must have
 * been known. */
static void
check_refusal(const struct sim_upload *u)
{
    struct sim *s = u->g->s;
    int mode = (int)select_mode_of(u->place.retention);

    for (unsigned i = 0; i < s->conf.elements; i++) {
        const struct sim_element *e = &s->e[i];
        struct mono from = sim_later(e->known_from, e->back_from);

        if (e->mode != mode || e->roomy.ns == MONO_NEVER.ns ||
            s->calm.ns == MONO_NEVER.ns)
            continue;
        from = sim_later(from, e->roomy);
        from = sim_later(from, mono_add(s->calm, s->allowed.leader));
        if (!mono_reached(s->now, mono_add(from, s->allowed.full)))
            continue;
        sim_bad(s,
                "room: gateway %u refuses %llu bytes, although %s could have "
                "been known to have room for %lld s",
                u->g->n, (unsigned long long)u->size, e->id,
                (long long)(mono_sub(s->now, from).ns / 1000000000));
    }
}

static void
refused(struct sim_upload *u)
{
    struct sim *s = u->g->s;

    if (u->refusal.status == 507) {
        s->out->no_room++;
        check_refusal(u);
    } else {
        s->out->unplaced++;
    }
    upload_free(u);
}

static void
aim(struct sim_upload *u, struct blob **b)
{
    const struct snapshot *n = u->g->client->loop.part->snap;
    long at = snapshot_find(n, (*b)->element_id);

    assert(at >= 0);
    u->e = sim_element_find(u->g->s, (*b)->element_id);
    u->moved = sim_element_moved(n->endpoint[at]);
    assert(u->e);
    blob_drop(b);
    then(u, admit, sim_latency(u->g->s, u->g->store.slow));
}

static void
ready(struct monitor_wait *w)
{
    struct sim_upload *u = container_of(w, struct sim_upload, wait);

    u->waits = false;
    if (u->g->state == SIM_UP)
        choose(u);
    else
        upload_free(u);
}

/* role/ingest/upload.c: upload_place(), upload_elsewhere(). */
static void
choose(struct sim_upload *u)
{
    struct sim_client *c = u->g->client;
    bool again = u->place.n_excluded > 0;
    struct refusal was = u->refusal;
    struct blob *b;

    u->refusal = (struct refusal){0};
    b = place_choose(&c->ingest, &c->loop, &u->place, &u->refusal, NULL);
    if (b == NULL && !again && u->place.size == SELECT_SIZE_UNKNOWN &&
        u->refusal.status == 507) {
        u->place.size = 0; /* it may be short all the same */
        b = place_choose(&c->ingest, &c->loop, &u->place, &u->refusal, NULL);
        u->place.size = SELECT_SIZE_UNKNOWN;
    }
    if (b) {
        aim(u, &b);
    } else if (!again && !u->asked && place_admin_asks(&c->ingest, &c->loop)) {
        u->asked = u->waits = true;
        u->wait.loop = &u->g->lm.loop;
        u->wait.ready = ready;
        monitor_ask_admin(u->g->m, &u->wait);
    } else {
        if (again && u->err != ERR_NOSPC)
            u->refusal = was; /* the cause is told */
        refused(u);
    }
}

/* ---- they come ---- */

/* Any order of magnitude is as likely as the next. */
static uint64_t
size_of_next(struct sim *s, uint64_t most)
{
    uint64_t top = (uint64_t)8 * KIB << prng_below(&s->random, 20);

    top = u64_min(top, most);
    return top / 2 + prng_below(&s->random, top / 2 + 1);
}

static void
arrive(struct sim *s, struct sim_event *ev)
{
    struct sim_gateway *g = &s->g[prng_below(&s->random, s->conf.ingesters)];
    int64_t mean_ms = (int64_t)3600000 / s->conf.uploads;
    bool unknown = sim_chance(s, 20);
    struct sim_upload *u;

    if (s->ending)
        return;
    sim_at(s, ev, mono_add(s->now, sim_between_ms(s, 0, mean_ms * 2)));
    if (g->state != SIM_UP || !sim_gateway_enter(g))
        return; /* its client is told so by the connection */
    u = calloc(1, sizeof(*u));
    assert(u);
    u->g = g;
    u->size = size_of_next(s, unknown ? LARGEST / 8 : LARGEST);
    u->place.size = unknown ? SELECT_SIZE_UNKNOWN : u->size;
    u->place.retention =
        sim_chance(s, 50) ? RETENTION_TEMPORARY : RETENTION_PERMANENT;
    u->piece = u->size / PIECES + 1;
    /* 64 to 256 MiB/s. */
    u->pace = (struct dur){(int64_t)(u->piece * 1000 / MIB) * 1000000 /
                           sim_between(s, 64, 256)};
    list_push(&g->client->uploads, &u->item);
    s->out->uploads++;
    choose(u);
    sim_gateway_leave(g);
}

void
sim_uploads_begin(struct sim *s)
{
    s->next_upload.run = arrive;
    if (s->conf.uploads)
        sim_at(s, &s->next_upload, mono_add(s->now, dur_s(1)));
}

/* ---- a gateway comes and goes ---- */

void
sim_uploads_open(struct sim_gateway *g)
{
    struct sim_client *c = calloc(1, sizeof(*c));

    assert(c);
    list_init(&c->uploads);
    c->loop.loop = &g->lm.loop;
    c->ingest.loop = &c->loop;
    c->ingest.n_loops = 1;
    c->ingest.conf.monitor = g->m;
    c->ingest.conf.datacenter = "";
    c->ingest.conf.fill_width = 1 + g->n % 3;
    c->ingest.conf.breakers = (struct breaker_conf){.failure_threshold = 5,
                                                    .success_threshold = 2,
                                                    .open_for = dur_s(60),
                                                    .window = dur_s(600),
                                                    .probe_for = dur_s(600)};
    g->client = c;
}

void
sim_uploads_stop(struct sim_gateway *g)
{
    LIST_FOREACH_SAFE (it, next, &g->client->uploads) {
        struct sim_upload *u = container_of(it, struct sim_upload, item);

        if (!u->waits)
            upload_free(u); /* else the monitor says when */
    }
}

void
sim_uploads_close(struct sim_gateway *g)
{
    assert(list_empty(&g->client->uploads));
    place_forget(&g->client->loop);
    free(g->client);
    g->client = NULL;
}
