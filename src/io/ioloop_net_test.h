/* ioloop_net_test.h - the part of ioloop_test.c about sockets; included there.
 * SPDX-License-Identifier: Apache-2.0 */

struct net {
    struct net_op op; /* first */
    unsigned done;
    int res;
    uint8_t *p;
};

static void
net_done(struct ioloop *l, struct net_op *op, int res)
{
    struct net *n = container_of(op, struct net, op);

    (void)l;
    n->done++;
    n->res = res;
    n->p = op->p;
}

static void
say(struct bench *t, const char *text)
{
    assert_int_equal(write(t->b, text, strlen(text)), strlen(text));
}

static void
test_recv(void **state)
{
    struct bench *t = bench_of(state);
    struct net n = {0};
    char b[16] = "";

    say(t, "abc");
    net_recv(t->l, &n.op, t->a, b, sizeof(b), false, net_done);
    assert_int_equal(n.done, 0); /* never inside the call */
    turn_until(t->l, &n.done, 1);
    assert_int_equal(n.res, 3);
    assert_memory_equal(b, "abc", 3);
    net_recv(t->l, &n.op, t->a, b, 2, false, net_done);
    turn_for(t->l, 10);
    assert_int_equal(n.done, 1); /* waits */
    say(t, "xyz");
    turn_until(t->l, &n.done, 2);
    assert_int_equal(n.res, 2);
    net_recv(t->l, &n.op, t->a, b, sizeof(b), false, net_done);
    turn_until(t->l, &n.done, 3);
    assert_int_equal(n.res, 1);
    assert_int_equal(b[0], 'z');
}

static void
test_recv_all(void **state)
{
    struct bench *t = bench_of(state);
    struct net n = {0};
    char b[9] = "........";

    net_recv(t->l, &n.op, t->a, b, 8, true, net_done);
    for (int i = 0; i < 4; i++) {
        turn_for(t->l, 3);
        assert_int_equal(n.done, 0);
        say(t, "ab");
    }
    turn_until(t->l, &n.done, 1);
    assert_int_equal(n.res, 8);
    assert_string_equal(b, "abababab");
}

static void
test_recv_pool(void **state)
{
    struct bench *t = bench_of(state);
    struct net n = {0};
    char *big = calloc(1, 3 * NET_POOL_BUF);
    size_t got = 0;

    assert_non_null(big);
    net_recv_pool(t->l, &n.op, t->a, net_done);
    turn_for(t->l, 3);
    assert_int_equal(n.done, 0);
    say(t, "hello");
    turn_until(t->l, &n.done, 1);
    assert_int_equal(n.res, 5);
    /* More than a buffer comes in several. */
    assert_int_equal(write(t->b, big, 3 * NET_POOL_BUF), 3 * NET_POOL_BUF);
    for (unsigned i = 2; got < 3 * NET_POOL_BUF; i++) {
        net_recv_pool(t->l, &n.op, t->a, net_done);
        turn_until(t->l, &n.done, i);
        assert_true(n.res > 0 && (size_t)n.res <= NET_POOL_BUF);
        got += (size_t)n.res;
    }
    /* Many times, so that each buffer of a ring has been used and returned. */
    for (unsigned i = 0; i < 1000; i++) {
        unsigned before = n.done;

        say(t, "x");
        net_recv_pool(t->l, &n.op, t->a, net_done);
        turn_until(t->l, &n.done, before + 1);
        assert_int_equal(n.res, 1);
    }
    free(big);
}

static void
test_end(void **state)
{
    struct bench *t = bench_of(state);
    struct net n = {0};
    char b[16];

    net_recv(t->l, &n.op, t->a, b, 8, true, net_done);
    turn_for(t->l, 3);
    say(t, "abc");
    shutdown(t->b, SHUT_WR);
    turn_until(t->l, &n.done, 1);
    assert_int_equal(n.res, 3); /* what came before the end */
    net_recv(t->l, &n.op, t->a, b, 8, true, net_done);
    turn_until(t->l, &n.done, 2);
    assert_int_equal(n.res, 0);
    net_recv_pool(t->l, &n.op, t->a, net_done);
    turn_until(t->l, &n.done, 3);
    assert_int_equal(n.res, 0);
}

