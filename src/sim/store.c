/* store.c - port/coord over a network, to a store that may be down, or another
 * one than before.
 *
 *     gateway --to--> store: carried out --from--> gateway
 *
 * A request is copied when it leaves, since its owner may stop waiting and free
 * it while it is still on its way: it is carried out all the same, however
 * late. What is behind the network is port/coord_store.h, which is what
 * port/coord_mem.c has inside. SPDX-License-Identifier: Apache-2.0 */
#include "sim/impl.h"
#include <stdlib.h>

#define PATIENCE dur_ms(2500) /* of a request that says nothing itself */

struct sim_sub {
    struct list item;
    struct coord_sub *sub;
};

struct sim_op {
    struct list item;
    struct sim_event ev, limit;
    struct sim_gateway *g;
    struct coord_request *r; /* NULL: nobody waits for it any more */
    struct coord_request q;  /* the copy */
    struct coord_guard guard;
    struct coord_write writes[COORD_WRITES_MAX];
    struct coord_pair given[COORD_PAIRS_MAX];
    struct coord_pair *got;
    unsigned got_cap;
    struct buf bytes, out;
    struct mono deadline;
    bool done;
};

struct sim_word { /* a message to a subscriber */
    struct sim_event ev;
    struct sim_gateway *g;
    unsigned life;
    char channel[COORD_KEY_MAX + 1];
    size_t n;
    char text[];
};

/* ---- copies ---- */

static struct sim_op *
op_new(struct sim *s)
{
    struct list *it = list_pop(&s->ops);
    struct sim_op *op;

    if (it)
        return container_of(it, struct sim_op, item);
    op = calloc(1, sizeof(*op));
    assert(op);
    buf_init(&op->bytes, 64 * MIB);
    return op;
}

static void
op_free(struct sim *s, struct sim_op *op)
{
    if (op->ev.item.pos || op->limit.item.pos)
        return; /* something of it is still to come */
    list_push_front(&s->ops, &op->item);
}

