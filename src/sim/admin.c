/* admin.c - Admin, as far as gateways see it: it tells the list when it is
 * asked, with the numbers that the leader has told it, and writes the list to
 * the store and announces it when it has changed or the store is another one
 * (ADM-044, CNF-031). SPDX-License-Identifier: Apache-2.0 */
#include "sim/impl.h"
#include <stdlib.h>

#define KEY     "artstore:storage_elements"
#define CHANNEL "artstore:storage_elements:updates"
#define LOOK    dur_s(5) /* whether the store has it */

struct sim_call {
    struct sim_event ev;
    struct sim_gateway *g;
    struct monitor_admin_ask *q;
};

static void
write_list(const struct sim *s, bool numbers, struct buf *b)
{
    static const char *const mode[] = {"edit", "rw", "ro", "ar"};
    bool first = true;

    buf_printf(b, "{\"version\":%llu,\"storage_elements\":[",
               (unsigned long long)s->version);
    for (unsigned i = 0; i < s->conf.elements; i++) {
        const struct sim_element *e = &s->e[i];
        char url[80];

        if (!e->listed)
            continue;
        sim_element_url(e, url, sizeof(url));
        buf_printf(b,
                   "%s{\"element_id\":\"%s\",\"api_url\":\"%s\","
                   "\"priority\":%d,\"mode\":\"%s\"",
                   first ? "" : ",", e->id, url, e->priority, mode[e->mode]);
        if (numbers && e->known)
            buf_printf(b,
                       ",\"health_status\":\"available\","
                       "\"capacity_total\":%llu,\"capacity_used\":%llu,"
                       "\"capacity_free\":%llu",
                       (unsigned long long)e->fs->total,
                       (unsigned long long)e->known_used,
                       (unsigned long long)(e->fs->total - e->known_used));
        buf_add_char(b, '}');
        first = false;
    }
    buf_add_str(b, "]}");
    assert(!b->failed);
}

/* ---- asked ---- */

static void
answer(struct sim *s, struct sim_event *ev)
{
    struct sim_call *c = container_of(ev, struct sim_call, ev);

    if (!sim_gateway_enter(c->g)) {
        sim_at(s, ev, c->g->paused_until);
        return;
    }
    c->q->err = ERR_OK;
    if (c->g->state == SIM_GHOST)
        c->q->err = fault_set(&c->q->fault, ERR_IO, "connect", "admin");
    else
        write_list(s, true, &c->q->out);
    c->q->done(c->q);
    sim_gateway_leave(c->g);
    free(c);
}

static void
ask(struct monitor_admin *a, struct monitor_admin_ask *q)
{
    struct sim_gateway *g = container_of(a, struct sim_gateway, admin);
    struct sim_call *c = calloc(1, sizeof(*c));

    assert(c);
    c->g = g;
    c->q = q;
    c->ev.run = answer;
    sim_at(g->s, &c->ev, mono_add(g->s->now, sim_between_ms(g->s, 1, 20)));
}

void
sim_admin_open_gateway(struct sim_gateway *g)
{
    g->admin.list = ask;
}

/* ---- written ---- */

static void
publish(struct sim *s, struct sim_event *ev)
{
    struct coord_request r = {.op = COORD_TEXT_PUT, .key = KEY};

    sim_at(s, ev, mono_add(s->now, LOOK));
    if ((s->written == s->version && s->written_life == s->store_life) ||
        (s->conf.breaks & SIM_NO_LIST && s->written > 0))
        return;
    buf_clear(&s->list);
    write_list(s, false, &s->list);
    r.value = buf_slice(&s->list);
    if (sim_store_do(s, &r) != ERR_OK)
        return;
    s->written = s->version;
    s->written_life = s->store_life;
    sim_store_announce(s, CHANNEL, r.value);
}

void
sim_admin_changed(struct sim *s)
{
    s->version++;
    sim_at(s, &s->publish, mono_add(s->now, sim_between_ms(s, 1, 50)));
}

void
sim_admin_begin(struct sim *s)
{
    s->publish.run = publish;
    sim_admin_changed(s);
}
