/* monitor_reload.c - which elements there are: core/reload.h over the store and
 * Admin, and what a new list changes.
 *
 * In the store the list is one document (REL-009); where that is missing it is
 * the older pair of hashes (REL-012), asked for only then, so that a reading is
 * one request. A new list is put into the schedule and the view in the same
 * turn (REL-026); answers to what was asked before are thrown away by their
 * tickets. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdlib.h>

#define KEY_LIST       "artstore:storage_elements"
#define KEY_REGISTRY   "storage:elements:registry"
#define KEY_PRIORITIES "storage:elements:priorities"
#define TOLD_MAX       32 /* ids in one log line */

/* ---- reading from the store ---- */

struct reading {
    struct coord_request r[2];
    struct monitor *m;
    struct mon_parse *p;
    unsigned waiting;
    bool failed;
    struct fault fault;
};

static void
fetched(struct monitor *m, uint64_t ticket, enum reload_result result,
        struct mon_list *list)
{
    reload_event(m, (struct reload_event){.type = RELOAD_EV_FETCHED,
                                          .now = m->loop->now,
                                          .ticket = ticket,
                                          .result = result,
                                          .list = list ? &list->list : NULL});
}

static void
reading_failed(struct reading *g)
{
    struct monitor *m = g->m;

    log_warning(m->conf.log, "Failed to fetch SE from Redis",
                F_FAULT(&g->fault), F_STR("event", "se_config_reload"),
                F_TYPE("redis"));
    fetched(m, g->p->ticket, RELOAD_NO_ANSWER, NULL);
    parse_free(g->p);
    free(g);
}

static void map_done(struct coord_request *r);

static void
map_ask(struct reading *g, unsigned i, enum coord_op op)
{
    static const char *const key[2] = {KEY_REGISTRY, KEY_PRIORITIES};

    g->r[i] = (struct coord_request){.loop = g->m->loop,
                                     .done = map_done,
                                     .op = op,
                                     .key = key[i],
                                     .pairs = g->p->pair[i],
                                     .cap = g->m->conf.elements_max,
                                     .out = &g->p->text[i],
                                     .priv = g};
    g->waiting++;
    monitor_began(g->m);
    coord_submit(g->m->conf.coord, &g->r[i]);
}

static void
map_done(struct coord_request *r)
{
    struct reading *g = r->priv;
    struct monitor *m = g->m;
    unsigned i = r == &g->r[1];

    g->waiting--;
    store_seen(m, r);
    if (r->err == ERR_INVAL && r->op == COORD_HASH_GET) {
        g->p->json[i] = true;
        map_ask(g, i, COORD_TEXT_GET);
    } else if (r->err == ERR_OK) {
        g->p->n[i] = r->n;
    } else if (r->err != ERR_NOENT) {
        g->failed = true;
        g->fault = r->fault;
    }
    if (g->waiting == 0 && g->failed) {
        reading_failed(g);
    } else if (g->waiting == 0) {
        parse_run(g->p);
        free(g);
    }
    monitor_ended(m);
}

static void
read_pair(struct reading *g)
{
    size_t room = sizeof(struct coord_pair) * g->m->conf.elements_max;

    g->p->kind = LIST_MAPS;
    for (unsigned i = 0; i < 2; i++)
        g->p->pair[i] = malloc(room);
    if (g->p->pair[0] == NULL || g->p->pair[1] == NULL) {
        (void)fault_set(&g->fault, ERR_NOMEM, "read", KEY_REGISTRY);
        reading_failed(g);
        return;
    }
    map_ask(g, 0, COORD_HASH_GET);
    map_ask(g, 1, COORD_HASH_GET);
}

static void
text_done(struct coord_request *r)
{
    struct reading *g = r->priv;
    struct monitor *m = g->m;

    store_seen(m, r);
    if (r->err == ERR_OK) {
        parse_run(g->p);
        free(g);
    } else if (r->err == ERR_NOENT) {
        read_pair(g);
    } else {
        g->fault = r->fault;
        reading_failed(g);
    }
    monitor_ended(m);
}

