/* remote.c - what is told of elements in other processes: how full they are,
 * and their change logs (D25).
 *
 * Gateways read an element's log in order and push its pages; besides, whoever
 * has published a file tells of it at once, ahead of the log. So the catalogue
 * stands at a position up to which it has had everything, and may know some
 * publishes beyond. A delete is taken in its turn only: one that came before
 * its publish would meet nothing, and then be lost.
 *
 * The position that counts is the catalogue's own, read anew each time: another
 * Admin may have moved it (D37).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/impl.h"
#include "sec/random.h"
#include "wire/capacity.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- who it is ---- */

/* Under `changing` and S's gate. */
static enum err
adopt(struct admin *a, struct admin_slot *s, const struct uuid *uuid,
      struct wall now, struct fault *f)
{
    struct meta_element r = s->record;
    struct admin_slot *other;
    enum err e;

    (void)pthread_mutex_lock(&a->lock);
    other = admin_slot_by_uuid(a, uuid);
    (void)pthread_mutex_unlock(&a->lock);
    if (other && other != s)
        return fault_set(f, ERR_CONFLICT, "another element at", r.endpoint);
    r.uuid = *uuid;
    r.seen_at = now;
    e = a->meta->ops->element_swap(a->meta, &s->uuid, &r, f);
    if (e)
        return e;
    (void)pthread_mutex_lock(&a->lock);
    s->uuid = r.uuid;
    s->record = r;
    (void)pthread_mutex_unlock(&a->lock);
    return ERR_OK;
}

/* An element that was registered before it could be asked has a uuid that was
 * made up: the first that it says replaces it. Later ones must be the same
 * (D31). */
static enum err
know(struct admin *a, struct admin_slot *s, const struct uuid *uuid,
     struct wall now, struct fault *f)
{
    char endpoint[256];
    bool known, same;
    enum err e = ERR_OK;

    (void)pthread_mutex_lock(&a->lock);
    known = s->record.seen_at.ms != 0;
    same = uuid_eq(&s->uuid, uuid);
    memcpy(endpoint, s->record.endpoint, sizeof(endpoint));
    (void)pthread_mutex_unlock(&a->lock);
    if (uuid_is_nil(uuid) || (known && !same))
        return fault_set(f, ERR_CONFLICT, "another element at", endpoint);
    if (known)
        return ERR_OK;
    (void)pthread_mutex_lock(&a->changing);
    (void)pthread_mutex_lock(&s->gate);
    if (!s->record.seen_at.ms) /* nobody was faster */
        e = adopt(a, s, uuid, now, f);
    else if (!uuid_eq(&s->uuid, uuid))
        e = fault_set(f, ERR_CONFLICT, "another element at", endpoint);
    (void)pthread_mutex_unlock(&s->gate);
    (void)pthread_mutex_unlock(&a->changing);
    return e;
}

/* The slot of ELEMENT_ID with its gate entered; with UUID, if it is that of the
 * element. *OUT must be left in any case. */
static enum err
enter(struct admin *a, const char *element_id, const struct uuid *uuid,
      struct wall now, struct admin_slot **out, struct fault *f)
{
    struct admin_slot *s = admin_slot_get(a, element_id);
    enum err e = s ? ERR_OK : ERR_NOENT;

    *out = s;
    if (!e && uuid && !s->blob)
        e = know(a, s, uuid, now, f);
    if (s)
        (void)pthread_mutex_lock(&s->gate);
    return e;
}

static void
leave(struct admin *a, struct admin_slot *s)
{
    if (s)
        (void)pthread_mutex_unlock(&s->gate);
    admin_slot_put(a, s);
}

/* ---- capacity ---- */

static void
take_capacity(struct blob_capacity *to, const struct admin_slot *s,
              const struct capacity *c)
{
    *to = (struct blob_capacity){
        .element_uuid = s->uuid,
        .mode = (enum blob_mode)c->mode,
        .priority = s->record.priority,
        .total = c->total,
        .used = c->used,
        .available = c->available,
        .reserved = c->reserved,
        .inodes_total = c->inodes_total,
        .inodes_available = c->inodes_available,
        .files = c->files,
        .bytes = c->bytes,
        .status = c->status >= 0 ? (enum blob_status)c->status : BLOB_OK,
        .writable = !c->unwritable && c->mode <= BLOB_RW &&
                    c->health != CAPACITY_UNHEALTHY,
        .boot = c->boot,
        .seq = c->seq,
        .last_update = c->last_update,
    };
    (void)capacity_health_text(c, to->health, sizeof(to->health));
    (void)snprintf(to->backend, sizeof(to->backend), "%.*s",
                   (int)sizeof(to->backend) - 1, c->backend);
    (void)snprintf(to->pool_id, sizeof(to->pool_id), "%.*s",
                   (int)sizeof(to->pool_id) - 1, c->pool_id);
    memcpy(to->element_id, s->element_id, sizeof(to->element_id));
    memcpy(to->location, s->record.location, sizeof(to->location));
    memcpy(to->endpoint, s->record.endpoint, sizeof(to->endpoint));
}

