/* load.c - an HTTP/1.1 client that costs little, to load a server with.
 *
 * One thread, one epoll, N keep-alive connections on 127.0.0.1, each sending
 * its next request as soon as the answer to the last is in. What the client
 * itself spends is taken off what is measured, so it is kept small: a small
 * request is one send() from a buffer that was made before, a large body is
 * sendfile() from memory, an answer's body is dropped in the kernel
 * (MSG_TRUNC). Nothing is pipelined.
 *
 *   load --port P [--mode get|put|post|tus] --path /a/%d [--conns N]
 *        [--size BYTES] [--count N | --seconds S] [--chunked]
 *        [--header "Name: value"]... [--paths FILE] [--collect FILE]
 *   load --port P --mode hold --conns N --seconds S   idle connections
 *   load --port P --mode slow --conns N --seconds S   a byte per second each
 *
 * %d in the path becomes the number of the request. --paths takes paths from
 * the lines of FILE in turn; --collect writes the "file_id" of each answer.
 * hold makes one request on each connection, prints "holding", and is silent;
 * slow sends a head with --size and then one byte of body per second.
 *
 * Prints one JSON object: requests, errors, bytes, seconds, cpu (own, user and
 * system), and latency percentiles in microseconds. Exits 1 if a request
 * failed. Percentiles come from a histogram of 32 steps per power of two, so
 * they are true to 3 %.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load_args.h"
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_MAX = 4096,        /* of a request, without the small body */
    SMALL_MAX = 64 << 10,   /* bodies up to here go out with the head */
    BODY_MAX = 4 << 20,     /* what large bodies repeat */
    CHUNK = 64 << 10,       /* --chunked: data bytes per chunk */
    ANSWER_MAX = 16 << 10,  /* head and beginning of an answer */
    TURN_MAX = 1 << 20,     /* sent on one connection before the next */
    DISCARD_MAX = 16 << 20, /* dropped by one recv() */
    ERRORS_MAX = 100,       /* then it is pointless to go on */
    PATHS_MAX = 1 << 16,
    HISTOGRAM = 64 * 32
};

struct conn {
    int fd;
    char out[HEAD_MAX + SMALL_MAX]; /* head, and the body if it is small */
    size_t out_n;
    uint64_t sent;   /* of out_n + body_n */
    uint64_t body_n; /* wire bytes of the body after out */
    char in[ANSWER_MAX];
    size_t in_n;
    bool head_done, until_zero_chunk, closes;
    int status;
    uint64_t left; /* of the answer's body */
    double start;
    bool busy, wants_out;
};

static struct {
    uint64_t requests, errors, bytes, issued;
    uint32_t histogram[HISTOGRAM];
} sum;

static int epoll, body_fd = -1;
static char body[BODY_MAX]; /* in chunks: one, with its head and end */
static size_t body_len;
static FILE *collect;
static char *paths[PATHS_MAX];
static size_t paths_n;
static double deadline;

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The step of the histogram that V microseconds fall into, and back. */
static unsigned
step_of(uint64_t v)
{
    unsigned log;

    if (v < 32)
        return (unsigned)v;
    log = 63U - (unsigned)__builtin_clzll(v);
    return (log - 4) * 32 + (unsigned)(v >> (log - 5) & 31);
}

static uint64_t
value_of(unsigned step)
{
    unsigned log = step / 32 + 4;

    return step < 32 ? step : (32ULL + step % 32) << (log - 5);
}

static uint64_t
percentile(double p)
{
    uint64_t want = (uint64_t)((double)sum.requests * p), seen = 0;

    for (unsigned i = 0; i < HISTOGRAM; i++) {
        seen += sum.histogram[i];
        if (seen > want)
            return value_of(i);
    }
    return 0;
}

static void
body_make(void)
{
    uint64_t x = 88172645463325252ULL;
    size_t head = 0;

    if (opt.chunked)
        head = (size_t)sprintf(body, "%x\r\n", CHUNK);
    for (size_t i = head; i + 8 <= BODY_MAX; i += 8) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift64 */
        memcpy(body + i, &x, 8);
    }
    body_len = BODY_MAX;
    if (opt.chunked) {
        memcpy(body + head + CHUNK, "\r\n", 2);
        body_len = head + CHUNK + 2;
    } else if (opt.size > SMALL_MAX) {
        body_fd = memfd_create("body", MFD_CLOEXEC);
        if (body_fd < 0 || write(body_fd, body, body_len) < 0)
            err(1, "memfd");
    }
}

