/* monitor_element.c - the elements that a monitor knows: those of its list,
 * those that only the store has (its list is the older of the two, CAP-058),
 * those that only Admin has just named. Of each its addresses and what is known
 * of its room.
 *
 * An element that our list had and has no more is remembered until the store
 * has forgotten it, so that it is not taken for one that we have not heard of
 * yet. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/blob_remote.h"
#include "role/ingest/monitor_impl.h"
#include "wire/endpoint.h"
#include <stdlib.h>

/* ---- addresses ---- */

struct mon_peer *
mon_peer_hold(struct mon_peer *p)
{
    p->refs++;
    return p;
}

void
mon_peer_drop(struct mon_peer **pp)
{
    struct mon_peer *p = *pp;

    *pp = NULL;
    if (p == NULL || --p->refs)
        return;
    fetch_peer_close(&p->peer);
    free(p);
}

static void
open_peer(struct monitor *m, struct mon_element *e, struct fault *f)
{
    struct mon_peer *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        (void)fault_set(f, ERR_NOMEM, "open", e->id);
        return;
    }
    p->refs = 1;
    if (fetch_peer_open(m->conf.fetch, e->endpoint, &p->peer, f) == ERR_OK)
        e->peer = p;
    else
        free(p);
}

/* Polls have connections of their own: an upload that holds all of the other
 * ones must not look like an element that does not answer. */
static void
open_address(struct monitor *m, struct mon_element *e)
{
    const struct blob_remote_conf c = {.element_id = e->id,
                                       .url = e->endpoint,
                                       .hash = m->conf.hash,
                                       .auth = m->conf.auth,
                                       .log = m->conf.log};
    struct fault f = {0};

    open_peer(m, e, &f);
    if (e->peer == NULL ||
        blob_remote_open(&e->blob, m->conf.fetch, &c, &f) != ERR_OK)
        log_warning(m->conf.log, "storage element has no good address",
                    F_STR("se_id", e->id), F_FAULT(&f));
}

static void
close_address(struct mon_element *e)
{
    mon_peer_drop(&e->peer);
    blob_drop(&e->blob);
}

static void
move_address(struct monitor *m, struct mon_element *e)
{
    struct blob *before = blob_hold(e->blob);

    close_address(e);
    open_address(m, e);
    if (before && e->blob)
        blob_remote_inherit(e->blob, before);
    blob_drop(&before);
}

/* Wall clocks differ, by minutes (D23), and jump. So a poll's age is counted
 * here, and only at first taken from its time; one that follows another that we
 * knew is no older than that. */
static void
learn_age(struct monitor *m, struct mon_element *e, const struct capacity *cap)
{
    struct mono now = m->loop->now;
    int64_t ms = m->loop->wall.ms - cap->last_poll.ms;
    struct dur age = dur_ms(ms > 0 ? ms : 0);

    if (e->have && e->cap.last_poll.ms == cap->last_poll.ms)
        return;
    if (e->have && mono_sub(now, e->learned).ns < age.ns)
        age = mono_sub(now, e->learned);
    e->polled = (struct mono){now.ns - age.ns};
    e->learned = now;
    if (mono_before(m->polled, e->polled))
        m->polled = e->polled;
}

int
mon_element_mode(const struct mon_element *e, int reported)
{
    return e->mode > reported ? e->mode : reported;
}

static int
mode_of(const struct mon_element *e)
{
    return mon_element_mode(e, e->have ? e->cap.mode : -1);
}

/* Once for each pair of modes. */
static void
tell_modes(struct monitor *m, struct mon_element *e)
{
    if (!e->have || e->mode < 0 || e->mode == e->cap.mode ||
        (e->warned[0] == e->mode && e->warned[1] == e->cap.mode))
        return;
    e->warned[0] = e->mode;
    e->warned[1] = e->cap.mode;
    log_warning(m->conf.log,
                "Admin lists a storage element with another mode than it "
                "reports; the later one counts",
                F_STR("se_id", e->id),
                F_STR("listed_mode", element_mode_text(e->mode)),
                F_STR("reported_mode", element_mode_text(e->cap.mode)),
                F_TYPE("config"));
}

void
mon_element_listed(struct monitor *m, struct mon_element *e)
{
    m->elements_told = false;
    mon_element_show(e);
    tell_modes(m, e);
}

void
mon_element_learn(struct monitor *m, struct mon_element *e,
                  const struct capacity *cap)
{
    learn_age(m, e, cap);
    if (!e->have || e->cap.mode != cap->mode ||
        !uuid_eq(&e->cap.element_uuid, &cap->element_uuid))
        m->elements_told = false;
    e->cap = *cap;
    e->have = true;
    tell_modes(m, e);
}

void
mon_element_capacity(const struct mon_element *e, const struct capacity *c,
                     struct blob_capacity *b)
{
    *b = (struct blob_capacity){
        .element_uuid = c->element_uuid,
        .mode = (enum blob_mode)c->mode,
        .priority = e->priority,
        .total = c->total,
        .used = c->used,
        .available = c->available,
        .reserved = c->reserved,
        .inodes_total = c->inodes_total,
        .inodes_available = c->inodes_available,
        .files = c->files,
        .bytes = c->bytes,
        .status = c->status >= 0 ? (enum blob_status)c->status : BLOB_OK,
        .writable = c->health != CAPACITY_UNHEALTHY && !c->unwritable,
        .boot = c->boot,
        .seq = c->seq,
        .last_update = c->last_update,
    };
    (void)slice_copy(slice_str(e->id), b->element_id, sizeof(b->element_id));
    (void)slice_copy(slice_str(c->pool_id), b->pool_id, sizeof(b->pool_id));
    (void)slice_copy(slice_str(c->location), b->location, sizeof(b->location));
    (void)slice_copy(slice_str(c->backend), b->backend, sizeof(b->backend));
    (void)slice_copy(slice_str(e->endpoint), b->endpoint, sizeof(b->endpoint));
    (void)capacity_health_text(c, b->health, sizeof(b->health));
}

