/* server_conf.c - from options to what the parts of the server go by: those
 * that may change while it runs, so that the start and SIGHUP cannot differ.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/server_impl.h"
#include "obs/log.h"
#include <sys/resource.h>

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
    jc->bucket_limit = c->s3_soft_capacity_limit;
    jc->token_life = c->token_ttl;
    jc->ingest.file_max = c->max_file_size_mb * MIB;
    jc->ingest.retention = (enum retention)c->retention_default;
    jc->ingest.ttl_days = c->ttl_default_days;
    jc->ingest.attempts = (unsigned)c->storage_element_max_retries;
    jc->ingest.fill_width = (unsigned)c->selector_fill_width;
    jc->ingest.datacenter = c->selector_datacenter;
    jc->ingest.verify_reads = c->verify_reads;
    jc->ingest.breakers = (struct breaker_conf){
        .off = !c->circuit_breaker_enabled,
        .failure_threshold = (unsigned)c->circuit_breaker_failure_threshold,
        .success_threshold = (unsigned)c->circuit_breaker_success_threshold,
        .open_for = c->circuit_breaker_timeout_seconds,
        .window = dur_s(600),
        .probe_for = dur_s(600),
    };
}

static void
monitor_of(const struct conf *c, struct monitor_conf *m)
{
    *m = monitor_conf_default();
    m->instance_id = c->ingester_instance_id;
    m->select_polled =
        c->capacity_monitor_enabled && c->capacity_monitor_use_for_selection;
    m->lease = lease_conf_of(c->capacity_monitor_leader_ttl,
                             c->capacity_monitor_leader_renewal_interval);
    m->poll.base = c->capacity_monitor_base_interval;
    m->poll.max = c->capacity_monitor_max_interval;
    m->poll.timeout = c->capacity_monitor_http_timeout;
    m->poll.retries = (unsigned)c->capacity_monitor_http_retries;
    m->poll.retry_delay = c->capacity_monitor_retry_base_delay;
    m->poll.threshold = (unsigned)c->capacity_monitor_failure_threshold;
    m->poll.recovery = (unsigned)c->capacity_monitor_recovery_threshold;
    if (m->poll.shift.ns > m->poll.base.ns / 10)
        m->poll.shift.ns = m->poll.base.ns / 10;
    m->cache_ttl = c->capacity_monitor_cache_ttl;
    m->health_ttl = c->capacity_monitor_health_ttl;
    m->reload.periodic = c->capacity_monitor_config_reload_enabled;
    m->reload.interval = c->capacity_monitor_config_reload_interval;
    m->pubsub = c->capacity_monitor_pubsub_enabled;
    m->channel = c->capacity_monitor_pubsub_channel;
    m->datacenter = c->selector_datacenter;
    ledger_of(c, &m->marks);
    /* A store that can lose its last writes is one that others stand in for;
     * where one Redis is all there is, it forgets everything or nothing, and
     * epochs that begin with its clock do not come again (D32). */
    m->doubt = c->redis_sentinels[0] != '\0';
}

void
server_conf_far(const struct conf *c, struct gateway_conf *g)
{
    monitor_of(c, &g->monitor);
    g->admin_url = c->service_account_admin_module_url[0]
                       ? c->service_account_admin_module_url
                       : c->auth_admin_module_url;
    g->client_id = c->service_account_client_id;
    g->client_secret = c->service_account_client_secret;
    g->patience = c->service_account_timeout;
}

/* Half of our descriptors are not for clients: each connection may have a file
 * open, and a quarter is the cache's (cache_entries()). Without this reserve a
 * crowd leaves none for the files of those who are inside. */
static unsigned
connections_max(const struct conf *c, struct log *log)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 ||
        (uint64_t)c->max_connections <= r.rlim_cur / 2)
        return (unsigned)c->max_connections;
    log_warning(log, "fewer connections than MAX_CONNECTIONS are admitted",
                F_I64("max_connections", c->max_connections),
                F_U64("admitted", r.rlim_cur / 2),
                F_U64("open_files_max", r.rlim_cur),
                F_STR("remedy", "raise ulimit -n, or LimitNOFILE of the unit"));
    return (unsigned)(r.rlim_cur / 2);
}

void
server_conf_http(const struct conf *c, struct log *log, struct http_conf *hc)
{
    hc->head_timeout = c->head_timeout;
    hc->idle_timeout = c->idle_timeout;
    hc->body_timeout = c->body_timeout;
    hc->write_timeout = c->write_timeout;
    hc->body_min_rate = c->body_min_rate;
    hc->write_min_rate = c->write_min_rate;
    /* The file and the form around it. */
    hc->body_max = c->max_file_size_mb * MIB + MIB;
    hc->connections_max = connections_max(c, log);
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