static size_t
length(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static size_t
pairs_length(const struct coord_pair *p, unsigned n)
{
    size_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += p[i].name.n + p[i].value.n;
    return sum;
}

static const void *
keep(struct sim_op *op, const void *p, size_t n)
{
    size_t at = op->bytes.n;

    if (p == NULL)
        return NULL;
    assert(op->bytes.cap - at > n); /* it was reserved, and does not move */
    (void)buf_add(&op->bytes, p, n);
    return op->bytes.p + at;
}

static const char *
keep_text(struct sim_op *op, const char *text)
{
    return keep(op, text, length(text));
}

static struct slice
keep_slice(struct sim_op *op, struct slice s)
{
    return slice_of(keep(op, s.p, s.n), s.n);
}

static const struct coord_pair *
keep_pairs(struct sim_op *op, unsigned at, const struct coord_pair *p,
           unsigned n)
{
    assert(at + n <= COORD_PAIRS_MAX);
    for (unsigned i = 0; i < n; i++)
        op->given[at + i] =
            (struct coord_pair){.name = keep_slice(op, p[i].name),
                                .value = keep_slice(op, p[i].value),
                                .score = p[i].score};
    return op->given + at;
}

static void
keep_writes(struct sim_op *op, const struct coord_request *r)
{
    unsigned at = 0;

    assert(r->n <= COORD_WRITES_MAX);
    for (unsigned i = 0; i < r->n; i++) {
        struct coord_write *w = &op->writes[i];

        *w = r->writes[i];
        w->key = keep_text(op, w->key);
        w->member = keep_text(op, w->member);
        w->value = keep_slice(op, w->value);
        if (w->op == COORD_HASH_PUT) {
            w->pairs = keep_pairs(op, at, w->pairs, w->n);
            at += w->n;
        }
    }
    op->q.writes = op->writes;
}

static size_t
needs(const struct coord_request *r)
{
    size_t sum =
        length(r->key) + length(r->owner) + length(r->member) + r->value.n + 64;

    if (r->guard)
        sum += length(r->guard->key) + length(r->guard->owner);
    if (r->op == COORD_HASH_PUT)
        sum += pairs_length(r->pairs, r->n);
    for (unsigned i = 0; r->op == COORD_ALL && i < r->n; i++) {
        const struct coord_write *w = &r->writes[i];

        sum += length(w->key) + length(w->member) + w->value.n;
        if (w->op == COORD_HASH_PUT)
            sum += pairs_length(w->pairs, w->n);
    }
    return sum;
}

/* Where the answer is put until it has come back. */
static void
room(struct sim_op *op, const struct coord_request *r)
{
    if (r->cap > op->got_cap) {
        free(op->got);
        op->got = malloc(sizeof(op->got[0]) * r->cap);
        assert(op->got);
        op->got_cap = r->cap;
    }
    if (r->out) {
        buf_clear(&op->out);
        op->out.max = r->out->max - r->out->n;
        op->q.out = &op->out;
    }
    op->q.pairs = op->got;
}

static void
copy(struct sim_op *op, struct coord_request *r)
{
    char *p;

    op->r = r;
    op->q = *r;
    op->done = false;
    buf_clear(&op->bytes);
    p = buf_reserve(&op->bytes, needs(r));
    assert(p);
    op->q.key = keep_text(op, r->key);
    op->q.owner = keep_text(op, r->owner);
    op->q.member = keep_text(op, r->member);
    op->q.value = keep_slice(op, r->value);
    if (r->guard) {
        op->guard = (struct coord_guard){keep_text(op, r->guard->key),
                                         keep_text(op, r->guard->owner),
                                         r->guard->epoch};
        op->q.guard = &op->guard;
    }
    if (r->op == COORD_ALL) {
        keep_writes(op, r);
    } else if (r->op == COORD_HASH_PUT) {
        (void)keep_pairs(op, 0, r->pairs, r->n);
        op->q.pairs = op->given;
    } else {
        room(op, r);
    }
}

/* ---- the way back ---- */

static void
hand_over(struct sim_op *op)
{
    struct coord_request *r = op->r, *q = &op->q;

    r->err = q->err;
    r->fault = q->fault;
    r->left = q->left;
    r->number = q->number;
    r->epoch = q->epoch;
    r->life = q->life;
    r->unsent = q->unsent;
    if (r->out && q->err == ERR_OK && q->out) {
        char *p = op->out.n ? buf_reserve(r->out, op->out.n) : NULL;

        if (p) {
            memcpy(p, op->out.p, op->out.n);
            r->out->n += op->out.n;
        }
        r->n = q->n;
        for (unsigned i = 0; i < q->n && r->pairs; i++) {
            const struct coord_pair *from = &op->got[i];

            r->pairs[i] = *from;
            if (p) {
                r->pairs[i].name.p = p + (from->name.p - op->out.p);
                r->pairs[i].value.p = p + (from->value.p - op->out.p);
            }
        }
    }
    op->r = NULL;
    r->done(r);
}

static void
back(struct sim *s, struct sim_event *e)
{
    struct sim_op *op = container_of(e, struct sim_op, ev);

    if (op->r == NULL) {
        op_free(s, op);
    } else if (sim_gateway_enter(op->g)) {
        hand_over(op);
        sim_gateway_leave(op->g);
        heap_remove(&s->queue, &op->limit.item);
        op_free(s, op);
    } else {
        sim_at(s, e, op->g->paused_until);
    }
}

static void
fail(struct sim_op *op, enum err err, const char *why, bool unsent)
{
    op->q.err = fault_set(&op->q.fault, err, coord_op_name(op->q.op), why);
    op->q.life = 0;
    op->q.unsent = unsent;
}

/* Nothing has come in time: the connection is given up. */
static void
too_late(struct sim *s, struct sim_event *e)
{
    struct sim_op *op = container_of(e, struct sim_op, limit);
    struct sim_op dead;

    if (op->r == NULL) {
        op_free(s, op);
    } else if (sim_gateway_enter(op->g)) {
        op->g->store.last_to = op->g->store.last_from = s->now;
        dead = (struct sim_op){.r = op->r, .q = {.op = op->q.op}};
        op->r = NULL;
        fail(&dead, ERR_TIMEOUT, "no answer", false);
        hand_over(&dead);
        sim_gateway_leave(op->g);
        op_free(s, op);
    } else {
        sim_at(s, e, op->g->paused_until);
    }
}

static void
answer(struct sim *s, struct sim_op *op)
{
    struct sim_link *l = &op->g->store;
    struct mono at = mono_add(s->now, sim_latency(s, l->slow));

    at = mono_before(at, l->last_from) ? l->last_from : at;
    if (op->r == NULL)
        return;
    if (sim_chance(s, l->lose_from) || mono_reached(at, op->deadline)) {
        sim_at(s, &op->limit, op->deadline);
        return;
    }
    l->last_from = at;
    op->ev.run = back;
    sim_at(s, &op->ev, at);
}

/* ---- the store ---- */

static struct wall
store_wall(const struct sim *s)
{
    return (struct wall){SIM_WALL + s->now.ns / 1000000 + s->store_wall_off};
}

static void
said(struct sim *s, struct sim_event *e)
{
    struct sim_word *w = container_of(e, struct sim_word, ev);
    struct sim_gateway *g = w->g;

    if (g->state == SIM_UP && g->life == w->life) {
        if (!sim_gateway_enter(g)) {
            sim_at(s, e, g->paused_until);
            return;
        }
        LIST_FOREACH_SAFE (it, nx, &g->subs) {
            struct coord_sub *sub = container_of(it, struct sim_sub, item)->sub;

            if (strcmp(sub->channel, w->channel) == 0)
                sub->message(sub, slice_of(w->text, w->n));
        }
        sim_gateway_leave(g);
    }
    free(w);
}

void
sim_store_announce(struct sim *s, const char *channel, struct slice text)
{
    for (unsigned i = 0; i < s->conf.ingesters; i++) {
        struct sim_gateway *g = &s->g[i];
        struct sim_word *w;

        if (g->state != SIM_UP || list_empty(&g->subs) ||
            sim_chance(s, g->store.lose_from))
            continue;
        w = calloc(1, sizeof(*w) + text.n + 1);
        assert(w);
        w->g = g;
        w->life = g->life;
        w->ev.run = said;
        w->n = text.n;
        (void)slice_copy(slice_str(channel), w->channel, sizeof(w->channel));
        memcpy(w->text, text.p, text.n);
        sim_at(s, &w->ev, mono_add(s->now, sim_latency(s, g->store.slow)));
    }
}

void
sim_store_gap(struct sim_gateway *g)
{
    LIST_FOREACH (it, &g->subs)
        container_of(it, struct sim_sub, item)->sub->lost++;
}

static bool
is_leaders(const struct coord_request *q)
{
    return q->guard && strcmp(q->guard->key, MONITOR_LOCK) == 0;
}

/* A leader's write is what everything here is about. */
static void
write_through(struct sim *s, struct sim_op *op)
{
    struct coord_request *q = &op->q;

    if (s->conf.breaks & SIM_NO_FENCE)
        q->guard = NULL;
    coord_store_do(&s->store, q, s->now, store_wall(s));
    q->guard = &op->guard;
    if (q->err == ERR_CONFLICT)
        s->out->refused++;
    else if (q->err == ERR_OK)
        sim_check_write(s, op->g, op->guard.epoch, op->guard.owner);
}

/* Perhaps it is the epoch that the replica will never hear of. */
static void
take(struct sim *s, struct coord_request *q)
{
    struct coord_store before;
    bool copied = s->copy_at_take && sim_store_copy(&before, &s->store, s->now);

    coord_store_do(&s->store, q, s->now, store_wall(s));
    s->out->epochs += q->err == ERR_OK;
    if (copied && q->err == ERR_OK) {
        if (s->has_replica)
            coord_store_release(&s->replica);
        s->replica = before;
        s->has_replica = true;
        s->copy_at_take = false;
        sim_at(s, s->failover, mono_add(s->now, sim_between_ms(s, 1, 1500)));
    } else if (copied) {
        coord_store_release(&before);
    }
}

/* Of OP and its answer, without what Redis' protocol adds. */
static uint64_t
bytes_of(const struct sim_op *op)
{
    return op->bytes.n + (op->q.out && op->q.err == ERR_OK ? op->out.n : 0);
}

static void
carry_out(struct sim *s, struct sim_op *op)
{
    struct coord_request *q = &op->q;

    s->out->requests++;
    q->fault = (struct fault){0};
    q->unsent = false;
    q->life = s->conf.breaks & SIM_NO_SIT_OUT ? 1 : s->store_life;
    if (q->op == COORD_PUBLISH) {
        q->err = ERR_OK;
        sim_store_announce(s, q->key, q->value);
    } else if (q->op == COORD_LEASE_TAKE && strcmp(q->key, MONITOR_LOCK) == 0) {
        take(s, q);
    } else if (is_leaders(q)) {
        write_through(s, op);
    } else {
        coord_store_do(&s->store, q, s->now, store_wall(s));
    }
}

static void
arrive(struct sim *s, struct sim_event *e)
{
    struct sim_op *op = container_of(e, struct sim_op, ev);

    if (s->place == SIM_SILENT) {
        if (op->r)
            sim_at(s, &op->limit, op->deadline);
    } else {
        if (s->place == SIM_SERVES) {
            carry_out(s, op);
            s->out->bytes += bytes_of(op);
        } else {
            fail(op, ERR_IO, "refused", true);
        }
        answer(s, op);
    }
    if (op->r == NULL)
        op_free(s, op);
}

/* ---- the port ---- */

static void
refused(struct loop *l, struct task *t)
{
    struct coord_request *r = container_of(t, struct coord_request, task);

    (void)l;
    r->done(r);
}

static void
g_submit(struct coord *c, struct coord_request *r)
{
    struct sim_gateway *g = container_of(c, struct sim_gateway, coord);
    struct sim *s = g->s;
    struct sim_link *l = &g->store;
    struct mono at;
    struct sim_op *op;

    if (g->state == SIM_GHOST) { /* nothing gets out */
        r->err = fault_set(&r->fault, ERR_IO, coord_op_name(r->op), "dead");
        r->life = 0;
        r->unsent = true;
        r->task.run = refused;
        loop_post(r->loop, &r->task);
        return;
    }
    op = op_new(s);
    op->g = g;
    op->ev.run = arrive;
    op->limit.run = too_late;
    copy(op, r);
    op->deadline = mono_add(s->now, r->wait.ns ? r->wait : PATIENCE);
    if (sim_chance(s, l->lose_to)) {
        sim_at(s, &op->limit, op->deadline);
        return;
    }
    at = mono_add(s->now, sim_latency(s, l->slow));
    at = mono_before(at, l->last_to) ? l->last_to : at;
    l->last_to = at;
    sim_at(s, &op->ev, at);
    if (mono_reached(at, op->deadline))
        sim_at(s, &op->limit, op->deadline);
}

static enum err
g_subscribe(struct coord *c, struct coord_sub *sub)
{
    struct sim_gateway *g = container_of(c, struct sim_gateway, coord);
    struct sim_sub *x = calloc(1, sizeof(*x));

    if (x == NULL)
        return ERR_NOMEM;
    x->sub = sub;
    sub->node = x;
    sub->lost = 0;
    list_push(&g->subs, &x->item);
    return ERR_OK;
}

static void
g_unsubscribe(struct coord *c, struct coord_sub *sub)
{
    struct sim_sub *x = sub->node;

    (void)c;
    sub->node = NULL;
    if (x == NULL)
        return;
    list_remove(&x->item);
    free(x);
}

void
sim_store_open_gateway(struct sim_gateway *g)
{
    static const struct coord_ops ops = {
        .submit = g_submit,
        .subscribe = g_subscribe,
        .unsubscribe = g_unsubscribe,
    };

    g->coord.ops = &ops;
}

enum err
sim_store_do(struct sim *s, struct coord_request *r)
{
    if (s->place != SIM_SERVES)
        return ERR_IO;
    coord_store_do(&s->store, r, s->now, store_wall(s));
    return r->err;
}

void
sim_store_release(struct sim *s)
{
    struct list *it;

    /* What is still on its way: requests of those who are gone. */
    while (s->queue.n) {
        struct sim_event *e =
            container_of(heap_first(&s->queue), struct sim_event, item);

        heap_remove(&s->queue, &e->item);
        if (e->run == said) {
            free(container_of(e, struct sim_word, ev));
        } else if (e->run == arrive || e->run == back) {
            op_free(s, container_of(e, struct sim_op, ev));
        } else if (e->run == too_late) {
            op_free(s, container_of(e, struct sim_op, limit));
        }
    }
    while ((it = list_pop(&s->ops)) != NULL) {
        struct sim_op *op = container_of(it, struct sim_op, item);

        buf_release(&op->bytes);
        buf_release(&op->out);
        free(op->got);
        free(op);
    }
    if (s->has_replica)
        coord_store_release(&s->replica);
    coord_store_release(&s->store);
}
