/* server_reload.c - SIGHUP: options, certificates and keys are read again.
 *
 * Options come from where they came from at the start; of these only files can
 * have changed. All that is new is checked first: with a mistake anywhere
 * nothing changes. Then the loops stand still for the moment in which the
 * values are set, so that no request sees the one half of a change.
 *
 * A gateway then reads its list of elements again, as it does by itself.
 *
 * What changed is told option by option, and what would need a restart too: an
 * operator must not believe in a value that does not hold.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/server_impl.h"
#include "obs/log.h"
#include "obs/metric.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct change {
    struct server *s;
    const struct conf *fresh;
    int access_fd;
};

/* ---- options ---- */

/* The loops stand still. */
static void
set_values(void *arg)
{
    const struct change *ch = arg;
    struct server *s = ch->s;
    struct join_conf jc = {0};
    struct http_conf hc = {0};

    conf_adopt(&s->conf, ch->fresh);
    server_conf_join(&s->conf, &jc);
    join_adjust(s->join, &jc);
    if (s->bucket.objects)
        bucket_adjust(s->bucket.objects, &s->conf);
    server_conf_http(&s->conf, s->log, &hc);
    http_server_adjust(s->http, &hc);
    observe_access(s->observe, s->conf.access_log, ch->access_fd);
}

static void
tell_issues(struct server *s, const struct conf_report *rep)
{
    for (size_t i = 0; i < rep->n; i++) {
        const char *text = rep->issue[i].text;

        switch (rep->issue[i].level) {
        case CONF_NOTICE:
            log_info(s->log, "Configuration", F_STR("detail", text));
            break;
        case CONF_WARNING:
            log_warning(s->log, "Configuration", F_STR("detail", text));
            break;
        case CONF_ERROR:
            log_error(s->log, "Configuration", F_STR("detail", text));
            break;
        }
    }
}

static void
apply(struct server *s, struct conf *fresh)
{
    struct conf_report rep = {0};
    struct change ch = {s, fresh, -1};
    struct vitals_limits limits;
    struct fault f = {0};
    size_t restart = conf_compare(&s->conf, fresh, &rep);
    bool done = false;

    if (observe_access_open(fresh->access_log, &ch.access_fd, &f) != ERR_OK) {
        log_error(s->log, "Configuration not reloaded; the one before stays",
                  F_FAULT(&f));
    } else if (!standstill_run(s->standstill, set_values, &ch)) {
        log_error(s->log, "Configuration not reloaded; the one before stays",
                  F_STR("detail", "a loop does not answer; try again"));
        if (ch.access_fd != -1)
            close(ch.access_fd);
    } else {
        done = true;
        log_set_level(s->log, (enum log_level)s->conf.log_level);
        server_conf_vitals(&s->conf, &limits);
        vitals_limit(s->vitals, &limits);
        tell_issues(s, &rep);
        log_info(s->log, "Configuration reloaded",
                 F_U64("changed", rep.n - restart),
                 F_U64("need_restart", restart));
    }
    if (done) {
        conf_release(&s->fresh);
        s->fresh = *fresh;
    } else {
        conf_release(fresh);
    }
    conf_report_release(&rep);
}

static void
options_reload(struct server *s)
{
    struct conf_report rep;
    struct conf fresh;
    enum err e = conf_load(&fresh, s->input, &rep);

    if (e != ERR_OK) {
        tell_issues(s, &rep);
        log_error(s->log, "Configuration not reloaded; the one before stays",
                  F_U64("mistakes", rep.errors));
        conf_release(&fresh);
    } else {
        apply(s, &fresh);
    }
    conf_report_release(&rep);
}

/* ---- certificates and keys ---- */

static void
tls_reload(struct server *s)
{
    struct fault f = {0};

    if (s->tls == NULL)
        return;
    if (tls_context_reload(s->tls, &f) != ERR_OK)
        log_error(s->log, "Certificate not reloaded; the one before stays",
                  F_FAULT(&f));
    else
        server_tls_log(s);
}

static void
keys_read_again(struct server *s)
{
    struct fault f = {0};
    bool changed = false;
    enum err e;

    if (s->keys == NULL) /* AUTH_ENABLED=off */
        return;
    e = keys_reload(s->keys, &changed, &f);
    metric_inc(s->metrics, metric_series(s->metrics, M_AUTH_KEY_RELOADS,
                                         e != ERR_OK ? "failed"
                                         : changed   ? "changed"
                                                     : "unchanged"));
    if (e != ERR_OK)
        log_error(s->log, "Keys not reloaded; the ones before stay",
                  F_FAULT(&f));
    else
        log_info(s->log, "Keys reloaded", F_BOOL("changed", changed));
}

void
server_reload(struct server *s)
{
    options_reload(s);
    tls_reload(s);
    if (s->keys)
        keys_read_again(s);
    join_reload(s->join);
}
