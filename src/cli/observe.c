/* observe.c - see observe.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/observe.h"
#include "base/hex.h"
#include "base/map.h"
#include "conf/conf.h"
#include "conf/items.h"
#include "obs/health.h"
#include "obs/log.h"
#include "obs/request.h"
#include "obs/sink.h"
#include "obs/trace.h"
#include "sec/random.h"
#include "wire/forwarded.h"
#include "wire/trace.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_S 1

struct observe_loop {
    struct requests requests;
    struct hook hook;
    bool hooked;
};

struct observe {
    struct http_observer observer;
    const struct conf *conf;
    struct metrics *metrics;
    struct log *log;
    struct health *health;
    uint64_t secret; /* hides client addresses (PRD-194) */
    struct timer tick;
    struct loop *home;
    struct sink file; /* of the access log */
    int file_fd;      /* -1: it has none */
    uint64_t told;    /* lines lost there that were spoken of */
    unsigned n_loops;
    struct observe_loop *loop[];
};

/* ---- requests ---- */

static bool
flush_hook(struct loop *l, struct hook *h, bool idle)
{
    (void)l;
    (void)idle;
    requests_flush(&container_of(h, struct observe_loop, hook)->requests);
    return false;
}

static struct observe_loop *
loop_of(struct observe *o, struct loop *l)
{
    struct observe_loop *ol = o->loop[l->id];

    if (!ol->hooked) {
        ol->hooked = true;
        ol->hook.run = flush_hook;
        loop_hook(l, &ol->hook);
    }
    return ol;
}

static void
hide(const struct observe *o, const char *address, char out[17])
{
    snprintf(out, 17, "%016llx",
             (unsigned long long)map_hash(o->secret, address, strlen(address)));
}

/* The ids as they were sent on. */
static void
trace_of(const struct exchange *x, struct trace *t)
{
    (void)hex_decode(slice_str(x->trace_id), t->trace_id, sizeof(t->trace_id));
    (void)hex_decode(slice_str(x->span_id), t->span_id, sizeof(t->span_id));
    (void)slice_copy(
        slice_head(slice_str(x->request_id), sizeof(t->request_id) - 1),
        t->request_id, sizeof(t->request_id));
}

void
observe_routed(void *arg, struct exchange *x)
{
    struct observe_loop *ol = loop_of(arg, x->loop);

    request_began(&ol->requests, request_method(x->head->method_name),
                  x->route);
}

static void
request_finished(struct http_observer *ob, struct loop *l,
                 const struct http_record *r)
{
    struct observe *o = container_of(ob, struct observe, observer);
    struct observe_loop *ol = loop_of(o, l);
    const char *method = request_method(r->method);
    const char *route = r->x->route ? r->x->route : "unmatched";
    char client[17];
    struct trace tr = {0};
    struct request_rec rec = {
        .at = l->wall,
        .took = r->took,
        .method = method,
        .endpoint = route,
        .path = r->target,
        /* 499: the client was gone before there was an answer. */
        .status = r->status ? (unsigned)r->status : 499,
        .bytes_in = r->bytes_in,
        .bytes_out = r->bytes_out,
        .subject = slice_str(r->x->user),
        .agent = http_head_value(r->x->head, SLICE("User-Agent")),
        .error = r->refusal ? r->refusal : r->x->error,
        .trace = &tr,
        .quiet = slice_starts(slice_str(route), SLICE("/health")),
    };

    hide(o, r->client, client);
    rec.client = slice_of(client, 16);
    trace_of(r->x, &tr);
    if (r->refusal)
        metric_inc(o->metrics,
                   metric_series(o->metrics, M_HTTP_REFUSED, r->refusal));
    if (r->x->route == NULL) /* refused before it had a route */
        request_began(&ol->requests, method, route);
    request_ended(&ol->requests, &rec);
}

static void
tls_failed(struct http_observer *ob, struct loop *l, const char *client,
           const char *why)
{
    struct observe *o = container_of(ob, struct observe, observer);
    char hidden[17];

    (void)l;
    hide(o, client, hidden);
    metric_add(o->metrics, metric_plain(o->metrics, M_HTTP_TLS_FAILED), 1);
    log_debug(o->log, "TLS handshake failed", F_STR("client", hidden),
              F_STR("reason", why));
}

static void
accept_failed(struct http_observer *ob, struct loop *l, int sys)
{
    struct observe *o = container_of(ob, struct observe, observer);
    struct rlimit lim = {0};
    struct fault f;

    (void)l;
    (void)getrlimit(RLIMIT_NOFILE, &lim);
    (void)fault_sys(&f, sys, "accept", "");
    if (sys == EMFILE)
        (void)fault_hint(&f, "raise ulimit -n, or LimitNOFILE of the unit");
    log_error(o->log, "no connection can be accepted", F_FAULT(&f),
              F_U64("open_files_max", lim.rlim_cur));
}

struct http_observer *
observe_observer(struct observe *o)
{
    return &o->observer;
}

/* ---- who is at the other end ---- */

