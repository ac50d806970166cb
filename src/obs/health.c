/* health.c - see health.h. SPDX-License-Identifier: Apache-2.0 */
#include "obs/health.h"
#include "obs/line.h"
#include "obs/log.h"
#include "obs/metric.h"
#include <pthread.h>
#include <stdlib.h>

#define MESSAGE_MAX 320
#define EXTRAS_MAX  8

struct check {
    const char *name;
    bool critical;
    struct dur stale_after;
    bool known; /* set at least once */
    enum health_status status;
    struct mono at;
    struct dur took;
    char message[MESSAGE_MAX + 1];
    struct buf detail;
    struct series gauge;
    struct series duration;
};

struct health {
    struct health_conf conf;
    pthread_mutex_t lock;
    struct check check[HEALTH_CHECKS_MAX];
    int checks;
    struct {
        const char *name;
        struct buf json;
    } extra[EXTRAS_MAX];
    int extras;
    const char *step;
    bool started;
    bool draining;
    bool stuck;
};

const char *
health_name(enum health_status s)
{
    static const char *const name[] = {"healthy", "degraded", "unhealthy"};

    assert((unsigned)s < countof(name));
    return name[s];
}

const char *
health_aggregate(enum health_status s)
{
    static const char *const name[] = {"ok", "degraded", "fail"};

    assert((unsigned)s < countof(name));
    return name[s];
}

