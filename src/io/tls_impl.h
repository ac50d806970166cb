/* tls_impl.h - what both sides of TLS share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_TLS_IMPL_H
#define IO_TLS_IMPL_H

#include "io/tls.h"
#include <openssl/bio.h>

/* A BIO whose data is a struct tls_wire. NULL: no memory. */
BIO_METHOD *tls_wire_method(void);

#endif