/* Reads N bytes from the other side in odd pieces while the loop turns, and
 * compares them. */
static void
drain_and_compare(struct bench *t, const uint8_t *want, size_t n)
{
    uint8_t b[7777];
    size_t at = 0;

    while (at < n) {
        ssize_t r = recv(t->b, b, size_min(sizeof(b), n - at), MSG_DONTWAIT);

        if (r > 0) {
            assert_memory_equal(b, want + at, (size_t)r);
            at += (size_t)r;
        } else {
            turn_for(t->l, 1);
        }
    }
}

static uint8_t *
pattern(size_t n)
{
    uint8_t *p = malloc(n);

    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 13 + i / 253);
    return p;
}

static void
test_sendv(void **state)
{
    const size_t n = 2 * MIB + 17; /* far more than the socket takes */
    struct bench *t = bench_of(state);
    uint8_t *p = pattern(n);
    struct net s = {0};

    s.op.iov[0] = (struct iovec){p, 100};
    s.op.iov[1] = (struct iovec){p + 100, n - 200};
    s.op.iov[2] = (struct iovec){p + n - 100, 100};
    s.op.n_iov = 3;
    net_sendv(t->l, &s.op, t->a, net_done);
    assert_int_equal(s.done, 0);
    turn_for(t->l, 5);
    assert_int_equal(s.done, 0);
    drain_and_compare(t, p, n);
    turn_until(t->l, &s.done, 1);
    assert_int_equal(s.res, n);
    free(p);
}

static void
test_sendfile(void **state)
{
    const size_t n = 2 * MIB + 17;
    struct bench *t = bench_of(state);
    uint8_t *p = pattern(n);
    struct net s = {0};

    assert_int_equal(pwrite(t->file, p, n, 0), n);
    net_sendfile(t->l, &s.op, t->a, t->file, 1000, n - 1000, net_done);
    assert_int_equal(s.done, 0);
    turn_for(t->l, 5);
    assert_int_equal(s.done, 0);
    drain_and_compare(t, p + 1000, n - 1000);
    turn_until(t->l, &s.done, 1);
    assert_int_equal(s.res, n - 1000);
    free(p);
}

/* A file that has become shorter is an error, not an endless wait. */
static void
test_sendfile_short(void **state)
{
    struct bench *t = bench_of(state);
    struct net s = {0};

    assert_int_equal(pwrite(t->file, "0123456789", 10, 0), 10);
    net_sendfile(t->l, &s.op, t->a, t->file, 0, 20, net_done);
    turn_until(t->l, &s.done, 1);
    assert_int_equal(s.res, -EIO);
}

static void
test_peer_gone(void **state)
{
    const size_t n = 2 * MIB;
    struct bench *t = bench_of(state);
    uint8_t *p = pattern(n);
    struct net s = {0};

    s.op.iov[0] = (struct iovec){p, n};
    s.op.n_iov = 1;
    net_sendv(t->l, &s.op, t->a, net_done);
    turn_for(t->l, 5);
    assert_int_equal(s.done, 0);
    shutdown(t->b, SHUT_RDWR);
    turn_until(t->l, &s.done, 1);
    assert_true(s.res == -EPIPE || s.res == -ECONNRESET);
    free(p);
}

static void
test_cancel_recv(void **state)
{
    struct bench *t = bench_of(state);
    struct net n = {0};
    char b[9] = "........";

    for (unsigned i = 0; i < 3; i++) {
        if (i == 0)
            net_recv_pool(t->l, &n.op, t->a, net_done);
        else
            net_recv(t->l, &n.op, t->a, b, 8, i == 2, net_done);
        turn_for(t->l, 3);
        assert_int_equal(n.done, i);
        net_cancel(t->l, &n.op);
        assert_int_equal(n.done, i);
        turn_until(t->l, &n.done, i + 1);
        assert_true(n.res < 0);
    }
    turn_for(t->l, 3);
    assert_int_equal(n.done, 3);
    /* Nothing reaches the memory of an operation that has ended, and the next
     * one gets what comes. */
    say(t, "abc");
    turn_for(t->l, 3);
    assert_string_equal(b, "........");
    net_recv(t->l, &n.op, t->a, b, 8, false, net_done);
    turn_until(t->l, &n.done, 4);
    assert_int_equal(n.res, 3);
}

