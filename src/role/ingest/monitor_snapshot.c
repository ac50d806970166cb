/* monitor_snapshot.c - what is known of the elements becomes views.
 *
 * The polled part is made when something in it has changed, but not more often
 * than MIN_GAP and a time for each element, so that many polls that end
 * together cost one. Admin's part is made from each of its answers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/common/blob_remote.h"
#include "role/ingest/monitor_impl.h"
#include <stdio.h>
#include <stdlib.h>

#define MIN_GAP     dur_ms(50)
#define PER_ELEMENT ((int64_t)50000) /* ns */

/* ---- facts ---- */

static struct dur
age_of(const struct monitor *m, struct wall t)
{
    int64_t ms = m->loop->wall.ms - t.ms;

    /* The poller's clock and ours may differ (D23: by minutes). */
    return dur_ms(ms > 0 ? ms : 0);
}

static struct snapshot_fact
fact_of(const struct monitor *m, const struct mon_element *e)
{
    const struct capacity *c = &e->cap;
    int mode = mon_element_mode(e, c->mode);
    bool sets = mode == SELECT_EDIT || mode == SELECT_RW;
    bool in = sets && e->in[mode];

    return (struct snapshot_fact){
        .element_id = e->id,
        .endpoint = e->endpoint,
        .location = c->location,
        .mode = mode,
        .priority = in ? (int)e->score[mode] : e->priority,
        .set = !sets ? SNAPSHOT_NO_SET
               : in  ? SNAPSHOT_IN_SET
                     : SNAPSHOT_NOT_IN_SET,
        .status = c->status,
        .unhealthy = c->health == CAPACITY_UNHEALTHY || e->blob == NULL,
        .unwritable = c->unwritable,
        .total = c->total,
        .used = c->used,
        .available = c->available,
        .inodes_total = c->inodes_total,
        .inodes_available = c->inodes_available,
        .age = mono_sub(m->loop->now, e->polled),
    };
}

static struct snapshot_fact
fact_of_admin(struct monitor *m, const struct element_entry *e)
{
    const struct mon_element *known = mon_element_find(m, e->element_id);
    int mode = e->mode;

    if (known) /* as far as it was polled, or is listed later */
        mode = mon_element_mode(known, known->have && known->cap.mode > mode
                                           ? known->cap.mode
                                           : mode);
    return (struct snapshot_fact){
        .element_id = e->element_id,
        .endpoint = e->endpoint,
        .location = e->location,
        .mode = mode,
        .priority = e->priority,
        .set = SNAPSHOT_NO_SET,
        .status = e->status,
        /* No good address, or one too many: this one is left out. */
        .unhealthy = e->unhealthy || known == NULL || known->blob == NULL,
        .total = e->total,
        .used = e->used,
        .available = e->available,
        .inodes_total = e->inodes_total,
        .inodes_available = e->inodes_available,
        .age = e->last_updated.ms ? age_of(m, e->last_updated) : dur_ms(0),
    };
}

/* ---- parts ---- */

/* Takes the place of the one before. */
static void
set_part(struct monitor *m, enum view_source s, struct view_part *p)
{
    view_part_drop(&m->part[s]);
    m->part[s] = p;
    m->publish = true;
}

static void
make_part(struct monitor *m, enum view_source s, const struct reload_list *list,
          const struct snapshot_fact *facts, size_t n, struct mono until)
{
    const struct snapshot_conf conf = {.marks = m->conf.marks,
                                       .fresh_for = m->conf.cache_ttl,
                                       .datacenter = m->conf.datacenter};
    const struct snapshot *before = m->part[s] ? m->part[s]->snap : NULL;
    struct blob **blobs = NULL;
    struct view_part *p = NULL;
    struct snapshot *snap;

    if (snapshot_make(&snap, list, facts, n, before, &conf, m->loop->now))
        return; /* no memory: the one before stays, and grows stale */
    blobs = malloc(sizeof(struct blob *) * (snap->n + 1));
    for (size_t i = 0; blobs && i < snap->n; i++) {
        struct mon_element *e = mon_element_find(m, snap->e[i].element_id);

        blobs[i] = e ? e->blob : NULL;
    }
    if (blobs)
        p = view_part_new(snap, blobs, until);
    free((void *)blobs);
    if (p)
        set_part(m, s, p);
    else
        snapshot_free(snap);
}

static void
make_polled(struct monitor *m)
{
    struct mon_element **all = elements_sorted(m);
    struct snapshot_fact *facts;
    size_t n = 0;

    if (all == NULL)
        return;
    facts = malloc(sizeof(*facts) * (m->n_elements + 1));
    if (facts == NULL)
        return;
    for (uint32_t i = 0; i < m->n_elements; i++) {
        struct mon_element *e = all[i];

        facts[n] = fact_of(m, e);
        if (e->listed)
            count_health(m, e, e->have && !facts[n].unhealthy);
        n += e->have && e->endpoint &&
             (e->listed || (!e->gone && (e->in[0] || e->in[1])));
    }
    make_part(m, VIEW_POLLED, m->list, facts, n, MONO_NEVER);
    free(facts);
}

