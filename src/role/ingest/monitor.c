/* monitor.c - see monitor.h: birth, the turn, the end.
 *
 * Each event, be it an answer, a timer or a word from another thread, changes
 * one thing and then calls monitor_turn(), which lets each part do what is due
 * and sets the one timer to when the first of them is due next.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include <stdio.h>
#include <stdlib.h>

struct mono
monitor_now(const struct monitor *m)
{
    return m->conf.clock ? m->conf.clock() : m->loop->now;
}

/* ---- the turn ---- */

static struct mono
earlier(struct mono a, struct mono b)
{
    return mono_before(a, b) ? a : b;
}

static void
arm(struct monitor *m)
{
    struct mono t = lease_due(m);

    t = earlier(t, poll_due(m));
    t = earlier(t, reload_due(m));
    t = earlier(t, round_due(m));
    t = earlier(t, admin_due(m));
    t = earlier(t, view_due(m));
    if (t.ns == MONO_NEVER.ns)
        loop_timer_stop(m->loop, &m->timer);
    else if (!loop_timer(m->loop, &m->timer, t))
        log_error(m->conf.log, "capacity monitor: the loop has no timer left");
}

/* Longer than a new leader takes to be there and to have asked them all. */
static unsigned
quiet(const struct monitor *m)
{
    int64_t ns = mono_sub(m->loop->now, m->polled).ns;

    if (!m->conf.coord || !m->store_ok || !m->list || m->list->n == 0 ||
        ns < 2 * m->conf.poll.base.ns + 2 * m->conf.lease.ttl.ns)
        return 0;
    return (unsigned)(ns / 1000000000);
}

static void
tell_status(struct monitor *m)
{
    const struct fault *f = NULL;
    bool by_admin[2];
    struct monitor_status s = {
        .started = m->started,
        .leads =
            m->know_store && lease_may_write(&m->lease, m->loop->now, NULL),
        .epoch = m->lease.epoch,
        .has_store = m->conf.coord != NULL,
        .store_ok = m->store_ok,
        .has_admin = m->conf.admin != NULL,
        .admin_ok = m->admin_ok,
        .listed = m->list != NULL,
        .elements = m->list ? (unsigned)m->list->n : 0,
        .generation = m->reload.generation,
        .version = m->reload.version,
        .quiet_s = quiet(m),
    };
    char text[FAULT_TEXT];

    s.store_empty = s.store_ok && m->round.empty;
    s.edit = view_usable(m, SELECT_EDIT, &by_admin[0]);
    s.rw = view_usable(m, SELECT_RW, &by_admin[1]);
    /* Uploads wait for Admin's first answer; who asks for this does too. */
    if (s.store_empty && m->admin_busy && s.edit + s.rw == 0) {
        s.edit = m->status.edit;
        s.rw = m->status.rw;
    }
    s.stands_in =
        s.has_store && m->conf.select_polled && (by_admin[0] || by_admin[1]);
    if (s.has_store && !s.store_ok)
        f = &m->store_fault;
    else if (!m->list)
        f = &m->admin_fault;
    if (f && f->code)
        (void)snprintf(s.why, sizeof(s.why), "%.*s", (int)sizeof(s.why) - 1,
                       fault_text(f, text, sizeof(text)));
    memcpy(s.instance_id, m->instance, sizeof(s.instance_id));
    (void)pthread_mutex_lock(&m->lock);
    m->status = s;
    (void)pthread_mutex_unlock(&m->lock);
}

/* True: M may be gone. */
static bool
is_over(struct monitor *m)
{
    if (!m->stopping || m->stopped || m->under_way || !lease_over(m))
        return false;
    m->stopped = true;
    loop_timer_stop(m->loop, &m->timer);
    m->done(m->done_arg);
    return true;
}

void
monitor_turn(struct monitor *m)
{
    if (m->turning || !m->started || m->stopped) {
        m->turn_again = true;
        return;
    }
    m->turning = true;
    do {
        m->turn_again = false;
        lease_drive(m);
        reload_drive(m);
        poll_drive(m);
        round_drive(m);
        admin_drive(m);
        view_drive(m);
        elements_drive(m);
        if (m->waits_over)
            waits_release(m); /* behind the view that they wait for */
    } while (m->turn_again);
    tell_status(m);
    m->turning = false;
    if (!is_over(m))
        arm(m);
}

void
monitor_began(struct monitor *m)
{
    m->under_way++;
}

void
monitor_ended(struct monitor *m)
{
    assert(m->under_way);
    m->under_way--;
    monitor_turn(m);
}

static void
timer_fired(struct loop *l, struct timer *t)
{
    (void)l;
    monitor_turn(container_of(t, struct monitor, timer));
}

/* ---- from other threads ---- */

static void
woken(struct loop *l, struct task *t)
{
    struct monitor *m = container_of(t, struct monitor, wake);
    struct mon_trouble trouble[TROUBLES_MAX];
    struct list *it;
    unsigned n;
    bool manual;

    (void)l;
    (void)pthread_mutex_lock(&m->lock);
    m->woken = false;
    n = m->troubles;
    memcpy(trouble, m->trouble, sizeof(trouble[0]) * n);
    m->troubles = 0;
    manual = m->manual;
    m->manual = false;
    while ((it = list_pop(&m->readings_inbox)) != NULL)
        list_push(&m->readings, it);
    while ((it = list_pop(&m->inbox)) != NULL)
        list_push(&m->waits, it);
    (void)pthread_mutex_unlock(&m->lock);
    if (m->stopped || !m->started) {
        waits_release(m);
        readings_release(m, NULL);
        return;
    }
    for (unsigned i = 0; i < n && !m->stopping; i++)
        lazy_run(m, &trouble[i]);
    if (manual && !m->stopping)
        reload_event(m, (struct reload_event){.type = RELOAD_EV_TRIGGER,
                                              .now = m->loop->now,
                                              .reason = RELOAD_MANUAL});
    monitor_turn(m);
}

