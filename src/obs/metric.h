/* metric.h - counters, gauges and histograms, and their Prometheus text.
 *
 * All metrics are rows of obs/metrics.def. A set of label values makes a
 * series; code that counts often looks its series up once and keeps the handle.
 *
 *     struct series ok = metric_series(m, M_UPLOADS, "success");
 *     ...
 *     metric_inc(m, ok);
 *     metric_observe(m, metric_plain(m, M_UPLOAD_DURATION), took.ns);
 *
 * Any thread may call anything, at any time between open and close. Counting is
 * one relaxed atomic addition on memory that threads rarely share (about 6 ns;
 * PRD-040 allows 1 us) and cannot fail: over a ceiling it lands in a series
 * whose labels are all "other". Every function takes NULL for the registry and
 * then does nothing, so that tools and tests need none.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_METRIC_H
#define OBS_METRIC_H

#include "base/buf.h"

#define METRIC_LABELS_MAX 4
#define METRIC_VALUE_MAX  96     /* longer label values are cut */
#define METRIC_SERIES_MAX 10000u /* label sets in all (PRD-036) */

enum metric {
#define METRIC(id, ...) M_##id,
#include "obs/metrics.def"
#undef METRIC
    METRIC_COUNT
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Families of a component that a process does not have are not shown
 * (PRD-038). */
enum metric_group {
    METRIC_GROUP_PROCESS = 1, /* always shown */
    METRIC_GROUP_HTTP = 2,
    METRIC_GROUP_AUTH = 4,
    METRIC_GROUP_INGEST = 8,
    METRIC_GROUP_STORAGE = 16,
    METRIC_GROUP_DB = 32,
    METRIC_GROUP_CACHE = 64,
    METRIC_GROUP_MONITOR = 128, /* of capacity: not in the embedded server */
    METRIC_GROUP_S3 = 256,      /* of an element in a bucket */
    METRIC_GROUP_ALL = 511,
};

struct metric_label {
    const char *name;
    const char *values; /* "a|b|c", or NULL: any */
};

struct metric_desc {
    const char *name;
    const char *help;
    enum metric_type type;
    int64_t unit; /* values are divided by it when shown */
    enum metric_group group;
    unsigned series_max;    /* of a family with an open label */
    const uint64_t *bounds; /* of a histogram, in its unit, rising */
    unsigned nbounds;
    struct metric_label label[METRIC_LABELS_MAX];
};

struct metrics;

/* Where a series counts; by value. The zero handle may be used: what is
 * counted there is not shown. */
struct series {
    uint32_t cell;
    uint16_t metric;
};

/* SHARDS: about the number of threads that count often; rounded up to a power
 * of two, at most 64. SEED keeps label values that come from outside from
 * aiming at one hash chain. NULL: no memory. */
struct metrics *metrics_open(unsigned shards, unsigned groups, uint64_t seed);
/* Sets *M to NULL. No other thread may still count. */
void metrics_close(struct metrics **m);

/* The row of the table. */
const struct metric_desc *metric_desc(enum metric id);

/* The series of ID with these label values, made when it is new. As many
 * values as the metric has labels; a value that a closed label does not know,
 * or a set over the ceiling, gives the series "other". Takes 50-100 ns when the
 * series is there, and no lock. */
struct series metric_series_of(struct metrics *m, enum metric id,
                               const struct slice *value, size_t n);
#define metric_series(m, id, ...)                                    \
    metric_series_str((m), (id), (const char *const[]){__VA_ARGS__}, \
                      sizeof((const char *const[]){__VA_ARGS__}) /   \
                          sizeof(const char *))
struct series metric_series_str(struct metrics *m, enum metric id,
                                const char *const *value, size_t n);
/* The only series of a metric without labels. */
struct series metric_plain(struct metrics *m, enum metric id);
/* The I-th value of a metric's only label, which is closed: for enums that run
 * in the order of the table. */
struct series metric_nth(struct metrics *m, enum metric id, unsigned i);

/* Counters. */
void metric_add(struct metrics *m, struct series s, uint64_t n);
#define metric_inc(m, s) metric_add((m), (s), 1)
/* Gauges: either always moved or always set. A counter that someone else
 * counts (CPU time of the kernel) may be set as well. */
void metric_move(struct metrics *m, struct series s, int64_t by);
void metric_set(struct metrics *m, struct series s, int64_t v);
/* Histograms; V in the unit of the table. */
void metric_observe(struct metrics *m, struct series s, int64_t v);

/* The sum that is shown: of a counter or gauge its value, of a histogram the
 * number of observations. For tests and for health. */
int64_t metric_value(struct metrics *m, struct series s);

/* Series of things that went away are no longer shown (ING-303); asking for
 * the series again brings it back. */
void metric_drop(struct metrics *m, struct series s);

/* FN is called at the begin of each exposition and sets gauges that are
 * cheaper to read than to keep. At most 16; at start only, before the first
 * exposition. False: over the ceiling. */
typedef void metric_scrape_fn(struct metrics *m, void *arg);
bool metrics_on_scrape(struct metrics *m, metric_scrape_fn *fn, void *arg);

/* Appends the text format 0.0.4 to OUT. False (and OUT->failed) when OUT's
 * ceiling is too low; 10,000 series take up to 4 MiB, histograms 14 times as
 * much as a counter. Takes about 1 us a line: for a full table a worker's job,
 * not a loop's. */
bool metrics_expose(struct metrics *m, struct buf *out);

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
