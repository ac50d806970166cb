/* gateway.c - see gateway.h. SPDX-License-Identifier: Apache-2.0 */
#include "join/gateway.h"
#include "join/gateway_elements.h"
#include "obs/log.h"
#include "role/common/admin_link.h"
#include "role/common/audit_remote.h"
#include "role/common/registry_remote.h"
#include "role/ingest/admin_list.h"
#include "role/ingest/inform.h"
#include "role/ingest/pull.h"
#include "sec/random.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOPS_MAX 64
#define TICK      dur_s(1)
#define STALE     dur_s(15)
/* The registry is asked while a client waits. */
#define REGISTRY_PATIENCE dur_s(2)
/* Polls want a token; without one they begin after this long all the same,
 * since another gateway may poll. */
#define TOKEN_WAIT dur_s(3)

enum check { CHECK_REDIS, CHECK_ADMIN, CHECK_ELEMENTS, CHECK_MONITOR, CHECKS };

struct barrier {
    struct task task;
    struct gateway *g;
};

struct gateway {
    struct gateway_conf conf;
    struct admin_link *link;
    struct admin_list list;
    struct audit_remote *audit;
    struct registry *registry;
    struct monitor *monitor;
    struct pull *pull;
    struct inform *inform;
    struct loop *loop;
    struct timer timer;
    struct mono begun;
    bool polling; /* the monitor has been started */
    int check[CHECKS];
    /* the end */
    struct barrier barrier[LOOPS_MAX];
    _Atomic(unsigned) waiting;
    struct task over;
    void (*done)(void *arg);
    void *done_arg;
};

/* ---- health ---- */

static void
tell(struct gateway *g, enum check c, enum health_status s, const char *text)
{
    health_set(g->conf.health, g->check[c], s, text, (struct dur){0},
               g->loop->now);
}

/* What an upload would find, so that a gateway whose uploads are good by
 * Admin's numbers is not taken away (D11); degraded also while some element is
 * (ING-096). */
static void
tell_elements(struct gateway *g, const struct monitor_status *s)
{
    struct gateway_sick sick;
    struct buf detail;
    char text[400];

    buf_init(&detail, 2 * HEALTH_DETAIL_MAX);
    gateway_elements(g->registry, g->loop->now, &detail, &sick);
    if (detail.n)
        (void)health_detail(g->conf.health, g->check[CHECK_ELEMENTS],
                            buf_slice(&detail));
    buf_release(&detail);
    if (s->store_empty && s->elements && s->edit + s->rw == 0)
        (void)snprintf(text, sizeof(text),
                       "%u listed; none was polled yet, and Admin does not say "
                       "how full they are",
                       s->elements);
    else
        (void)snprintf(
            text, sizeof(text),
            "%u listed; %u of mode edit and %u of mode rw take uploads%s%s",
            s->elements, s->edit, s->rw,
            s->stands_in ? ", by Admin's numbers: there are none that were "
                           "polled"
                         : "",
            sick.text);
    if (!s->store_ok && !s->admin_ok)
        tell(g, CHECK_ELEMENTS, HEALTH_UNHEALTHY,
             "neither the coordination store nor Admin says how full they "
             "are");
    else
        tell(g, CHECK_ELEMENTS,
             s->edit + s->rw == 0                     ? HEALTH_UNHEALTHY
             : s->edit == 0 || s->stands_in || sick.n ? HEALTH_DEGRADED
                                                      : HEALTH_HEALTHY,
             text);
}

static void
tell_monitor(struct gateway *g, const struct monitor_status *s)
{
    char text[192];

    (void)snprintf(
        text, sizeof(text),
        "{\"enabled\":%s,\"running\":%s,\"role\":\"%s\","
        "\"instance_id\":\"%.64s\",\"edit_storage_count\":%u,"
        "\"rw_storage_count\":%u}",
        s->has_store ? "true" : "false", s->started ? "true" : "false",
        s->leads ? "leader" : "follower", s->instance_id, s->edit, s->rw);
    (void)health_detail(g->conf.health, g->check[CHECK_MONITOR],
                        slice_str(text));
    (void)snprintf(text, sizeof(text),
                   "no element was polled for %u s: nobody leads, or none "
                   "answers",
                   s->quiet_s);
    tell(g, CHECK_MONITOR,
         s->listed && !s->quiet_s ? HEALTH_HEALTHY : HEALTH_DEGRADED,
         !s->listed   ? "there is no list of elements yet"
         : s->quiet_s ? text
                      : NULL);
}

