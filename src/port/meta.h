/* meta.h - the catalogue: which file is where (files and copies), who may use
 * the service (accounts), what was done (audit), and small settings.
 *
 * Blocking: called from worker threads only (struct work). Drivers:
 * io/meta_sqlite.c, later PostgreSQL; meta_fail for tests. The files part is
 * fed from the elements' change logs and can be rebuilt from them, so it is
 * committed with synchronous=NORMAL; accounts and audit are the only truth of
 * their kind and are committed with FULL (architecture.md section 4).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_META_H
#define PORT_META_H

#include "port/index.h"

/* One file with the element of its copy. A file has one copy today; nothing
 * may assume that it always will (architecture.md section 5). */
struct meta_file {
    struct file_attr attr; /* element_id names the element of the copy */
};

enum meta_order {
    META_BY_ID, /* file_id: time of birth */
};

/* Zero, NULL or empty means: any. */
struct meta_query {
    struct uuid after; /* cursor: file_id of the last row seen */
    bool descending;   /* newest first */
    unsigned limit;    /* 1 .. 1000 */
    const char *name;  /* substring of original_filename, case-insensitive;
                          '*' and '?' make it a glob */
    const char *user;
    const char *element_id;
    int retention; /* -1 any, else enum retention */
    struct wall from; /* uploaded_at >= */
    struct wall to;   /* uploaded_at < ; {0} any */
    uint64_t size_min;
    uint64_t size_max; /* 0 any */
    const char *metadata_key;
    const char *metadata_value; /* with key: equals, as text; NULL: present */
};

struct meta_account {
    char client_id[65];
    char secret_hash[160];
    char scopes[64];
    char name[65];
    struct wall created_at;
    bool disabled;
};

struct meta_audit {
    struct wall at;
    char actor[128];
    char action[32];
    char object[64];
    char result[32];
    char request_id[130];
};

struct meta;
typedef bool meta_file_fn(void *arg, const struct meta_file *f);

struct meta_ops {
    /* Applies N changes of ELEMENT_UUID and moves its feed position to the last
     * seq, in one transaction. Repeating it is harmless (compares epoch, seq).*/
    enum err (*feed)(struct meta *m, const struct uuid *element_uuid,
                     const char *element_id, const struct index_change *c,
                     size_t n, struct fault *f);
    enum err (*feed_position)(struct meta *m, const struct uuid *element_uuid,
                              uint64_t *seq, struct fault *f);
    enum err (*file_get)(struct meta *m, const struct uuid *file_id,
                         struct meta_file *out, struct fault *f);
    /* MORE is set when rows remain after the last one given. */
    enum err (*file_list)(struct meta *m, const struct meta_query *q,
                          meta_file_fn *fn, void *arg, bool *more,
                          struct fault *f);
    enum err (*file_count)(struct meta *m, uint64_t *files, uint64_t *bytes,
                           struct fault *f);
    enum err (*account_get)(struct meta *m, const char *client_id,
                            struct meta_account *out, struct fault *f);
    enum err (*account_put)(struct meta *m, const struct meta_account *a,
                            struct fault *f);
    enum err (*audit_add)(struct meta *m, const struct meta_audit *a, size_t n,
                          struct fault *f);
    enum err (*setting_get)(struct meta *m, const char *key, struct buf *out,
                            struct fault *f);
    enum err (*setting_put)(struct meta *m, const char *key, struct slice value,
                            struct fault *f);
    enum err (*reset_files)(struct meta *m, struct fault *f);
    void (*close)(struct meta *m);
};

struct meta {
    const struct meta_ops *ops;
};

void meta_file_release(struct meta_file *f);

#endif
