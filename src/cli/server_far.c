/* server_far.c - other processes, as far as this one calls any: elements and
 * Admin over our HTTP client, and the coordination store.
 *
 *     gateway    elements, Admin, Redis
 *     Admin      elements, to try an address before it is registered; Redis,
 *                to tell gateways of them
 *
 * Both hang on the loops: what is closed here goes while the loops still run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/clock.h"
#include "cli/server_impl.h"
#include "obs/health.h"
#include "obs/log.h"
#include "sec/random.h"
#include <unistd.h>

#define GONE_MS 5000 /* for connections to go, at the end */

static const char *
text_or_null(const char *s)
{
    return s[0] ? s : NULL;
}

static enum err
open_fetch(struct server *s, struct fault *f)
{
    const struct conf *c = &s->conf;
    struct fetch_http_conf fc = fetch_http_defaults();
    enum err e =
        tls_client_open(&s->trust, text_or_null(c->storage_element_ca_file),
                        c->storage_element_tls_min_version == CONF_TLS_1_2, f);

    if (e != ERR_OK)
        return e;
    if (conf_admin_in_clear(c))
        log_warning(s->log,
                    "Admin is asked over http: who stands in between reads "
                    "the service account's secret, and can give keys of his "
                    "own by which tokens are believed. Use https; "
                    "AUTH_ADMIN_REQUIRE_TLS=on makes sure of it");
    fc.tls = s->trust;
    fc.user_agent = c->app_name;
    fc.progress_timeout = c->storage_element_timeout;
    fc.connections_max = (unsigned)c->storage_element_connection_pool_size;
    return fetch_http_open(&s->fetch, &fc, s->loop, s->n_loops, f);
}

/* ---- Redis ---- */

/* At Admin, which only writes the list there: never more than degraded. */
static void
redis_health(struct server *s, const struct fault *f)
{
    char text[FAULT_TEXT];

    if (s->roles == JOIN_ADMIN)
        health_set(s->health, s->redis_check,
                   f ? HEALTH_DEGRADED : HEALTH_HEALTHY,
                   f ? fault_text(f, text, sizeof(text)) : NULL,
                   (struct dur){0}, mono_now());
}

static void
redis_told(void *arg, enum coord_redis_event ev, const struct fault *f)
{
    struct server *s = arg;

    if (ev == COORD_REDIS_CONNECTED)
        redis_health(s, NULL);
    else if (ev == COORD_REDIS_LOST || ev == COORD_REDIS_FAILED)
        redis_health(s, f);
    switch (ev) {
    case COORD_REDIS_CONNECTED:
        log_info(s->log, "Redis is connected");
        break;
    case COORD_REDIS_LOST:
        log_warning(s->log, "Redis is lost; tried again", F_FAULT(f),
                    F_TYPE("redis"));
        break;
    case COORD_REDIS_FAILED:
        log_warning(s->log, "Redis cannot be reached; tried again", F_FAULT(f),
                    F_TYPE("redis"));
        break;
    case COORD_REDIS_OTHER:
        log_warning(s->log, "Redis is another one than before, or has begun "
                            "anew");
        break;
    case COORD_REDIS_DEAF:
        log_warning(s->log, "Redis is not heard; listening is tried again",
                    F_FAULT(f), F_TYPE("redis"));
        break;
    }
}

static enum err
open_redis(struct server *s, struct fault *f)
{
    struct coord_redis_conf rc = {0};
    enum err e;

    /* Nothing else of a gateway needs one (CAP-017). */
    if (s->roles == JOIN_INGEST && !s->conf.capacity_monitor_enabled)
        return ERR_OK;
    e = coord_redis_from_conf(&rc, &s->coord_room, &s->conf, f);
    if (e == ERR_NOENT)
        return ERR_OK;
    if (e != ERR_OK)
        return e;
    if (s->roles == JOIN_ADMIN)
        s->redis_check = health_add(s->health, "redis", false, (struct dur){0});
    sec_random(&rc.seed, sizeof(rc.seed));
    rc.told = redis_told;
    rc.closed = server_arrive;
    rc.arg = s;
    return coord_redis_open(&s->coord, &rc, s->loop[0], f);
}

/* ---- all of it ---- */

enum err
server_far_open(struct server *s, struct fault *f)
{
    enum err e = ERR_OK;

    if (s->roles == JOIN_STORAGE)
        return ERR_OK; /* elements never call out */
    e = open_fetch(s, f);
    if (e == ERR_OK && s->roles != JOIN_ALL)
        e = open_redis(s, f);
    return e;
}

void
server_far_conf(struct server *s, struct join_conf *jc)
{
    jc->fetch = s->fetch;
    server_conf_far(&s->conf, &jc->far);
    jc->far.fetch = s->fetch;
    jc->far.coord = s->coord;
    jc->coord = s->coord;
    jc->channel = s->conf.capacity_monitor_pubsub_channel;
    jc->far.keys = s->conf.auth_enabled ? s->keys : NULL;
}

void
server_far_stop(struct server *s)
{
    if (s->coord) {
        server_expect(s, 1);
        s->coord->ops->close(s->coord);
        server_await(s);
        s->coord = NULL;
    }
    for (int ms = 0; s->fetch && fetch_http_peers(s->fetch) && ms < GONE_MS;
         ms += 5)
        (void)usleep(5000);
}

void
server_far_close(struct server *s)
{
    /* A start that failed has loops that never ran, and what hangs on them
     * ends with the process. */
    if (s->fetch && fetch_http_peers(s->fetch) == 0)
        fetch_http_close(&s->fetch);
    tls_client_close(&s->trust);
}