/* No key at all, not even of a file (AUTH_PUBLIC_KEY_PATH). */
static bool
keyless(const struct gateway *g)
{
    struct keyset *ks = g->conf.keys ? keys_get(g->conf.keys) : NULL;
    bool none = ks && ks->n == 0;

    if (ks)
        keyset_unref(&ks);
    return none;
}

static void
tell_admin(struct gateway *g)
{
    bool out = keyless(g);
    /* Who verifies tokens has peers that want one. */
    const bool nobody = g->conf.keys && g->conf.client_id[0] == '\0';
    struct admin_link_status l;
    enum breaker_state asked;
    char text[FAULT_TEXT];
    struct fault f;
    bool good;

    admin_link_status(g->link, &l);
    /* Then it has nothing to show to any element. */
    out |= g->conf.keys && l.refused;
    asked = registry_remote_state(g->registry, &f);
    good = l.has_token && l.has_keys && !nobody && asked != BREAKER_OPEN;
    health_critical(g->conf.health, g->check[CHECK_ADMIN], out);
    tell(g, CHECK_ADMIN,
         out    ? HEALTH_UNHEALTHY
         : good ? HEALTH_HEALTHY
                : HEALTH_DEGRADED,
         good && !out ? NULL
         : l.why[0]   ? l.why
         : nobody     ? "SERVICE_ACCOUNT_CLIENT_ID is empty: no token is sent, "
                        "and elements and Admin that want one refuse"
         : asked == BREAKER_OPEN ? fault_text(&f, text, sizeof(text))
                                 : "it has not answered yet");
}

static void
tell_all(struct gateway *g)
{
    struct monitor_status s;

    monitor_status(g->monitor, &s);
    if (s.has_store)
        tell(g, CHECK_REDIS, s.store_ok ? HEALTH_HEALTHY : HEALTH_DEGRADED,
             s.store_ok ? NULL
             : s.why[0] ? s.why
                        : "it has not answered yet");
    else
        tell(g, CHECK_REDIS, HEALTH_HEALTHY, "none is configured");
    tell_admin(g);
    tell_elements(g, &s);
    tell_monitor(g, &s);
}

static void
poll_begin(struct gateway *g)
{
    if (g->polling)
        return;
    g->polling = true;
    monitor_start(g->monitor);
}

static void
tick(struct loop *l, struct timer *t)
{
    struct gateway *g = container_of(t, struct gateway, timer);

    if (mono_sub(l->now, g->begun).ns >= TOKEN_WAIT.ns)
        poll_begin(g);
    tell_all(g);
    if (!loop_timer(l, t, mono_add(l->now, TICK)))
        log_error(g->conf.log, "gateway: the loop has no timer left");
}

static void
checks_open(struct gateway *g)
{
    static const struct {
        const char *name;
        bool critical;
    } row[CHECKS] = {[CHECK_REDIS] = {"redis", false},
                     [CHECK_ADMIN] = {"admin_module", false},
                     [CHECK_ELEMENTS] = {"storage_elements", true},
                     [CHECK_MONITOR] = {"capacity_monitor", false}};

    for (unsigned i = 0; i < CHECKS; i++)
        g->check[i] =
            health_add(g->conf.health, row[i].name, row[i].critical, STALE);
    (void)health_extra(
        g->conf.health, "data_sources",
        SLICE("{\"primary\":\"polling\",\"fallback\":\"admin_module\","
              "\"fallback_chain\":[\"POLLING\",\"Admin Module\"]}"));
}

/* ---- elements ---- */

