/* registry.c - see registry.h.
 *
 * One lock guards the table of elements, the feed positions and the audit
 * queue; it is never held over a call of the catalogue. The slots of elements
 * in this process live until the end, so a pointer to one may be used after the
 * lock is gone; those of others are counted (slots.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/registry.h"
#include "role/admin/impl.h"
#include "sec/random.h"
#include <stdlib.h>

static struct admin *
self(struct registry *g)
{
    return container_of(g, struct admin, registry);
}

/* --- asking --------------------------------------------------------------- */

static void
lookup_work(struct work *w)
{
    struct registry_lookup *r = container_of(w, struct registry_lookup, work);
    struct admin *a = self(r->registry);

    r->err = a->meta->ops->file_get(a->meta, &r->file_id, &r->file, &r->fault);
}

static void
lookup_done(struct loop *l, struct work *w)
{
    struct registry_lookup *r = container_of(w, struct registry_lookup, work);
    struct admin *a = self(r->registry);
    struct admin_slot *s;

    (void)l;
    if (r->err == ERR_OK) {
        (void)pthread_mutex_lock(&a->lock);
        s = admin_slot_by_uuid(a, &r->file.attr.element_uuid);
        r->blob = s ? s->blob : NULL;
        r->lost = admin_lost_by_uuid(a, &r->file.attr.element_uuid) != NULL;
        (void)pthread_mutex_unlock(&a->lock);
    }
    r->done(r);
}

static void
g_lookup(struct registry *g, struct registry_lookup *r)
{
    r->registry = g;
    r->blob = NULL;
    r->lost = false;
    r->fault = (struct fault){0};
    r->work.work = lookup_work;
    r->work.done = lookup_done;
    loop_work(r->loop, &r->work);
}

static bool
list_row(void *arg, const struct meta_file *file)
{
    struct registry_list *r = arg;
    struct meta_file *row = &r->rows[r->n];

    *row = *file;
    if (file->attr.metadata) {
        row->attr.metadata = strdup(file->attr.metadata);
        if (!row->attr.metadata) {
            r->err = fault_set(&r->fault, ERR_NOMEM, "list", "metadata");
            return false;
        }
    }
    r->n++;
    return true;
}

static void
list_work(struct work *w)
{
    struct registry_list *r = container_of(w, struct registry_list, work);
    struct admin *a = self(r->registry);
    enum err e;

    e = a->meta->ops->file_list(a->meta, &r->query, list_row, r, &r->next,
                                &r->fault);
    if (e)
        r->err = e;
    if (r->err) {
        while (r->n > 0)
            meta_file_release(&r->rows[--r->n]);
    }
}

static void
list_done(struct loop *l, struct work *w)
{
    struct registry_list *r = container_of(w, struct registry_list, work);

    (void)l;
    r->done(r);
}

static void
g_list(struct registry *g, struct registry_list *r)
{
    struct admin *a = self(g);
    struct admin_slot *s;

    r->query.element_uuid = (struct uuid){{0}};
    if (r->query.element_id) {
        (void)pthread_mutex_lock(&a->lock);
        if ((s = admin_slot_by_id(a, r->query.element_id)))
            r->query.element_uuid = s->uuid;
        (void)pthread_mutex_unlock(&a->lock);
    }
    r->registry = g;
    r->n = 0;
    r->err = ERR_OK;
    r->fault = (struct fault){0};
    r->work.work = list_work;
    r->work.done = list_done;
    loop_work(r->loop, &r->work);
}

