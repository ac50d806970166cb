/* tls.c - see tls.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_impl.h"
#include "base/base.h"
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct tls_context {
    pthread_mutex_t mu; /* guards ctx and expires */
    SSL_CTX *ctx;
    struct wall expires;
    BIO_METHOD *bio;
    char *cert_file;
    char *key_file;
    bool allow_tls12;
};

/* ---- OpenSSL over memory ---- */

static int
wire_read(BIO *b, char *p, size_t n, size_t *did)
{
    struct tls_wire *w = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    *did = size_min(n, w->in_n);
    if (*did == 0) {
        BIO_set_retry_read(b);
        return 0;
    }
    memcpy(p, w->in, *did);
    w->in += *did;
    w->in_n -= *did;
    return 1;
}

static int
wire_write(BIO *b, const char *p, size_t n, size_t *did)
{
    struct tls_wire *w = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    *did = 0;
    if (!w->out(w, p, n))
        return 0; /* not "again": whoever writes here has made room before */
    *did = n;
    return 1;
}

static long
wire_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    (void)b;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

BIO_METHOD *
tls_wire_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");

    if (m && BIO_meth_set_read_ex(m, wire_read) &&
        BIO_meth_set_write_ex(m, wire_write) && BIO_meth_set_ctrl(m, wire_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

struct ssl_st *
tls_context_accept(struct tls_context *t, struct tls_wire *w)
{
    BIO *b = BIO_new(t->bio);
    SSL *ssl;

    pthread_mutex_lock(&t->mu);
    ssl = SSL_new(t->ctx);
    pthread_mutex_unlock(&t->mu);
    if (b == NULL || ssl == NULL) {
        BIO_free(b);
        SSL_free(ssl);
        return NULL;
    }
    BIO_set_data(b, w);
    BIO_set_init(b, 1);
    SSL_set_bio(ssl, b, b);
    SSL_set_accept_state(ssl);
    return ssl;
}

/* ---- files ---- */

const char *
tls_reason(void)
{
    unsigned long e = ERR_get_error();
    const char *text = e ? ERR_reason_error_string(e) : NULL;

    if (e && ERR_SYSTEM_ERROR(e))
        text = "the system failed";
    ERR_clear_error();
    return text ? text : "the peer hung up";
}

enum err
tls_file_fault(struct fault *f, const char *option, const char *file)
{
    char what[sizeof(f->what)];
    size_t n = strlen(file);

    snprintf(what, sizeof(what), "%s: %s", n > 90 ? file + n - 90 : file,
             tls_reason());
    return fault_set(f, ERR_INVAL, option, what);
}

/* Asked for the passphrase of a key; nobody is there to type it. */
static int
no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

/* HTTP/1.1 or nothing: a client that names protocols and not this one must not
 * be left to believe in another (RFC 7301 section 3.2). */
static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                const unsigned char *in, unsigned n, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *got;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&got, out_n, ours, sizeof(ours) - 1, in, n) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = got;
    return SSL_TLSEXT_ERR_OK;
}

static void
context_rules(const struct tls_context *t, SSL_CTX *ctx)
{
    SSL_CTX_set_min_proto_version(ctx, t->allow_tls12 ? TLS1_2_VERSION
                                                      : TLS1_3_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Record buffers exist only while a record is on its way. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Resumption is by ticket, whose keys die with the context: nothing to
     * keep here for clients that may never return. One ticket is enough. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
}

enum err
tls_load_pair(SSL_CTX *ctx, const char *of_cert, const char *cert_file,
              const char *of_key, const char *key_file, struct fault *f)
{
    if (access(cert_file, R_OK) != 0)
        return fault_sys(f, errno, of_cert, cert_file);
    if (access(key_file, R_OK) != 0)
        return fault_sys(f, errno, of_key, key_file);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return tls_file_fault(f, of_cert, cert_file);
    /* Also compares it with the certificate. */
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return tls_file_fault(f, of_key, key_file);
    return ERR_OK;
}

static struct wall
context_expires(const SSL_CTX *ctx)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx)),
                        &tm) != 1)
        return (struct wall){0};
    return (struct wall){(int64_t)timegm(&tm) * 1000};
}

static enum err
context_read(const struct tls_context *t, SSL_CTX **out, struct fault *f)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    enum err e;

    *out = NULL;
    if (ctx == NULL)
        return fault_set(f, ERR_NOMEM, "TLS", tls_reason());
    context_rules(t, ctx);
    e = tls_load_pair(ctx, "TLS_CERT_FILE", t->cert_file, "TLS_KEY_FILE",
                      t->key_file, f);
    if (e == ERR_OK)
        *out = ctx;
    else
        SSL_CTX_free(ctx);
    return e;
}

enum err
tls_context_reload(struct tls_context *t, struct fault *f)
{
    SSL_CTX *fresh, *old;
    enum err e = context_read(t, &fresh, f);

    if (e != ERR_OK)
        return e;
    pthread_mutex_lock(&t->mu);
    old = t->ctx;
    t->ctx = fresh;
    t->expires = context_expires(fresh);
    pthread_mutex_unlock(&t->mu);
    SSL_CTX_free(old); /* its connections hold it */
    return ERR_OK;
}

enum err
tls_context_open(struct tls_context **out, const struct tls_conf *c,
                 struct fault *f)
{
    struct tls_context *t = calloc(1, sizeof(*t));
    enum err e;

    *out = NULL;
    if (t == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "TLS");
    pthread_mutex_init(&t->mu, NULL);
    t->bio = tls_wire_method();
    t->cert_file = strdup(c->cert_file);
    t->key_file = strdup(c->key_file);
    t->allow_tls12 = c->allow_tls12;
    if (t->bio == NULL || t->cert_file == NULL || t->key_file == NULL)
        e = fault_set(f, ERR_NOMEM, "allocate", "TLS");
    else
        e = tls_context_reload(t, f);
    if (e != ERR_OK)
        tls_context_close(&t);
    *out = t;
    return e;
}

void
tls_context_close(struct tls_context **tp)
{
    struct tls_context *t = *tp;

    *tp = NULL;
    if (t == NULL)
        return;
    SSL_CTX_free(t->ctx);
    BIO_meth_free(t->bio);
    free(t->cert_file);
    free(t->key_file);
    pthread_mutex_destroy(&t->mu);
    free(t);
}

struct wall
tls_context_expires(struct tls_context *t)
{
    struct wall w;

    pthread_mutex_lock(&t->mu);
    w = t->expires;
    pthread_mutex_unlock(&t->mu);
    return w;
}
