/* registry.c - see registry.h.
 *
 * One lock guards the table of elements, the feed positions and the audit
 * queue; it is never held over a call of the catalogue. Slots are made once and
 * live until the end, so a pointer to one may be used after the lock is gone.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/registry.h"
#include "role/admin/impl.h"
#include <stdlib.h>

static struct admin *
self(struct registry *g)
{
    return container_of(g, struct admin, registry);
}

/* Both under the lock; NULL: unknown. */
static struct admin_slot *
slot_by_uuid(struct admin *a, const struct uuid *uuid)
{
    for (unsigned i = 0; i < a->n; i++)
        if (uuid_eq(&a->slot[i]->uuid, uuid))
            return a->slot[i];
    return NULL;
}

static struct admin_slot *
slot_by_id(struct admin *a, const char *element_id)
{
    for (unsigned i = 0; i < a->n; i++)
        if (strcmp(a->slot[i]->record.element_id, element_id) == 0)
            return a->slot[i];
    return NULL;
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
        s = slot_by_uuid(a, &r->file.attr.element_uuid);
        r->blob = s ? s->blob : NULL;
        (void)pthread_mutex_unlock(&a->lock);
    }
    r->done(r);
}

static void
g_lookup(struct registry *g, struct registry_lookup *r)
{
    r->registry = g;
    r->blob = NULL;
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
    unsigned n;

    (void)pthread_mutex_lock(&a->lock);
    n = a->n;
    for (unsigned i = 0; i < n && i < max; i++) {
        out[i].blob = a->slot[i]->blob;
        out[i].mode = (enum blob_mode)a->slot[i]->record.mode;
        out[i].priority = a->slot[i]->record.priority;
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
    s = slot_by_id(a, element_id);
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
    (void)pthread_mutex_unlock(&a->lock);
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
    s = slot_by_uuid(a, element_uuid);
    (void)pthread_mutex_unlock(&a->lock);
    if (!s)
        return fault_set(f, ERR_NOENT, "feed", "element not attached");
    (void)pthread_mutex_lock(&s->gate);
    e = feed_slot(a, s, c, n, f);
    (void)pthread_mutex_unlock(&s->gate);
    return e;
}

/* --- elements ------------------------------------------------------------- */

enum err
admin_element_get(struct admin *a, const char *element_id,
                  struct meta_element *out)
{
    struct admin_slot *s;

    (void)pthread_mutex_lock(&a->lock);
    s = slot_by_id(a, element_id);
    if (s)
        *out = s->record;
    (void)pthread_mutex_unlock(&a->lock);
    return s ? ERR_OK : ERR_NOENT;
}

static enum err
change(struct admin *a, struct admin_slot *s, struct meta_element *record,
       struct fault *f)
{
    bool other_mode = record->mode != s->record.mode;
    enum err e;

    if (other_mode && !s->source.set_mode)
        return fault_set(f, ERR_UNSUPPORTED, "mode", record->element_id);
    e = a->meta->ops->element_put(a->meta, record, f);
    if (e)
        return e;
    (void)pthread_mutex_lock(&a->lock);
    s->record = *record;
    (void)pthread_mutex_unlock(&a->lock);
    if (other_mode)
        s->source.set_mode(s->source.arg, (enum blob_mode)record->mode);
    return ERR_OK;
}

enum err
admin_element_change(struct admin *a, const char *element_id, int mode,
                     int priority, struct wall now,
                     struct meta_element *changed, struct fault *f)
{
    struct admin_slot *s;
    enum err e = ERR_OK;

    /* One change at a time, so that none is lost between read and write. */
    (void)pthread_mutex_lock(&a->changing);
    (void)pthread_mutex_lock(&a->lock);
    s = slot_by_id(a, element_id);
    if (s)
        *changed = s->record;
    (void)pthread_mutex_unlock(&a->lock);
    if (!s) {
        e = ERR_NOENT;
        goto out;
    }
    changed->mode = mode;
    changed->priority = priority;
    changed->updated_at = now;
    if (admin_element_invalid(changed))
        e = fault_set(f, ERR_INVAL, "element", admin_element_invalid(changed));
    else if (!admin_mode_may((enum blob_mode)s->record.mode,
                             (enum blob_mode)mode))
        e = ERR_CONFLICT;
    else if (mode != s->record.mode || priority != s->record.priority)
        e = change(a, s, changed, f);
    else
        *changed = s->record;
out:
    (void)pthread_mutex_unlock(&a->changing);
    return e;
}

struct find {
    const struct uuid *uuid;
    struct meta_element *out;
    bool found;
};

static bool
find_record(void *arg, const struct meta_element *e)
{
    struct find *find = arg;

    if (!uuid_eq(&e->uuid, find->uuid))
        return true;
    *find->out = *e;
    find->found = true;
    return false;
}

/* What Admin has of LIKE's element, brought up to date: its label, address and
 * place are the element's own affair; modes only go forward. */
static enum err
record_of(struct admin *a, const struct meta_element *like,
          struct meta_element *out, struct fault *f)
{
    struct find find = {&like->uuid, out, false};
    struct meta_element had;
    enum err e;

    e = a->meta->ops->element_list(a->meta, find_record, &find, f);
    if (e)
        return e;
    if (!find.found)
        *out = *like;
    had = *out;
    out->mode = like->mode > out->mode ? like->mode : out->mode;
    memcpy(out->element_id, like->element_id, sizeof(out->element_id));
    memcpy(out->endpoint, like->endpoint, sizeof(out->endpoint));
    memcpy(out->location, like->location, sizeof(out->location));
    if (find.found && memcmp(&had, out, sizeof(had)) == 0)
        return ERR_OK;
    out->updated_at = like->updated_at;
    return a->meta->ops->element_put(a->meta, out, f);
}

static struct admin_slot *
slot_new(void)
{
    struct admin_slot *s = calloc(1, sizeof(*s));

    if (s)
        (void)pthread_mutex_init(&s->gate, NULL);
    return s;
}

static void
slot_free(struct admin_slot *s)
{
    (void)pthread_mutex_destroy(&s->gate);
    free(s);
}

static void
slot_insert(struct admin *a, struct admin_slot *s)
{
    unsigned at;

    (void)pthread_mutex_lock(&a->lock);
    for (at = a->n; at > 0 && strcmp(s->record.element_id,
                                     a->slot[at - 1]->record.element_id) < 0;
         at--)
        a->slot[at] = a->slot[at - 1];
    a->slot[at] = s;
    a->n++;
    (void)pthread_mutex_unlock(&a->lock);
}

enum err
admin_attach(struct admin *a, struct blob *blob,
             const struct admin_source *source, const struct meta_element *like,
             struct fault *f)
{
    const char *invalid = admin_element_invalid(like);
    struct admin_slot *s;
    enum err e;

    if (invalid || uuid_is_nil(&like->uuid))
        return fault_set(f, ERR_INVAL, "attach", invalid ? invalid : "uuid");
    if (a->n == REGISTRY_ELEMENTS_MAX)
        return fault_set(f, ERR_TOOBIG, "attach", "number of elements");
    assert(!slot_by_uuid(a, &like->uuid));
    s = slot_new();
    if (!s)
        return fault_set(f, ERR_NOMEM, "attach", like->element_id);
    s->uuid = like->uuid;
    s->blob = blob;
    s->source = *source;
    e = record_of(a, like, &s->record, f);
    if (!e) {
        memcpy(s->element_id, s->record.element_id, sizeof(s->element_id));
        if (s->record.mode != like->mode && source->set_mode)
            source->set_mode(source->arg, (enum blob_mode)s->record.mode);
        e = admin_catch_up_first(a, s, f);
    }
    if (e)
        slot_free(s);
    else
        slot_insert(a, s);
    return e;
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

/* --- life ----------------------------------------------------------------- */

static const struct registry_ops ops = {
    .lookup = g_lookup,
    .list = g_list,
    .elements = g_elements,
    .element = g_element,
    .feed = g_feed,
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

void
admin_close(struct admin **pa)
{
    struct admin *a = *pa;

    if (!a)
        return;
    *pa = NULL;
    assert(!a->working && !a->home);
    (void)admin_audit_flush(a, NULL);
    for (unsigned i = 0; i < a->n; i++)
        slot_free(a->slot[i]);
    free(a->queue.a);
    free(a->batch.a);
    (void)pthread_mutex_destroy(&a->lock);
    (void)pthread_mutex_destroy(&a->changing);
    (void)pthread_mutex_destroy(&a->flushing);
    free(a);
}