/* A cancel in the turn in which the bytes come: DONE once, with either end. */
static void
test_cancel_late(void **state)
{
    struct bench *t = bench_of(state);
    size_t lost = 0;

    for (unsigned i = 0; i < 200; i++) {
        struct net n = {0};
        char b[4];

        net_recv(t->l, &n.op, t->a, b, 1, false, net_done);
        if (i % 2)
            turn_for(t->l, 1); /* nothing there: it waits for bytes */
        say(t, "x");
        net_cancel(t->l, &n.op);
        turn_until(t->l, &n.done, 1);
        turn_for(t->l, 1);
        assert_int_equal(n.done, 1);
        assert_true(n.res == 1 || n.res == -ECANCELED);
        lost += n.res < 0;
        if (n.res < 0) { /* then the byte is still there */
            assert_int_equal(recv(t->a, b, 4, MSG_DONTWAIT), 1);
        }
    }
    (void)lost;
}

static void
test_cancel_send(void **state)
{
    const size_t n = 4 * MIB;
    struct bench *t = bench_of(state);
    uint8_t *p = pattern(n);
    char b[65536];

    assert_int_equal(pwrite(t->file, p, n, 0), n);
    for (int file = 0; file < 2; file++) {
        for (int early = 0; early < 2; early++) {
            struct net s = {0};

            s.op.iov[0] = (struct iovec){p, n};
            s.op.n_iov = 1;
            if (file)
                net_sendfile(t->l, &s.op, t->a, t->file, 0, n, net_done);
            else
                net_sendv(t->l, &s.op, t->a, net_done);
            if (!early)
                turn_for(t->l, 5); /* stuck: nobody reads */
            assert_int_equal(s.done, 0);
            net_cancel(t->l, &s.op);
            turn_until(t->l, &s.done, 1);
            assert_int_equal(s.res, -ECANCELED);
            while (recv(t->b, b, sizeof(b), MSG_DONTWAIT) > 0) {
            }
            turn_for(t->l, 5);
            assert_int_equal(recv(t->b, b, sizeof(b), MSG_DONTWAIT), -1);
            assert_int_equal(s.done, 1);
        }
    }
    free(p);
}

/* One read and one send at a time on one socket do not disturb each other. */
static void
test_both_ways(void **state)
{
    const size_t n = MIB;
    struct bench *t = bench_of(state);
    uint8_t *p = pattern(n);
    struct net s = {0}, r = {0};
    char b[4];

    s.op.iov[0] = (struct iovec){p, n};
    s.op.n_iov = 1;
    net_sendv(t->l, &s.op, t->a, net_done);
    net_recv(t->l, &r.op, t->a, b, 4, true, net_done);
    turn_for(t->l, 3);
    say(t, "ab");
    turn_for(t->l, 3);
    assert_int_equal(r.done, 0);
    say(t, "cd");
    turn_until(t->l, &r.done, 1);
    assert_memory_equal(b, "abcd", 4);
    assert_int_equal(s.done, 0);
    net_recv(t->l, &r.op, t->a, b, 4, true, net_done);
    net_cancel(t->l, &r.op);
    turn_until(t->l, &r.done, 2);
    assert_int_equal(s.done, 0);
    drain_and_compare(t, p, n);
    turn_until(t->l, &s.done, 1);
    assert_int_equal(s.res, n);
    free(p);
}

/* The number of a closed descriptor comes again with another socket. */
static void
test_number_again(void **state)
{
    struct bench *t = bench_of(state);

    for (int i = 0; i < 20; i++) {
        struct net n = {0};
        int pair[2];
        char b[8];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        net_recv(t->l, &n.op, pair[0], b, 8, false, net_done);
        if (i % 2)
            turn_for(t->l, 1);
        assert_int_equal(write(pair[1], "ab", 2), 2);
        turn_until(t->l, &n.done, 1);
        assert_int_equal(n.res, 2);
        t->l->net->forget(t->l, pair[0]);
        (void)close(pair[0]);
        (void)close(pair[1]);
    }
}

