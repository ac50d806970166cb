/* http_server.c - listening, limits, drain. See http.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/http_impl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS_MAX 8
#define BACKLOG       4096
#define LEAVING_MS    5000 /* what a server that was killed may need to go */

static bool
http_hook(struct loop *l, struct hook *h, bool idle)
{
    struct http_loop *hl = container_of(h, struct http_loop, hook);

    (void)l;
    (void)idle;
    exim_deliver(hl);
    return !list_empty(&hl->deferred);
}

static void drain_timeout(struct loop *l, struct timer *t);
static void drain_run(struct loop *l, struct task *t);
static void start_run(struct loop *l, struct task *t);

static void
loop_init(struct http_loop *hl, struct http_server *s, struct ioloop *l)
{
    uint64_t seed = 0;

    hl->s = s;
    hl->l = l;
    list_init(&hl->conns);
    list_init(&hl->deferred);
    hl->hook.run = http_hook;
    hl->date_s = -1;
    hl->drain_timer.fire = drain_timeout;
    hl->drain_task.run = drain_run;
    hl->start_task.run = start_run;
    (void)!getrandom(&seed, sizeof(seed), 0);
    prng_init(&hl->rnd, seed ^ l->loop.id);
    loop_hook(&l->loop, &hl->hook);
}

enum err
http_server_open(struct http_server **out, const struct http_conf *c,
                 struct ioloop **loops, unsigned n_loops, struct serve_app *app,
                 struct http_observer *observer, struct fault *f)
{
    struct http_server *s = calloc(1, sizeof(*s));
    uint64_t seed = 0;

    *out = NULL;
    if (s == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "http server");
    (void)!getrandom(&seed, sizeof(seed), 0);
    s->conf = *c;
    s->app = app;
    s->observer = observer;
    s->n_loops = n_loops;
    s->loop = calloc(n_loops, sizeof(s->loop[0]));
    if (s->loop == NULL || !map_init(&s->peers, 1 << 16, seed)) {
        free(s->loop);
        free(s);
        return fault_set(f, ERR_NOMEM, "allocate", "http server");
    }
    pthread_mutex_init(&s->mu, NULL);
    for (unsigned i = 0; i < n_loops; i++)
        loop_init(&s->loop[i], s, loops[i]);
    for (unsigned i = 0; i < n_loops && c->tls; i++) {
        if (!tls_loop_open(&s->loop[i])) {
            http_server_close(&s);
            return fault_set(f, ERR_NOMEM, "allocate", "http server");
        }
    }
    *out = s;
    return ERR_OK;
}

void
http_server_adjust(struct http_server *s, const struct http_conf *c)
{
    s->conf.head_timeout = c->head_timeout;
    s->conf.idle_timeout = c->idle_timeout;
    s->conf.body_timeout = c->body_timeout;
    s->conf.write_timeout = c->write_timeout;
    s->conf.body_min_rate = c->body_min_rate;
    s->conf.write_min_rate = c->write_min_rate;
    s->conf.body_max = c->body_max;
    s->conf.connections_max = c->connections_max;
    s->conf.connections_per_address = c->connections_per_address;
}

/* ---- listening ---- */

/* HOST:PORT, [V6]:PORT, :PORT. */
static bool
address_split(const char *address, char host[256], char port[8])
{
    const char *colon = strrchr(address, ':');
    struct slice h;

    if (colon == NULL)
        return false;
    h = slice_of(address, (size_t)(colon - address));
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = slice_of(h.p + 1, h.n - 2);
    return slice_copy(h, host, 256) &&
           slice_copy(slice_str(colon + 1), port, 8);
}

static int
listen_fd(const struct addrinfo *ai, struct fault *f, const char *address)
{
    int one = 1;
    int fd =
        socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd == -1) {
        fault_sys(f, errno, "socket", address);
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1) {
        if (fault_sys(f, errno, "bind", address) == ERR_DENIED)
            (void)fault_hint(f, "a port below 1024 needs CAP_NET_BIND_SERVICE");
    } else if (listen(fd, BACKLOG) == -1) {
        fault_sys(f, errno, "listen", address);
    } else {
        return fd;
    }
    (void)close(fd);
    return -1;
}

static void
url_of(const struct sockaddr_storage *sa, bool tls, char *url, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port;

    if (sa->ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const void *)sa;

        inet_ntop(AF_INET6, &a->sin6_addr, host, sizeof(host));
        port = ntohs(a->sin6_port);
    } else {
        const struct sockaddr_in *a = (const void *)sa;

        inet_ntop(AF_INET, &a->sin_addr, host, sizeof(host));
        port = ntohs(a->sin_port);
    }
    snprintf(url, cap,
             sa->ss_family == AF_INET6 ? "%s://[%s]:%u" : "%s://%s:%u",
             tls ? "https" : "http", host, port);
}

/* SO_REUSEPORT would share the port with another server of ours without a word:
 * so whether somebody listens there is asked without it first. */
static bool
port_is_free(const struct addrinfo *ai)
{
    bool unused = true;
    int one = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return true; /* the real attempt will say why */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1 || listen(fd, 1) == -1)
        unused = errno != EADDRINUSE;
    (void)close(fd);
    return unused;
}

/* The kernel takes down a ring after its process has ended: for some tens of
 * milliseconds, longer on a busy machine, a killed server still listens. */
