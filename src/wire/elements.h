/* elements.h - the list of storage elements, in all the shapes that it has:
 *
 *   {"version": 7, "storage_elements": [{"element_id", "api_url", ...}]}
 *       artstore:storage_elements in Redis, and the message on the channel
 *       (REL-009, REL-081, ADM-044); Admin's three list paths (CNF-028), there
 *       with the numbers of each element (ADM-017)
 *   {"items": [...]}  [...]                  other answers (REL-016)
 *   storage:elements:registry, :priorities   id -> endpoint, id -> number: two
 *       hashes, or two JSON objects in strings (REL-011)
 *
 * What comes out is sorted by id and has each id once. An entry that is not
 * valid is left out and said so (REL-014, REL-019); the rest is good. One
 * reader for all, since a list must mean the same wherever it comes from
 * (REL-020). SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_ELEMENTS_H
#define WIRE_ELEMENTS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mono.h"

#define ELEMENTS_MAX          100000
#define ELEMENTS_TEXT_MAX     ((size_t)128 * MIB)
#define ELEMENTS_PRIORITY     100     /* without one (REL-013) */
#define ELEMENTS_PRIORITY_TOP 1000000 /* -TOP to TOP */
#define ELEMENTS_REASONS      4

struct element_entry {
    const char *element_id;
    const char *endpoint;
    const char *location; /* NULL: not said */
    int mode;             /* enum blob_mode; -1: not said */
    int priority;
    /* ADM-017: what Admin knows of it; all of it or nothing. */
    bool has_capacity;
    bool unhealthy; /* health_status "unavailable", or not writable */
    int status;     /* enum blob_status; -1: not said */
    uint64_t total, used, available;
    uint64_t inodes_total, inodes_available;
    struct wall last_updated; /* 0: not said */
};

struct elements {
    struct element_entry *e;
    size_t n;
    bool versioned; /* the next two count; a missing generation is 0 */
    bool stated;    /* empty, and the list says so itself */
    uint64_t generation;
    uint64_t version;
    struct wall published_at; /* 0: not said */
    unsigned skipped;         /* entries left out; why, of the first few */
    char why[ELEMENTS_REASONS][128];
    char *text; /* what the strings point into */
    size_t cap;
};

/* ERR_INVAL: not JSON, or no list in it; ERR_TOOBIG; ERR_NOMEM. *F says what is
 * wrong. With ERR_OK, *OUT goes to elements_release(). */
enum err
elements_read(struct elements *out, struct slice json, struct fault *f);

struct elements_pair {
    struct slice id;
    struct slice value;
};
/* A hash's fields, or the JSON object that stands for it, or nothing. */
struct elements_map {
    const struct elements_pair *pair;
    size_t n;
    struct slice json; /* when PAIR is NULL */
};
/* The same of the two hashes; PRIORITIES may be empty. */
enum err
elements_read_maps(struct elements *out, const struct elements_map *registry,
                   const struct elements_map *priorities, struct fault *f);
void elements_release(struct elements *e);

/* The document, for the key and for the channel (ADM-044). False: over B's
 * ceiling. */
bool elements_write(struct buf *b, const struct elements *e);

#endif
