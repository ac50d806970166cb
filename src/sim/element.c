/* element.c - elements, and port/fetch over a network to them.
 *
 * An element answers GET /api/v1/capacity with what is true of it when the
 * request arrives. One that is dead refuses connections, or says nothing. Under
 * an address where it is no longer there is nobody: 404.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/fetch_told.h"
#include "sim/impl.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE dur_s(30) /* of a request that says nothing itself */

struct sim_peer {
    struct fetch_peer peer;
    struct sim_gateway *g;
    struct sim_element *e;
    unsigned moved;
    bool far; /* is it one of those that a gateway with few can not reach? */
};

struct sim_ask {
    struct sim_event ev;
    struct fetch_told told;
    struct http_resp resp;
    struct mono deadline;
};

static struct sim_ask *
ask_of(const struct fetch_request *r)
{
    return container_of((struct fetch_told *)r->x.conn, struct sim_ask, told);
}

static void
over(struct fetch_told *t)
{
    free(container_of(t, struct sim_ask, told));
}

/* ---- elements ---- */

bool
sim_element_full(const struct sim_element *e)
{
    return e->account.status == LEDGER_FULL;
}

void
sim_element_url(const struct sim_element *e, char *out, size_t n)
{
    (void)snprintf(out, n, "http://proxy:8443/%u/%s", e->moved, e->id);
}

unsigned
sim_element_moved(const char *url)
{
    return (unsigned)strtoul(url + strlen("http://proxy:8443/"), NULL, 10);
}

struct sim_element *
sim_element_find(struct sim *s, const char *id)
{
    unsigned long i = strlen(id) > 3 ? strtoul(id + 3, NULL, 10) : ULONG_MAX;

    return i < s->conf.elements && strcmp(s->e[i].id, id) == 0 ? &s->e[i]
                                                               : NULL;
}

static void
since(struct sim *s, struct mono *at, bool is)
{
    if (!is)
        *at = MONO_NEVER;
    else if (at->ns == MONO_NEVER.ns)
        *at = s->now;
}

void
sim_element_changed(struct sim *s, struct sim_element *e)
{
    since(s, &e->full,
          sim_element_full(e) && !e->dead); /* or who would know? */
    since(s, &e->sick, e->dead);
    since(s, &e->removed, !e->listed);
    since(s, &e->roomy,
          e->listed && !e->dead && !sim_element_full(e) &&
              ledger_available(&e->fs->ledger, &e->account).bytes >= SIM_ROOMY);
}

bool
sim_elements_open(struct sim *s)
{
    for (unsigned i = 0; i < s->conf.elements; i++) {
        struct sim_element *e = &s->e[i];

        (void)snprintf(e->id, sizeof(e->id), "se-%05u", i);
        e->mode = i % 2;
        e->priority = 10 + (int)(i % 1000);
        e->listed = true;
        e->full = e->sick = e->removed = MONO_NEVER;
        e->known_from = e->back_from = e->roomy = s->now;
    }
    return sim_room_open(s);
}

/* ---- requests ---- */

static enum err
f_open(struct fetch *f, const char *url, struct fetch_peer **out,
       struct fault *fault)
{
    struct sim_gateway *g = container_of(f, struct sim_gateway, fetch);
    struct sim_peer *p = calloc(1, sizeof(*p));
    const char *id = strrchr(url, '/');

    if (p == NULL)
        return fault_set(fault, ERR_NOMEM, "allocate", url);
    p->peer.fetch = f;
    p->g = g;
    p->e = sim_element_find(g->s, id ? id + 1 : "");
    p->moved = sim_element_moved(url);
    (void)snprintf(p->peer.url, sizeof(p->peer.url), "%s", url);
    *out = &p->peer;
    return ERR_OK;
}

static void
f_close(struct fetch_peer *p)
{
    free(container_of(p, struct sim_peer, peer));
}

