/* metric_int.h - the inside of the registry, shared by metric.c and
 * metric_expose.c only. SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_METRIC_INT_H
#define OBS_METRIC_INT_H

#include "obs/metric.h"
#include <pthread.h>
#include <stdatomic.h>

#define METRIC_SHARDS 64u
#define METRIC_CHUNK  1024u /* cells; 8 KiB */
/* 128 Ki cells: 10,000 series, most of them histograms with 13 cells. */
#define METRIC_CHUNKS  128u
#define METRIC_SLOTS   4096u
#define METRIC_DUMP    32u /* cells; no series has more */
#define METRIC_KEY_MAX (METRIC_LABELS_MAX * (METRIC_VALUE_MAX + 1))

struct metric_key { /* per value: one byte of length, the bytes */
    char *p;
    size_t n;
};

struct metric_item {
    struct metric_item *chain;          /* same slot; never changes */
    _Atomic(struct metric_item *) next; /* same family, later */
    uint64_t hash;
    uint32_t cell;
    enum metric metric;
    _Atomic bool live; /* shown */
    struct metric_key key;
    char text[];
};

struct metrics {
    pthread_mutex_t lock; /* for making series */
    uint64_t seed;
    unsigned groups;
    unsigned shards; /* a power of two */
    struct {
        _Atomic(_Atomic uint64_t *) chunk[METRIC_CHUNKS];
    } shard[METRIC_SHARDS];
    unsigned chunks;
    uint32_t cells; /* taken so far */
    unsigned series;

    _Atomic(struct metric_item *) slot[METRIC_SLOTS];
    _Atomic(struct metric_item *) first[METRIC_COUNT];
    struct metric_item *last[METRIC_COUNT];
    unsigned count[METRIC_COUNT];
    uint32_t plain[METRIC_COUNT];  /* first cell of a closed family */
    unsigned closed[METRIC_COUNT]; /* label sets that were made at birth */

    struct {
        metric_scrape_fn *fn;
        void *arg;
    } scrape[16];
    unsigned scrapers;
};

unsigned metric_labels(const struct metric_desc *d);
uint64_t metrics_sum(struct metrics *m, uint32_t cell);

#endif
