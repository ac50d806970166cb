/* system.c - see system.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/system.h"
#include "obs/health.h"
#include "obs/metric.h"
#include "role/common/openapi.h"
#include "role/common/reply.h"
#include "wire/json.h"
#include <stdlib.h>

#define METRICS_MAX ((size_t)8 * 1024 * 1024)

static void
health_reply(struct call *c, enum health_kind kind)
{
    const struct system_conf *s = c->role;
    const struct health_now now = {.mono = c->x->loop->now,
                                   .wall = c->x->loop->wall};
    unsigned status;
    struct buf b;

    buf_init(&b, 256 * KIB);
    status = health_answer(s->health, kind, &now, &b);
    exchange_header(c->x, SLICE("Cache-Control"), SLICE("no-store"));
    reply_json(c, (int)status, &b);
    buf_release(&b);
}

static void
health_live(struct call *c)
{
    health_reply(c, HEALTH_LIVE);
}

/* PRD-171: exactly this, for probes that compare. */
static void
health_z(struct call *c)
{
    const struct system_conf *s = c->role;
    const struct health_now now = {.mono = c->x->loop->now,
                                   .wall = c->x->loop->wall};
    unsigned status;
    struct buf b;

    buf_init(&b, 4 * KIB);
    status = health_answer(s->health, HEALTH_LIVE, &now, &b);
    buf_clear(&b);
    buf_add_str(&b, status == 200 ? "{\"status\": \"healthy\"}"
                                  : "{\"status\": \"unhealthy\"}");
    exchange_header(c->x, SLICE("Cache-Control"), SLICE("no-store"));
    reply_json(c, (int)status, &b);
    buf_release(&b);
}

static void
health_ready(struct call *c)
{
    health_reply(c, HEALTH_READY);
}

static void
health_startup(struct call *c)
{
    health_reply(c, HEALTH_STARTUP);
}

/* Ten thousand series take milliseconds: a worker's job. */
struct exposition {
    struct work work;
    struct call *call;
    struct metrics *metrics;
    struct buf text;
};

static void
expose_work(struct work *w)
{
    struct exposition *e = container_of(w, struct exposition, work);

    (void)metrics_expose(e->metrics, &e->text);
}

static void
expose_done(struct loop *l, struct work *w)
{
    struct exposition *e = container_of(w, struct exposition, work);
    struct call *c = e->call;

    (void)l;
    if (e->text.failed) {
        reply_error(c, 500, "answer_too_big", "There are too many metrics");
    } else {
        exchange_answer(c->x, 200, SLICE(METRICS_CONTENT_TYPE),
                        buf_slice(&e->text));
        call_end(c);
    }
    buf_release(&e->text);
    free(e);
}

static void
metrics_get(struct call *c)
{
    const struct system_conf *s = c->role;
    struct exposition *e = s->metrics ? calloc(1, sizeof(*e)) : NULL;

    if (s->metrics == NULL) {
        reply_error(c, 404, "metrics_disabled",
                    "Metrics are off; PROMETHEUS_METRICS_ENABLED=on brings "
                    "them back");
        return;
    }
    if (e == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    health_gauges(s->health, c->x->loop->now);
    e->call = c;
    e->metrics = s->metrics;
    buf_init(&e->text, METRICS_MAX);
    e->work.work = expose_work;
    e->work.done = expose_done;
    loop_work(c->x->loop, &e->work);
}

static void
version_get(struct call *c)
{
    const struct system_conf *s = c->role;
    struct json_writer w;
    struct buf b;

    buf_init(&b, 4 * KIB);
    json_begin(&w, &b);
    json_put_object(&w, NULL);
    json_put_text(&w, "name", s->name);
    json_put_text(&w, "version", s->version);
    json_put_text(&w, "role", s->role);
    json_put_text(&w, "durability", s->durability);
    json_end_object(&w);
    reply_json(c, 200, &b);
    buf_release(&b);
}

static void
openapi_get(struct call *c)
{
    const struct system_conf *s = c->role;
    const struct route_table *t;
    struct buf b;
    size_t n;

    t = router_tables(c->router, &n);
    buf_init(&b, OPENAPI_MAX);
    openapi_make(t, n, s->version, &b);
    reply_json(c, 200, &b);
    buf_release(&b);
}

static const struct route_doc health_docs[] = {
    {"200", NULL, "Health", "healthy or degraded"},
    {"503", NULL, "Health", "unhealthy, starting or draining"},
    {0},
};

static const struct route_doc healthz_docs[] = {
    {"200", NULL, "Object", "It does"},
    {"503", NULL, "Object", "A loop is stuck"},
    {0},
};
static const struct route_doc metrics_docs[] = {
    {"200", NULL, "text", METRICS_CONTENT_TYPE},
    {"404", NULL, "Error", "PROMETHEUS_METRICS_ENABLED is off"},
    {0},
};
static const struct route_doc version_docs[] = {
    {"200", NULL, "Version", "Name, version, role, durability"},
    {0},
};
static const struct route_doc openapi_docs[] = {
    {"200", NULL, "Object", "OpenAPI 3.1"},
    {0},
};

static const struct route routes[] = {
    {HTTP_GET,
     "/health/live",
     0,
     health_live,
     "health_live",
     "Does the process serve",
     {"/api/v1/health/live"},
     health_docs},
    {HTTP_GET,
     "/health/ready",
     0,
     health_ready,
     "health_ready",
     "Can it do its work, and how are its parts",
     {"/api/v1/health/ready", "/readyz"},
     health_docs},
    {HTTP_GET,
     "/healthz",
     0,
     health_z,
     "healthz",
     "The same in as few words as possible",
     {0},
     healthz_docs},
    {HTTP_GET,
     "/health/startup",
     0,
     health_startup,
     "health_startup",
     "Has it started",
     {0},
     health_docs},
    {HTTP_GET,
     "/metrics",
     0,
     metrics_get,
     "metrics",
     "Metrics in the Prometheus text format",
     {0},
     metrics_docs},
    {HTTP_GET,
     "/version",
     0,
     version_get,
     "version",
     "What is running",
     {0},
     version_docs},
    {HTTP_GET,
     "/openapi.json",
     SCOPE_READ,
     openapi_get,
     "openapi",
     "This description",
     {0},
     openapi_docs},
};

struct route_table
system_routes(const struct system_conf *conf)
{
    return (struct route_table){routes, countof(routes),
                                (void *)(uintptr_t)conf, "system"};
}