static unsigned
g_elements(struct registry *g, struct registry_element *out, unsigned max)
{
    struct admin *a = self(g);
    unsigned n = 0;

    (void)pthread_mutex_lock(&a->lock);
    for (unsigned i = 0; i < a->n; i++) {
        const struct admin_slot *s = a->slot[i];

        if (!s->blob)
            continue; /* for gateways of other processes */
        if (n < max)
            out[n] = (struct registry_element){
                s->blob, (enum blob_mode)s->record.mode, s->record.priority};
        n++;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return n;
}

static struct blob *
g_element(struct registry *g, const char *element_id)
{
    struct admin *a = self(g);
    struct admin_slot *s;

    (void)pthread_mutex_lock(&a->lock);
    s = admin_slot_by_id(a, element_id);
    (void)pthread_mutex_unlock(&a->lock);
    return s ? s->blob : NULL;
}

static void
g_stats(struct registry *g, struct registry_stats *out)
{
    struct admin *a = self(g);

    (void)pthread_mutex_lock(&a->lock);
    *out = a->stats;
    out->audit_queued = a->queue.n + a->batch.n;
    out->audit_counted = a->refusals.counted;
    out->lost = a->n_lost;
    if (a->n_lost) {
        memcpy(out->lost_id, a->lost[0].element_id, sizeof(out->lost_id));
        out->lost_files =
            a->lost[0].unheard ? REGISTRY_UNHEARD : a->lost[0].files;
    }
    (void)pthread_mutex_unlock(&a->lock);
}

/* --- pages of elements elsewhere ------------------------------------------ */

static void
push_work(struct work *w)
{
    struct registry_push *r = container_of(w, struct registry_push, work);
    const struct admin_page p = {.element_uuid = r->element_uuid,
                                 .since = r->since,
                                 .next = r->next,
                                 .c = r->c,
                                 .n = r->n,
                                 .now = r->now};
    enum err e = admin_push(self(r->registry), r->element_id, &p, &r->position,
                            &r->fault);

    r->anew = e == ERR_BUSY;
    /* Not taken: the position says from where to go on. */
    if (e == ERR_BUSY || (e == ERR_CONFLICT && !r->fault.code))
        e = ERR_OK;
    r->err = e;
}

static void
push_done(struct loop *l, struct work *w)
{
    struct registry_push *r = container_of(w, struct registry_push, work);

    (void)l;
    r->done(r);
}

static void
g_push(struct registry *g, struct registry_push *r)
{
    r->registry = g;
    r->fault = (struct fault){0};
    r->now = r->loop->wall;
    r->work.work = push_work;
    r->work.done = push_done;
    loop_work(r->loop, &r->work);
}

/* --- feeding -------------------------------------------------------------- */

/* Marks the numbers of C, run by run. */
static bool
mark(struct feed *feed, const struct index_change *c, size_t n)
{
    bool kept = true;

    for (size_t i = 0, first = 0; i < n; i++) {
        if (i + 1 < n && c[i + 1].seq == c[i].seq + 1)
            continue;
        kept = feed_mark(feed, c[first].seq, c[i].seq) && kept;
        first = i + 1;
    }
    return kept;
}

/* A publish that comes after a delete with a higher number could be of the file
 * that was deleted. That the two were under way together is rare, so it is
 * asked then and only then. */
static enum err
feed_late(struct admin *a, struct admin_slot *s, const struct index_change *c,
          size_t n, uint64_t position, struct fault *f)
{
    struct index_change *copy = malloc(n * sizeof(*copy));
    enum err e;

    if (!copy)
        return fault_set(f, ERR_NOMEM, "feed", s->element_id);
    memcpy(copy, c, n * sizeof(*copy));
    e = admin_drop_gone(s, copy, n, f);
    if (!e)
        e = a->meta->ops->feed(a->meta, &s->uuid, s->element_id, copy, n,
                               position, f);
    free(copy);
    return e;
}

static bool
has_delete(const struct index_change *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c[i].op != INDEX_PUBLISH)
            return true;
    return false;
}

/* Under S's gate. An index commits before it feeds: what is asked of it here
 * is at least as new as anything that was fed. */
