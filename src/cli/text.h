/* text.h - numbers, times and names as people read and write them.
 *
 * Sizes are shown in powers of 1024 with their proper names (KiB, MiB), and
 * read as the server's options are: K, KB and KiB are all 1024.
 *
 * Pure, except that text_is_utf8() asks the locale.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/buf.h"
#include "base/mono.h"

#define TEXT_SIZE 16 /* room for any of size, rate, duration, with the zero */
#define TEXT_TIME 32

/* "20 B", "1.5 MiB", "118 GiB"; returns OUT. */
const char *text_size(uint64_t n, char out[TEXT_SIZE]);
/* Of bytes a second: "112 MiB/s". */
const char *text_rate(uint64_t per_second, char out[TEXT_SIZE]);
/* "0:07", "2:05:00", "3d 4h"; UINT64_MAX is "-:--". */
const char *text_duration(uint64_t seconds, char out[TEXT_SIZE]);

/* "4096", "10M", "1.5GiB". False: no number, an unknown unit, or more
 * than fits. */
bool text_parse_size(struct slice s, uint64_t *out);

/* A moment as the server's filters take it: RFC 3339 in UTC. S is such a time,
 * a date (midnight UTC), or an age before NOW: 30s 15m 2h 7d 4w. */
bool text_parse_time(struct slice s, struct wall now, char out[TEXT_TIME]);
/* "2025-01-02T15:30:45Z" */
const char *text_time(struct wall t, char out[TEXT_TIME]);

/* Adds S with control characters, invalid UTF-8 and the bidirectional
 * overrides as \xNN: what came from outside must not steer a terminal. */
void text_safe(struct buf *b, struct slice s);

/* Columns that S takes: its code points. (Wide and combining characters put a
 * table out of line by as much; that is all.) */
size_t text_width(struct slice s);
/* The longest head of S that takes at most COLS columns. */
struct slice text_cut(struct slice s, size_t cols);

/* A bar of COLS characters of which PERMILLE/1000 are filled. */
void text_bar(struct buf *b, unsigned permille, size_t cols, bool utf8);

/* May UTF-8 be written to the terminal? (The locale was set by main.) */
bool text_is_utf8(void);

#endif