/* ---- listening ---- */

struct door {
    struct net_listener ln; /* first */
    unsigned n, closed, failed;
    int fd[8];
};

static void
door_accepted(struct ioloop *l, struct net_listener *ln, int fd)
{
    struct door *d = container_of(ln, struct door, ln);

    (void)l;
    if (fd == -ECANCELED)
        d->closed++;
    else if (fd == -EMFILE)
        d->failed++;
    else
        d->fd[d->n++] = fd;
    assert_true(fd >= 0 || fd == -ECANCELED || fd == -EMFILE);
}

static void
door_open(struct bench *t, struct door *d, struct sockaddr_in *sa)
{
    socklen_t len = sizeof(*sa);

    *d = (struct door){0};
    *sa = (struct sockaddr_in){.sin_family = AF_INET};
    sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    d->ln.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(d->ln.fd, (struct sockaddr *)sa, len), 0);
    assert_int_equal(listen(d->ln.fd, 16), 0);
    getsockname(d->ln.fd, (struct sockaddr *)sa, &len);
    d->ln.accepted = door_accepted;
    d->ln.loop = t->l;
}

static void
test_listen(void **state)
{
    struct bench *t = bench_of(state);
    struct sockaddr_in sa;
    struct door d;
    int c[5];

    door_open(t, &d, &sa);
    t->l->net->listen(t->l, &d.ln);
    for (int i = 0; i < 5; i++) {
        c[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(c[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
    }
    turn_until(t->l, &d.n, 5);
    t->l->net->unlisten(t->l, &d.ln);
    turn_until(t->l, &d.closed, 1);
    turn_for(t->l, 3);
    assert_int_equal(d.closed, 1);
    for (int i = 0; i < 5; i++) {
        (void)close(c[i]);
        (void)close(d.fd[i]);
    }
    (void)close(d.ln.fd);
}

/* The connection C waits at the door, and there is no descriptor for it. */
static void
door_crowded(struct bench *t, struct door *d, int *c, struct rlimit *was)
{
    struct sockaddr_in sa;
    struct rlimit none;
    int spare;

    door_open(t, d, &sa);
    *c = socket(AF_INET, SOCK_STREAM, 0);
    spare = dup(*c); /* the first one that is free */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, was), 0);
    none = *was;
    none.rlim_cur = (rlim_t)spare;
    (void)close(spare);
    assert_int_equal(connect(*c, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    t->l->net->listen(t->l, &d->ln);
    turn_until(t->l, &d->failed, 1);
}

/* No descriptor is left: the loop sleeps between its attempts, says so at each,
 * and takes the connection when there is one again. */
static void
test_no_descriptor(void **state)
{
    struct bench *t = bench_of(state);
    struct rlimit was;
    uint64_t turns;
    struct door d;
    int c;

    door_crowded(t, &d, &c, &was);
    turns = t->l->stat.turns;
    turn_until(t->l, &d.failed, 4);
    /* 300 ms, of which turn_until() itself wakes the loop each 5 ms. */
    assert_true(t->l->stat.turns - turns < 200);
    assert_int_equal(d.n, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    turn_until(t->l, &d.n, 1);
    t->l->net->unlisten(t->l, &d.ln);
    turn_until(t->l, &d.closed, 1);
    (void)close(c);
    (void)close(d.fd[0]);
    (void)close(d.ln.fd);
}

/* The listener is closed while it pauses: that is told once, and is the end. */
static void
test_no_descriptor_closed(void **state)
{
    struct bench *t = bench_of(state);
    struct rlimit was;
    struct door d;
    int c;

    door_crowded(t, &d, &c, &was);
    t->l->net->unlisten(t->l, &d.ln);
    turn_until(t->l, &d.closed, 1);
    turn_for(t->l, 250);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(d.closed, 1);
    assert_int_equal(d.n, 0);
    (void)close(c);
    (void)close(d.ln.fd);
}
