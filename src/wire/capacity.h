/* capacity.h - how full an element is, as it says itself over HTTP (GET
 * /api/v1/capacity, STO-018), and as the poller keeps it in the coordination
 * store (capacity:{se_id}, CAP-044...CAP-046).
 *
 * One struct for both. The fields of the hash have the names of the answer, and
 * all values are text: byte counts in decimal, percent with two digits, times
 * in RFC 3339. To the fields of CAP-044 we add what a choice needs besides
 * (status, inodes, boot, seq ...); readers take what they know. A reader also
 * takes the whole as one JSON string (CAP-045), and the numbers of an answer
 * from its object `capacity` where they are not at the top.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_CAPACITY_H
#define WIRE_CAPACITY_H

#include "base/buf.h"
#include "base/mono.h"
#include "base/uuid.h"

#define CAPACITY_TEXT_MAX ((size_t)64 * KIB) /* of an answer */

enum capacity_health { /* CAP-047, STO-025 */
                       CAPACITY_HEALTHY,
                       CAPACITY_DEGRADED,
                       CAPACITY_UNHEALTHY,
};

struct capacity {
    char element_id[65];
    struct uuid element_uuid; /* nil: not said */
    int mode;                 /* enum blob_mode */
    uint64_t total;
    uint64_t used; /* may exceed total (STO-022) */
    uint64_t available;
    unsigned percent; /* used, in hundredths of a percent */
    enum capacity_health health;
    char reason[96]; /* behind "unhealthy: " or "degraded: " */
    char backend[17];
    char location[65];
    char endpoint[256]; /* of the poller's list, in the hash */
    char pool_id[65];
    int status;      /* enum blob_status; -1: not said */
    bool unwritable; /* it says that it takes no files */
    uint64_t reserved;
    uint64_t inodes_total; /* 0: not said, or no such limit */
    uint64_t inodes_available;
    uint64_t files;
    uint64_t bytes;
    uint64_t boot; /* D25 */
    uint64_t seq;
    struct wall last_update; /* when the element measured; 0: not said */
    uint64_t keys_version;   /* that it trusts; UINT64_MAX: not said */
    struct wall now;         /* its clock when it answered (D36); 0 */
    struct wall last_poll;   /* the poller's clock; 0 in an answer */
};

struct capacity_error {
    char text[160]; /* for logs; quotes no values */
};

/* The body of an answer, or the JSON string of a hash. EXPECTED, unless NULL,
 * is the id that it must carry (CAP-043). False: a failed poll,
 * `invalid_response`, and E says why. */
bool capacity_read(struct capacity *out, struct slice json,
                   const char *expected, struct capacity_error *e);

struct capacity_field {
    struct slice name;
    struct slice value;
};
/* The fields of a hash, in any order. */
bool
capacity_read_fields(struct capacity *out, const struct capacity_field *f,
                     size_t n, const char *expected, struct capacity_error *e);

#define CAPACITY_FIELDS 24
struct capacity_fields {
    struct capacity_field f[CAPACITY_FIELDS];
    size_t n;
    char text[1536]; /* what the values point into */
};
/* The fields of C's hash, those of CAP-044 first and in its order. */
void
capacity_write_fields(const struct capacity *c, struct capacity_fields *out);

/* The value of health:{se_id}: "healthy", "unhealthy: REASON" (CAP-047). */
const char *capacity_health_text(const struct capacity *c, char *out, size_t n);
/* Its reading; *REASON may be NULL. What is none of the words is UNHEALTHY. */
enum capacity_health
capacity_health_parse(struct slice s, struct slice *reason);

#endif
