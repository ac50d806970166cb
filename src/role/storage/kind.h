/* kind.h - what an element does, whatever lies behind it: element.h's functions
 * as a table. Two have one: the element over a file system (impl.h) and the one
 * over a bucket (cloud.h). Both begin with a pointer to it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_KIND_H
#define ROLE_STORAGE_KIND_H

#include "role/storage/element.h"

struct element_kind {
    struct blob *(*blob)(struct element *e);
    const struct uuid *(*uuid)(const struct element *e);
    enum err (*serve)(struct element *e, struct fault *f);
    void (*start)(struct element *e, struct loop *l);
    void (*stop)(struct element *e, void (*done)(void *arg), void *arg);
    void (*close)(struct element *e);
    void (*set_mode)(struct element *e, enum blob_mode mode);
    void (*set_quota)(struct element *e, uint64_t quota);
    const char *(*trouble)(struct element *e);
    void (*stats)(struct element *e, struct element_stats *out);
    bool (*give_up)(struct element *e, const struct uuid *file_id,
                    uint64_t number, struct blob_abort *r);
    enum err (*changes)(struct element *e, uint64_t since, size_t max,
                        index_change_fn *fn, void *arg, struct fault *f);
    enum err (*log)(struct element *e, uint64_t *first, uint64_t *last,
                    struct fault *f);
    enum err (*verify)(struct element *e, const struct uuid *file_id,
                       const atomic_bool *cancel, struct element_verified *out,
                       struct fault *f);
};

#endif
