/* server_conf.c - from options to what the parts of the server go by: those
 * that may change while it runs, so that the start and SIGHUP cannot differ.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/server_impl.h"

static void
ledger_of(const struct conf *c, struct ledger_conf *l)
{
    *l = (struct ledger_conf){
        .headroom = {.bytes = c->storage_headroom_bytes,
                     .inodes = (uint64_t)c->storage_headroom_inodes},
        .percent = {0, (unsigned)c->capacity_warning_percent,
                    (unsigned)c->capacity_critical_percent,
                    (unsigned)c->capacity_full_percent},
        .free_below = {0, c->capacity_warning_free_bytes,
                       c->capacity_critical_free_bytes,
                       c->capacity_full_free_bytes},
        .hysteresis = (unsigned)c->capacity_hysteresis_percent,
    };
}

void
server_conf_join(const struct conf *c, struct join_conf *jc)
{
    ledger_of(c, &jc->ledger);
    jc->token_life = c->token_ttl;
    jc->ingest.file_max = c->max_file_size_mb * MIB;
    jc->ingest.retention = (enum retention)c->retention_default;
    jc->ingest.ttl_days = c->ttl_default_days;
    jc->ingest.attempts = (unsigned)c->storage_element_max_retries;
    jc->ingest.fill_width = (unsigned)c->selector_fill_width;
    jc->ingest.datacenter = c->selector_datacenter;
    jc->ingest.verify_reads = c->verify_reads;
}

void
server_conf_http(const struct conf *c, struct http_conf *hc)
{
    hc->head_timeout = c->head_timeout;
    hc->idle_timeout = c->idle_timeout;
    hc->body_timeout = c->body_timeout;
    hc->write_timeout = c->write_timeout;
    hc->body_min_rate = c->body_min_rate;
    hc->write_min_rate = c->write_min_rate;
    /* The file and the form around it. */
    hc->body_max = c->max_file_size_mb * MIB + MIB;
    hc->connections_max = (unsigned)c->max_connections;
    hc->connections_per_address = (unsigned)c->max_connections_per_address;
}

void
server_conf_vitals(const struct conf *c, struct vitals_limits *l)
{
    *l = (struct vitals_limits){
        .disk_low = (unsigned)c->health_disk_warning_percent,
        .disk_min = (unsigned)c->health_disk_critical_percent,
        .memory_critical = c->health_memory_critical,
    };
}
