/* http_client.c - see http_world.h: the client side, and certificates for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/http_world_impl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 20000

struct client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    uint8_t *buf; /* buf[at..n) was received and not used */
    size_t at, n, cap;
};

/* ---- certificates ---- */

void
cert_make(const char *cert, const char *key, const char *name)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    FILE *f;

    assert_non_null(k);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 24 * 3600);
    X509_set_pubkey(x, k);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, subject);
    assert_true(X509_sign(x, k, EVP_sha256()) > 0);
    f = fopen(cert, "we");
    assert_non_null(f);
    PEM_write_X509(f, x);
    fclose(f);
    f = fopen(key, "we");
    assert_non_null(f);
    PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(k);
}

/* ---- connecting ---- */

/* The kernel tells the thread that opened a ring when it is torn down, which
 * ends this thread's system calls early. */
static bool
interrupted(ssize_t r)
{
    return r <= 0 && errno == EINTR;
}

static struct client *
connect_to(struct world *w, int receive_buffer)
{
    struct client *c = calloc(1, sizeof(*c));
    struct sockaddr_in sa = {.sin_family = AF_INET};
    struct timeval patience = {PATIENCE_MS / 1000, 0};
    int one = 1;

    assert_non_null(c);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sa.sin_port = htons((uint16_t)atoi(strrchr(w->url, ':') + 1));
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                   sizeof(receive_buffer));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    while (connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) == -1 &&
           errno != EISCONN)
        assert_true(errno == EINTR || errno == EALREADY);
    return c;
}

struct client *
client_open_plain(struct world *w)
{
    return connect_to(w, 0);
}

struct client *
client_try(struct world *w, int receive_buffer)
{
    struct client *c = connect_to(w, receive_buffer);
    int r;

    if (w->tls == NULL)
        return c;
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    do {
        errno = 0;
        r = SSL_connect(c->ssl);
        ERR_clear_error();
    } while (interrupted(r));
    if (r != 1)
        client_reset(&c);
    return c;
}

struct client *
client_open(struct world *w)
{
    struct client *c = client_try(w, 0);

    assert_non_null(c);
    return c;
}

struct ssl_st *
client_ssl(struct client *c)
{
    return c->ssl;
}

static void
client_free(struct client **cp)
{
    struct client *c = *cp;

    *cp = NULL;
    (void)close(c->fd);
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    free(c->buf);
    free(c);
}

void
client_close(struct client **c)
{
    if ((*c)->ssl) {
        (void)SSL_shutdown((*c)->ssl);
        ERR_clear_error();
    }
    client_free(c);
}

void
client_reset(struct client **c)
{
    struct linger off = {1, 0};

    setsockopt((*c)->fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
    client_free(c);
}

/* ---- bytes ---- */

bool
client_send(struct client *c, const void *p, size_t n)
{
    const char *at = p;

    while (n) {
        ssize_t r;

        errno = 0;
        r = c->ssl ? SSL_write(c->ssl, at, (int)size_min(n, 1 << 30))
                   : send(c->fd, at, n, MSG_NOSIGNAL);
        ERR_clear_error();
        if (interrupted(r))
            continue;
        if (r <= 0)
            return false;
        at += r;
        n -= (size_t)r;
    }
    return true;
}

bool
client_say(struct client *c, const char *fmt, ...)
{
    char text[8192];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    assert_true(n >= 0 && (size_t)n < sizeof(text));
    return client_send(c, text, (size_t)n);
}

ssize_t
client_read(struct client *c, void *p, size_t n)
{
    ssize_t r;

    if (c->at < c->n) {
        n = size_min(n, c->n - c->at);
        memcpy(p, c->buf + c->at, n);
        c->at += n;
        return (ssize_t)n;
    }
    do {
        errno = 0;
        r = c->ssl ? SSL_read(c->ssl, p, (int)size_min(n, 1 << 30))
                   : recv(c->fd, p, n, 0);
    } while (interrupted(r));
    if (c->ssl && r <= 0) {
        int sys = errno;

        r = SSL_get_error(c->ssl, (int)r) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
        ERR_clear_error();
        errno = sys;
    }
    return r;
}

/* Some more of what the server sends, behind buf[n). */
static bool
fill(struct client *c)
{
    size_t at = c->at;
    ssize_t r;

    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64 * KIB;
        c->buf = realloc(c->buf, c->cap);
        assert_non_null(c->buf);
    }
    c->at = c->n; /* read from the socket, not from the buffer */
    r = client_read(c, c->buf + c->n, c->cap - c->n);
    c->at = at;
    if (r <= 0)
        return false;
    c->n += (size_t)r;
    return true;
}

