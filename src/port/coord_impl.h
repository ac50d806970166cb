/* coord_impl.h - what the files of coord_store.h share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_IMPL_H
#define PORT_COORD_IMPL_H

#include "port/coord_store.h"

enum coord_kind {
    COORD_IS_LEASE,
    COORD_IS_HASH,
    COORD_IS_TEXT,
    COORD_IS_ZSET,
    COORD_IS_BUCKET,
    COORD_IS_POOL,
    COORD_IS_RESERVATION,
};

struct coord_member { /* a field, or a member of a sorted set */
    struct list item;
    struct map_item found; /* of a sorted set: in the store's `members` */
    struct coord_entry *of;
    int64_t score;
    size_t name_n;
    size_t value_n;
    char bytes[]; /* name, value */
};

struct coord_entry {
    struct map_item item;
    struct heap_item expiry;
    enum coord_kind kind;
    struct list members; /* hash: by name; set: by score, name; pool: any;
                            text: one without a name */
    unsigned n;
    struct mono until; /* lease: held until; bucket: full at */
    uint64_t epoch;    /* lease */
    char *owner;       /* lease: the last one */
    uint64_t sum;      /* pool: of its reservations; they: their amount */
    struct coord_entry *pool; /* reservation */
    struct list in_pool;
    size_t key_n;
    char key[];
};

/* NULL: there is no such key. */
struct coord_entry *coord_find(struct coord_store *s, struct slice key);
/* NULL: the store is full, or no memory. */
struct coord_entry *
coord_entry_new(struct coord_store *s, struct slice key, enum coord_kind kind);
/* The entry alone, out of everything but its pool. */
void coord_entry_free(struct coord_store *s, struct coord_entry *e);
/* Out of its list, but E still counts it. */
void coord_member_free(struct coord_store *s, const struct coord_entry *e,
                       struct coord_member *m);
/* With all that hangs on it. */
void coord_entry_drop(struct coord_store *s, struct coord_entry *e);
/* An entry of that kind, made when missing (*MADE). */
enum err
coord_get_or_make(struct coord_store *s, const char *key, enum coord_kind kind,
                  struct coord_entry **out, bool *made);

enum err coord_name_check(struct slice s);
struct slice coord_text(const struct coord_entry *e);

/* coord_write.c */
bool coord_is_write(enum coord_op op);
bool coord_has_member(enum coord_op op);
/* Of a sorted set: the highest score; 0: it is empty. */
int64_t coord_top(const struct coord_entry *e);
enum err coord_all_check(const struct coord_request *r);
enum err coord_write_one(struct coord_store *s, struct coord_request *r);
enum err coord_write_all(struct coord_store *s, struct coord_request *r);

/* coord_changed.c */
enum err coord_changed(struct coord_store *s, struct coord_request *r);

/* coord_limit.c */
enum err coord_bucket_take(struct coord_store *s, struct coord_request *r);
enum err coord_reserve(struct coord_store *s, struct coord_request *r);
enum err coord_release(struct coord_store *s, struct coord_request *r);

#endif