struct health *
health_open(const struct health_conf *conf)
{
    struct health *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->conf = *conf;
    h->step = "starting";
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

void
health_close(struct health **h)
{
    struct health *x = *h;

    *h = NULL;
    if (!x)
        return;
    for (int i = 0; i < x->checks; i++)
        buf_release(&x->check[i].detail);
    for (int i = 0; i < x->extras; i++)
        buf_release(&x->extra[i].json);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

int
health_add(struct health *h, const char *name, bool critical,
           struct dur stale_after)
{
    struct metrics *m = h->conf.metrics;
    struct check *c;
    int at = -1;

    pthread_mutex_lock(&h->lock);
    if (h->checks < HEALTH_CHECKS_MAX) {
        at = h->checks++;
        c = &h->check[at];
        *c = (struct check){
            .name = name,
            .critical = critical,
            .stale_after = stale_after,
            .status = HEALTH_UNHEALTHY,
            .message = "not checked yet",
            .gauge = metric_series(m, M_HEALTH_STATUS, name),
            .duration = metric_series(m, M_HEALTH_DURATION, name),
        };
        buf_init(&c->detail, HEALTH_DETAIL_MAX);
    }
    pthread_mutex_unlock(&h->lock);
    return at;
}

void
health_critical(struct health *h, int check, bool critical)
{
    assert(check >= 0 && check < h->checks);
    pthread_mutex_lock(&h->lock);
    h->check[check].critical = critical;
    pthread_mutex_unlock(&h->lock);
}

static void
change_log(struct log *l, const char *name, bool critical, enum health_status s,
           const char *message)
{
    if (s == HEALTH_HEALTHY)
        log_info(l, "health check changed", F_STR("component", name),
                 F_STR("status", health_name(s)), F_STR("detail", message));
    else
        log_warning(l, "health check changed", F_STR("component", name),
                    F_STR("status", health_name(s)),
                    F_BOOL("critical", critical), F_STR("detail", message));
}

static void
gauge_set(const struct health *h, const struct check *c, enum health_status s)
{
    static const int64_t shown[] = {1000, 500, 0}; /* PRD-149, thousandths */

    assert((unsigned)s < countof(shown));
    metric_set(h->conf.metrics, c->gauge, shown[s]);
}

void
health_set(struct health *h, int check, enum health_status status,
           const char *message, struct dur took, struct mono now)
{
    struct slice text = slice_str(message ? message : "ok");
    struct check *c;
    bool changed, critical;

    assert(check >= 0 && check < h->checks);
    c = &h->check[check];
    pthread_mutex_lock(&h->lock);
    critical = c->critical;
    changed = c->known ? c->status != status : status != HEALTH_HEALTHY;
    c->known = true;
    c->status = status;
    c->took = took;
    c->at = now;
    (void)slice_copy(slice_head(text, MESSAGE_MAX), c->message,
                     sizeof(c->message));
    pthread_mutex_unlock(&h->lock);
    gauge_set(h, c, status);
    metric_observe(h->conf.metrics, c->duration, took.ns);
    if (changed)
        change_log(h->conf.log, c->name, critical, status,
                   message ? message : "ok");
}

static bool
json_replace(struct buf *b, struct slice json)
{
    buf_clear(b);
    if (!buf_add_slice(b, json))
        buf_clear(b);
    return b->n == json.n;
}

bool
health_detail(struct health *h, int check, struct slice json)
{
    bool ok;

    assert(check >= 0 && check < h->checks);
    pthread_mutex_lock(&h->lock);
    ok = json_replace(&h->check[check].detail, json);
    pthread_mutex_unlock(&h->lock);
    return ok;
}

bool
health_extra(struct health *h, const char *name, struct slice json)
{
    bool ok = false;
    int i = 0;

    pthread_mutex_lock(&h->lock);
    while (i < h->extras && strcmp(h->extra[i].name, name) != 0)
        i++;
    if (i == h->extras && i < EXTRAS_MAX) {
        h->extra[i].name = name;
        buf_init(&h->extra[i].json, HEALTH_DETAIL_MAX);
        h->extras++;
    }
    if (i < h->extras)
        ok = json_replace(&h->extra[i].json, json);
    pthread_mutex_unlock(&h->lock);
    return ok;
}

void
health_step(struct health *h, const char *step)
{
    pthread_mutex_lock(&h->lock);
    h->step = step;
    pthread_mutex_unlock(&h->lock);
}

void
health_started(struct health *h)
{
    pthread_mutex_lock(&h->lock);
    h->started = true;
    pthread_mutex_unlock(&h->lock);
}

void
health_draining(struct health *h)
{
    pthread_mutex_lock(&h->lock);
    h->draining = true;
    pthread_mutex_unlock(&h->lock);
}

void
health_stuck(struct health *h, bool stuck)
{
    pthread_mutex_lock(&h->lock);
    h->stuck = stuck;
    pthread_mutex_unlock(&h->lock);
}

/* ------------------------------------------------------------- answers -- */

static bool
is_stale(const struct check *c, struct mono now)
{
    return c->known && c->stale_after.ns > 0 &&
           mono_reached(now, mono_add(c->at, c->stale_after));
}

static enum health_status
check_status(const struct check *c, struct mono now)
{
    return is_stale(c, now) ? HEALTH_UNHEALTHY : c->status;
}

static enum health_status
overall(const struct health *h, struct mono now)
{
    enum health_status worst = HEALTH_HEALTHY;

    if (h->draining || !h->started)
        return HEALTH_UNHEALTHY;
    for (int i = 0; i < h->checks; i++) {
        enum health_status s = check_status(&h->check[i], now);

        if (s == HEALTH_UNHEALTHY && h->check[i].critical)
            return HEALTH_UNHEALTHY;
        if (s != HEALTH_HEALTHY)
            worst = HEALTH_DEGRADED;
    }
    return worst;
}

void
health_gauges(struct health *h, struct mono now)
{
    pthread_mutex_lock(&h->lock);
    for (int i = 0; i < h->checks; i++)
        gauge_set(h, &h->check[i], check_status(&h->check[i], now));
    pthread_mutex_unlock(&h->lock);
}

enum health_status
health_overall(struct health *h, struct mono now)
{
    enum health_status s;

    pthread_mutex_lock(&h->lock);
    s = overall(h, now);
    pthread_mutex_unlock(&h->lock);
    return s;
}

static void
text_put(struct buf *out, const char *key, const char *value)
{
    char text[MESSAGE_MAX * 6 + 16];
    struct line l;

    line_init(&l, text, sizeof(text));
    line_json(&l, slice_str(value), MESSAGE_MAX);
    buf_printf(out, "\"%s\": ", key);
    buf_add_slice(out, line_slice(&l));
}

static void
ms_put(struct buf *out, const char *key, struct dur d)
{
    char text[32];
    struct line l;

    line_init(&l, text, sizeof(text));
    line_fixed(&l, d.ns / 1000, 3);
    buf_printf(out, "\"%s\": ", key);
    buf_add_slice(out, line_slice(&l));
}

static void
head_put(const struct health *h, struct buf *out, enum health_status s,
         const char *message, const struct health_now *now)
{
    char text[64];
    struct line l;

    buf_add_char(out, '{');
    text_put(out, "status", health_name(s));
    buf_add_str(out, ", ");
    text_put(out, "aggregate", health_aggregate(s));
    if (message) {
        buf_add_str(out, ", ");
        text_put(out, "message", message);
    }
    if (!now->summary) {
        buf_add_str(out, ", ");
        text_put(out, "version", h->conf.version ? h->conf.version : "");
        buf_add_str(out, ", ");
        text_put(out, "instance_id",
                 h->conf.instance_id ? h->conf.instance_id : "");
    }
    line_init(&l, text, sizeof(text));
    line_str(&l, ", \"uptime_seconds\": ");
    line_fixed(&l, mono_sub(now->mono, h->conf.started).ns / 1000000, 3);
    buf_add_slice(out, line_slice(&l));
    line_init(&l, text, sizeof(text));
    line_str(&l, ", \"timestamp\": \"");
    line_time(&l, now->wall);
    line_char(&l, '"');
    buf_add_slice(out, line_slice(&l));
}

static const char *
check_message(const struct check *c, const struct health_now *now)
{
    if (is_stale(c, now->mono))
        return "no answer from the check for too long";
    return now->summary ? "" : c->message;
}

static void
component_put(const struct check *c, struct buf *out,
              const struct health_now *now)
{
    buf_add_char(out, '{');
    text_put(out, "name", c->name);
    buf_add_str(out, ", ");
    text_put(out, "status", health_name(check_status(c, now->mono)));
    buf_add_str(out, ", ");
    text_put(out, "message", check_message(c, now));
    buf_add_str(out, ", ");
    ms_put(out, "check_duration_ms", c->took);
    buf_add_str(out, c->critical ? ", \"critical\": true}"
                                 : ", \"critical\": false}");
}

/* ING-097: the same by name, with what else is known. */
static void
check_put(const struct check *c, struct buf *out, const struct health_now *now)
{
    buf_printf(out, "\"%s\": {", c->name);
    text_put(out, "status", health_aggregate(check_status(c, now->mono)));
    buf_add_str(out, ", ");
    ms_put(out, "latency_ms", c->took);
    if (c->detail.n && !now->summary) {
        buf_add_str(out, ", \"detail\": ");
        buf_add_slice(out, buf_slice(&c->detail));
    }
    buf_add_char(out, '}');
}

static void
parts_put(const struct health *h, struct buf *out, const struct health_now *now)
{
    buf_add_str(out, ", \"components\": [");
    for (int i = 0; i < h->checks; i++) {
        buf_add_str(out, i ? ", " : "");
        component_put(&h->check[i], out, now);
    }
    buf_add_str(out, "], \"checks\": {");
    for (int i = 0; i < h->checks; i++) {
        buf_add_str(out, i ? ", " : "");
        check_put(&h->check[i], out, now);
    }
    buf_add_char(out, '}');
    for (int i = 0; i < h->extras && !now->summary; i++)
        if (h->extra[i].json.n) {
            buf_printf(out, ", \"%s\": ", h->extra[i].name);
            buf_add_slice(out, buf_slice(&h->extra[i].json));
        }
}

static unsigned
live_put(const struct health *h, const struct health_now *now, struct buf *out)
{
    head_put(h, out, h->stuck ? HEALTH_UNHEALTHY : HEALTH_HEALTHY, NULL, now);
    buf_add_str(out, ", \"components\": []}");
    return h->stuck ? 503 : 200;
}

unsigned
health_answer(struct health *h, enum health_kind kind,
              const struct health_now *now, struct buf *out)
{
    enum health_status s;
    const char *message = NULL;
    char step[96];
    unsigned http;

    pthread_mutex_lock(&h->lock);
    if (kind == HEALTH_LIVE) {
        http = live_put(h, now, out);
    } else {
        s = overall(h, now->mono);
        if (!h->started) {
            struct line l;

            line_init(&l, step, sizeof(step) - 1);
            line_str(&l, "initializing: ");
            line_str(&l, h->step);
            step[l.n] = 0;
            message = step;
        } else if (h->draining) {
            message = "shutting_down";
        }
        head_put(h, out, s, message, now);
        parts_put(h, out, now);
        buf_add_char(out, '}');
        http = s == HEALTH_UNHEALTHY ? 503 : 200;
        /* Once up, the startup probe stays up: what fails later is the
         * business of the other two (PRD-170). */
        if (kind == HEALTH_STARTUP && h->started)
            http = 200;
    }
    pthread_mutex_unlock(&h->lock);
    return http;
}
