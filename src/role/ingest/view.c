/* view.c - see view.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/view.h"
#include <stdlib.h>

struct view_part *
view_part_new(struct snapshot *snap, struct blob *const *blobs,
              struct mono until)
{
    struct view_part *p = malloc(sizeof(*p) + snap->n * sizeof(p->blob[0]));

    if (p == NULL)
        return NULL;
    atomic_init(&p->refs, 1);
    p->snap = snap;
    p->until = until;
    for (size_t i = 0; i < snap->n; i++)
        p->blob[i] = blob_hold(blobs[i]);
    return p;
}

struct view_part *
view_part_hold(struct view_part *p)
{
    if (p)
        atomic_fetch_add(&p->refs, 1);
    return p;
}

void
view_part_drop(struct view_part **pp)
{
    struct view_part *p = *pp;

    *pp = NULL;
    if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    for (size_t i = 0; i < p->snap->n; i++)
        blob_drop(&p->blob[i]);
    snapshot_free(p->snap);
    free(p);
}

struct view *
view_new(void)
{
    struct view *v = calloc(1, sizeof(*v));

    if (v)
        atomic_init(&v->refs, 1);
    return v;
}

void
view_drop(struct view **vp)
{
    struct view *v = *vp;

    *vp = NULL;
    if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    for (unsigned i = 0; i < VIEW_SOURCES; i++)
        view_part_drop(&v->part[i]);
    free(v);
}

static void
slot_take(struct loop *l, struct task *t)
{
    struct view_slot *s = container_of(t, struct view_slot, task);
    struct view *v = atomic_exchange(&s->next, NULL);

    (void)l;
    if (v == NULL)
        return;
    view_drop(&s->current);
    s->current = v;
}

bool
views_init(struct views *s, struct loop **loops, unsigned n)
{
    s->n = n;
    s->slot = calloc(n, sizeof(s->slot[0]));
    for (unsigned i = 0; s->slot && i < n; i++) {
        s->slot[i].loop = loops[i];
        s->slot[i].task.run = slot_take;
        atomic_init(&s->slot[i].next, NULL);
    }
    return s->slot != NULL;
}

void
views_release(struct views *s)
{
    for (unsigned i = 0; s->slot && i < s->n; i++) {
        struct view *next = atomic_exchange(&s->slot[i].next, NULL);

        view_drop(&next);
        view_drop(&s->slot[i].current);
    }
    free(s->slot);
    s->slot = NULL;
}

void
views_publish(struct views *s, struct view *v)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct view *before;

        atomic_fetch_add(&v->refs, 1);
        before = atomic_exchange(&s->slot[i].next, v);
        if (before == NULL)
            loop_post(s->slot[i].loop, &s->slot[i].task);
        else
            view_drop(&before); /* its task is on its way and takes this one */
    }
    view_drop(&v);
}

const struct view_part *
view_part_of(const struct view *v, enum view_source from, struct mono now)
{
    const struct view_part *p = v ? v->part[from] : NULL;

    return p && !mono_reached(now, p->until) ? p : NULL;
}