static void
elements_changed(void *arg, const struct monitor_element *e, unsigned n)
{
    struct registry_remote_element *r = calloc(n + 1, sizeof(*r));
    struct gateway *g = arg;
    struct fault f = {0};

    for (unsigned i = 0; r && i < n; i++)
        r[i] = (struct registry_remote_element){
            .uuid = e[i].uuid,
            .blob = e[i].blob,
            .mode = e[i].mode < 0 ? BLOB_RO : (enum blob_mode)e[i].mode,
            .priority = e[i].priority};
    if (r == NULL || registry_remote_set(g->registry, r, n, &f) != ERR_OK)
        log_error(g->conf.log, "there is no memory for the list of elements");
    free(r);
    pull_elements(g->pull, e, n);
}

static void
polled(void *arg, const char *element_id, const struct blob_capacity *c)
{
    struct gateway *g = arg;

    inform_put(g->inform, element_id, c);
}

/* Who polls pulls; where nobody can lead, everybody does. */
static bool
pulls(void *arg)
{
    struct gateway *g = arg;
    struct monitor_status s;

    monitor_status(g->monitor, &s);
    return s.leads || !s.has_store || !s.store_ok;
}

static void
linked(void *arg)
{
    poll_begin(arg);
}

/* ---- birth ---- */

static enum err
open_link(struct gateway *g, struct fault *f)
{
    const struct gateway_conf *c = &g->conf;
    const struct admin_link_conf lc = {.url = c->admin_url,
                                       .client_id = c->client_id,
                                       .client_secret = c->client_secret,
                                       .keys = c->keys,
                                       .documents = true,
                                       .patience = c->patience,
                                       .ready = linked,
                                       .arg = g,
                                       .log = c->log};
    enum err e = admin_link_open(&g->link, c->fetch, &lc, f);
    struct registry_remote_conf rc = {
        .url = c->admin_url,
        .patience = REGISTRY_PATIENCE,
        .breaker = {.failure_threshold = 3,
                    .success_threshold = 1,
                    .open_for = dur_s(2),
                    .probe_for = dur_s(10)},
    };

    if (e != ERR_OK)
        return e;
    admin_list_init(&g->list, g->link);
    rc.auth = admin_link_auth(g->link);
    g->audit = audit_remote_open(admin_link_peer(g->link), &rc.auth,
                                 REGISTRY_PATIENCE, c->log);
    if (g->audit == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "audit queue");
    rc.audit = g->audit;
    return registry_remote_open(&g->registry, c->fetch, &rc, f);
}

static enum err
open_monitor(struct gateway *g, struct fault *f)
{
    struct monitor_conf m = g->conf.monitor;
    const char *why;

    m.coord = g->conf.coord;
    m.fetch = g->conf.fetch;
    m.auth = admin_link_auth(g->link);
    m.admin = &g->list.admin;
    m.documents = admin_link_documents;
    m.documents_arg = g->link;
    m.hash = g->conf.hash;
    m.elements = elements_changed;
    m.polled = polled;
    m.elements_arg = g;
    m.clock = g->conf.clock;
    m.metrics = g->conf.metrics;
    m.log = g->conf.log;
    m.reload.redis = m.coord != NULL;
    m.reload.admin = true;
    sec_random(&m.seed, sizeof(m.seed));
    why = monitor_conf_check(&m);
    if (why)
        return fault_set(f, ERR_INVAL, "CAPACITY_MONITOR_*", why);
    return monitor_open(&g->monitor, &m, g->conf.loops, g->conf.n_loops, f);
}

static enum err
open_pull(struct gateway *g, struct fault *f)
{
    const struct ask_auth auth = admin_link_auth(g->link);

    g->inform = inform_open(admin_link_peer(g->link), &auth, g->conf.patience);
    g->pull = pull_open(&(struct pull_conf){.registry = g->registry,
                                            .admin = admin_link_peer(g->link),
                                            .fetch = g->conf.fetch,
                                            .auth = auth,
                                            .patience = g->conf.patience,
                                            .ours = pulls,
                                            .arg = g,
                                            .metrics = g->conf.metrics,
                                            .log = g->conf.log});
    return g->pull && g->inform ? ERR_OK
                                : fault_set(f, ERR_NOMEM, "allocate", "pull");
}

