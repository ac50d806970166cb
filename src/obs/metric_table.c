/* metric_table.c - the rows of metrics.def as descriptors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "obs/metric.h"

#define MS(x) ((uint64_t)(x)*1000000)
#define US(x) ((uint64_t)(x)*1000)

/* PRD-035 */
static const uint64_t API_SECONDS[] = {
    MS(5),   MS(10),   MS(25),   MS(50),   MS(100),   MS(250),
    MS(500), MS(1000), MS(2500), MS(5000), MS(10000),
};
static const uint64_t DB_SECONDS[] = {
    MS(1), MS(5), MS(10), MS(25), MS(50), MS(100), MS(250), MS(500), MS(1000),
};
/* PRD-147 uses these for what should take microseconds. */
static const uint64_t FAST_SECONDS[] = {
    US(100), US(250), US(500), MS(1),   MS(2) + US(500), MS(5),
    MS(10),  MS(25),  MS(50),  MS(100), MS(500),         MS(1000),
};
/* PRD-045 */
static const uint64_t BODY_BYTES[] = {
    256,    1024,    4096,     16384,     65536,
    262144, 1048576, 16777216, 268435456, 1073741824,
};
/* ING-301 */
static const uint64_t SELECT_SECONDS[] = {
    MS(1), MS(5), MS(10), MS(25), MS(50), MS(100), MS(250), MS(500), MS(1000),
};
static const uint64_t LOCK_SECONDS[] = {
    MS(1), MS(5), MS(10), MS(25), MS(50), MS(100), MS(250), MS(500), MS(1000),
};
static const uint64_t POLL_SECONDS[] = {
    MS(50),   MS(100),  MS(250),  MS(500),   MS(1000),
    MS(2500), MS(5000), MS(7500), MS(10000), MS(15000),
};
static const uint64_t CAPACITY_SECONDS[] = {
    MS(1), MS(5), MS(10), MS(25), MS(50), MS(100), MS(250), MS(500), MS(1000),
};
/* ING-297 */
static const uint64_t RELOAD_SECONDS[] = {
    MS(10), MS(50), MS(100), MS(250), MS(500), MS(1000), MS(2500), MS(5000),
};
/* REL-096 */
static const uint64_t PUBSUB_SECONDS[] = {
    MS(1), MS(5), MS(10), MS(25), MS(50), MS(100), MS(250), MS(500), MS(1000),
};
static const uint64_t UPLOAD_SECONDS[] = {
    MS(50),   MS(100),   MS(250),   MS(500),   MS(1000),   MS(2500),
    MS(5000), MS(10000), MS(30000), MS(60000), MS(120000), MS(300000),
};
static const uint64_t UPLOAD_BYTES[] = {
    1024,    4096,     16384,    65536,     262144,     1048576,
    4194304, 16777216, 67108864, 268435456, 1073741824,
};
static const uint64_t RATIO[] = {
    100, 200, 300, 400, 500, 600, 700, 800, 900, 1000,
};
static const uint64_t BATCH_FILES[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
static const uint64_t COMMIT_SECONDS[] = {
    US(500), MS(1),   MS(2),   MS(5),   MS(10),   MS(20),
    MS(50),  MS(100), MS(250), MS(500), MS(1000), MS(5000),
};
/* Of length 0 (a GNU extension), so that countof() needs no special case. */
static const uint64_t NONE[0];

enum { UNIT_ONE = 1, UNIT_MILLI = 1000, UNIT_NS = 1000000000 };

static const struct metric_desc table[METRIC_COUNT] = {
#define METRIC(id, name_, type_, unit_, group_, max, buckets, help_, ...) \
    [M_##id] = {                                                          \
        .name = name_,                                                    \
        .help = help_,                                                    \
        .type = METRIC_##type_,                                           \
        .unit = UNIT_##unit_,                                             \
        .group = METRIC_GROUP_##group_,                                   \
        .series_max = max,                                                \
        .bounds = buckets,                                                \
        .nbounds = (unsigned)countof(buckets),                            \
        .label = {__VA_ARGS__},                                           \
    },
#include "obs/metrics.def"
#undef METRIC
};

const struct metric_desc *
metric_desc(enum metric id)
{
    assert((unsigned)id < METRIC_COUNT);
    return &table[id];
}