static void
mark_by_admin(struct monitor *m, const struct elements *el)
{
    struct mon_element **copy = NULL, **all = elements_sorted(m);
    uint32_t n = m->n_elements;

    if (all)
        copy = malloc(sizeof(struct mon_element *) * (n + 1));
    if (copy == NULL)
        return;
    memcpy((void *)copy, (void *)all, sizeof(struct mon_element *) * n);
    for (uint32_t i = 0; i < n; i++)
        copy[i]->by_admin = false;
    for (size_t i = 0; i < el->n; i++) {
        struct mon_element *e = mon_element_find(m, el->e[i].element_id);

        if (e == NULL || !e->listed) /* else our list has the address */
            e = mon_element_put(m, el->e[i].element_id, el->e[i].endpoint);
        if (e == NULL)
            continue;
        e->by_admin = true;
        if (e->blob) /* where nobody polls, this is the occasion */
            blob_remote_settle(e->blob);
    }
    for (uint32_t i = 0; i < n; i++)
        mon_element_settle(m, copy[i]);
    free((void *)copy);
}

void
view_admin(struct monitor *m, const struct elements *el)
{
    struct snapshot_fact *facts = malloc(sizeof(*facts) * (el->n + 1));
    struct mono until = mono_add(m->loop->now, m->conf.admin_ttl);
    const struct reload_list none = {0};
    size_t n = 0;

    mark_by_admin(m, el);
    for (size_t i = 0; facts && i < el->n; i++)
        if (el->e[i].has_capacity && el->e[i].mode >= 0)
            facts[n++] = fact_of_admin(m, &el->e[i]);
    if (facts)
        make_part(m, VIEW_ADMIN, &none, facts, n, until);
    free(facts);
}

void
view_forget(struct monitor *m, enum view_source s)
{
    if (m->part[s])
        m->publish = true;
    view_part_drop(&m->part[s]);
}

unsigned
view_usable(const struct monitor *m, unsigned mode, bool *by_admin)
{
    const struct view_part *p = m->part[VIEW_POLLED];
    unsigned n = p && m->conf.select_polled ? p->snap->by_mode[mode] : 0;

    *by_admin = false;
    p = m->part[VIEW_ADMIN];
    if (n || p == NULL || mono_reached(m->loop->now, p->until))
        return n;
    *by_admin = p->snap->by_mode[mode] > 0;
    return p->snap->by_mode[mode];
}

/* ---- views ---- */

static void
why(struct monitor *m, enum view_source s, char out[VIEW_WHY])
{
    char text[FAULT_TEXT];
    const struct fault *f =
        s == VIEW_POLLED ? &m->store_fault : &m->admin_fault;

    if (s == VIEW_POLLED && m->conf.coord == NULL)
        (void)snprintf(out, VIEW_WHY, "there is no coordination store");
    else if (s == VIEW_ADMIN && m->conf.admin == NULL)
        (void)snprintf(out, VIEW_WHY, "there is no Admin");
    else if (s == VIEW_POLLED && m->store_ok)
        (void)snprintf(out, VIEW_WHY, "there is no list of elements yet");
    else if (f->code == ERR_OK)
        (void)snprintf(out, VIEW_WHY, "%s was not asked yet",
                       s == VIEW_POLLED ? "the store" : "Admin");
    else
        (void)snprintf(out, VIEW_WHY, "%.*s", VIEW_WHY - 1,
                       fault_text(f, text, sizeof(text)));
}

static void
publish(struct monitor *m)
{
    struct view *v = view_new();

    if (v == NULL)
        return; /* at the next turn again */
    m->publish = false;
    v->polled_off = !m->conf.select_polled;
    for (unsigned i = 0; i < VIEW_SOURCES; i++) {
        v->part[i] = view_part_hold(m->part[i]);
        if (v->part[i] == NULL)
            why(m, (enum view_source)i, v->why[i]);
    }
    views_publish(&m->views, v);
    count_available(m);
}

void
view_polled(struct monitor *m)
{
    struct dur gap = {MIN_GAP.ns + (int64_t)m->n_elements * PER_ELEMENT};

    if (m->dirty)
        return;
    m->dirty = true;
    m->build_at = mono_add(m->built, gap);
}

void
view_drive(struct monitor *m)
{
    if (m->dirty && mono_reached(m->loop->now, m->build_at)) {
        m->dirty = false;
        m->built = m->loop->now;
        if (m->store_ok && m->list)
            make_polled(m);
    }
    if (m->publish)
        publish(m);
}

struct mono
view_due(const struct monitor *m)
{
    return m->dirty ? m->build_at : MONO_NEVER;
}