enum err
gateway_open(struct gateway **out, const struct gateway_conf *conf,
             struct fault *f)
{
    struct gateway *g = calloc(1, sizeof(*g));
    enum err e;

    *out = NULL;
    if (g == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "gateway");
    assert(conf->n_loops <= LOOPS_MAX);
    g->conf = *conf;
    g->timer.fire = tick;
    e = open_link(g, f);
    if (e == ERR_OK)
        e = open_monitor(g, f);
    if (e == ERR_OK)
        e = open_pull(g, f);
    if (e == ERR_OK)
        checks_open(g);
    else
        gateway_close(&g);
    *out = g;
    return e;
}

void
gateway_issuer(struct gateway *g, struct authority *a)
{
    authority_issuer(a, admin_link_key_unknown, g->link);
}

void
gateway_provide(struct gateway *g, struct ingest_conf *c)
{
    c->registry = g->registry;
    c->monitor = g->monitor;
    c->pull = g->pull;
}

void
gateway_start(struct gateway *g, struct loop *l)
{
    g->loop = l;
    g->begun = l->now;
    admin_link_start(g->link, l);
    inform_start(g->inform, l);
    audit_remote_start(g->audit, l);
    pull_start(g->pull, l);
    tick(l, &g->timer);
}

/* ---- the end ---- */

/* The link stays: an attempt that is being given up at an element may ask for
 * its token until the loops have stopped. */
static void
parts_close(struct gateway *g)
{
    pull_close(&g->pull);
    inform_close(&g->inform);
    monitor_close(&g->monitor);
    registry_remote_close(&g->registry);
    audit_remote_close(&g->audit);
    admin_link_unplug(g->link);
}

static void
over(struct loop *l, struct task *t)
{
    struct gateway *g = container_of(t, struct gateway, over);

    (void)l;
    parts_close(g);
    g->done(g->done_arg);
}

/* What was posted to this loop before has run now. */
static void
passed(struct loop *l, struct task *t)
{
    struct gateway *g = container_of(t, struct barrier, task)->g;

    (void)l;
    if (atomic_fetch_sub(&g->waiting, 1) == 1)
        loop_post(g->loop, &g->over);
}

/* Views may be on their way to loops still. */
static void
link_stopped(void *arg)
{
    struct gateway *g = arg;

    g->over.run = over;
    atomic_store(&g->waiting, g->conf.n_loops);
    for (unsigned i = 0; i < g->conf.n_loops; i++) {
        g->barrier[i] = (struct barrier){{passed, NULL}, g};
        loop_post(g->conf.loops[i], &g->barrier[i].task);
    }
}

static void
audit_stopped(void *arg)
{
    struct gateway *g = arg;

    admin_link_stop(g->link, link_stopped, g);
}

static void
inform_stopped(void *arg)
{
    struct gateway *g = arg;

    audit_remote_stop(g->audit, audit_stopped, g);
}

static void
monitor_stopped(void *arg)
{
    struct gateway *g = arg;

    inform_stop(g->inform, inform_stopped, g);
}

static void
pull_stopped(void *arg)
{
    struct gateway *g = arg;

    poll_begin(g); /* what is stopped must have begun */
    monitor_stop(g->monitor, monitor_stopped, g);
}

void
gateway_stop(struct gateway *g, void (*done)(void *arg), void *arg)
{
    g->done = done;
    g->done_arg = arg;
    loop_timer_stop(g->loop, &g->timer);
    pull_stop(g->pull, pull_stopped, g);
}

void
gateway_reload(struct gateway *g)
{
    monitor_reload(g->monitor, NULL);
}

void
gateway_close(struct gateway **gp)
{
    struct gateway *g = *gp;

    *gp = NULL;
    if (g == NULL)
        return;
    parts_close(g);
    admin_link_close(&g->link);
    free(g);
}