static void
read_store(struct monitor *m, uint64_t ticket)
{
    struct reading *g = calloc(1, sizeof(*g));
    struct mon_parse *p = g ? parse_new(m, LIST_TEXT, ticket) : NULL;

    if (p == NULL) {
        free(g);
        fetched(m, ticket, RELOAD_BROKEN, NULL);
        return;
    }
    g->m = m;
    g->p = p;
    g->r[0] = (struct coord_request){.loop = m->loop,
                                     .done = text_done,
                                     .op = COORD_TEXT_GET,
                                     .key = KEY_LIST,
                                     .out = &p->text[0],
                                     .priv = g};
    monitor_began(m);
    coord_submit(m->conf.coord, &g->r[0]);
}

/* ---- messages ---- */

static void
message(struct coord_sub *s, struct slice msg)
{
    struct monitor *m = container_of(s, struct monitor, updates);
    struct mon_parse *p = parse_new(m, LIST_MESSAGE, 0);

    if (p == NULL || !buf_add_slice(&p->text[0], msg)) {
        if (p)
            parse_free(p);
        return; /* the clock will bring it */
    }
    parse_run(p);
    monitor_turn(m);
}

static void
message_got(struct monitor *m, struct mon_parse *p)
{
    struct mon_list *l = p->list;
    struct wall at = l ? l->el.published_at : (struct wall){0};

    p->list = NULL;
    if (l == NULL)
        log_error(m->conf.log, "Invalid JSON in Pub/Sub message",
                  F_FAULT(&p->fault), F_TYPE("validation"));
    reload_event(m, (struct reload_event){.type = RELOAD_EV_MESSAGE,
                                          .now = m->loop->now,
                                          .list = l ? &l->list : NULL});
    if (at.ms && m->loop->wall.ms >= at.ms)
        count_latency(m, dur_ms(m->loop->wall.ms - at.ms));
}

void
reload_got(struct monitor *m, struct mon_parse *p)
{
    struct mon_list *l = p->list;

    if (p->kind == LIST_MESSAGE) {
        message_got(m, p);
        return;
    }
    p->list = NULL;
    if (l == NULL)
        log_warning(m->conf.log, "Failed to fetch SE from Redis",
                    F_FAULT(&p->fault), F_TYPE("validation"));
    fetched(m, p->ticket,
            l                     ? RELOAD_GOT
            : p->err == ERR_NOMEM ? RELOAD_BROKEN
                                  : RELOAD_NO_ANSWER,
            l);
}

/* ---- what a new list changes ---- */

struct told {
    struct slice id[3][TOLD_MAX];
    size_t n[3];
};

static void
take_entry(struct monitor *m, struct mon_element *e,
           const struct reload_element *r)
{
    if (r->mode != RELOAD_MODE_NONE) /* what it does not say has not changed */
        e->mode = r->mode;
    e->priority = r->priority;
    (void)slice_copy(slice_str(r->location), e->location, sizeof(e->location));
    if (e->slot == POLL_NO_SLOT)
        e->slot = poll_add(&m->poll, e, m->loop->now);
    mon_element_listed(m, e);
}

static void
added(struct monitor *m, const struct reload_element *r, bool first)
{
    struct mon_element *e;

    assert(r);
    e = mon_element_put(m, r->element_id, r->endpoint);
    if (e == NULL) {
        log_error(m->conf.log, "there are more storage elements than allowed",
                  F_STR("se_id", r->element_id), F_TYPE("config"));
        return;
    }
    e->listed = true;
    e->gone = false;
    e->fresh = !first; /* at first all is read */
    take_entry(m, e, r);
    if (!first)
        log_info(m->conf.log, "SE added", F_STR("se_id", e->id),
                 F_STR("endpoint", e->endpoint),
                 F_I64("priority", e->priority));
}

static void
removed(struct monitor *m, const struct reload_element *r)
{
    struct mon_element *e;

    assert(r);
    e = mon_element_find(m, r->element_id);
    log_info(m->conf.log, "SE removed", F_STR("se_id", r->element_id),
             F_STR("old_endpoint", r->endpoint));
    if (e == NULL)
        return;
    if (e->slot != POLL_NO_SLOT)
        poll_remove(&m->poll, e->slot);
    e->slot = POLL_NO_SLOT;
    e->listed = false;
    e->gone = true;
    e->mode = RELOAD_MODE_NONE;
    m->elements_told = false;
    write_clean(m, e->id); /* the leader's; others only forget */
    count_forget(m, e);
    mon_element_settle(m, e);
}

