/* tls_impl.h - what both sides of TLS share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_TLS_IMPL_H
#define IO_TLS_IMPL_H

#include "io/tls.h"
#include <openssl/bio.h>
#include <openssl/ssl.h>

/* A BIO whose data is a struct tls_wire. NULL: no memory. */
BIO_METHOD *tls_wire_method(void);

/* A certificate with its chain, and its key. A fault's op is the option's name,
 * OF_CERT or OF_KEY. */
enum err
tls_load_pair(SSL_CTX *ctx, const char *of_cert, const char *cert_file,
              const char *of_key, const char *key_file, struct fault *f);

/* By OpenSSL's queue of errors: "/etc/artstore/tls.pem: no start line", the
 * file cut at its left. */
enum err tls_file_fault(struct fault *f, const char *option, const char *file);

#endif
