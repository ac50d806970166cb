/* monitor_conf.c - the settings of the monitor, and what goes together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor.h"

struct monitor_conf
monitor_conf_default(void)
{
    return (struct monitor_conf){
        .instance_id = "",
        .select_polled = true,
        .lease = lease_conf_of(dur_s(30), dur_s(10)),
        .poll = poll_conf_default(),
        .reload = RELOAD_CONF_DEFAULT,
        .cache_ttl = dur_s(600),
        .health_ttl = dur_s(600),
        .refresh = dur_s(5),
        .admin_ttl = dur_s(5),
        .admin_patience = dur_ms(450),
        .channel = "artstore:storage_elements:updates",
        .marks = {.percent = {0, 85, 92, 98}, .hysteresis = 2},
        .datacenter = "",
        .elements_max = 16384,
        .doubt = true,
    };
}

const char *
monitor_conf_check(const struct monitor_conf *c)
{
    const char *why = lease_conf_check(&c->lease);

    if (!why)
        why = poll_conf_check(&c->poll);
    if (why)
        return why;
    if (c->cache_ttl.ns < c->poll.max.ns)
        return "CAPACITY_MONITOR_CACHE_TTL must not be shorter than "
               "CAPACITY_MONITOR_MAX_INTERVAL: what was polled would be "
               "forgotten before it is polled again";
    if (c->refresh.ns <= 0 || c->admin_ttl.ns < dur_ms(100).ns)
        return "the times of reading again must be longer than nothing";
    if (c->elements_max == 0 || c->elements_max > SNAPSHOT_MAX)
        return "the number of elements must be between 1 and 100000";
    return NULL;
}