static void
paths_read(void)
{
    FILE *f = fopen(opt.paths_name, "r");
    char line[1024];

    if (f == NULL)
        err(1, "%s", opt.paths_name);
    while (fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (paths_n >= PATHS_MAX || (paths[paths_n++] = strdup(line)) == NULL)
            errx(1, "%s: too many paths", opt.paths_name);
    }
    fclose(f);
    if (paths_n == 0)
        errx(1, "%s: no paths", opt.paths_name);
}

static void
conn_open(struct conn *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)opt.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        err(1, "socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        err(1, "connect to port %d", opt.port);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
        err(1, "epoll");
    c->wants_out = false;
}

static void
conn_want(struct conn *c, bool out)
{
    struct epoll_event ev = {.events = EPOLLIN | (out ? EPOLLOUT : 0),
                             .data.ptr = c};

    if (c->wants_out != out && epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &ev) != 0)
        err(1, "epoll_ctl");
    c->wants_out = out;
}

/* Makes the next request of C; false when there is none to make. */
static bool
conn_next(struct conn *c)
{
    static const char *const verb[] = {"GET",  "PUT", "POST",
                                       "POST", "GET", "POST"};
    char path[1024], length[64] = "";
    const char *form = opt.path, *d = strstr(form, "%d");
    bool sends = opt.mode != GET && opt.mode != HOLD;
    uint64_t chunks = (opt.size + CHUNK - 1) / CHUNK;
    int n;

    c->busy = false;
    if (opt.count > 0 ? sum.issued >= opt.count : now() >= deadline)
        return false;
    if (paths_n > 0)
        snprintf(path, sizeof(path), "%s", paths[sum.issued % paths_n]);
    else if (d != NULL)
        snprintf(path, sizeof(path), "%.*s%llu%s", (int)(d - form), form,
                 (unsigned long long)sum.issued, d + 2);
    else
        snprintf(path, sizeof(path), "%s", form);
    if (sends && opt.chunked)
        snprintf(length, sizeof(length), "Transfer-Encoding: chunked\r\n");
    else if (sends)
        snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
                 (unsigned long long)opt.size);
    n = snprintf(c->out, HEAD_MAX, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s",
                 verb[opt.mode], path, opt.port, length);
    if (opt.mode == TUS)
        n += snprintf(c->out + n, (size_t)(HEAD_MAX - n),
                      "Tus-Resumable: 1.0.0\r\nUpload-Length: %llu\r\n"
                      "Content-Type: application/offset+octet-stream\r\n",
                      (unsigned long long)opt.size);
    else if (sends)
        n += snprintf(c->out + n, (size_t)(HEAD_MAX - n),
                      "Content-Type: application/octet-stream\r\n");
    n += snprintf(c->out + n, (size_t)(HEAD_MAX - n), "%s\r\n", opt.headers);
    if (n >= HEAD_MAX)
        errx(1, "the head is too long");
    c->out_n = (size_t)n;
    c->body_n = 0;
    if (sends && opt.chunked) {
        c->body_n = chunks * body_len + 5;
    } else if (sends && opt.size <= SMALL_MAX) {
        memcpy(c->out + n, body, opt.size);
        c->out_n += opt.size;
    } else if (sends) {
        c->body_n = opt.size;
    }
    c->sent = 0;
    c->in_n = 0;
    c->head_done = c->until_zero_chunk = c->closes = false;
    c->start = now();
    c->busy = true;
    sum.issued++;
    return true;
}

/* One call that sends something of the body; what send() returns. */
static ssize_t
send_body(struct conn *c)
{
    uint64_t at = c->sent - c->out_n, left = c->body_n - at;

    if (opt.chunked && left <= 5)
        return send(c->fd, "0\r\n\r\n" + (5 - left), left, MSG_NOSIGNAL);
    if (opt.chunked) {
        size_t in = at % body_len, n = body_len - in;

        return send(c->fd, body + in, n, MSG_NOSIGNAL);
    } else {
        off_t from = (off_t)(at % body_len);
        uint64_t n = body_len - (uint64_t)from;

        return sendfile(c->fd, body_fd, &from, n < left ? n : left);
    }
}

/* Sends until all is out, the socket is full, or it is another's turn. False
 * when the connection is broken. */
