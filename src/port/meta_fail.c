/* meta_fail.c - see meta_fail.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/meta_fail.h"
#include "base/base.h"

static struct meta_fail *
self(struct meta *m)
{
    return container_of(m, struct meta_fail, meta);
}

static enum err
f_feed(struct meta *m, const struct uuid *element_uuid, const char *element_id,
       const struct index_change *c, size_t n, uint64_t position,
       struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "feed", f,
                w->inner->ops->feed(w->inner, element_uuid, element_id, c, n,
                                    position, f));
}

static enum err
f_feed_position(struct meta *m, const struct uuid *element_uuid, uint64_t *seq,
                struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "feed position", f,
              w->inner->ops->feed_position(w->inner, element_uuid, seq, f));
}

static enum err
f_feed_files(struct meta *m, const struct uuid *element_uuid, uint64_t *files,
             struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "feed files", f,
              w->inner->ops->feed_files(w->inner, element_uuid, files, f));
}

static enum err
f_feed_reset(struct meta *m, const struct uuid *element_uuid, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "feed reset", f,
                w->inner->ops->feed_reset(w->inner, element_uuid, f));
}

static enum err
f_file_get(struct meta *m, const struct uuid *file_id, struct meta_file *out,
           struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "file get", f,
              w->inner->ops->file_get(w->inner, file_id, out, f));
}

static enum err
f_file_list(struct meta *m, const struct meta_query *q, meta_file_fn *fn,
            void *arg, struct uuid *next, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "file list", f,
              w->inner->ops->file_list(w->inner, q, fn, arg, next, f));
}

static enum err
f_file_count(struct meta *m, uint64_t *files, uint64_t *bytes, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "file count", f,
              w->inner->ops->file_count(w->inner, files, bytes, f));
}

static enum err
f_element_put(struct meta *m, const struct meta_element *e, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "element put", f,
                w->inner->ops->element_put(w->inner, e, f));
}

static enum err
f_element_add(struct meta *m, const struct meta_element *e,
              struct meta_element *holder, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "element add", f,
                w->inner->ops->element_add(w->inner, e, holder, f));
}

static enum err
f_element_swap(struct meta *m, const struct uuid *gone,
               const struct meta_element *e, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "element swap", f,
                w->inner->ops->element_swap(w->inner, gone, e, f));
}

static enum err
f_element_list(struct meta *m, meta_element_fn *fn, void *arg, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "element list", f,
              w->inner->ops->element_list(w->inner, fn, arg, f));
}

static enum err
f_account_get(struct meta *m, const char *client_id, struct meta_account *out,
              struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "account get", f,
              w->inner->ops->account_get(w->inner, client_id, out, f));
}

static enum err
f_account_put(struct meta *m, const struct meta_account *a, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "account put", f,
                w->inner->ops->account_put(w->inner, a, f));
}

static enum err
f_account_add(struct meta *m, const struct meta_account *a,
              const struct meta_audit *entry, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "account add", f,
                w->inner->ops->account_add(w->inner, a, entry, f));
}

static enum err
f_account_change(struct meta *m, const char *client_id,
                 meta_account_change_fn *fn, void *arg,
                 const struct meta_audit *entry, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(
        &w->fail, "account change", f,
        w->inner->ops->account_change(w->inner, client_id, fn, arg, entry, f));
}

static enum err
f_account_del(struct meta *m, const char *client_id,
              const struct meta_audit *entry, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "account del", f,
                w->inner->ops->account_del(w->inner, client_id, entry, f));
}

static enum err
f_account_list(struct meta *m, const char *after, unsigned max,
               meta_account_fn *fn, void *arg, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "account list", f,
              w->inner->ops->account_list(w->inner, after, max, fn, arg, f));
}

static enum err
f_audit_add(struct meta *m, const struct meta_audit *a, size_t n,
            struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "audit add", f,
                w->inner->ops->audit_add(w->inner, a, n, f));
}

static enum err
f_audit_list(struct meta *m, const struct meta_audit_query *q,
             meta_audit_fn *fn, void *arg, uint64_t *next, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "audit list", f,
              w->inner->ops->audit_list(w->inner, q, fn, arg, next, f));
}

static enum err
f_audit_head(struct meta *m, struct audit_head *out, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "audit head", f,
              w->inner->ops->audit_head(w->inner, out, f));
}

static enum err
f_setting_get(struct meta *m, const char *key, struct buf *out, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "setting get", f,
              w->inner->ops->setting_get(w->inner, key, out, f));
}

static enum err
f_setting_put(struct meta *m, const char *key, struct slice value,
              struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "setting put", f,
                w->inner->ops->setting_put(w->inner, key, value, f));
}

static enum err
f_setting_list(struct meta *m, const char *prefix, unsigned max,
               meta_setting_fn *fn, void *arg, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_READ(&w->fail, "setting list", f,
              w->inner->ops->setting_list(w->inner, prefix, max, fn, arg, f));
}

static enum err
f_setting_del(struct meta *m, const char *key, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "setting del", f,
                w->inner->ops->setting_del(w->inner, key, f));
}

static enum err
f_reset_files(struct meta *m, struct fault *f)
{
    struct meta_fail *w = self(m);

    FAIL_CHANGE(&w->fail, "reset files", f,
                w->inner->ops->reset_files(w->inner, f));
}

static void
f_close(struct meta *m)
{
    struct meta_fail *w = self(m);

    w->inner->ops->close(w->inner);
    w->inner = NULL;
}

void
meta_fail_init(struct meta_fail *w, struct meta *inner)
{
    static const struct meta_ops ops = {
        .feed = f_feed,
        .feed_position = f_feed_position,
        .feed_files = f_feed_files,
        .feed_reset = f_feed_reset,
        .file_get = f_file_get,
        .file_list = f_file_list,
        .file_count = f_file_count,
        .element_put = f_element_put,
        .element_add = f_element_add,
        .element_swap = f_element_swap,
        .element_list = f_element_list,
        .account_get = f_account_get,
        .account_put = f_account_put,
        .account_add = f_account_add,
        .account_change = f_account_change,
        .account_del = f_account_del,
        .account_list = f_account_list,
        .audit_add = f_audit_add,
        .audit_list = f_audit_list,
        .audit_head = f_audit_head,
        .setting_get = f_setting_get,
        .setting_put = f_setting_put,
        .setting_list = f_setting_list,
        .setting_del = f_setting_del,
        .reset_files = f_reset_files,
        .close = f_close,
    };

    *w = (struct meta_fail){.meta = {&ops}, .inner = inner};
}