static bool
head_read(struct client *c, struct answer *a)
{
    const char *end;
    char *p;

    memset(a, 0, sizeof(*a));
    while ((end = c->n == c->at ? NULL
                                : memmem(c->buf + c->at, c->n - c->at,
                                         "\r\n\r\n", 4)) == NULL)
        if (!fill(c))
            return false;
    end += 4;
    if (!slice_copy(
            slice_of(c->buf + c->at, (size_t)(end - (char *)c->buf) - c->at),
            a->head, sizeof(a->head)))
        return false;
    c->at = (size_t)(end - (char *)c->buf);
    assert_int_equal(memcmp(a->head, "HTTP/1.1 ", 9), 0);
    a->status = atoi(a->head + 9);
    a->keep = strstr(a->head, "\r\nConnection: close\r\n") == NULL;
    p = strstr(a->head, "\r\nContent-Length: ");
    a->length = p ? atoll(p + 18) : -1;
    return true;
}

bool
client_hear(struct client *c, struct answer *a, bool head)
{
    int interim = 0;
    size_t want;

    if (c->at) { /* what was answered before is no longer needed */
        memmove(c->buf, c->buf + c->at, c->n - c->at);
        c->n -= c->at;
        c->at = 0;
    }
    for (;; interim++) {
        if (!head_read(c, a))
            return false;
        if (a->status >= 200)
            break;
    }
    a->interim = interim;
    want = head || a->length < 0 ? 0 : (size_t)a->length;
    while (c->n - c->at < want && fill(c)) {
    }
    a->body = c->buf + c->at;
    a->body_n = size_min(want, c->n - c->at);
    a->whole = a->body_n == want;
    c->at += a->body_n;
    return true;
}

static void
patience(struct client *c, int ms)
{
    struct timeval t = {ms / 1000, (ms % 1000) * 1000};

    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
}

bool
client_closed(struct client *c, int ms)
{
    char b;
    ssize_t r;
    int sys;

    if (c->at < c->n)
        return false;
    patience(c, ms);
    errno = 0;
    r = client_read(c, &b, 1);
    sys = errno;
    patience(c, PATIENCE_MS);
    return r == 0 || (r < 0 && sys != EAGAIN);
}

bool
client_silent(struct client *c, int ms)
{
    char b;
    ssize_t r;
    int sys;

    if (c->at < c->n)
        return false;
    patience(c, ms);
    errno = 0;
    r = client_read(c, &b, 1);
    sys = errno;
    patience(c, PATIENCE_MS);
    return r < 0 && sys == EAGAIN;
}

/* ---- all tests on all variants ---- */

static int
run_variant(const char *group, const struct world_test *tests, size_t n,
            struct variant *v)
{
    struct CMUnitTest *t = calloc(n, sizeof(*t));
    char name[100];
    size_t k = 0;
    int failed;

    assert(t != NULL);
    for (size_t i = 0; i < n; i++) {
        if (v->tls && tests[i].plain_only)
            continue;
        snprintf(name, sizeof(name), "%s (%s%s)", tests[i].name, v->loop,
                 v->tls ? ", TLS" : "");
        t[k].name = strdup(name);
        t[k].test_func = tests[i].run;
        t[k].initial_state = v;
        k++;
    }
    cmocka_set_test_filter(getenv("TEST_FILTER")); /* "move*" */
    failed = _cmocka_run_group_tests(group, t, k, NULL, NULL);
    for (size_t i = 0; i < k; i++)
        free((char *)(uintptr_t)t[i].name);
    free(t);
    return failed;
}

/* What a child wrote, when it has ended; 0 if it succeeded. */
static int
child_end(pid_t pid, FILE *out)
{
    char b[4096];
    size_t n;
    int status;

    while (waitpid(pid, &status, 0) == -1)
        assert(errno == EINTR);
    rewind(out);
    while ((n = fread(b, 1, sizeof(b), out)) > 0)
        (void)fwrite(b, 1, n, stdout);
    fclose(out);
    return status == 0 ? 0 : 1;
}

/* Side by side, since most of them wait most of the time. */
int
world_run(const char *group, const struct world_test *tests, size_t n)
{
    static struct variant variant[] = {
        {"uring", false}, {"uring", true}, {"epoll", false}, {"epoll", true}};
    FILE *out[countof(variant)];
    pid_t pid[countof(variant)];
    int failed = 0;

    fflush(NULL);
    for (size_t v = 0; v < countof(variant); v++) {
        out[v] = tmpfile();
        assert(out[v] != NULL);
        pid[v] = fork();
        assert(pid[v] != -1);
        if (pid[v] == 0) {
            (void)dup2(fileno(out[v]), STDOUT_FILENO);
            (void)dup2(fileno(out[v]), STDERR_FILENO);
            exit(run_variant(group, tests, n, &variant[v]));
        }
    }
    for (size_t v = 0; v < countof(variant); v++)
        failed += child_end(pid[v], out[v]);
    return failed;
}