static bool
conn_send(struct conn *c)
{
    uint64_t turn = 0, total = c->out_n + c->body_n;

    while (c->sent < total && turn < TURN_MAX) {
        ssize_t n = c->sent < c->out_n
                        ? send(c->fd, c->out + c->sent, c->out_n - c->sent,
                               MSG_NOSIGNAL | (c->body_n ? MSG_MORE : 0))
                        : send_body(c);

        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0)
            return false;
        c->sent += (uint64_t)n;
        turn += (uint64_t)n;
    }
    conn_want(c, c->sent < total);
    return true;
}

/* The value of header NAME ("name:") in the answer, or NULL. */
static const char *
header(struct conn *c, const char *end, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = strstr(c->in, "\r\n"); p != NULL && p < end;
         p = strstr(p + 2, "\r\n")) {
        if (strncasecmp(p + 2, name, n) == 0)
            return p + 2 + n + strspn(p + 2 + n, " ");
    }
    return NULL;
}

static void
note_id(struct conn *c)
{
    const char *p = strstr(c->in, "\"file_id\"");

    if (collect == NULL || p == NULL || (p = strchr(p + 9, '"')) == NULL)
        return;
    fprintf(collect, "%.*s\n", (int)strcspn(p + 1, "\""), p + 1);
}

/* Reads what there is. 1: the answer is complete, 0: more to come, -1: the
 * connection is broken. */
static int
conn_read(struct conn *c)
{
    const char *end, *v;
    ssize_t n;

    while (c->head_done && c->left > 0 && !c->until_zero_chunk) {
        size_t want = c->left < DISCARD_MAX ? c->left : DISCARD_MAX;

        /* cppcheck-suppress nullPointer ; dropped, not copied: tcp(7) */
        n = recv(c->fd, NULL, want, MSG_TRUNC);
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            return -1;
        c->left -= (uint64_t)n;
        sum.bytes += (uint64_t)n;
        if (c->left == 0)
            return 1;
    }
    n = recv(c->fd, c->in + c->in_n, ANSWER_MAX - 1 - c->in_n, 0);
    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        return -1;
    c->in_n += (size_t)n;
    c->in[c->in_n] = '\0';
    if (c->until_zero_chunk)
        return strstr(c->in, "\r\n0\r\n\r\n") != NULL;
    end = strstr(c->in, "\r\n\r\n");
    if (end == NULL)
        return c->in_n < ANSWER_MAX - 1 ? 0 : -1;
    c->head_done = true;
    c->status = (int)strtol(c->in + strlen("HTTP/1.1 "), NULL, 10);
    v = header(c, end, "connection:");
    c->closes = v != NULL && strncasecmp(v, "close", 5) == 0;
    v = header(c, end, "transfer-encoding:");
    if (v != NULL) {
        c->until_zero_chunk = true;
        return strstr(end, "\r\n0\r\n\r\n") != NULL;
    }
    v = header(c, end, "content-length:");
    c->left = v != NULL ? strtoull(v, NULL, 10) : 0;
    n = (ssize_t)(c->in_n - (size_t)(end + 4 - c->in));
    if (opt.mode == GET)
        sum.bytes += (uint64_t)n;
    if (opt.mode != GET && c->left < ANSWER_MAX / 2 && (uint64_t)n < c->left) {
        c->head_done = false; /* short: wait for the whole, for its file_id */
        return 0;
    }
    c->left -= (uint64_t)n < c->left ? (uint64_t)n : c->left;
    return c->left == 0;
}

static void
conn_failed(struct conn *c, const char *why)
{
    if (sum.errors++ == 0)
        warnx("%s: status %d, %.300s", why, c->status, c->in);
    if (sum.errors > ERRORS_MAX)
        errx(1, "too many errors");
    close(c->fd);
    conn_open(c);
}

static void
conn_done(struct conn *c)
{
    uint64_t us = (uint64_t)((now() - c->start) * 1e6);
    bool whole = c->sent == c->out_n + c->body_n;

    if (c->status / 100 != 2 || !whole) {
        conn_failed(c, whole ? "refused" : "answered before the body was in");
        return;
    }
    sum.requests++;
    sum.histogram[step_of(us)]++;
    if (opt.mode != GET)
        sum.bytes += opt.size;
    note_id(c);
    if (c->closes) {
        close(c->fd);
        conn_open(c);
    }
}

