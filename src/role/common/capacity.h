/* capacity.h - what an element says of itself, as JSON (STO-018, AMB-021).
 *
 * Flat members with byte counts as numbers, and the same numbers once more in
 * an object `capacity`, for readers that look there. `now` is the clock of
 * whoever answers, so that a poller sees how far the two are apart (D36).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_CAPACITY_H
#define ROLE_COMMON_CAPACITY_H

#include "port/blob.h"
#include "wire/json.h"

/* Percent of TOTAL, with two digits; 0 when TOTAL is 0 (STO-023). */
double capacity_percent(uint64_t used, uint64_t total);

/* The members without their braces; no I/O. */
void capacity_put(struct json_writer *w, const struct blob_capacity *c,
                  struct wall now);
/* The numbers alone: total, used, available, percent_used ... */
void capacity_put_numbers(struct json_writer *w, const struct blob_capacity *c);

/* What is to be told of C's health at NOW: its own word of it, or, where that
 * is good, that it is left alone here. */
const char *capacity_health(const struct blob_capacity *c, struct mono now);
/* Of such a text, and of C's own, the word of ING-112 (CNF-016): "healthy",
 * "degraded", or else "unavailable". */
const char *capacity_health_word(const char *health);

#endif
