/* pg_proxy.c - see pg_proxy.h. One thread, a handful of connections, blocking
 * writes: they are small. SPDX-License-Identifier: Apache-2.0 */
#include "io/pg_proxy.h"
#include "base/base.h"
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS 16

struct link {
    int client, server; /* -1: free */
};

struct pg_proxy {
    pthread_t thread;
    int listener, server_port;
    int wake[2];
    int cut; /* enum pg_cut, atomic */
    unsigned cuts;
    struct link link[LINKS];
};

static struct sockaddr_in
loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void
drop(struct link *l)
{
    (void)close(l->client);
    (void)close(l->server);
    l->client = l->server = -1;
}

static void
accept_one(struct pg_proxy *x)
{
    struct sockaddr_in to = loopback(x->server_port);
    int fd = accept(x->listener, NULL, NULL);

    for (unsigned i = 0; i < LINKS && fd >= 0; i++) {
        struct link *l = &x->link[i];

        if (l->client >= 0)
            continue;
        l->client = fd;
        l->server = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(l->server, (struct sockaddr *)&to, sizeof(to)) != 0)
            drop(l);
        return;
    }
    (void)close(fd);
}

static void
send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

        if (k <= 0)
            return;
        p += k;
        n -= (size_t)k;
    }
}

/* False: the link is no more. */
static bool
pass(struct pg_proxy *x, struct link *l, int from, int to)
{
    char buf[16384], answer[256];
    ssize_t n = recv(from, buf, sizeof(buf), 0);
    int cut = __atomic_load_n(&x->cut, __ATOMIC_ACQUIRE);

    if (n > 0 && from == l->client && cut != CUT_NOTHING &&
        memmem(buf, (size_t)n, "COMMIT", 7) != NULL) {
        __atomic_store_n(&x->cut, CUT_NOTHING, __ATOMIC_RELEASE);
        if (cut == CUT_AFTER_COMMIT) {
            send_all(to, buf, (size_t)n);
            (void)!recv(to, answer, sizeof(answer), 0); /* it is done */
        }
        (void)__atomic_add_fetch(&x->cuts, 1, __ATOMIC_RELEASE);
        n = 0;
    }
    if (n > 0)
        send_all(to, buf, (size_t)n);
    else
        drop(l);
    return n > 0;
}

static void *
run(void *arg)
{
    struct pg_proxy *x = arg;

    for (;;) {
        struct pollfd fd[2 + 2 * LINKS];

        fd[0] = (struct pollfd){x->wake[0], POLLIN, 0};
        fd[1] = (struct pollfd){x->listener, POLLIN, 0};
        for (unsigned i = 0; i < LINKS; i++) {
            fd[2 + 2 * i] = (struct pollfd){x->link[i].client, POLLIN, 0};
            fd[3 + 2 * i] = (struct pollfd){x->link[i].server, POLLIN, 0};
        }
        if (poll(fd, countof(fd), -1) < 0)
            continue;
        if (fd[0].revents)
            return NULL;
        for (unsigned i = 0; i < LINKS; i++) {
            struct link *l = &x->link[i];

            if (fd[2 + 2 * i].revents && !pass(x, l, l->client, l->server))
                continue;
            if (fd[3 + 2 * i].revents)
                (void)pass(x, l, l->server, l->client);
        }
        if (fd[1].revents)
            accept_one(x);
    }
}

struct pg_proxy *
pg_proxy_open(int server_port, int *port)
{
    struct pg_proxy *x = calloc(1, sizeof(*x));
    struct sockaddr_in a = loopback(0);
    socklen_t n = sizeof(a);

    if (!x)
        abort();
    x->server_port = server_port;
    x->listener = socket(AF_INET, SOCK_STREAM, 0);
    for (unsigned i = 0; i < LINKS; i++)
        x->link[i].client = x->link[i].server = -1;
    if (bind(x->listener, (struct sockaddr *)&a, n) != 0 ||
        listen(x->listener, 16) != 0 ||
        getsockname(x->listener, (struct sockaddr *)&a, &n) != 0 ||
        pipe(x->wake) != 0 || pthread_create(&x->thread, NULL, run, x) != 0)
        abort();
    *port = ntohs(a.sin_port);
    return x;
}

void
pg_proxy_close(struct pg_proxy *x)
{
    (void)!write(x->wake[1], "x", 1);
    (void)pthread_join(x->thread, NULL);
    for (unsigned i = 0; i < LINKS; i++)
        if (x->link[i].client >= 0)
            drop(&x->link[i]);
    (void)close(x->listener);
    (void)close(x->wake[0]);
    (void)close(x->wake[1]);
    free(x);
}

void
pg_proxy_cut(struct pg_proxy *x, enum pg_cut cut)
{
    __atomic_store_n(&x->cut, (int)cut, __ATOMIC_RELEASE);
}

unsigned
pg_proxy_cuts(struct pg_proxy *x)
{
    return __atomic_load_n(&x->cuts, __ATOMIC_ACQUIRE);
}