static void
updated(struct monitor *m, const struct reload_change *c)
{
    struct mon_element *e;

    assert(c->before && c->after);
    e = mon_element_put(m, c->after->element_id, c->after->endpoint);
    log_info(m->conf.log, "SE updated", F_STR("se_id", c->after->element_id),
             F_STR("old_endpoint", c->before->endpoint),
             F_STR("new_endpoint", c->after->endpoint),
             F_I64("old_priority", c->before->priority),
             F_I64("new_priority", c->after->priority));
    if (e == NULL)
        return;
    take_entry(m, e, c->after);
    if (c->what & (RELOAD_PRIORITY | RELOAD_MODE))
        write_place(m, e);
    if (e->slot == POLL_NO_SLOT)
        return;
    if (c->what & RELOAD_ENDPOINT)
        poll_changed(&m->poll, e->slot, m->loop->now);
    else if (c->what & RELOAD_MODE)
        poll_soon(&m->poll, e->slot, m->loop->now);
}

static void
install(struct monitor *m, const struct reload_out *out)
{
    struct reload_diff d = {out->replaced, out->install, 0, 0};
    const char *cause = reload_cause_name(out->cause);
    struct reload_change c;
    struct told t = {0};

    m->list = out->install;
    if (d.before == NULL || d.before->n == 0)
        m->polled = m->loop->now; /* there was nobody to poll */
    while (reload_diff_next(&d, &c)) {
        assert(c.after || c.before);
        if (t.n[c.type] < TOLD_MAX)
            t.id[c.type][t.n[c.type]++] =
                slice_str((c.after ? c.after : c.before)->element_id);
        if (c.type == RELOAD_ADDED)
            added(m, c.after, out->replaced == NULL);
        else if (c.type == RELOAD_REMOVED)
            removed(m, c.before);
        else
            updated(m, &c);
    }
    log_info(m->conf.log, "Storage endpoints configuration updated",
             F_LIST("added", t.id[RELOAD_ADDED], t.n[RELOAD_ADDED]),
             F_LIST("removed", t.id[RELOAD_REMOVED], t.n[RELOAD_REMOVED]),
             F_LIST("updated", t.id[RELOAD_UPDATED], t.n[RELOAD_UPDATED]),
             F_U64("total_before", out->replaced ? out->replaced->n : 0),
             F_U64("total_after", out->install->n),
             F_STR("instance_id", m->instance),
             F_STR("role", m->know_store ? lease_role(&m->lease) : "follower"),
             F_STR("source", cause));
    m->dirty = true;
    m->build_at = m->loop->now;
    if (out->replaced == NULL || t.n[RELOAD_ADDED] == TOLD_MAX)
        round_full(m); /* rather than each by itself */
    if (out->replaced == NULL)
        round_soon(m);
    else if (t.n[RELOAD_ADDED])
        round_eager(m);
}

/* ---- what is said of it ---- */

static void
tell_lazy(struct monitor *m, const struct reload_out *out)
{
    if (out->status == RELOAD_SUCCESS)
        log_info(m->conf.log, "Lazy SE config reload completed",
                 F_STR("event", "lazy reload"),
                 F_STR("source", reload_source_name(out->source, false)),
                 F_U64("se_count", m->list ? m->list->n : 0),
                 F_MS("duration_ms", out->took));
    else
        log_error(m->conf.log,
                  "Lazy SE config reload failed - no endpoints available",
                  F_STR("event", "lazy reload"), F_TYPE("config"));
}

static void
tell(struct monitor *m, const struct reload_out *out)
{
    bool lazy = out->cause == RELOAD_BY_LAZY || out->cause == RELOAD_BY_MANUAL;

    if (out->cause == RELOAD_BY_MESSAGE) {
        if (out->status == RELOAD_SUCCESS)
            log_info(m->conf.log, "SE config updated via Pub/Sub",
                     F_U64("se_count", m->list ? m->list->n : 0),
                     F_U64("version", m->reload.version));
    } else if (lazy) {
        tell_lazy(m, out);
    } else if (out->status == RELOAD_SUCCESS) {
        log_info(m->conf.log, "SE config reload completed",
                 F_STR("source", reload_source_name(out->source, false)),
                 F_U64("se_count", m->list ? m->list->n : 0),
                 F_U64("se_added", out->change[RELOAD_ADDED]),
                 F_U64("se_removed", out->change[RELOAD_REMOVED]),
                 F_U64("se_updated", out->change[RELOAD_UPDATED]),
                 F_MS("duration_ms", out->took));
    } else {
        log_warning(m->conf.log, "No SE endpoints available from any source",
                    F_BOOL("redis_available", m->store_ok),
                    F_BOOL("admin_available", m->admin_ok), F_TYPE("config"));
    }
}

