/* meta.h - the catalogue: which file is where (files and copies), which
 * elements there are, who may use the service (accounts), what was done
 * (audit), and small settings.
 *
 * Blocking: called from worker threads only (struct work), from any of them at
 * any time; a callback must not call the catalogue again. Drivers:
 * io/meta_sqlite.c, io/meta_pg.c; port/meta_fail.c for tests. Roles reach it
 * through port/registry.h. The files part is fed from the elements' change logs
 * and can be rebuilt from them, so SQLite commits it with synchronous=NORMAL;
 * elements, accounts, audit and settings are the only truth of their kind and
 * are committed with FULL (architecture.md section 4). PostgreSQL commits all
 * of it durably.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_META_H
#define PORT_META_H

#include "base/buf.h"
#include "port/index.h"
#include "wire/audit.h"

/* One file with the element of its copy. A file has one copy today; nothing
 * may assume that it always will (architecture.md section 5). */
struct meta_file {
    struct file_attr attr; /* element_id names the element of the copy */
};

enum meta_order {
    META_BY_ID, /* file_id: time of birth */
};

/* How many rows one file_list() looks at, so that a page that matches little
 * costs no more than one that matches all. */
#define META_SCAN_MAX     20000
#define META_PAGE_MAX     1000
#define META_ELEMENTS_MAX 16384
/* How long before uploaded_at a file_id may have been born (an upload that was
 * resumed for weeks), and after it (clocks that differ). */
#define META_BIRTH_BEFORE_MS ((int64_t)31 * 86400 * 1000)
#define META_BIRTH_AFTER_MS  ((int64_t)86400 * 1000)

/* Zero, NULL or empty means: any. */
struct meta_query {
    struct uuid after; /* cursor: file_id of the last row seen */
    bool descending;   /* newest first */
    unsigned limit;    /* 1 .. META_PAGE_MAX */
    const char *name;  /* substring of original_filename, case-insensitive;
                          '*' and '?' make it a glob */
    const char *user;
    const char *element_id;   /* as feed() has named it last */
    struct uuid element_uuid; /* goes before its name */
    int retention;            /* -1 any, else enum retention */
    struct wall from;         /* uploaded_at >= */
    struct wall to;           /* uploaded_at < ; {0} any */
    uint64_t size_min;
    uint64_t size_max; /* 0 any */
    const char *metadata_key;
    const char *metadata_value; /* with key: equals, as text; NULL: present */
};

/* A storage element as Admin knows it (ADM-012). */
struct meta_element {
    struct uuid uuid;
    char element_id[65];
    char name[65];
    char endpoint[256];
    int mode; /* enum blob_mode */
    int priority;
    char location[65];
    struct wall created_at;
    struct wall updated_at;
    bool remote;         /* in another process, reached by its endpoint */
    struct wall seen_at; /* when it first said who it is; 0: never, and its
                            uuid is made up */
};

#define META_ACCOUNTS_MAX 10000

struct meta_account {
    char client_id[65];
    char secret_hash[160];
    char scopes[64];
    char name[65];
    struct wall created_at;
    bool disabled;
    char old_hash[160]; /* of the secret before; "": none */
    struct wall old_until;
    struct wall updated_at;
};

/* A row of the audit log (ADM-037). Its texts go through audit_clean(). */
struct meta_audit {
    struct uuid id; /* by which it is there only once; nil: any number */
    struct wall at;
    char actor[128];
    char action[32];
    char object[64];
    char element_id[65];
    char result[32];
    char request_id[130];
    char source[65]; /* the gateway that has told it; empty: Admin itself */
    /* The catalogue's: */
    uint64_t n;
    bool sealed; /* false: from before there was a chain */
    uint8_t hash[AUDIT_HASH];
};

#define META_AUDIT_PAGE 1000

/* What the log says of itself. The object of the first is "N to M", of the
 * second the row from which it goes on. */
#define META_AUDIT_ASIDE "audit.aside"
#define META_AUDIT_HEAD  "audit.head"

/* Zero, NULL or empty means: any. */
struct meta_audit_query {
    uint64_t after; /* cursor: the number of the last row seen */
    bool ascending; /* oldest first */
    unsigned limit; /* 1 .. META_AUDIT_PAGE */
    const char *actor;
    const char *action;
    const char *object;
    struct wall from; /* at >= */
    struct wall to;   /* at < ; {0} any */
};

struct meta;
typedef bool meta_file_fn(void *arg, const struct meta_file *f);
typedef bool meta_element_fn(void *arg, const struct meta_element *e);
typedef bool meta_account_fn(void *arg, const struct meta_account *a);
/* ERR_OK: *A is put as it is now. It may be called more than once, each time
 * with what holds then. */
typedef enum err
meta_account_change_fn(void *arg, struct meta_account *a, struct fault *f);
typedef bool meta_setting_fn(void *arg, const char *key, struct slice value);
typedef bool meta_audit_fn(void *arg, const struct meta_audit *a);

