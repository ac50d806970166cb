/* redis_tls.c - see redis_tls.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/redis_tls.h"
#include "base/base.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#define HELLO_MAX ((size_t)64 * 1024) /* certificate chains are long */

struct redis_tls {
    struct tls_wire wire; /* first */
    SSL *ssl;
    struct buf out; /* ciphertext that nobody has fetched */
    bool up;
    size_t heard;
    char piece[16 * 1024]; /* a record (RFC 8446 section 5.1) */
};

/* ---- trust ---- */

enum err
redis_trust_open(struct tls_client **out, const struct coord_redis_conf *c,
                 struct fault *f)
{
    const char *ca =
        c->tls_ca_file && c->tls_ca_file[0] ? c->tls_ca_file : NULL;
    enum err e;

    *out = NULL;
    if (!c->tls)
        return ERR_OK;
    e = tls_client_open(out, ca, true, f); /* PRD-231: 1.2 and later */
    if (e != ERR_OK)
        return e == ERR_NOMEM ? e : fault_hint(f, "see REDIS_TLS_CA_FILE");
    if (!c->tls_cert_file || !c->tls_cert_file[0])
        return ERR_OK;
    e = tls_client_present(*out, c->tls_cert_file, c->tls_key_file, f);
    if (e == ERR_OK)
        return ERR_OK;
    tls_client_close(out);
    return fault_hint(f, "see REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE");
}

/* ---- life ---- */

static bool
wire_out(struct tls_wire *w, const void *p, size_t n)
{
    return buf_add(&((struct redis_tls *)(void *)w)->out, p, n);
}

struct redis_tls *
redis_tls_new(struct tls_client *trust, const char *host, size_t out_max)
{
    struct redis_tls *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    buf_init(&t->out, out_max);
    t->wire.out = wire_out;
    t->ssl = tls_client_connect(trust, &t->wire, host, NULL);
    if (!t->ssl)
        redis_tls_free(&t);
    return t;
}

void
redis_tls_free(struct redis_tls **tp)
{
    struct redis_tls *t = *tp;

    *tp = NULL;
    if (!t)
        return;
    SSL_free(t->ssl);
    buf_release(&t->out);
    OPENSSL_cleanse(t->piece, sizeof(t->piece));
    free(t);
}

bool
redis_tls_up(const struct redis_tls *t)
{
    return t->up;
}

/* ---- what went wrong ---- */

static const char *
hint_of_certificate(long why)
{
    switch (why) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "its certificate has another name: use one that stands there "
               "in REDIS_HOST (or REDIS_URL, REDIS_SENTINELS), or say it in "
               "REDIS_TLS_SERVER_NAME";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the certificate of Redis has ended or not begun; are the "
               "clocks right?";
    default:
        return "REDIS_TLS_CA_FILE must hold the certificate of who signed "
               "that of Redis";
    }
}

static const char *
hint_of_protocol(int reason)
{
    switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNEXPECTED_MESSAGE:
        return "is TLS spoken there? Name the tls-port of Redis, or see "
               "REDIS_TLS and redis://";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "Redis wants a certificate of ours that it trusts "
               "(tls-auth-clients): see REDIS_TLS_CERT_FILE and "
               "REDIS_TLS_KEY_FILE";
    default:
        return NULL;
    }
}

/* By OpenSSL's queue of errors, which is emptied. */
static enum err
failed(struct redis_tls *t, const char *address, struct fault *f)
{
    long cert = SSL_get_verify_result(t->ssl);
    const char *hint = hint_of_protocol(ERR_GET_REASON(ERR_peek_error()));
    const char *reason = tls_reason();
    char what[sizeof(f->what)];

    if (cert != X509_V_OK) {
        reason = X509_verify_cert_error_string(cert);
        hint = hint_of_certificate(cert);
    }
    (void)snprintf(what, sizeof(what), "%.120s: %s", address, reason);
    (void)fault_set(f, ERR_IO, "speak TLS with", what);
    return hint ? fault_hint(f, hint) : ERR_IO;
}

/* ---- bytes ---- */

static enum err
shake_hands(struct redis_tls *t, const char *address, struct fault *f)
{
    int r;

    ERR_clear_error();
    r = SSL_do_handshake(t->ssl);
    t->up = r == 1;
    if (t->up || (SSL_get_error(t->ssl, r) == SSL_ERROR_WANT_READ &&
                  t->heard < HELLO_MAX))
        return ERR_OK;
    return failed(t, address, f);
}

enum err
redis_tls_seal(struct redis_tls *t, struct buf *plain, struct buf *out,
               const char *address, struct fault *f)
{
    struct buf swap = *out;
    enum err e = t->up ? ERR_OK : shake_hands(t, address, f);
    size_t did;

    assert(out->n == 0 && out->max == t->out.max);
    if (e != ERR_OK)
        return e;
    if (t->up && plain->n) {
        ERR_clear_error();
        if (SSL_write_ex(t->ssl, plain->p, plain->n, &did) != 1 ||
            did != plain->n)
            return failed(t, address, f);
        buf_clear(plain);
    }
    *out = t->out;
    t->out = swap;
    return ERR_OK;
}

enum err
redis_tls_take(struct redis_tls *t, const void *p, size_t n,
               bool (*sink)(void *arg, const void *p, size_t n), void *arg,
               const char *address, struct fault *f)
{
    enum err e = ERR_OK;
    size_t k;

    t->wire.in = p;
    t->wire.in_n = n;
    t->heard += t->up ? 0 : n;
    if (!t->up)
        e = shake_hands(t, address, f);
    while (e == ERR_OK && t->up) {
        ERR_clear_error();
        if (SSL_read_ex(t->ssl, t->piece, sizeof(t->piece), &k) == 1) {
            if (!sink(arg, t->piece, k))
                break;
            continue;
        }
        switch (SSL_get_error(t->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            return ERR_OK;
        case SSL_ERROR_ZERO_RETURN:
            return ERR_END;
        default:
            e = failed(t, address, f);
        }
    }
    return e;
}
