/* audit.h - rows of the audit log as bytes, each sealed with the one before it.
 *
 *     hash of row n = SHA-256(hash of row n - 1, row n)
 *
 * with 32 zeros before the first row, and a row as
 *
 *     n, time     8 bytes each, most significant first; ms since 1970
 *     id          16 bytes
 *     actor, action, object, element_id, result, request_id, source
 *                 4 bytes of length, most significant first, then the bytes
 *
 * so that no two rows have the same bytes, and anybody can do the sum with ten
 * lines of a script (doc/audit.md). Numbers go up by one. Whoever changes,
 * takes out, puts in or exchanges rows has to do all sums after it anew; and
 * then the last hash is not the one that somebody has noted elsewhere.
 *
 * Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_AUDIT_H
#define WIRE_AUDIT_H

#include "base/mono.h"
#include "base/uuid.h"

#define AUDIT_HASH 32

struct audit_row {
    uint64_t n;
    struct wall at;
    struct uuid id; /* nil: none */
    struct slice actor, action, object, element_id, result, request_id;
    struct slice source; /* the gateway that has told it; empty: Admin */
};

/* PREV: the hash of the row before. */
void audit_hash(const uint8_t prev[AUDIT_HASH], const struct audit_row *r,
                uint8_t out[AUDIT_HASH]);

/* Makes S a text that every database keeps byte by byte and every terminal can
 * show: what is no UTF-8, and control characters, become '?'. Returns S. */
char *audit_clean(char *s);

/* Where the chain began, and its last row. All zero: there is none yet. */
struct audit_head {
    uint64_t first;
    uint64_t n;
    uint8_t hash[AUDIT_HASH];
};

/* "FIRST N HASH", and back. */
#define AUDIT_HEAD_TEXT 110
const char *
audit_head_text(const struct audit_head *h, char out[AUDIT_HEAD_TEXT]);
bool audit_head_parse(struct slice s, struct audit_head *out);

/* ---- going along the chain ---- */

enum audit_verdict {
    AUDIT_SOUND,
    AUDIT_CHANGED,  /* `at`: the row whose hash is not that of its content */
    AUDIT_MISSING,  /* `at`: the number of a row that is not there */
    AUDIT_UNSEALED, /* `at`: a row without a hash where one must be */
    AUDIT_UNSIGNED, /* nobody with the right key has signed it (sec/seal.h) */
};

struct audit_chain {
    struct audit_head head; /* what it must come to */
    uint64_t n;             /* the last row seen */
    uint8_t hash[AUDIT_HASH];
    uint64_t older; /* rows from before there was a chain */
    uint64_t at;
};

void audit_chain_init(struct audit_chain *c, const struct audit_head *head);
/* From the row behind FROM, an earlier head of this log, on. */
void audit_chain_from(struct audit_chain *c, const struct audit_head *head,
                      const struct audit_head *from);
/* The next row, in rising order from the first on; HASH is what is kept with
 * it, NULL: nothing. After another answer than AUDIT_SOUND the chain is done
 * with. Rows after the head are no concern of this chain, unless there is no
 * head: then none may have a hash. */
enum audit_verdict
audit_chain_next(struct audit_chain *c, const struct audit_row *r,
                 const uint8_t *hash);
/* After the last row. */
enum audit_verdict audit_chain_end(struct audit_chain *c);

#endif
