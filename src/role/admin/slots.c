/* slots.c - the table of elements: sorted by element_id, found by that or by
 * uuid. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/impl.h"
#include <stdlib.h>

/* Where ELEMENT_ID stands, or would. */
static unsigned
place(const struct admin *a, const char *element_id)
{
    unsigned low = 0, high = a->n;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (strcmp(a->slot[mid]->element_id, element_id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct admin_slot *
admin_slot_by_id(struct admin *a, const char *element_id)
{
    unsigned i = place(a, element_id);

    return i < a->n && strcmp(a->slot[i]->element_id, element_id) == 0
               ? a->slot[i]
               : NULL;
}

struct admin_slot *
admin_slot_by_uuid(struct admin *a, const struct uuid *uuid)
{
    for (unsigned i = 0; i < a->n; i++)
        if (uuid_eq(&a->slot[i]->uuid, uuid))
            return a->slot[i];
    return NULL;
}

struct admin_slot *
admin_slot_get(struct admin *a, const char *element_id)
{
    struct admin_slot *s;

    (void)pthread_mutex_lock(&a->lock);
    s = admin_slot_by_id(a, element_id);
    if (s)
        s->refs++;
    (void)pthread_mutex_unlock(&a->lock);
    return s;
}

void
admin_slot_put(struct admin *a, struct admin_slot *s)
{
    bool last;

    if (!s)
        return;
    (void)pthread_mutex_lock(&a->lock);
    last = --s->refs == 0;
    (void)pthread_mutex_unlock(&a->lock);
    if (!last)
        return;
    (void)pthread_mutex_destroy(&s->gate);
    free(s);
}

struct admin_slot *
admin_slot_new(const struct meta_element *record)
{
    struct admin_slot *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    (void)pthread_mutex_init(&s->gate, NULL);
    s->refs = 1;
    s->uuid = record->uuid;
    s->record = *record;
    memcpy(s->element_id, record->element_id, sizeof(s->element_id));
    return s;
}

void
admin_slot_insert(struct admin *a, struct admin_slot *s)
{
    unsigned at;

    (void)pthread_mutex_lock(&a->lock);
    assert(a->n < ADMIN_ELEMENTS_MAX);
    at = place(a, s->element_id);
    memmove(&a->slot[at + 1], &a->slot[at], (a->n - at) * sizeof(a->slot[0]));
    a->slot[at] = s;
    a->n++;
    (void)pthread_mutex_unlock(&a->lock);
}

void
admin_slot_remove(struct admin *a, struct admin_slot *s)
{
    unsigned at;

    (void)pthread_mutex_lock(&a->lock);
    at = place(a, s->element_id);
    assert(at < a->n && a->slot[at] == s);
    a->n--;
    memmove(&a->slot[at], &a->slot[at + 1], (a->n - at) * sizeof(a->slot[0]));
    (void)pthread_mutex_unlock(&a->lock);
    admin_slot_put(a, s);
}
