/* cutter.c - see cutter.h. One thread, poll(), few connections.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cutter.h"
#include "base/base.h"
#include "remote_world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define PAIRS 64

static struct {
    int listener;
    unsigned target;
    pthread_t thread;
    int fd[PAIRS][2]; /* of the gateway, of the element; -1 */
    pthread_mutex_t mu;
    bool armed, lasting, cut;
    enum cutter_way way;
    uint64_t left;
    bool stop;
} k = {.mu = PTHREAD_MUTEX_INITIALIZER};

static int
connect_to(unsigned port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sa.sin_port = htons((uint16_t)port);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    return fd;
}

static void
drop(int i)
{
    struct linger off = {1, 0};

    for (int s = 0; s < 2; s++) {
        if (k.fd[i][s] == -1)
            continue;
        (void)setsockopt(k.fd[i][s], SOL_SOCKET, SO_LINGER, &off, sizeof(off));
        (void)close(k.fd[i][s]);
        k.fd[i][s] = -1;
    }
}

static void
take_in(void)
{
    int fd = accept4(k.listener, NULL, NULL, SOCK_CLOEXEC);
    bool refuse;

    if (fd == -1)
        return;
    pthread_mutex_lock(&k.mu);
    refuse = k.cut && k.lasting;
    pthread_mutex_unlock(&k.mu);
    for (int i = 0; i < PAIRS && !refuse; i++) {
        if (k.fd[i][0] != -1)
            continue;
        k.fd[i][0] = fd;
        k.fd[i][1] = connect_to(k.target);
        return;
    }
    (void)close(fd);
}

/* How many of N bytes may pass; *NOW: and then everything is cut. */
static size_t
may_pass(enum cutter_way way, size_t n, bool *now)
{
    pthread_mutex_lock(&k.mu);
    *now = false;
    if (k.armed && k.way == way) {
        if (n >= k.left) {
            n = (size_t)k.left;
            k.armed = false;
            k.cut = *now = true;
        }
        k.left -= n;
    }
    pthread_mutex_unlock(&k.mu);
    return n;
}

static void
put_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

        if (r == -1 && errno == EINTR)
            continue;
        if (r <= 0)
            return;
        p += r;
        n -= (size_t)r;
    }
}

static void
move_some(int i, int from)
{
    char b[16384];
    ssize_t n = recv(k.fd[i][from], b, sizeof(b), MSG_DONTWAIT);
    bool now;
    size_t pass;

    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(i);
        return;
    }
    pass = may_pass(from == 0 ? CUTTER_UP : CUTTER_DOWN, (size_t)n, &now);
    put_all(k.fd[i][!from], b, pass);
    if (!now)
        return;
    if (pass) /* let it arrive before the reset */
        remote_sleep_ms(1);
    for (int j = 0; j < PAIRS; j++)
        drop(j);
}

static void *
cutter_main(void *arg)
{
    (void)arg;
    for (;;) {
        struct pollfd p[1 + 2 * PAIRS];
        int of[1 + 2 * PAIRS], n = 0;
        bool stop;

        pthread_mutex_lock(&k.mu);
        stop = k.stop;
        pthread_mutex_unlock(&k.mu);
        if (stop)
            break;
        p[n++] = (struct pollfd){k.listener, POLLIN, 0};
        for (int i = 0; i < PAIRS; i++)
            for (int s = 0; s < 2 && k.fd[i][0] != -1; s++) {
                of[n] = 2 * i + s;
                p[n++] = (struct pollfd){k.fd[i][s], POLLIN, 0};
            }
        if (poll(p, (nfds_t)n, 20) <= 0)
            continue;
        for (int j = 1; j < n; j++)
            if (p[j].revents && k.fd[of[j] / 2][0] == p[j].fd)
                move_some(of[j] / 2, 0);
            else if (p[j].revents && k.fd[of[j] / 2][1] == p[j].fd)
                move_some(of[j] / 2, 1);
        if (p[0].revents)
            take_in();
    }
    for (int i = 0; i < PAIRS; i++)
        drop(i);
    return NULL;
}

void
cutter_start(void *arg, unsigned port, char *url, size_t cap)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t n = sizeof(sa);
    (void)arg;

    memset(k.fd, 0xff, sizeof(k.fd));
    k.target = port;
    k.stop = k.armed = k.cut = false;
    k.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(k.listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(k.listener, 64), 0);
    assert_int_equal(getsockname(k.listener, (struct sockaddr *)&sa, &n), 0);
    snprintf(url, cap, "http://127.0.0.1:%u", ntohs(sa.sin_port));
    assert_int_equal(pthread_create(&k.thread, NULL, cutter_main, NULL), 0);
}

void
cutter_stop(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&k.mu);
    k.stop = true;
    pthread_mutex_unlock(&k.mu);
    pthread_join(k.thread, NULL);
    (void)close(k.listener);
}

void
cutter_arm(enum cutter_way way, uint64_t n, bool lasting)
{
    pthread_mutex_lock(&k.mu);
    k.way = way;
    k.left = n;
    k.lasting = lasting;
    k.cut = false;
    k.armed = true;
    pthread_mutex_unlock(&k.mu);
}

bool
cutter_heal(void)
{
    bool cut;

    pthread_mutex_lock(&k.mu);
    cut = k.cut;
    k.armed = k.cut = false;
    pthread_mutex_unlock(&k.mu);
    return cut;
}
