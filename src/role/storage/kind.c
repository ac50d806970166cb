/* kind.c - see kind.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/kind.h"

static const struct element_kind *
kind(const struct element *e)
{
    return *(const struct element_kind *const *)(const void *)e;
}

struct blob *
element_blob(struct element *e)
{
    return kind(e)->blob(e);
}

const struct uuid *
element_uuid(const struct element *e)
{
    return kind(e)->uuid(e);
}

enum err
element_serve(struct element *e, struct fault *f)
{
    return kind(e)->serve(e, f);
}

void
element_start(struct element *e, struct loop *l)
{
    kind(e)->start(e, l);
}

void
element_stop(struct element *e, void (*done)(void *arg), void *arg)
{
    kind(e)->stop(e, done, arg);
}

void
element_close(struct element **ep)
{
    struct element *e = *ep;

    *ep = NULL;
    if (e)
        kind(e)->close(e);
}

void
element_set_mode(struct element *e, enum blob_mode mode)
{
    kind(e)->set_mode(e, mode);
}

void
element_set_quota(struct element *e, uint64_t quota)
{
    kind(e)->set_quota(e, quota);
}

const char *
element_trouble(struct element *e)
{
    return kind(e)->trouble(e);
}

void
element_stats(struct element *e, struct element_stats *out)
{
    kind(e)->stats(e, out);
}

bool
element_give_up(struct element *e, const struct uuid *file_id, uint64_t number,
                struct blob_abort *r)
{
    return kind(e)->give_up(e, file_id, number, r);
}

enum err
element_changes(struct element *e, uint64_t since, size_t max,
                index_change_fn *fn, void *arg, struct fault *f)
{
    return kind(e)->changes(e, since, max, fn, arg, f);
}

enum err
element_log(struct element *e, uint64_t *first, uint64_t *last, struct fault *f)
{
    return kind(e)->log(e, first, last, f);
}

enum err
element_verify(struct element *e, const struct uuid *file_id,
               const atomic_bool *cancel, struct element_verified *out,
               struct fault *f)
{
    return kind(e)->verify(e, file_id, cancel, out, f);
}