static bool
port_comes_free(const struct addrinfo *ai)
{
    const struct timespec pause = {.tv_nsec = 10000000};

    for (int ms = 0; !port_is_free(ai); ms += 10) {
        if (ms >= LEAVING_MS)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static enum err
listen_on(struct http_server *s, struct addrinfo *ai, const char *address,
          char *url, size_t cap, struct fault *f)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    for (unsigned i = 0; i < s->n_loops; i++) {
        struct http_loop *hl = &s->loop[i];
        struct net_listener *ln;
        int fd;

        if (i == 0 && !port_comes_free(ai))
            return fault_sys(f, EADDRINUSE, "listen", address);
        if (hl->n_listeners == LISTENERS_MAX)
            return fault_set(f, ERR_TOOBIG, "listen", "at most 8 addresses");
        fd = listen_fd(ai, f, address);
        if (fd == -1)
            return f ? f->code : ERR_IO;
        ln = &hl->listener[hl->n_listeners++];
        ln->fd = fd;
        ln->accepted = conn_accepted;
        ln->owner = hl;
        ln->loop = hl->l;
        /* With port 0 the first loop's choice is everybody's. */
        if (i == 0 && getsockname(fd, (struct sockaddr *)&sa, &len) == 0) {
            memcpy(ai->ai_addr, &sa, ai->ai_addrlen);
            url_of(&sa, s->conf.tls != NULL, url, cap);
        }
    }
    return ERR_OK;
}

enum err
http_server_listen(struct http_server *s, const char *address, char *url,
                   size_t cap, struct fault *f)
{
    struct addrinfo hint = {.ai_family = AF_UNSPEC,
                            .ai_socktype = SOCK_STREAM,
                            .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *ai = NULL;
    char host[256], port[8];
    enum err e;

    if (!address_split(address, host, port))
        return fault_set(f, ERR_INVAL, "listen, want HOST:PORT", address);
    if (getaddrinfo(host[0] ? host : NULL, port, &hint, &ai) != 0)
        return fault_set(f, ERR_INVAL, "look up", address);
    e = listen_on(s, ai, address, url, cap, f);
    freeaddrinfo(ai);
    return e;
}

static void
start_run(struct loop *l, struct task *t)
{
    struct http_loop *hl = container_of(t, struct http_loop, start_task);

    (void)l;
    for (unsigned i = 0; i < hl->n_listeners; i++)
        hl->l->net->listen(hl->l, &hl->listener[i]);
}

void
http_server_start(struct http_server *s)
{
    /* All of them before any loop begins: a drain that one loop has carried out
     * must not find that nobody listens while another has yet to begin. */
    for (unsigned i = 0; i < s->n_loops; i++)
        atomic_fetch_add(&s->listening, s->loop[i].n_listeners);
    for (unsigned i = 0; i < s->n_loops; i++)
        loop_post(&s->loop[i].l->loop, &s->loop[i].start_task);
}

/* ---- drain ---- */

/* Called whenever a connection ends or a listener closes. Connections on their
 * way between two loops are counted in `open`, so nobody is forgotten. */
void
http_server_check(struct http_server *s)
{
    if (atomic_load(&s->draining) && atomic_load(&s->listening) == 0 &&
        atomic_load(&s->open) == 0 && !atomic_exchange(&s->told, true))
        s->drained(s->drained_arg);
}

static void
drain_timeout(struct loop *l, struct timer *t)
{
    struct http_loop *hl = container_of(t, struct http_loop, drain_timer);

    (void)l;
    hl->cut = true;
    LIST_FOREACH_SAFE (it, next, &hl->conns) {
        struct conn *c = container_of(it, struct conn, item);

        conn_close(c);
    }
}

static void
drain_run(struct loop *l, struct task *t)
{
    struct http_loop *hl = container_of(t, struct http_loop, drain_task);

    hl->draining = true;
    for (unsigned i = 0; i < hl->n_listeners; i++)
        hl->l->net->unlisten(hl->l, &hl->listener[i]);
    LIST_FOREACH_SAFE (it, next, &hl->conns) {
        conn_drain_start(container_of(it, struct conn, item));
    }
    loop_timer(l, &hl->drain_timer, mono_add(l->now, hl->s->grace));
    http_server_check(hl->s);
}

void
http_server_drain(struct http_server *s, struct dur grace,
                  void (*drained)(void *arg), void *arg)
{
    if (atomic_exchange(&s->draining, true))
        return;
    s->grace = grace;
    s->drained = drained;
    s->drained_arg = arg;
    for (unsigned i = 0; i < s->n_loops; i++)
        loop_post(&s->loop[i].l->loop, &s->loop[i].drain_task);
}

void
http_server_close(struct http_server **sp)
{
    struct http_server *s = *sp;

    *sp = NULL;
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n_loops; i++) {
        struct http_loop *hl = &s->loop[i];
        struct exim *x;

        assert(list_empty(&hl->conns));
        loop_timer_stop(&hl->l->loop, &hl->drain_timer);
        for (unsigned k = 0; k < hl->n_listeners; k++)
            if (hl->listener[k].fd != -1)
                (void)close(hl->listener[k].fd);
        while ((x = hl->spare) != NULL) {
            hl->spare = x->next;
            buf_release(&x->head_out);
            buf_release(&x->extra);
            free(x);
        }
        tls_loop_close(hl);
    }
    map_release(&s->peers);
    pthread_mutex_destroy(&s->mu);
    free(s->loop);
    free(s);
}

void
http_server_stats(const struct http_server *s, struct http_stats *out)
{
    *out = (struct http_stats){
        .accepted = atomic_load(&s->accepted),
        .refused_total = atomic_load(&s->refused_total),
        .refused_per_address = atomic_load(&s->refused_per_address),
        .open = atomic_load(&s->open),
        .timeouts = atomic_load(&s->timeouts),
        .tls_failed = atomic_load(&s->tls_failed),
    };
}