static enum err
feed_slot(struct admin *a, struct admin_slot *s, const struct index_change *c,
          size_t n, struct fault *f)
{
    struct feed trial;
    bool holes;
    enum err e;

    (void)pthread_mutex_lock(&a->lock);
    trial = s->feed;
    (void)pthread_mutex_unlock(&a->lock);
    holes = c[0].seq > trial.position + 1;
    if (trial.n == 0)
        s->deletes_ahead = false;
    (void)mark(&trial, c, n);
    if (s->deletes_ahead)
        e = feed_late(a, s, c, n, trial.position, f);
    else
        e = a->meta->ops->feed(a->meta, &s->uuid, s->element_id, c, n,
                               trial.position, f);
    /* Also when it failed: it may have been carried out. */
    if (holes && has_delete(c, n))
        s->deletes_ahead = true;

    (void)pthread_mutex_lock(&a->lock);
    if (e) {
        a->stats.feed_errors++;
        s->behind = true;
    } else {
        a->stats.fed += n;
        if (!mark(&s->feed, c, n))
            s->behind = true;
        if (s->feed.n > 0)
            a->stats.feed_behind++;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return e;
}

static enum err
g_feed(struct registry *g, const struct uuid *element_uuid,
       const struct index_change *c, size_t n, struct fault *f)
{
    struct admin *a = self(g);
    struct admin_slot *s;
    enum err e;

    if (n == 0)
        return ERR_OK;
    (void)pthread_mutex_lock(&a->lock);
    s = admin_slot_by_uuid(a, element_uuid);
    (void)pthread_mutex_unlock(&a->lock);
    if (!s || !s->blob)
        return fault_set(f, ERR_NOENT, "feed", "element not attached");
    (void)pthread_mutex_lock(&s->gate);
    e = feed_slot(a, s, c, n, f);
    (void)pthread_mutex_unlock(&s->gate);
    return e;
}

enum err
admin_file_owner(struct admin *a, const struct uuid *file_id, char owner[128],
                 struct fault *f)
{
    struct meta_file file;
    enum err e = a->meta->ops->file_get(a->meta, file_id, &file, f);

    if (e)
        return e;
    (void)slice_copy(slice_str(file.attr.uploaded_by), owner, 128);
    meta_file_release(&file);
    return ERR_OK;
}

/* --- accounts ------------------------------------------------------------- */

enum err
admin_account_get(struct admin *a, const char *client_id,
                  struct meta_account *out, struct fault *f)
{
    return a->meta->ops->account_get(a->meta, client_id, out, f);
}

enum err
admin_account_put(struct admin *a, const struct meta_account *in,
                  struct fault *f)
{
    return a->meta->ops->account_put(a->meta, in, f);
}

enum err
admin_account_add(struct admin *a, const struct meta_account *in,
                  const struct meta_audit *entry, struct fault *f)
{
    struct meta_audit named = admin_audit_named(entry);

    return admin_audit_with(a,
                            a->meta->ops->account_add(a->meta, in, &named, f));
}

enum err
admin_account_change(struct admin *a, const char *client_id,
                     meta_account_change_fn *fn, void *arg,
                     const struct meta_audit *entry, struct fault *f)
{
    struct meta_audit named = admin_audit_named(entry);

    return admin_audit_with(a, a->meta->ops->account_change(
                                   a->meta, client_id, fn, arg, &named, f));
}

enum err
admin_account_del(struct admin *a, const char *client_id,
                  const struct meta_audit *entry, struct fault *f)
{
    struct meta_audit named = admin_audit_named(entry);

    return admin_audit_with(
        a, a->meta->ops->account_del(a->meta, client_id, &named, f));
}

enum err
admin_account_list(struct admin *a, const char *after, unsigned max,
                   meta_account_fn *fn, void *arg, struct fault *f)
{
    return a->meta->ops->account_list(a->meta, after, max, fn, arg, f);
}

/* --- life ----------------------------------------------------------------- */

static const struct registry_ops ops = {
    .lookup = g_lookup,
    .list = g_list,
    .elements = g_elements,
    .element = g_element,
    .feed = g_feed,
    .push = g_push,
    .audit = admin_audit_add,
    .stats = g_stats,
};

struct registry *
admin_registry(struct admin *a)
{
    return &a->registry;
}

enum err
admin_open(struct admin **out, struct meta *meta, struct fault *f)
{
    struct admin *a = calloc(1, sizeof(*a));

    *out = a;
    if (!a)
        return fault_set(f, ERR_NOMEM, "admin open", "memory");
    a->registry.ops = &ops;
    a->meta = meta;
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_mutex_init(&a->changing, NULL);
    (void)pthread_mutex_init(&a->flushing, NULL);
    return ERR_OK;
}

enum err
admin_tell(struct admin *a, struct coord *coord, const char *channel,
           struct log *log, struct fault *f)
{
    uint64_t seed;

    sec_random(&seed, sizeof(seed));
    a->announce = announce_open(a->meta, coord, channel, seed, log);
    return a->announce ? ERR_OK
                       : fault_set(f, ERR_NOMEM, "allocate", "announce");
}

bool
admin_await_told(struct admin *a, struct announce_wait *w)
{
    if (a->announce)
        announce_await(a->announce, w);
    return a->announce != NULL;
}

void
admin_close(struct admin **pa)
{
    struct admin *a = *pa;

    if (!a)
        return;
    *pa = NULL;
    assert(!a->working && !a->home);
    admin_audit_last(a);
    (void)admin_audit_flush(a, NULL);
    announce_close(&a->announce);
    while (a->n)
        admin_slot_remove(a, a->slot[a->n - 1]);
    free(a->queue.a);
    free(a->batch.a);
    (void)pthread_mutex_destroy(&a->lock);
    (void)pthread_mutex_destroy(&a->changing);
    (void)pthread_mutex_destroy(&a->flushing);
    free(a);
}
