/* elements.c - the registry of elements: attaching those of this process,
 * registering those of others, changing and removing them (ADM-008...ADM-015).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/impl.h"
#include "sec/random.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- asking ---- */

enum err
admin_element_get(struct admin *a, const char *element_id,
                  struct meta_element *out)
{
    struct admin_slot *s;

    (void)pthread_mutex_lock(&a->lock);
    s = admin_slot_by_id(a, element_id);
    if (s)
        *out = s->record;
    (void)pthread_mutex_unlock(&a->lock);
    return s ? ERR_OK : ERR_NOENT;
}

enum err
admin_view(struct admin *a, const char *element_id, struct wall now,
           struct admin_view *out)
{
    struct admin_slot *s;
    struct blob *b = NULL;

    (void)pthread_mutex_lock(&a->lock);
    s = admin_slot_by_id(a, element_id);
    if (s) {
        b = s->blob;
        out->record = s->record;
        out->cap = s->cap;
        out->heard = s->heard;
        out->here = b != NULL;
    }
    (void)pthread_mutex_unlock(&a->lock);
    if (b) {
        b->ops->capacity(b, &out->cap);
        out->heard = now;
    }
    return s ? ERR_OK : ERR_NOENT;
}

unsigned
admin_names(struct admin *a, struct admin_name *out, unsigned max)
{
    unsigned n;

    (void)pthread_mutex_lock(&a->lock);
    n = a->n;
    for (unsigned i = 0; i < n && i < max; i++) {
        memcpy(out[i].element_id, a->slot[i]->element_id,
               sizeof(out[i].element_id));
        out[i].priority = a->slot[i]->record.priority;
    }
    (void)pthread_mutex_unlock(&a->lock);
    return n;
}

/* ---- changing ---- */

static void
tell(struct admin *a)
{
    if (a->announce)
        announce_changed(a->announce);
}

/* What E wants and H, another element, has; NULL: nothing. Two names of one
 * element would count its room twice. Those of a process share its address. */
static const char *
taken(const struct meta_element *h, const struct meta_element *e)
{
    if (strcmp(h->element_id, e->element_id) == 0)
        return "element_id";
    if (uuid_eq(&h->uuid, &e->uuid))
        return "uuid";
    return h->remote && strcmp(h->endpoint, e->endpoint) == 0 ? "api_url"
                                                              : NULL;
}

static enum err
taken_by(const struct meta_element *h, const char *field, struct fault *f)
{
    char text[sizeof(f->what)], uuid[UUID_TEXT];

    snprintf(text, sizeof(text), "%s (%s)", h->element_id,
             uuid_text(&h->uuid, uuid));
    return fault_set(f, ERR_EXISTS, field, text);
}

/* ERR_EXISTS, with field and holder in *F: another element than SELF (NULL:
 * any) has E's id, uuid or address. */
static enum err
check_taken(struct admin *a, const struct admin_slot *self,
            const struct meta_element *e, struct fault *f)
{
    struct meta_element holder;
    const char *field = NULL;

    (void)pthread_mutex_lock(&a->lock);
    for (unsigned i = 0; i < a->n && !field; i++)
        if (a->slot[i] != self && (field = taken(&a->slot[i]->record, e)))
            holder = a->slot[i]->record;
    (void)pthread_mutex_unlock(&a->lock);
    return field ? taken_by(&holder, field, f) : ERR_OK;
}

/* *R with what C says. False: a text that does not fit; *FIELD says which. */
static bool
put_change(struct meta_element *r, const struct admin_change *c,
           const char **field)
{
    if (c->has_mode)
        r->mode = c->mode;
    if (c->has_priority)
        r->priority = c->priority;
    *field = "api_url";
    if (c->endpoint &&
        !slice_copy(slice_str(c->endpoint), r->endpoint, sizeof(r->endpoint)))
        return false;
    *field = "location";
    if (c->location &&
        !slice_copy(slice_str(c->location), r->location, sizeof(r->location)))
        return false;
    *field = "name";
    if (c->name && !slice_copy(slice_str(c->name), r->name, sizeof(r->name)))
        return false;
    *field = admin_element_invalid(r);
    return *field == NULL;
}