/* Under the lock. */
static void
wake(struct monitor *m)
{
    if (m->woken)
        return;
    m->woken = true;
    loop_post(m->loop, &m->wake);
}

void
monitor_trouble(struct monitor *m, const char *element_id,
                enum reload_reason reason)
{
    (void)pthread_mutex_lock(&m->lock);
    if (m->troubles < TROUBLES_MAX) {
        struct mon_trouble *t = &m->trouble[m->troubles++];

        (void)slice_copy(slice_str(element_id), t->id, sizeof(t->id));
        t->reason = reason;
        wake(m);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

void
monitor_reload(struct monitor *m, struct monitor_reading *w)
{
    (void)pthread_mutex_lock(&m->lock);
    m->manual = true;
    if (w)
        list_push(&m->readings_inbox, &w->item);
    wake(m);
    (void)pthread_mutex_unlock(&m->lock);
}

void
monitor_ask_admin(struct monitor *m, struct monitor_wait *w)
{
    (void)pthread_mutex_lock(&m->lock);
    list_push(&m->inbox, &w->item);
    wake(m);
    (void)pthread_mutex_unlock(&m->lock);
}

void
monitor_status(struct monitor *m, struct monitor_status *out)
{
    (void)pthread_mutex_lock(&m->lock);
    *out = m->status;
    (void)pthread_mutex_unlock(&m->lock);
}

const struct view *
monitor_view(const struct monitor *m, const struct loop *l)
{
    return view_of(&m->views, l);
}

/* ---- birth and end ---- */

static void
name(struct monitor *m, const struct monitor_conf *c)
{
    if (c->instance_id && c->instance_id[0])
        (void)snprintf(m->instance, sizeof(m->instance), "%s", c->instance_id);
    else
        (void)snprintf(m->instance, sizeof(m->instance), "ingester-%08x",
                       (unsigned)(c->seed ^ c->seed >> 32));
    (void)snprintf(m->channel, sizeof(m->channel), "%s", c->channel);
    (void)snprintf(m->datacenter, sizeof(m->datacenter), "%s",
                   c->datacenter ? c->datacenter : "");
    m->conf.instance_id = m->instance;
    m->conf.channel = m->channel;
    m->conf.datacenter = m->datacenter;
}

enum err
monitor_open(struct monitor **out, const struct monitor_conf *c,
             struct loop **loops, unsigned n_loops, struct fault *f)
{
    struct monitor *m = calloc(1, sizeof(*m));
    bool ok;

    assert(monitor_conf_check(c) == NULL);
    *out = NULL;
    if (m == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "capacity monitor");
    m->conf = *c;
    m->loop = loops[0];
    m->timer.fire = timer_fired;
    m->wake.run = woken;
    name(m, c);
    list_init(&m->asks);
    list_init(&m->bringings);
    list_init(&m->waits);
    list_init(&m->inbox);
    list_init(&m->readings);
    list_init(&m->readings_inbox);
    (void)pthread_mutex_init(&m->lock, NULL);
    for (unsigned i = 0; i < MONITOR_READS; i++)
        buf_init(&m->round.read[i].out, CAPACITY_TEXT_MAX);
    ok = map_init(&m->elements, 4096, c->seed);
    if (ok && !poll_init(&m->poll, &c->poll, c->elements_max, c->seed + 2)) {
        map_release(&m->elements);
        ok = false;
    }
    if (ok && !views_init(&m->views, loops, n_loops)) {
        poll_release(&m->poll);
        map_release(&m->elements);
        ok = false;
    }
    if (!ok) {
        (void)pthread_mutex_destroy(&m->lock);
        free(m);
        return fault_set(f, ERR_NOMEM, "allocate", "capacity monitor");
    }
    count_open(m);
    *out = m;
    return ERR_OK;
}

void
monitor_start(struct monitor *m)
{
    m->started = true;
    m->turning = true; /* until all parts have begun */
    m->round.next = m->admin_next = m->polled = m->loop->now;
    m->admin_wanted = m->loop->now;
    m->publish = true;
    lease_open(m);
    reload_open(m);
    m->turning = false;
    monitor_turn(m);
}

void
monitor_stop(struct monitor *m, void (*done)(void *arg), void *arg)
{
    m->done = done;
    m->done_arg = arg;
    m->stopping = true;
    m->turning = true;
    reload_end(m);
    lease_end(m);
    count_leads(m, false); /* CAP-074 */
    polls_cancel(m);
    admin_cancel(m);
    m->waits_over = true;
    m->turning = false;
    monitor_turn(m);
}

void
monitor_close(struct monitor **mp)
{
    struct monitor *m = *mp;

    *mp = NULL;
    if (m == NULL)
        return;
    assert(!m->started || m->stopped);
    views_release(&m->views);
    for (unsigned i = 0; i < VIEW_SOURCES; i++)
        view_part_drop(&m->part[i]);
    elements_close(m);
    round_release(m);
    free((void *)m->round.todo);
    list_free(m->list);
    poll_release(&m->poll);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}
