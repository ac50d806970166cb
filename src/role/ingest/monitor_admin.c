/* monitor_admin.c - the other source: Admin's list, with what Admin knows of
 * each element's room (CNF-004, CAP-060, CAP-063).
 *
 * It is asked in three cases, and one answer serves all of them:
 *   - the list is read again, and the store had none (monitor_reload.c)
 *   - the store is lost, absent, or not to be used for selection, or has come
 *     back empty and nobody has polled yet: then again and again, before the
 *     last answer is too old, so that a choice has it
 *   - the store works, but nothing that was polled can be chosen: for as long
 *     as that goes on, and the first who find it wait for the answer
 *
 * Choices that fail ask at most once in PACE: who comes sooner would hear what
 * was just heard. So refusals by the thousand, for want of room or because
 * Admin is away, cost Admin one question a second.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"

#define RETRY  dur_s(1)
#define PACE   dur_s(1)
#define LINGER dur_s(30) /* asked ahead, after the last choice that needed it */

/* ---- who waits ---- */

static void
wait_ready(struct loop *l, struct task *t)
{
    struct monitor_wait *w = container_of(t, struct monitor_wait, task);

    (void)l;
    w->ready(w);
}

void
waits_release(struct monitor *m)
{
    struct list *it;

    while ((it = list_pop(&m->waits)) != NULL) {
        struct monitor_wait *w = container_of(it, struct monitor_wait, item);

        w->task.run = wait_ready;
        loop_post(w->loop, &w->task);
    }
    m->waits_over = false;
}

/* ---- answers ---- */

static struct mono
good_for(const struct monitor *m)
{
    return mono_add(m->loop->now, (struct dur){m->conf.admin_ttl.ns / 5 * 4});
}

static void
over(struct monitor *m, bool ok, struct mon_list *list)
{
    uint64_t ticket = m->admin_ticket;

    m->admin_busy = false;
    m->admin_ok = ok;
    m->admin_next = ok ? good_for(m) : mono_add(m->loop->now, RETRY);
    m->waits_over = true;
    m->admin_ticket = 0;
    if (ticket && !m->stopping)
        reload_event(m, (struct reload_event){
                            .type = RELOAD_EV_FETCHED,
                            .now = m->loop->now,
                            .ticket = ticket,
                            .result = ok ? RELOAD_GOT : RELOAD_NO_ANSWER,
                            .list = list ? &list->list : NULL});
    else if (list)
        list_free(&list->list);
}

static void
failed(struct monitor *m, const struct fault *f)
{
    m->admin_fault = *f;
    log_warning(m->conf.log, "Failed to fetch SE from Admin Module", F_FAULT(f),
                F_STR("instance_id", m->instance), F_TYPE("http_client"));
    if (m->part[VIEW_ADMIN] &&
        mono_reached(m->loop->now, m->part[VIEW_ADMIN]->until))
        view_forget(m, VIEW_ADMIN);
    m->publish = true; /* the reason may be another one */
    over(m, false, NULL);
}

void
admin_got(struct monitor *m, struct mon_parse *p)
{
    struct mon_list *l = p->list;

    p->list = NULL;
    if (l == NULL) {
        failed(m, &p->fault);
        return;
    }
    count_admin(m, mono_sub(monitor_now(m), m->admin_asked));
    view_admin(m, &l->el);
    over(m, true, l);
}

static void
answered(struct monitor_admin_ask *q)
{
    struct monitor *m = q->priv;
    struct mon_parse *p = q->err == ERR_OK ? parse_new(m, LIST_ADMIN, 0) : NULL;

    if (p) {
        buf_release(&p->text[0]);
        p->text[0] = q->out;
        parse_run(p);
    } else {
        if (q->err == ERR_OK)
            (void)fault_set(&q->fault, ERR_NOMEM, "read", "Admin's list");
        buf_release(&q->out);
        failed(m, &q->fault);
    }
    monitor_ended(m);
}

/* ---- questions ---- */

/* The store gives no answers to choose from. */
static bool
stands_in(const struct monitor *m)
{
    if (m->conf.coord == NULL || !m->conf.select_polled)
        return true;
    if (!m->store_ok)
        return m->store_told;
    return m->list && m->list->n && m->round.empty;
}

static bool
is_due(const struct monitor *m)
{
    if (m->admin_busy || m->conf.admin == NULL || m->stopping)
        return false;
    if (m->admin_ticket)
        return true;
    if (!mono_reached(m->loop->now, m->admin_pace))
        return false;
    if (!list_empty(&m->waits))
        return true;
    return (stands_in(m) || !mono_reached(m->loop->now, m->admin_wanted)) &&
           mono_reached(m->loop->now, m->admin_next);
}

static void
ask(struct monitor *m)
{
    struct monitor_admin_ask *q = &m->admin_ask;

    *q = (struct monitor_admin_ask){.loop = m->loop,
                                    .done = answered,
                                    .patience = m->conf.reload.fetch_timeout,
                                    .priv = m};
    buf_init(&q->out, 16 * MIB);
    m->admin_busy = true;
    m->admin_asked = monitor_now(m);
    m->admin_pace = mono_add(m->loop->now, PACE);
    m->admin_limit = mono_add(m->loop->now, m->conf.admin_patience);
    monitor_began(m);
    m->conf.admin->list(m->conf.admin, q);
}

void
admin_drive(struct monitor *m)
{
    if (!list_empty(&m->waits)) {
        m->admin_wanted = mono_add(m->loop->now, LINGER);
        if (m->conf.admin == NULL || m->stopping)
            m->waits_over = true;
        else if (m->admin_busy && mono_reached(m->loop->now, m->admin_limit))
            m->waits_over = true; /* nobody waits longer for a choice */
        else if (!m->admin_busy && !mono_reached(m->loop->now, m->admin_pace))
            m->waits_over = true;
    }
    if (!m->waits_over && is_due(m))
        ask(m);
}

struct mono
admin_due(const struct monitor *m)
{
    if (m->conf.admin == NULL || m->stopping)
        return MONO_NEVER;
    if (m->admin_busy)
        return list_empty(&m->waits) ? MONO_NEVER : m->admin_limit;
    if (stands_in(m) || !mono_reached(m->loop->now, m->admin_wanted))
        return mono_before(m->admin_next, m->admin_pace) ? m->admin_pace
                                                         : m->admin_next;
    return MONO_NEVER;
}

void
admin_cancel(struct monitor *m)
{
    if (m->admin_busy && m->conf.admin->cancel)
        m->conf.admin->cancel(m->conf.admin);
}

void
admin_forget(struct monitor *m)
{
    m->admin_next = m->loop->now;
    if (!stands_in(m) && mono_reached(m->loop->now, m->admin_wanted))
        view_forget(m, VIEW_ADMIN);
}