enum err
admin_capacity_set(struct admin *a, const char *element_id,
                   const struct capacity *c, struct wall now, struct fault *f)
{
    const struct uuid *uuid = &c->element_uuid;
    struct admin_slot *s;
    enum err e;

    e = enter(a, element_id, uuid_is_nil(uuid) ? NULL : uuid, now, &s, f);
    if (!e && !s->blob) {
        (void)pthread_mutex_lock(&a->lock);
        take_capacity(&s->cap, s, c);
        s->heard = now;
        (void)pthread_mutex_unlock(&a->lock);
    }
    leave(a, s);
    return e;
}

/* ---- the ticket of feeding anew ---- */

/* It lies with the catalogue's settings, so that both Admins know it. */
static void
ticket_key(const struct admin_slot *s, char key[48])
{
    char uuid[UUID_TEXT];

    (void)snprintf(key, 48, "anew/%s", uuid_text(&s->uuid, uuid));
}

#define TICKET_TEXT (UUID_TEXT + 24)

/* Nil: it is not being fed anew. USED (may be NULL): when it was last. */
static enum err
ticket_get(struct admin *a, const struct admin_slot *s, struct uuid *ticket,
           struct wall *used, struct fault *f)
{
    uint64_t ms = 0;
    char key[48];
    struct buf b;
    enum err e;

    *ticket = (struct uuid){{0}};
    ticket_key(s, key);
    buf_init(&b, TICKET_TEXT);
    e = a->meta->ops->setting_get(a->meta, key, &b, f);
    if (!e && b.n >= UUID_TEXT - 1) {
        struct slice all = buf_slice(&b);

        (void)uuid_parse(slice_head(all, UUID_TEXT - 1), ticket);
        if (all.n > UUID_TEXT)
            (void)slice_u64(slice_skip(all, UUID_TEXT), &ms);
    }
    if (used)
        used->ms = (int64_t)u64_min(ms, INT64_MAX);
    buf_release(&b);
    return e == ERR_NOENT ? ERR_OK : e;
}

static enum err
ticket_set(struct admin *a, const struct admin_slot *s,
           const struct uuid *ticket, struct wall now, struct fault *f)
{
    char key[48], text[TICKET_TEXT] = "", uuid[UUID_TEXT];

    ticket_key(s, key);
    if (ticket)
        (void)snprintf(text, sizeof(text), "%s %lld", uuid_text(ticket, uuid),
                       (long long)now.ms);
    return a->meta->ops->setting_put(a->meta, key, slice_str(text), f);
}

/* ---- pages ---- */

/* Under S's gate: S's feed agrees with the catalogue's position. */
static enum err
settle(struct admin *a, struct admin_slot *s, uint64_t *position,
       struct fault *f)
{
    enum err e = a->meta->ops->feed_position(a->meta, &s->uuid, position, f);

    if (e)
        return e;
    (void)pthread_mutex_lock(&a->lock);
    if (*position < s->feed.position) /* fed anew by the other Admin */
        feed_init(&s->feed, *position);
    else if (*position > s->feed.position)
        (void)feed_mark(&s->feed, s->feed.position + 1, *position);
    *position = s->feed.position;
    (void)pthread_mutex_unlock(&a->lock);
    return ERR_OK;
}

static bool
only_publishes(const struct admin_page *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->c[i].op != INDEX_PUBLISH)
            return false;
    return p->n > 0;
}

