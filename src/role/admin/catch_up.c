/* catch_up.c - the catalogue follows an element's change log.
 *
 * The log is read in pages, each applied in one transaction. At the start it
 * must go on where the catalogue stands: when its first number is later (it was
 * trimmed), its last is earlier (another index, or a restored backup), or a
 * number is missing (a rebuilt index has no deletes), then all copies of this
 * element are forgotten and fed from its rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/impl.h"
#include <stdlib.h>

#define PAGE 256

struct page {
    struct index_change c[PAGE];
    size_t n;
    bool failed; /* no memory */
};

static void
page_clear(struct page *p)
{
    while (p->n > 0)
        index_row_release(&p->c[--p->n].row);
}

static bool
page_change(void *arg, const struct index_change *c)
{
    struct page *p = arg;
    struct index_change *to = &p->c[p->n];

    *to = *c;
    if (c->row.attr.metadata) {
        to->row.attr.metadata = strdup(c->row.attr.metadata);
        if (!to->row.attr.metadata) {
            p->failed = true;
            return false;
        }
    }
    p->n++;
    return p->n < PAGE;
}

/* A row as the publish that it was; 1 stands in for a number that is not
 * known, since it is older than any other. */
static bool
page_row(void *arg, const struct index_row *row)
{
    struct index_change c = {.op = INDEX_PUBLISH, .row = *row};

    c.seq = row->attr.seq ? row->attr.seq : 1;
    c.at = row->attr.uploaded_at;
    return page_change(arg, &c);
}

static enum err
page_feed(struct admin *a, struct admin_slot *s, struct page *p,
          uint64_t position, struct fault *f)
{
    if (p->failed)
        return fault_set(f, ERR_NOMEM, "catch up", s->element_id);
    if (p->n == 0)
        return ERR_OK;
    return a->meta->ops->feed(a->meta, &s->uuid, s->element_id, p->c, p->n,
                              position, f);
}

static enum err
changes(struct admin_slot *s, uint64_t since, struct page *p, struct fault *f)
{
    struct index *x = s->source.index;

    if (s->source.changes)
        return s->source.changes(s->source.arg, since, PAGE, page_change, p, f);
    return x->ops->changes(x, since, PAGE, page_change, p, f);
}

static bool
has_hole(const struct page *p, uint64_t since)
{
    return p->n > 0 && p->c[p->n - 1].seq - since != p->n;
}

enum err
admin_drop_gone(struct admin_slot *s, struct index_change *c, size_t n,
                struct fault *f)
{
    struct index *x = s->source.index;
    struct index_row row;
    enum err e;

    for (size_t i = 0; i < n; i++) {
        if (c[i].op != INDEX_PUBLISH)
            continue;
        e = x->ops->get(x, &c[i].row.attr.file_id, &row, f);
        if (e == ERR_OK)
            index_row_release(&row);
        else if (e == ERR_NOENT)
            c[i].op = INDEX_DELETE;
        else
            return e;
    }
    return ERR_OK;
}

/* Follows the log from S's position to its end. With STRICT a hole in it is
 * ERR_CONFLICT (an answer). */
static enum err
follow(struct admin *a, struct admin_slot *s, bool strict, struct fault *f)
{
    struct page *p = calloc(1, sizeof(*p));
    uint64_t since;
    size_t n;
    enum err e;

    if (!p)
        return fault_set(f, ERR_NOMEM, "catch up", s->element_id);
    do {
        (void)pthread_mutex_lock(&a->lock);
        since = s->feed.position;
        (void)pthread_mutex_unlock(&a->lock);
        /* Under the gate no feed comes between reading a page and applying it:
         * else a file that was deleted in that moment would come back. */
        (void)pthread_mutex_lock(&s->gate);
        e = changes(s, since, p, f);
        n = p->n;
        if (!e && strict && has_hole(p, since))
            e = ERR_CONFLICT;
        if (!e && !strict)
            e = admin_drop_gone(s, p->c, p->n, f);
        if (!e)
            e = page_feed(a, s, p, n > 0 ? p->c[n - 1].seq : since, f);
        (void)pthread_mutex_unlock(&s->gate);
        if (!e && n > 0) {
            (void)pthread_mutex_lock(&a->lock);
            (void)feed_mark(&s->feed, since + 1, p->c[n - 1].seq);
            a->stats.fed += n;
            (void)pthread_mutex_unlock(&a->lock);
        }
        page_clear(p);
    } while (!e && n == PAGE);
    free(p);
    return e;
}

static enum err
feed_rows(struct admin *a, struct admin_slot *s, struct fault *f)
{
    struct index *x = s->source.index;
    struct page *p = calloc(1, sizeof(*p));
    struct uuid after = {0};
    size_t n;
    enum err e;

    if (!p)
        return fault_set(f, ERR_NOMEM, "catch up", s->element_id);
    do {
        e = x->ops->list(x, &after, PAGE, page_row, p, f);
        n = p->n;
        if (!e && n > 0) {
            after = p->c[n - 1].row.attr.file_id;
            e = page_feed(a, s, p, 0, f);
        }
        page_clear(p);
    } while (!e && n == PAGE);
    free(p);
    return e;
}

static enum err
anew(struct admin *a, struct admin_slot *s, uint64_t last_seq, struct fault *f)
{
    enum err e = a->meta->ops->feed_reset(a->meta, &s->uuid, f);

    if (!e)
        e = feed_rows(a, s, f);
    if (!e)
        e = a->meta->ops->feed(a->meta, &s->uuid, s->element_id, NULL, 0,
                               last_seq, f);
    if (!e)
        feed_init(&s->feed, last_seq);
    return e;
}

enum err
admin_catch_up_first(struct admin *a, struct admin_slot *s, struct fault *f)
{
    struct index *x = s->source.index;
    struct index_totals t;
    uint64_t position;
    enum err e;

    e = a->meta->ops->feed_position(a->meta, &s->uuid, &position, f);
    /* It may have been renamed, and there may be no change for long. */
    if (!e)
        e = a->meta->ops->feed(a->meta, &s->uuid, s->element_id, NULL, 0,
                               position, f);
    if (!e)
        e = x->ops->totals(x, &t, f);
    if (e)
        return e;
    feed_init(&s->feed, position);
    if (position > t.last_seq ||
        (position < t.last_seq && (!t.first_seq || position + 1 < t.first_seq)))
        return anew(a, s, t.last_seq, f);
    e = follow(a, s, true, f);
    return e == ERR_CONFLICT ? anew(a, s, t.last_seq, f) : e;
}

enum err
admin_catch_up(struct admin *a, struct admin_slot *s, struct fault *f)
{
    return follow(a, s, false, f);
}