static void
write_body(struct fetch_told *t, const struct sim_element *e)
{
    static const char *const mode[] = {"edit", "rw", "ro", "ar"};
    static const char *const status[] = {"ok", "warning", "critical", "full"};
    const struct ledger *l = &e->fs->ledger;

    t->n = (size_t)snprintf(
        t->body, sizeof(t->body),
        "{\"storage_id\":\"%s\",\"mode\":\"%s\",\"total\":%llu,\"used\":%llu,"
        "\"available\":%llu,\"reserved\":%llu,\"status\":\"%s\","
        "\"health\":\"healthy\",\"backend\":\"local\",\"location\":\"dc1\","
        "\"writable\":true}",
        e->id, mode[e->mode], (unsigned long long)ledger_total(l, &e->account),
        (unsigned long long)ledger_used(l, &e->account),
        (unsigned long long)ledger_available(l, &e->account).bytes,
        (unsigned long long)l->reserved.bytes, status[e->account.status]);
}

/* Of N in a hundred elements, always the same for one gateway. */
bool
sim_element_far(const struct sim_gateway *g, const struct sim_element *e)
{
    uint64_t i = (uint64_t)(e - g->s->e) + g->n * 7919u;

    return (i * 0x9e3779b97f4a7c15 >> 32) % 100 < g->far;
}

static void
give(struct sim *s, struct sim_event *ev)
{
    struct sim_ask *q = container_of(ev, struct sim_ask, ev);
    struct sim_gateway *g =
        container_of(q->told.r->peer, struct sim_peer, peer)->g;

    if (!sim_gateway_enter(g)) {
        sim_at(s, ev, g->paused_until);
        return;
    }
    q->told.r->err = q->told.r->fault.code;
    q->told.r->resp = q->told.r->err ? NULL : &q->resp;
    q->told.r->answered(q->told.r);
    sim_gateway_leave(g);
}

static void
give_up(struct sim *s, struct sim_ask *q)
{
    (void)fault_set(&q->told.r->fault, ERR_TIMEOUT, "answer",
                    q->told.r->peer->url);
    q->ev.run = give;
    sim_at(s, &q->ev, q->deadline);
}

/* At the element. */
static void
reach(struct sim *s, struct sim_event *ev)
{
    struct sim_ask *q = container_of(ev, struct sim_ask, ev);
    struct sim_peer *p = container_of(q->told.r->peer, struct sim_peer, peer);
    struct mono at;

    if (p->e == NULL || p->e->dead) {
        if (p->e && p->e->silent) {
            give_up(s, q);
            return;
        }
        (void)fault_set(&q->told.r->fault, ERR_IO, "connect",
                        q->told.r->peer->url);
    } else {
        s->out->polls++;
        q->resp.status = p->e->moved == p->moved ? 200 : 404;
        if (q->resp.status == 200)
            write_body(&q->told, p->e);
    }
    at = mono_add(s->now, sim_latency(s, p->g->store.slow));
    if (mono_reached(at, q->deadline)) {
        give_up(s, q);
        return;
    }
    q->ev.run = give;
    sim_at(s, &q->ev, at);
}

static void
f_begin(struct fetch_request *r)
{
    struct sim_peer *p = container_of(r->peer, struct sim_peer, peer);
    struct sim *s = p->g->s;
    struct sim_ask *q = calloc(1, sizeof(*q));
    struct dur d = sim_latency(s, p->g->store.slow);

    assert(q);
    q->told.r = r;
    q->told.over = over;
    q->deadline = mono_add(s->now, r->patience.ns ? r->patience : PATIENCE);
    r->x.conn = &q->told;
    r->fault = (struct fault){0};
    if (p->g->state == SIM_GHOST || (p->e && sim_element_far(p->g, p->e)) ||
        mono_reached(mono_add(s->now, d), q->deadline)) {
        give_up(s, q);
        return;
    }
    q->ev.run = reach;
    sim_at(s, &q->ev, mono_add(s->now, d));
}

static void
f_end(struct fetch_request *r, fetch_fn *ended)
{
    struct sim_ask *q = ask_of(r);
    struct sim *s = container_of(r->peer, struct sim_peer, peer)->g->s;

    heap_remove(&s->queue, &q->ev.item);
    fetch_told_end(r, ended);
}

void
sim_element_open_gateway(struct sim_gateway *g)
{
    static const struct fetch_ops ops = {
        .open = f_open,
        .close = f_close,
        .begin = f_begin,
        .send = fetch_told_send,
        .read = fetch_told_read,
        .end = f_end,
    };

    g->fetch.ops = &ops;
}