struct meta_ops {
    /* Applies N changes of ELEMENT_UUID and sets its feed position to POSITION
     * if that is later, in one transaction. A change older than what the
     * catalogue has of this copy (by attr.seq, else seq) does nothing, so
     * repetition is harmless. The changes of one element may come out of
     * order between calls; POSITION then says up to where all have come, and
     * what comes with a number up to there does nothing: it may tell of a file
     * that is long deleted. ELEMENT_ID is its name from now on; N may be 0. */
    enum err (*feed)(struct meta *m, const struct uuid *element_uuid,
                     const char *element_id, const struct index_change *c,
                     size_t n, uint64_t position, struct fault *f);
    /* 0 for an element that never fed. */
    enum err (*feed_position)(struct meta *m, const struct uuid *element_uuid,
                              uint64_t *seq, struct fault *f);
    /* How many files the element has. ERR_NOENT is an answer: it never fed. */
    enum err (*feed_files)(struct meta *m, const struct uuid *element_uuid,
                           uint64_t *files, struct fault *f);
    /* Forgets the copies of one element (and files without another copy) and
     * its feed position: before it is fed anew from its index. */
    enum err (*feed_reset)(struct meta *m, const struct uuid *element_uuid,
                           struct fault *f);
    /* ERR_NOENT is an answer. OUT goes to meta_file_release(). */
    enum err (*file_get)(struct meta *m, const struct uuid *file_id,
                         struct meta_file *out, struct fault *f);
    /* In order of file_id. NEXT is the cursor of the next page, nil at the end.
     * A page may be short, even empty, with more to come: see META_SCAN_MAX.
     * ERR_INVAL: limit, or a name with more than 8 wildcards. */
    enum err (*file_list)(struct meta *m, const struct meta_query *q,
                          meta_file_fn *fn, void *arg, struct uuid *next,
                          struct fault *f);
    enum err (*file_count)(struct meta *m, uint64_t *files, uint64_t *bytes,
                           struct fault *f);
    /* By element_id; a mode that is there already does not go back, whatever
     * another Admin still has. ERR_CONFLICT: the element_id is another
     * element's. */
    enum err (*element_put)(struct meta *m, const struct meta_element *e,
                            struct fault *f);
    /* As element_put(), of an element that is new: ERR_EXISTS, when another
     * row has its uuid, its element_id, or (both elsewhere) its endpoint;
     * *HOLDER is that. */
    enum err (*element_add)(struct meta *m, const struct meta_element *e,
                            struct meta_element *holder, struct fault *f);
    /* In one transaction: the element GONE (nil: none) is forgotten, and E (may
     * be NULL) put. ERR_CONFLICT as above. */
    enum err (*element_swap)(struct meta *m, const struct uuid *gone,
                             const struct meta_element *e, struct fault *f);
    /* In order of element_id, META_ELEMENTS_MAX at most. */
    enum err (*element_list)(struct meta *m, meta_element_fn *fn, void *arg,
                             struct fault *f);
    /* ERR_NOENT is an answer. */
    enum err (*account_get)(struct meta *m, const char *client_id,
                            struct meta_account *out, struct fault *f);
    enum err (*account_put)(struct meta *m, const struct meta_account *a,
                            struct fault *f);
    /* The next three put ENTRY (may be NULL) into the audit log in the same
     * transaction: what is done is in the log, and what cannot be written there
     * is not done. */
    /* ERR_EXISTS: the client_id is taken; ERR_TOOBIG: META_ACCOUNTS_MAX. */
    enum err (*account_add)(struct meta *m, const struct meta_account *a,
                            const struct meta_audit *entry, struct fault *f);
    /* Reads, changes and puts; the client_id stays. ERR_NOENT is an answer;
     * else what FN answers. */
    enum err (*account_change)(struct meta *m, const char *client_id,
                               meta_account_change_fn *fn, void *arg,
                               const struct meta_audit *entry, struct fault *f);
    /* ERR_NOENT is an answer. */
    enum err (*account_del)(struct meta *m, const char *client_id,
                            const struct meta_audit *entry, struct fault *f);
    /* In order of client_id, those after AFTER ("": from the first on), MAX at
     * most. */
    enum err (*account_list)(struct meta *m, const char *after, unsigned max,
                             meta_account_fn *fn, void *arg, struct fault *f);
    /* Appends to the chain of wire/audit.h, all or none, in this order; of
     * those that append at once one comes after the other. A row whose id is
     * there already is left out, so that repetition is harmless. Rows that
     * somebody else has put where the chain goes on do not stop it: they are
     * set aside, which an entry says (META_AUDIT_ASIDE); and a head that is
     * lost is made anew from the last row (META_AUDIT_HEAD). */
    enum err (*audit_add)(struct meta *m, const struct meta_audit *a, size_t n,
                          struct fault *f);
    /* *NEXT is the cursor of the next page, 0 at the end; a page may be short
     * with more to come: see META_SCAN_MAX. It may be q->after. ERR_INVAL:
     * limit. */
    enum err (*audit_list)(struct meta *m, const struct meta_audit_query *q,
                           meta_audit_fn *fn, void *arg, uint64_t *next,
                           struct fault *f);
    /* All zero: nothing was appended yet. Asked after a list, it is not behind
     * what the list has told. */
    enum err (*audit_head)(struct meta *m, struct audit_head *out,
                           struct fault *f);
    /* ERR_NOENT is an answer. Appends to OUT. */
    enum err (*setting_get)(struct meta *m, const char *key, struct buf *out,
                            struct fault *f);
    enum err (*setting_put)(struct meta *m, const char *key, struct slice value,
                            struct fault *f);
    /* Those whose key begins with PREFIX, which is not empty; in order of keys,
     * MAX at most. */
    enum err (*setting_list)(struct meta *m, const char *prefix, unsigned max,
                             meta_setting_fn *fn, void *arg, struct fault *f);
    /* Removing what is not there succeeds. */
    enum err (*setting_del)(struct meta *m, const char *key, struct fault *f);
    /* Forgets all files, copies and feed positions. */
    enum err (*reset_files)(struct meta *m, struct fault *f);
    void (*close)(struct meta *m);
};

struct meta {
    const struct meta_ops *ops;
};

/* Frees what a file_get() put into F. */
void meta_file_release(struct meta_file *f);

#endif