static enum err
change_record(struct admin *a, struct admin_slot *s,
              const struct meta_element *record, struct fault *f)
{
    bool other_mode = record->mode != s->record.mode;
    bool moved = strcmp(record->endpoint, s->record.endpoint) != 0;
    enum err e;

    if (s->blob && other_mode && !s->source.set_mode)
        return fault_set(f, ERR_UNSUPPORTED, "mode", record->element_id);
    if (s->blob && moved)
        return fault_set(f, ERR_UNSUPPORTED, "api_url", record->element_id);
    if (moved && !record->endpoint[0])
        return fault_set(f, ERR_INVAL, "element", "api_url");
    if (moved && (e = check_taken(a, s, record, f)) != ERR_OK)
        return e;
    e = a->meta->ops->element_put(a->meta, record, f);
    if (e)
        return e;
    (void)pthread_mutex_lock(&a->lock);
    s->record = *record;
    if (moved) /* what was heard came from elsewhere */
        s->heard = (struct wall){0};
    (void)pthread_mutex_unlock(&a->lock);
    if (other_mode && s->source.set_mode)
        s->source.set_mode(s->source.arg, (enum blob_mode)record->mode);
    return ERR_OK;
}

/* Without the time of the change. */
static bool
same_record(const struct meta_element *x, const struct meta_element *y)
{
    return x->mode == y->mode && x->priority == y->priority &&
           strcmp(x->endpoint, y->endpoint) == 0 &&
           strcmp(x->location, y->location) == 0 &&
           strcmp(x->name, y->name) == 0;
}

enum err
admin_element_change(struct admin *a, const char *element_id,
                     const struct admin_change *change, struct wall now,
                     struct meta_element *changed, struct fault *f)
{
    struct meta_element had;
    struct admin_slot *s;
    const char *field;
    enum err e = ERR_OK;

    /* One change at a time, so that none is lost between read and write. */
    (void)pthread_mutex_lock(&a->changing);
    s = admin_slot_get(a, element_id);
    if (!s || admin_element_get(a, element_id, &had)) {
        e = ERR_NOENT;
        goto out;
    }
    *changed = had;
    if (!put_change(changed, change, &field))
        e = fault_set(f, ERR_INVAL, "element", field);
    else if (!admin_mode_may((enum blob_mode)had.mode,
                             (enum blob_mode)changed->mode))
        e = ERR_CONFLICT;
    else if (!same_record(&had, changed)) {
        changed->updated_at = now;
        e = change_record(a, s, changed, f);
        if (!e)
            tell(a);
    }
out:
    admin_slot_put(a, s);
    (void)pthread_mutex_unlock(&a->changing);
    return e;
}

/* ---- those of this process ---- */

struct find {
    const struct meta_element *like;
    struct meta_element *out;   /* the record of LIKE's uuid */
    struct meta_element holder; /* who else has LIKE's name; its uuid is nil:
                                   nobody */
    bool found;
};

static bool
find_record(void *arg, const struct meta_element *e)
{
    struct find *find = arg;

    if (uuid_eq(&e->uuid, &find->like->uuid)) {
        *find->out = *e;
        find->found = true;
    } else if (strcmp(e->element_id, find->like->element_id) == 0) {
        find->holder = *e;
    }
    return true;
}

/* An element that was renamed, or made anew, under a name that another has or
 * had: files of that one are still known by it. But what was registered with
 * force and has never said who it is has no files, and may be this very one. */
static enum err
refuse_name(const struct meta_element *like, const struct meta_element *holder,
            struct fault *f)
{
    char text[sizeof(f->what)], other[UUID_TEXT];