void
mon_element_show(struct mon_element *e)
{
    struct blob_capacity b;
    int mode;

    if (e->blob == NULL)
        return;
    e->blob->ops->capacity(e->blob, &b); /* without numbers: as it was */
    if (e->have) {
        mon_element_capacity(e, &e->cap, &b);
        b.has_reported = true;
        b.reported_mode = (enum blob_mode)e->cap.mode;
    }
    b.is_listed = e->mode >= 0;
    b.listed_mode = (enum blob_mode)(e->mode >= 0 ? e->mode : 0);
    mode = mon_element_mode(e, b.has_reported ? (int)b.reported_mode : -1);
    b.mode = (enum blob_mode)(mode >= 0 ? mode : 0);
    b.writable &= b.mode <= BLOB_RW;
    blob_remote_set_capacity(e->blob, &b);
}

/* ---- the elements ---- */

struct mon_element *
mon_element_find(struct monitor *m, const char *id)
{
    uint64_t hash = map_hash(m->elements.seed, id, strlen(id));

    for (struct map_item *it = map_first(&m->elements, hash); it;
         it = map_next(it)) {
        struct mon_element *e = container_of(it, struct mon_element, item);

        if (strcmp(e->id, id) == 0)
            return e;
    }
    return NULL;
}

static struct mon_element *
mon_element_new(struct monitor *m, const char *id)
{
    struct mon_element *e = NULL;

    if (m->n_elements < m->conf.elements_max)
        e = calloc(1, sizeof(*e));
    if (e == NULL || !slice_copy(slice_str(id), e->id, sizeof(e->id))) {
        free(e);
        return NULL;
    }
    e->slot = POLL_NO_SLOT;
    e->mode = RELOAD_MODE_NONE;
    e->priority = ELEMENTS_PRIORITY;
    map_add(&m->elements, &e->item, map_hash(m->elements.seed, id, strlen(id)));
    m->n_elements++;
    free(m->sorted);
    m->sorted = NULL;
    return e;
}

struct mon_element *
mon_element_unlisted(struct monitor *m, const char *id)
{
    struct mon_element *e = mon_element_find(m, id);

    return e ? e : mon_element_new(m, id);
}

struct mon_element *
mon_element_put(struct monitor *m, const char *id, const char *endpoint)
{
    struct mon_element *e = mon_element_find(m, id);
    char *copy;

    if (e == NULL)
        e = mon_element_new(m, id);
    if (e == NULL || (e->endpoint && strcmp(e->endpoint, endpoint) == 0))
        return e;
    copy = strdup(endpoint);
    if (copy == NULL) {
        mon_element_settle(m, e);
        return NULL;
    }
    free(e->endpoint);
    e->endpoint = copy;
    move_address(m, e);
    m->elements_told = false;
    return e;
}

static void
mon_element_free(struct monitor *m, struct mon_element *e)
{
    map_remove(&m->elements, &e->item);
    m->n_elements--;
    free(m->sorted);
    m->sorted = NULL;
    m->elements_told = false;
    close_address(e);
    free(e->endpoint);
    free(e);
}

void
mon_element_settle(struct monitor *m, struct mon_element *e)
{
    if (e->listed || e->by_admin || e->in[0] || e->in[1])
        return;
    round_forget(m, e);
    count_forget(m, e);
    mon_element_free(m, e);
}

static int
by_id(const void *a, const void *b)
{
    return strcmp((*(struct mon_element *const *)a)->id,
                  (*(struct mon_element *const *)b)->id);
}

struct mon_element **
elements_sorted(struct monitor *m)
{
    size_t n = 0;

    if (m->sorted)
        return m->sorted;
    m->sorted = malloc(sizeof(struct mon_element *) * (m->n_elements + 1));
    for (size_t i = 0; m->sorted && i <= m->elements.mask; i++)
        for (struct map_item *it = m->elements.slot[i]; it; it = it->next)
            m->sorted[n++] = container_of(it, struct mon_element, item);
    if (m->sorted)
        qsort((void *)m->sorted, n, sizeof(struct mon_element *), by_id);
    return m->sorted;
}

void
elements_drive(struct monitor *m)
{
    struct mon_element **all = elements_sorted(m);
    struct monitor_element *list;
    unsigned n = 0;

    if (m->elements_told || m->conf.elements == NULL || all == NULL)
        return;
    list = malloc(sizeof(*list) * (m->n_elements + 1));
    if (list == NULL)
        return; /* at the next turn again */
    for (uint32_t i = 0; i < m->n_elements; i++) {
        const struct mon_element *e = all[i];

        if (e->blob == NULL || e->gone)
            continue;
        list[n++] = (struct monitor_element){
            .element_id = e->id,
            .endpoint = e->endpoint,
            .uuid = e->have ? e->cap.element_uuid : (struct uuid){{0}},
            .mode = mode_of(e),
            .priority = e->priority,
            .blob = e->blob};
    }
    m->elements_told = true;
    m->conf.elements(m->conf.elements_arg, list, n);
    free(list);
}

void
elements_close(struct monitor *m)
{
    for (size_t i = 0; m->elements.slot && i <= m->elements.mask; i++)
        while (m->elements.slot[i])
            mon_element_free(
                m, container_of(m->elements.slot[i], struct mon_element, item));
    map_release(&m->elements);
}
