/* lost.c - elements that were in STORAGE_ELEMENTS at some start, and now are
 * not. Their files stand in the list, and nobody can read them: the operator
 * must hear of it, also long after the start, and say that he means it by
 * removing the element.
 *
 * One whose files are all gone is nobody's loss. One that this catalogue has
 * never heard of may hold any number: a catalogue that was lost is made anew
 * from the elements that are attached, and these are not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/impl.h"

static bool
note_record(void *arg, const struct meta_element *e)
{
    struct admin *a = arg;
    struct admin_lost *l = &a->lost[a->n_lost];

    if (e->remote || admin_slot_by_uuid(a, &e->uuid))
        return true;
    l->uuid = e->uuid;
    memcpy(l->element_id, e->element_id, sizeof(l->element_id));
    return ++a->n_lost < ADMIN_LOST_MAX;
}

/* *IS_LOST: L holds files, or may. */
static enum err
count_files(struct admin *a, struct admin_lost *l, bool *is_lost,
            struct fault *f)
{
    enum err e = a->meta->ops->feed_files(a->meta, &l->uuid, &l->files, f);

    l->unheard = e == ERR_NOENT;
    *is_lost = l->unheard || l->files;
    return e == ERR_NOENT ? ERR_OK : e;
}

enum err
admin_lost_find(struct admin *a, struct fault *f)
{
    unsigned n;
    bool is_lost;
    enum err e;

    e = a->meta->ops->element_list(a->meta, note_record, a, f);
    n = a->n_lost;
    a->n_lost = 0;
    for (unsigned i = 0; i < n && !e; i++) {
        e = count_files(a, &a->lost[i], &is_lost, f);
        if (!e && is_lost)
            a->lost[a->n_lost++] = a->lost[i];
    }
    return e;
}

unsigned
admin_lost(struct admin *a, struct admin_lost *out, unsigned max)
{
    unsigned n;

    (void)pthread_mutex_lock(&a->lock);
    n = a->n_lost;
    for (unsigned i = 0; i < n && i < max; i++)
        out[i] = a->lost[i];
    (void)pthread_mutex_unlock(&a->lock);
    return n;
}

struct admin_lost *
admin_lost_by_uuid(struct admin *a, const struct uuid *uuid)
{
    for (unsigned i = 0; i < a->n_lost; i++)
        if (uuid_eq(&a->lost[i].uuid, uuid))
            return &a->lost[i];
    return NULL;
}

static bool
find_id(struct admin *a, const char *element_id, struct uuid *uuid)
{
    bool found = false;

    (void)pthread_mutex_lock(&a->lock);
    for (unsigned i = 0; i < a->n_lost && !found; i++)
        if (strcmp(a->lost[i].element_id, element_id) == 0) {
            *uuid = a->lost[i].uuid;
            found = true;
        }
    (void)pthread_mutex_unlock(&a->lock);
    return found;
}

static void
forget(struct admin *a, const struct uuid *uuid)
{
    struct admin_lost *l;

    (void)pthread_mutex_lock(&a->lock);
    l = admin_lost_by_uuid(a, uuid);
    if (l)
        *l = a->lost[--a->n_lost];
    (void)pthread_mutex_unlock(&a->lock);
}

enum err
admin_lost_remove(struct admin *a, const char *element_id, bool force,
                  struct fault *f)
{
    struct uuid uuid;
    enum err e;

    if (!find_id(a, element_id, &uuid))
        return ERR_NOENT;
    e = admin_element_forget(a, &uuid, force, f);
    if (!e)
        forget(a, &uuid);
    return e;
}