/* ---- the operator ---- */

static void
reading_run(struct loop *l, struct task *t)
{
    struct monitor_reading *w = container_of(t, struct monitor_reading, task);

    (void)l;
    w->ready(w);
}

void
readings_release(struct monitor *m, const struct reload_out *out)
{
    struct list *it;

    while ((it = list_pop(&m->readings)) != NULL) {
        struct monitor_reading *w =
            container_of(it, struct monitor_reading, item);

        w->good = out && out->status == RELOAD_SUCCESS;
        w->source = out ? out->source : RELOAD_NOWHERE;
        w->elements = m->list ? (unsigned)m->list->n : 0;
        for (unsigned i = 0; i < 3; i++)
            w->change[i] = out ? out->change[i] : 0;
        w->took = out ? out->took : (struct dur){0};
        w->task.run = reading_run;
        loop_post(w->loop, &w->task);
    }
}

/* ---- the core ---- */

static void
ask_source(struct monitor *m, const struct reload_out *out)
{
    if (out->fetch == RELOAD_REDIS)
        read_store(m, out->ticket);
    else if (out->fetch == RELOAD_ADMIN)
        m->admin_ticket = out->ticket; /* monitor_admin.c */
}

void
reload_event(struct monitor *m, struct reload_event ev)
{
    struct reload_out out = {0};

    reload_step(&m->reload, &ev, &out);
    if (out.install)
        install(m, &out);
    list_free(out.replaced);
    for (unsigned i = 0; i < out.n_drop; i++)
        list_free(out.drop[i]);
    count_reload(m, &out);
    if (out.ended) {
        tell(m, &out);
        admin_forget(m); /* CNF-004 */
        if (out.cause == RELOAD_BY_MANUAL) {
            view_drive(m); /* whoever is answered finds it in use */
            elements_drive(m);
            readings_release(m, &out);
        }
    }
    ask_source(m, &out);
}

static void
subscribe(struct monitor *m)
{
    if (!m->conf.pubsub || m->conf.coord == NULL)
        return;
    m->updates = (struct coord_sub){
        .loop = m->loop, .channel = m->channel, .message = message};
    m->listens = coord_subscribe(m->conf.coord, &m->updates) == ERR_OK;
    if (m->listens)
        log_info(m->conf.log, "SE Pub/Sub subscriber started",
                 F_STR("channel", m->channel));
    else
        log_error(m->conf.log, "SE Pub/Sub subscriber error",
                  F_STR("channel", m->channel), F_TYPE("redis"));
}

void
reload_open(struct monitor *m)
{
    struct reload_conf c = m->conf.reload;

    c.redis = m->conf.coord != NULL;
    c.admin = m->conf.admin != NULL;
    reload_init(&m->reload, &c, m->conf.seed + 1);
    subscribe(m);
    log_info(m->conf.log, "SE config reload task started",
             F_MS("interval_ms", c.interval),
             F_BOOL("reload_enabled", c.periodic));
    reload_event(
        m, (struct reload_event){.type = RELOAD_EV_START, .now = m->loop->now});
}

void
reload_drive(struct monitor *m)
{
    if (m->stopping)
        return;
    /* Some messages may have been missed (REL-089). */
    if (m->listens && m->updates.lost != m->updates_lost) {
        m->updates_lost = m->updates.lost;
        reload_event(m, (struct reload_event){.type = RELOAD_EV_SUBSCRIBED,
                                              .now = m->loop->now});
    }
    while (mono_reached(m->loop->now, reload_deadline(&m->reload)))
        reload_event(m, (struct reload_event){.type = RELOAD_EV_TIME,
                                              .now = m->loop->now});
}

struct mono
reload_due(const struct monitor *m)
{
    return m->stopping ? MONO_NEVER : reload_deadline(&m->reload);
}

void
reload_end(struct monitor *m)
{
    if (m->listens) {
        coord_unsubscribe(m->conf.coord, &m->updates);
        log_info(m->conf.log, "SE Pub/Sub subscriber cancelled");
    }
    m->listens = false;
    readings_release(m, NULL);
    reload_event(
        m, (struct reload_event){.type = RELOAD_EV_STOP, .now = m->loop->now});
    log_info(m->conf.log, "SE config reload task stopped");
}
