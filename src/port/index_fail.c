/* index_fail.c - see index_fail.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/index_fail.h"
#include "base/base.h"

static struct index_fail *
self(struct index *x)
{
    return container_of(x, struct index_fail, index);
}

static enum err
f_apply(struct index *x, const struct index_change *c, size_t n,
        struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_CHANGE(&w->fail, "index apply", f,
                w->inner->ops->apply(w->inner, c, n, f));
}

static enum err
f_get(struct index *x, const struct uuid *file_id, struct index_row *row,
      struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_READ(&w->fail, "index get", f,
              w->inner->ops->get(w->inner, file_id, row, f));
}

static enum err
f_list(struct index *x, const struct uuid *after, size_t max, index_row_fn *fn,
       void *arg, struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_READ(&w->fail, "index list", f,
              w->inner->ops->list(w->inner, after, max, fn, arg, f));
}

static enum err
f_bucket(struct index *x, const char *bucket, index_row_fn *fn, void *arg,
         struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_READ(&w->fail, "index bucket", f,
              w->inner->ops->bucket(w->inner, bucket, fn, arg, f));
}

static enum err
f_changes(struct index *x, uint64_t since, size_t max, index_change_fn *fn,
          void *arg, struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_READ(&w->fail, "index changes", f,
              w->inner->ops->changes(w->inner, since, max, fn, arg, f));
}

static enum err
f_expired(struct index *x, struct wall now, size_t max, index_row_fn *fn,
          void *arg, struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_READ(&w->fail, "index expired", f,
              w->inner->ops->expired(w->inner, now, max, fn, arg, f));
}

static enum err
f_reset(struct index *x, struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_CHANGE(&w->fail, "index reset", f, w->inner->ops->reset(w->inner, f));
}

static enum err
f_totals(struct index *x, struct index_totals *out, struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_READ(&w->fail, "index totals", f,
              w->inner->ops->totals(w->inner, out, f));
}

static enum err
f_trim(struct index *x, uint64_t seq, struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_CHANGE(&w->fail, "index trim", f,
                w->inner->ops->trim(w->inner, seq, f));
}

static enum err
f_sync(struct index *x, struct fault *f)
{
    struct index_fail *w = self(x);

    FAIL_CHANGE(&w->fail, "index sync", f, w->inner->ops->sync(w->inner, f));
}

static void
f_close(struct index *x)
{
    struct index_fail *w = self(x);

    w->inner->ops->close(w->inner);
    w->inner = NULL;
}

void
index_fail_init(struct index_fail *w, struct index *inner)
{
    static const struct index_ops ops = {
        .apply = f_apply,
        .get = f_get,
        .list = f_list,
        .bucket = f_bucket,
        .changes = f_changes,
        .expired = f_expired,
        .reset = f_reset,
        .totals = f_totals,
        .trim = f_trim,
        .sync = f_sync,
        .close = f_close,
    };

    assert(inner->ops->sync); /* the drivers that are tested have it */
    *w = (struct index_fail){.index = {&ops}, .inner = inner};
}
