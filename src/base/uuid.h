/* uuid.h - identifiers of 16 bytes: UUIDv7 of RFC 9562 section 5.7 for files
 * (ordered by time of birth, D39), v4 for the rest.
 *
 * Randomness and time are arguments. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/mono.h"
#include "base/slice.h"

#define UUID_TEXT 37 /* 36 characters and the zero */

struct uuid {
    uint8_t b[16];
};

/* 48 bits of WALL in ms, then RANDOM with version and variant set. */
struct uuid uuid_v7(struct wall t, const uint8_t random[10]);
struct uuid uuid_v4(const uint8_t random[16]);

/* Lower case, with hyphens; returns OUT. */
const char *uuid_text(const struct uuid *u, char out[UUID_TEXT]);
/* The 36-character form in either case, and nothing around it. Any version. */
bool uuid_parse(struct slice s, struct uuid *out);
/* Time of birth of a v7; 0 for others. */
struct wall uuid_time(const struct uuid *u);

static inline bool
uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, 16) == 0;
}

static inline bool
uuid_is_nil(const struct uuid *u)
{
    static const struct uuid nil;

    return uuid_eq(u, &nil);
}

#endif
