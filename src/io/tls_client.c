/* tls_client.c - TLS for connections that we make. See tls.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "io/tls_impl.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct tls_client {
    SSL_CTX *ctx;
    BIO_METHOD *bio;
};

static bool
load_trust(SSL_CTX *ctx, const char *ca_file)
{
    ERR_clear_error();
    return (ca_file ? SSL_CTX_load_verify_file(ctx, ca_file)
                    : SSL_CTX_set_default_verify_paths(ctx)) == 1;
}

enum err
tls_client_open(struct tls_client **out, const char *ca_file, bool allow_tls12,
                struct fault *f)
{
    struct tls_client *c = calloc(1, sizeof(*c));

    *out = NULL;
    if (c) {
        c->ctx = SSL_CTX_new(TLS_client_method());
        c->bio = tls_wire_method();
    }
    if (c == NULL || c->ctx == NULL || c->bio == NULL) {
        tls_client_close(&c);
        return fault_set(f, ERR_NOMEM, "allocate", "TLS client");
    }
    SSL_CTX_set_min_proto_version(c->ctx, allow_tls12 ? TLS1_2_VERSION
                                                      : TLS1_3_VERSION);
    SSL_CTX_set_options(c->ctx,
                        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    if (ca_file && access(ca_file, R_OK) != 0) {
        tls_client_close(&c);
        return fault_sys(f, errno, "certificates of trust", ca_file);
    }
    if (!load_trust(c->ctx, ca_file)) {
        tls_client_close(&c);
        return ca_file ? tls_file_fault(f, "certificates of trust", ca_file)
                       : fault_set(f, ERR_INVAL, "certificates of trust",
                                   tls_reason());
    }
    *out = c;
    return ERR_OK;
}

void
tls_client_close(struct tls_client **cp)
{
    struct tls_client *c = *cp;

    *cp = NULL;
    if (c == NULL)
        return;
    SSL_CTX_free(c->ctx); /* its connections hold it */
    BIO_meth_free(c->bio);
    free(c);
}

enum err
tls_client_present(struct tls_client *c, const char *cert_file,
                   const char *key_file, struct fault *f)
{
    return tls_load_pair(c->ctx, "our certificate", cert_file, "key of it",
                         key_file, f);
}

/* A name is told to the peer (SNI, RFC 6066 section 3: no addresses). */
static bool
expect_host(SSL *ssl, const char *host)
{
    struct in6_addr a;
    bool address =
        inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;

    if (address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}

/* As RFC 7301 section 3.1 has it: the length, then the name. */
static bool
offer(SSL *ssl, const char *protocol)
{
    unsigned char list[32];
    size_t n = strlen(protocol);

    assert(n < sizeof(list));
    list[0] = (unsigned char)n;
    memcpy(list + 1, protocol, n);
    return SSL_set_alpn_protos(ssl, list, (unsigned)n + 1) == 0;
}

struct ssl_st *
tls_client_connect(struct tls_client *c, struct tls_wire *w, const char *host,
                   const char *protocol)
{
    SSL *ssl = SSL_new(c->ctx);
    BIO *b = BIO_new(c->bio);

    if (ssl == NULL || b == NULL || !expect_host(ssl, host) ||
        (protocol && !offer(ssl, protocol))) {
        SSL_free(ssl);
        BIO_free(b);
        return NULL;
    }
    BIO_set_data(b, w);
    BIO_set_init(b, 1);
    SSL_set_bio(ssl, b, b);
    SSL_set_connect_state(ssl);
    return ssl;
}