    snprintf(text, sizeof(text), "%.64s (to Admin it is %s)", like->element_id,
             uuid_text(&holder->uuid, other));
    (void)fault_set(f, ERR_CONFLICT, "serve element", text);
    if (!holder->seen_at.ms)
        return fault_hint(f, "that one was registered over HTTP and has never "
                             "answered: start without this element, remove it "
                             "with DELETE /api/v1/storage-elements/NAME, then "
                             "start with this one");
    return fault_hint(f, "no two elements may have one name: give it one that "
                         "none has had with `artstore storage rename`, and "
                         "change STORAGE_ELEMENTS");
}

/* What Admin has of LIKE's element, brought up to date: its label, address and
 * place are the element's own affair; modes only go forward. DIFFERS from what
 * is in the database? */
static enum err
record_of(struct admin *a, const struct meta_element *like,
          struct meta_element *out, bool *differs, struct fault *f)
{
    struct find find = {.like = like, .out = out};
    struct meta_element had;
    enum err e;

    e = a->meta->ops->element_list(a->meta, find_record, &find, f);
    if (e)
        return e;
    if (!uuid_is_nil(&find.holder.uuid))
        return refuse_name(like, &find.holder, f);
    if (!find.found)
        *out = *like;
    had = *out;
    out->mode = like->mode > out->mode ? like->mode : out->mode;
    memcpy(out->element_id, like->element_id, sizeof(out->element_id));
    memcpy(out->endpoint, like->endpoint, sizeof(out->endpoint));
    memcpy(out->location, like->location, sizeof(out->location));
    out->remote = false;
    if (!out->seen_at.ms)
        out->seen_at = like->updated_at;
    *differs = !find.found || memcmp(&had, out, sizeof(had)) != 0;
    if (*differs)
        out->updated_at = like->updated_at;
    return ERR_OK;
}

enum err
admin_attach(struct admin *a, struct blob *blob,
             const struct admin_source *source, const struct meta_element *like,
             struct fault *f)
{
    const char *invalid = admin_element_invalid(like);
    struct meta_element record;
    struct admin_slot *s;
    bool differs;
    enum err e;

    if (invalid || uuid_is_nil(&like->uuid))
        return fault_set(f, ERR_INVAL, "attach", invalid ? invalid : "uuid");
    if (a->n == REGISTRY_ELEMENTS_MAX)
        return fault_set(f, ERR_TOOBIG, "attach", "number of elements");
    assert(!admin_slot_by_uuid(a, &like->uuid));
    e = record_of(a, like, &record, &differs, f);
    if (e)
        return e;
    s = admin_slot_new(&record);
    if (!s)
        return fault_set(f, ERR_NOMEM, "attach", like->element_id);
    s->blob = blob;
    s->source = *source;
    s->unsaved = differs;
    if (record.mode != like->mode && source->set_mode)
        source->set_mode(source->arg, (enum blob_mode)record.mode);
    e = admin_catch_up_first(a, s, f);
    if (e)
        admin_slot_put(a, s);
    else
        admin_slot_insert(a, s);
    return e;
}

enum err
admin_attached(struct admin *a, struct fault *f)
{
    enum err e = ERR_OK;

    for (unsigned i = 0; i < a->n && !e; i++) {
        struct admin_slot *s = a->slot[i];

        if (s->unsaved)
            e = a->meta->ops->element_put(a->meta, &s->record, f);
        s->unsaved = s->unsaved && e;
    }
    return e;
}

/* ---- those of others ---- */

struct load {
    struct admin *admin;
    enum err err;
};

static bool
load_record(void *arg, const struct meta_element *e)
{
    struct load *l = arg;
    struct admin *a = l->admin;
    struct admin_slot *s;

    if (!e->remote || admin_slot_by_id(a, e->element_id) ||
        admin_slot_by_uuid(a, &e->uuid))
        return true;
    if (a->n == ADMIN_ELEMENTS_MAX || !(s = admin_slot_new(e))) {
        l->err = ERR_NOMEM;
        return false;
    }
    admin_slot_insert(a, s);
    return true;
}