static void
conn_event(struct conn *c, uint32_t events)
{
    int done;

    if (events & EPOLLIN) {
        done = c->busy ? conn_read(c) : -1;
        if (done < 0 && !c->busy) { /* the server ended an idle connection */
            epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
            return;
        }
        if (done < 0)
            conn_failed(c, "connection lost");
        if (done > 0)
            conn_done(c);
        if (done != 0) {
            if (conn_next(c) && !conn_send(c))
                conn_failed(c, "cannot send");
            return;
        }
    }
    if ((events & EPOLLOUT) && c->busy && !conn_send(c)) {
        /* The server may have said why before it hung up. */
        if (conn_read(c) <= 0 || c->status == 0)
            snprintf(c->in, sizeof(c->in), "(nothing said)");
        conn_failed(c, "cannot send");
        if (conn_next(c))
            (void)conn_send(c);
    }
}

static void
turns(struct conn *conns)
{
    struct epoll_event ev[256];
    int busy = 1;

    while (busy > 0) {
        int n = epoll_wait(epoll, ev, 256, 1000);

        for (int i = 0; i < n; i++)
            conn_event(ev[i].data.ptr, ev[i].events);
        busy = 0;
        if (n == 0 && opt.count == 0 && now() > deadline + 60)
            errx(1, "no answer within a minute");
        for (int i = 0; i < opt.conns && busy == 0; i++)
            busy += conns[i].busy;
    }
}

/* Idle connections, or bodies of one byte per second; until time is up. */
static void
linger(struct conn *conns)
{
    int alive = 0;

    printf("holding\n");
    fflush(stdout);
    while (now() < deadline) {
        alive = 0;
        for (int i = 0; i < opt.conns; i++) {
            struct conn *c = &conns[i];
            char b[512];

            if (c->fd < 0)
                continue;
            if (recv(c->fd, b, sizeof(b), MSG_DONTWAIT) >= 0 ||
                (opt.mode == SLOW && send(c->fd, "x", 1, MSG_NOSIGNAL) != 1)) {
                close(c->fd); /* the server has had enough of it */
                c->fd = -1;
                continue;
            }
            alive++;
        }
        poll(NULL, 0, 1000);
    }
    sum.requests = (uint64_t)alive;
}

static void
slow_heads(struct conn *conns)
{
    for (int i = 0; i < opt.conns; i++) {
        struct conn *c = &conns[i];
        const char *end;

        (void)conn_next(c);
        /* The head and no byte of the body, however small. */
        end = strstr(c->out, "\r\n\r\n");
        if (end == NULL)
            errx(1, "the time is up before it began");
        c->out_n = (size_t)(end + 4 - c->out);
        if (send(c->fd, c->out, c->out_n, MSG_NOSIGNAL) < 0)
            err(1, "send");
    }
}

static void
report(double seconds)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    printf("{\"requests\": %llu, \"errors\": %llu, \"bytes\": %llu, "
           "\"seconds\": %.6f, \"cpu\": %.6f, \"p50_us\": %llu, "
           "\"p90_us\": %llu, \"p99_us\": %llu, \"p999_us\": %llu}\n",
           (unsigned long long)sum.requests, (unsigned long long)sum.errors,
           (unsigned long long)sum.bytes, seconds,
           (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6,
           (unsigned long long)percentile(0.5),
           (unsigned long long)percentile(0.9),
           (unsigned long long)percentile(0.99),
           (unsigned long long)percentile(0.999));
}

int
main(int argc, char **argv)
{
    struct conn *conns;
    struct rlimit files;
    double start;

    load_args(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    body_make();
    if (opt.paths_name != NULL)
        paths_read();
    if (opt.collect_name != NULL &&
        (collect = fopen(opt.collect_name, "w")) == NULL)
        err(1, "%s", opt.collect_name);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc((size_t)opt.conns, sizeof(*conns));
    if (epoll < 0 || conns == NULL)
        err(1, "epoll");
    for (int i = 0; i < opt.conns; i++)
        conn_open(&conns[i]);
    start = now();
    deadline = start + opt.seconds;
    if (opt.mode == HOLD)
        opt.count = (uint64_t)opt.conns; /* one request on each */
    if (opt.mode == SLOW) {
        slow_heads(conns);
        linger(conns);
    } else {
        for (int i = 0; i < opt.conns; i++)
            if (conn_next(&conns[i]) && !conn_send(&conns[i]))
                conn_failed(&conns[i], "cannot send");
        turns(conns);
        if (opt.mode == HOLD)
            linger(conns);
    }
    report(now() - start);
    if (collect != NULL && fclose(collect) != 0)
        err(1, "%s", opt.collect_name);
    free(conns);
    return sum.errors == 0 && sum.requests > 0 ? 0 : 1;
}
