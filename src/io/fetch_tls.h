/* fetch_tls.h - the link of a client's connection through TLS; see
 * fetch_impl.h for what each promises. SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_FETCH_TLS_H
#define IO_FETCH_TLS_H

#include "io/fetch_impl.h"

bool fetch_tls_start(struct fetch_conn *c);
void fetch_tls_free(struct fetch_conn *c);
void fetch_tls_send(struct fetch_conn *c);
/* P NULL: some bytes, for fc_got(). */
void fetch_tls_recv(struct fetch_conn *c, void *p, size_t n, bool all);
void fetch_tls_cancel(struct fetch_conn *c);
bool fetch_tls_busy(const struct fetch_conn *c);

#endif