static enum err
apply_page(struct admin *a, struct admin_slot *s, const struct admin_page *p,
           uint64_t *position, struct fault *f)
{
    struct feed trial;
    enum err e;

    (void)pthread_mutex_lock(&a->lock);
    trial = s->feed;
    (void)pthread_mutex_unlock(&a->lock);
    /* When its range has to be forgotten the log tells it again. */
    (void)feed_mark(&trial, p->since + 1, p->next);
    e = a->meta->ops->feed(a->meta, &s->uuid, s->element_id, p->c, p->n,
                           trial.position, f);
    (void)pthread_mutex_lock(&a->lock);
    if (e) {
        a->stats.feed_errors++;
    } else {
        s->feed = trial;
        a->stats.fed += p->n;
        if (trial.n)
            a->stats.feed_behind++;
        *position = trial.position;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return e;
}

static enum err
push(struct admin *a, struct admin_slot *s, const struct admin_page *p,
     uint64_t *position, struct fault *f)
{
    struct uuid ticket;
    enum err e = settle(a, s, position, f);

    if (!e)
        e = ticket_get(a, s, &ticket, NULL, f);
    if (e)
        return e;
    /* Between reset and last row the position says nothing: a publish that was
     * deleted since would not be known for late. */
    if (!uuid_is_nil(&ticket))
        return ERR_BUSY;
    if (p->next <= *position || p->next == p->since)
        return ERR_OK; /* all of it came before */
    if (p->since > *position && !only_publishes(p))
        return ERR_CONFLICT;
    return apply_page(a, s, p, position, f);
}

enum err
admin_push(struct admin *a, const char *element_id, const struct admin_page *p,
           uint64_t *position, struct fault *f)
{
    struct admin_slot *s;
    enum err e;

    assert(p->since <= p->next);
    *position = 0;
    e = enter(a, element_id, &p->element_uuid, p->now, &s, f);
    if (!e && s->blob) /* its commit jobs feed it */
        e = a->meta->ops->feed_position(a->meta, &s->uuid, position, f);
    else if (!e)
        e = push(a, s, p, position, f);
    leave(a, s);
    return e;
}

enum err
admin_position(struct admin *a, const char *element_id, uint64_t *position,
               bool *anew, struct fault *f)
{
    struct uuid ticket = {{0}};
    struct admin_slot *s;
    enum err e;

    *position = 0;
    *anew = false;
    e = enter(a, element_id, NULL, (struct wall){0}, &s, f);
    if (!e)
        e = a->meta->ops->feed_position(a->meta, &s->uuid, position, f);
    if (!e)
        e = ticket_get(a, s, &ticket, NULL, f);
    if (!e)
        *anew = !uuid_is_nil(&ticket);
    leave(a, s);
    return e;
}

/* ---- feeding anew ---- */

enum err
admin_anew(struct admin *a, const char *element_id,
           const struct uuid *element_uuid, struct wall now,
           const struct uuid *ticket, struct fault *f)
{
    struct uuid other = {{0}};
    struct wall used = {0};
    struct admin_slot *s;
    enum err e;

    e = enter(a, element_id, element_uuid, now, &s, f);
    if (!e && s->blob)
        e = fault_set(f, ERR_UNSUPPORTED, "feed anew", element_id);
    if (!e)
        e = ticket_get(a, s, &other, &used, f);
    /* Clocks of two Admins may differ: a time to come is no reason to wait. */
    if (!e && !uuid_is_nil(&other) && !uuid_eq(&other, ticket) &&
        now.ms - used.ms >= -ADMIN_ANEW_LEASE_MS &&
        now.ms - used.ms < ADMIN_ANEW_LEASE_MS)
        e = fault_set(f, ERR_BUSY, "feed anew", "another gateway tells it");
    /* The ticket first: from now on pages are refused. */
    if (!e)
        e = ticket_set(a, s, ticket, now, f);
    if (!e)
        e = a->meta->ops->feed_reset(a->meta, &s->uuid, f);
    if (!e) {
        (void)pthread_mutex_lock(&a->lock);
        feed_init(&s->feed, 0);
        (void)pthread_mutex_unlock(&a->lock);
    }
    leave(a, s);
    return e;
}

/* A row as the publish that it was; 1 stands in for a number that is not known,
 * since it is older than any other. */
static enum err
feed_rows(struct admin *a, struct admin_slot *s, const struct admin_rows *rows,
          struct fault *f)
{
    struct index_change *c = calloc(rows->n ? rows->n : 1, sizeof(*c));
    enum err e;

    if (!c)
        return fault_set(f, ERR_NOMEM, "feed anew", s->element_id);
    for (size_t i = 0; i < rows->n; i++) {
        c[i].op = INDEX_PUBLISH;
        c[i].seq = rows->row[i].seq ? rows->row[i].seq : 1;
        c[i].at = rows->row[i].uploaded_at;
        c[i].row.attr = rows->row[i];
    }
    e = a->meta->ops->feed(a->meta, &s->uuid, s->element_id, c, rows->n,
                           rows->last ? rows->position : 0, f);
    free(c);
    if (e)
        return e;
    if (!rows->last)
        return ticket_set(a, s, &rows->ticket, rows->now, f);
    (void)pthread_mutex_lock(&a->lock);
    feed_init(&s->feed, rows->position);
    (void)pthread_mutex_unlock(&a->lock);
    return ticket_set(a, s, NULL, rows->now, f);
}

enum err
admin_anew_rows(struct admin *a, const char *element_id,
                const struct admin_rows *rows, struct fault *f)
{
    struct uuid ticket = {{0}};
    struct admin_slot *s;
    uint64_t position;
    enum err e;

    e = enter(a, element_id, NULL, (struct wall){0}, &s, f);
    if (!e)
        e = ticket_get(a, s, &ticket, NULL, f);
    if (!e && uuid_eq(&ticket, &rows->ticket)) {
        e = feed_rows(a, s, rows, f);
    } else if (!e) {
        /* The last rows once more, whose answer was lost. */
        e = a->meta->ops->feed_position(a->meta, &s->uuid, &position, f);
        if (!e &&
            (!uuid_is_nil(&ticket) || !rows->last || position < rows->position))
            e = ERR_CONFLICT;
    }
    leave(a, s);
    return e;
}