enum err
admin_load(struct admin *a, struct fault *f)
{
    struct load l = {a, ERR_OK};
    enum err e = a->meta->ops->element_list(a->meta, load_record, &l, f);

    return !e && l.err ? fault_set(f, l.err, "load", "elements") : e;
}

enum err
admin_element_taken(struct admin *a, const struct meta_element *e,
                    struct fault *f)
{
    return check_taken(a, NULL, e, f);
}

/* The other Admin was faster, or has not been read since (D37), so that those
 * of others are read now; or it is of this or another process that has them in
 * its list, or had. */
static enum err
refuse_taken(struct admin *a, const struct meta_element *e,
             const struct meta_element *holder, struct fault *f)
{
    enum err err = taken_by(holder, taken(holder, e), f);

    if (holder->remote)
        (void)admin_load(a, NULL);
    else
        (void)fault_hint(f, "it is, or was, in the STORAGE_ELEMENTS of a "
                            "server: serve it there, or take another name");
    return err;
}

enum err
admin_element_add(struct admin *a, const struct meta_element *e,
                  struct fault *f)
{
    struct meta_element holder;
    const char *field = admin_element_invalid(e);
    struct meta_element record = *e;
    struct admin_slot *s = NULL;
    uint8_t random[16];
    enum err err;

    if (field || !e->endpoint[0])
        return fault_set(f, ERR_INVAL, "element", field ? field : "api_url");
    record.remote = true;
    if (uuid_is_nil(&record.uuid)) {
        sec_random(random, sizeof(random));
        record.uuid = uuid_v4(random);
        record.seen_at = (struct wall){0};
    }
    (void)pthread_mutex_lock(&a->changing);
    err = check_taken(a, NULL, e, f);
    if (!err && a->n >= ADMIN_ELEMENTS_MAX - REGISTRY_ELEMENTS_MAX)
        err = fault_set(f, ERR_TOOBIG, "element", "number of elements");
    if (!err && !(s = admin_slot_new(&record)))
        err = fault_set(f, ERR_NOMEM, "element", e->element_id);
    if (!err && (err = a->meta->ops->element_add(a->meta, &record, &holder,
                                                 f)) == ERR_EXISTS)
        err = refuse_taken(a, &record, &holder, f);
    if (!err)
        admin_slot_insert(a, s);
    else
        admin_slot_put(a, s);
    (void)pthread_mutex_unlock(&a->changing);
    if (!err)
        tell(a);
    return err;
}

enum err
admin_element_forget(struct admin *a, const struct uuid *uuid, bool force,
                     struct fault *f)
{
    uint64_t files = 0;
    enum err e = ERR_OK;

    if (!force)
        e = a->meta->ops->feed_files(a->meta, uuid, &files, f);
    if (e == ERR_OK && files)
        return ERR_BUSY;
    if (e && e != ERR_NOENT)
        return e;
    e = a->meta->ops->feed_reset(a->meta, uuid, f);
    return e ? e : a->meta->ops->element_swap(a->meta, uuid, NULL, f);
}

enum err
admin_element_remove(struct admin *a, const char *element_id, bool force,
                     struct fault *f)
{
    struct admin_slot *s;
    enum err e;

    (void)pthread_mutex_lock(&a->changing);
    s = admin_slot_get(a, element_id);
    if (!s) {
        e = admin_lost_remove(a, element_id, force, f);
    } else if (s->blob) {
        e = fault_set(f, ERR_UNSUPPORTED, "remove", element_id);
    } else {
        (void)pthread_mutex_lock(&s->gate);
        e = admin_element_forget(a, &s->uuid, force, f);
        if (!e)
            admin_slot_remove(a, s);
        (void)pthread_mutex_unlock(&s->gate);
    }
    admin_slot_put(a, s);
    (void)pthread_mutex_unlock(&a->changing);
    if (!e)
        tell(a);
    return e;
}