static bool
trusted(void *arg, const struct ip *a)
{
    const struct observe *o = arg;
    uint8_t addr[16] = {0};

    if (a->n == 4) { /* as conf/items.h writes it: ::ffff:a.b.c.d */
        addr[10] = addr[11] = 0xff;
        memcpy(addr + 12, a->b, 4);
    } else {
        memcpy(addr, a->b, 16);
    }
    return conf_cidr_list_has(o->conf->trusted_proxies, addr);
}

static struct ip
peer_ip(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET6)
        return ip_of(&((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
    if (sa->sa_family == AF_INET)
        return ip_of(&((const struct sockaddr_in *)sa)->sin_addr, 4);
    return (struct ip){.n = 0};
}

/* Whose request it is: address, request id, trace. What a client says of itself
 * is taken only in the form that is expected, and of proxies only when they are
 * trusted. */
void
observe_client(void *arg, struct exchange *x, const struct sockaddr *peer)
{
    struct observe *o = arg;
    const struct http_head *h = x->head;
    struct ip ip = peer_ip(peer);
    struct slice id, parent;
    struct traceparent tp;
    struct forwarded fw;
    char text[IP_TEXT];

    if (o->conf->trusted_proxies[0] && ip.n) {
        forwarded_resolve(h, &ip, trusted, o, &fw);
        (void)slice_copy(slice_str(ip_text(&fw.client, text)), x->client,
                         sizeof(x->client));
        if (fw.proto == FORWARDED_HTTPS)
            x->tls = true;
    }
    id = http_head_value(h, SLICE("X-Request-ID"));
    if (id.p && request_id_valid(id))
        (void)slice_copy(id, x->request_id, sizeof(x->request_id));
    parent = http_head_value(h, SLICE("traceparent"));
    if (parent.p && traceparent_parse(parent, &tp))
        hex_encode(tp.trace_id, sizeof(tp.trace_id), x->trace_id);
}

/* ---- access log ---- */

enum err
observe_access_open(const char *where, int *fd, struct fault *f)
{
    *fd = -1;
    if (strchr(where, '/') == NULL)
        return ERR_OK;
    *fd =
        open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    return *fd == -1 ? fault_sys(f, errno, "open access log", where) : ERR_OK;
}

static void
file_close(struct observe *o)
{
    if (o->file_fd == -1)
        return;
    sink_release(&o->file);
    close(o->file_fd);
    o->file_fd = -1;
}

void
observe_access(struct observe *o, const char *where, int fd)
{
    struct log *l = strcmp(where, "off") == 0 ? NULL : o->log;

    /* To the old place with what has gathered, before that is closed. */
    for (unsigned i = 0; i < o->n_loops; i++)
        access_direct(&o->loop[i]->requests.access, NULL, NULL);
    file_close(o);
    if (fd != -1) {
        sink_init(&o->file, fd);
        o->file_fd = fd;
        o->told = 0;
    }
    for (unsigned i = 0; i < o->n_loops; i++)
        access_direct(&o->loop[i]->requests.access, l,
                      fd != -1 ? &o->file : log_sink(o->log));
}

/* A file that is on a full disk, say. */
static void
tell_lost(struct observe *o)
{
    uint64_t lost = o->file_fd == -1 ? 0 : atomic_load(&o->file.dropped);

    if (lost > o->told)
        log_warning(o->log, "lines of the access log were lost",
                    F_U64("lines", lost - o->told),
                    F_STR("file", o->conf->access_log));
    o->told = lost;
}

/* ---- periodic ---- */

static void
tick(struct loop *l, struct timer *t)
{
    struct observe *o = container_of(t, struct observe, tick);

    log_tick(o->log);
    tell_lost(o);
    loop_timer(l, t, mono_add(l->now, dur_s(TICK_S)));
}

void
observe_start(struct observe *o, struct loop *l)
{
    o->home = l;
    o->tick.fire = tick;
    loop_timer(l, &o->tick, mono_add(l->now, dur_s(TICK_S)));
}

void
observe_stop(struct observe *o)
{
    loop_timer_stop(o->home, &o->tick);
}

struct observe *
observe_open(const struct conf *c, struct metrics *m, struct log *l,
             struct health *h, unsigned n_loops)
{
    struct observe *o = calloc(1, sizeof(*o) + n_loops * sizeof(o->loop[0]));

    if (o == NULL)
        return NULL;
    o->observer.finished = request_finished;
    o->observer.tls_failed = tls_failed;
    o->observer.accept_failed = accept_failed;
    o->conf = c;
    o->metrics = m;
    o->log = l;
    o->health = h;
    o->file_fd = -1;
    sec_random(&o->secret, sizeof(o->secret));
    for (; o->n_loops < n_loops; o->n_loops++) {
        struct observe_loop *ol = calloc(1, sizeof(*ol));

        if (ol == NULL) {
            observe_close(&o);
            return NULL;
        }
        requests_init(&ol->requests, m, NULL);
        o->loop[o->n_loops] = ol;
    }
    return o;
}

void
observe_close(struct observe **op)
{
    struct observe *o = *op;

    *op = NULL;
    if (o == NULL)
        return;
    for (unsigned i = 0; i < o->n_loops; i++) {
        requests_flush(&o->loop[i]->requests);
        free(o->loop[i]);
    }
    file_close(o);
    free(o);
}
