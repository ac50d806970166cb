/* monitor_count.c - what the monitor counts (ING-275...ING-300, CAP section 9,
 * REL section 8). SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include "wire/endpoint.h"

void
count_open(struct monitor *m)
{
    struct metrics *x = m->conf.metrics;

    count_leads(m, false);
    for (enum lease_change c = LEASE_ACQUIRED; c <= LEASE_RELEASED; c++)
        (void)metric_series(x, M_LEADER_TRANSITIONS, m->instance,
                            lease_change_name(c));
    metric_set(x, metric_plain(x, M_SE_ENDPOINTS), 0); /* REL-118 */
}

void
count_leads(struct monitor *m, bool leads)
{
    struct metrics *x = m->conf.metrics;

    metric_set(x, metric_series(x, M_LEADER_STATE, m->instance), leads);
}

void
count_lease(struct monitor *m, const struct lease_out *out)
{
    struct metrics *x = m->conf.metrics;

    if (out->change != LEASE_UNCHANGED)
        metric_inc(x, metric_series(x, M_LEADER_TRANSITIONS, m->instance,
                                    lease_change_name(out->change)));
    if (out->label != LEASE_NOT_ANSWERED)
        metric_observe(
            x, metric_series(x, M_LEADER_LOCK, lease_label_name(out->label)),
            out->took.ns);
}

void
count_poll(struct monitor *m, const char *id, const struct poll_out *out)
{
    struct metrics *x = m->conf.metrics;
    bool ok = out->error == POLL_OK;

    metric_observe(
        x, metric_series(x, M_POLL_DURATION, id, ok ? "success" : "failure"),
        out->took.ns);
    if (!ok)
        metric_inc(x, metric_series(x, M_POLL_FAILURES, id,
                                    poll_error_name(out->error)));
}

void
count_forget(struct monitor *m, struct mon_element *e)
{
    static const char *const status[] = {"success", "failure"};
    struct metrics *x = m->conf.metrics;
    const char *id = e->id;

    e->counted = false;
    metric_drop(x, metric_series(x, M_BREAKER_STATE, id));
    metric_drop(x, metric_series(x, M_ELEMENT_HEALTHY, id));
    for (size_t i = 0; i < countof(status); i++)
        metric_drop(x, metric_series(x, M_POLL_DURATION, id, status[i]));
    for (enum poll_error p = POLL_TIMEOUT; p < POLL_ERROR_COUNT; p++)
        metric_drop(x,
                    metric_series(x, M_POLL_FAILURES, id, poll_error_name(p)));
    for (enum reload_reason r = 0; r < RELOAD_REASONS; r++)
        metric_drop(
            x, metric_series(x, M_LAZY_UPDATES, id, reload_reason_name(r)));
}

void
count_read(struct monitor *m, const char *result, struct dur took)
{
    struct metrics *x = m->conf.metrics;

    metric_inc(x, metric_series(x, M_CAPACITY_CACHE, result));
    metric_observe(x, metric_series(x, M_CAPACITY_LATENCY, "redis"), took.ns);
}

void
count_admin(struct monitor *m, struct dur took)
{
    struct metrics *x = m->conf.metrics;

    metric_observe(x, metric_series(x, M_CAPACITY_LATENCY, "admin_module_api"),
                   took.ns);
    metric_inc(x, metric_series(x, M_CAPACITY_FALLBACK, "admin_module_api"));
}

void
count_available(struct monitor *m)
{
    struct metrics *x = m->conf.metrics;
    bool by_admin;

    for (unsigned i = 0; i <= SELECT_AR; i++)
        metric_set(
            x,
            metric_series(x, M_ELEMENTS_AVAILABLE, element_mode_text((int)i)),
            view_usable(m, i, &by_admin));
}

void
count_health(struct monitor *m, struct mon_element *e, bool healthy)
{
    struct metrics *x = m->conf.metrics;

    if (e->counted && e->healthy == healthy)
        return;
    e->counted = true;
    e->healthy = healthy;
    metric_set(x, metric_series(x, M_ELEMENT_HEALTHY, e->id), healthy);
}

void
count_lazy(struct monitor *m, const char *id, enum reload_reason reason)
{
    struct metrics *x = m->conf.metrics;

    metric_inc(
        x, metric_series(x, M_LAZY_UPDATES, id, reload_reason_name(reason)));
}

void
count_latency(struct monitor *m, struct dur d)
{
    struct metrics *x = m->conf.metrics;

    metric_observe(x, metric_plain(x, M_SE_PUBSUB_LATENCY), d.ns);
}

/* ---- lists: the core counts, here it is carried over ---- */

static void
raise(struct metrics *x, struct series s, uint64_t now, uint64_t *was)
{
    if (now > *was)
        metric_add(x, s, now - *was);
    *was = now;
}

void
count_reload(struct monitor *m, const struct reload_out *out)
{
    static const char *const result[] = {"success", "failed"};
    const struct reload_counts *c = &m->reload.counts;
    struct reload_counts *was = &m->counted;
    struct metrics *x = m->conf.metrics;
    bool lazy = out->cause == RELOAD_BY_LAZY || out->cause == RELOAD_BY_MANUAL;

    for (enum reload_source s = 0; s < RELOAD_SOURCES; s++)
        for (unsigned i = 0; i < 2; i++)
            if (c->reload[s][i] != was->reload[s][i])
                raise(x,
                      metric_series(x, M_SE_RELOADS,
                                    reload_source_name(s, false), result[i]),
                      c->reload[s][i], &was->reload[s][i]);
    for (enum reload_reason r = 0; r < RELOAD_REASONS; r++)
        for (enum reload_status s = 0; s < RELOAD_STATUSES; s++)
            if (c->lazy[r][s] != was->lazy[r][s])
                raise(x,
                      metric_series(x, M_SE_LAZY_RELOADS, reload_reason_name(r),
                                    reload_status_name(s)),
                      c->lazy[r][s], &was->lazy[r][s]);
    for (unsigned i = 0; i < 3; i++)
        if (c->change[i] != was->change[i])
            raise(x,
                  metric_series(x, M_SE_CHANGES,
                                reload_change_name((enum reload_change_type)i)),
                  c->change[i], &was->change[i]);
    metric_set(x, metric_plain(x, M_SE_ENDPOINTS), (int64_t)c->endpoints);
    if (out->ended && out->status == RELOAD_SUCCESS)
        metric_observe(x,
                       metric_series(x, M_SE_RELOAD_DURATION,
                                     reload_source_name(out->source, lazy)),
                       out->took.ns);
}
