/* sum.h - SHA-256 of a stream, by OpenSSL: the client's own opinion on what was
 * sent and received, made by other code than the server's.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SUM_H
#define CLI_SUM_H

#include "base/base.h"

#define SUM_BYTES 32
#define SUM_TEXT  65

struct evp_md_ctx_st;

struct sum {
    struct evp_md_ctx_st *ctx;
    uint64_t bytes;
};

bool sum_open(struct sum *s);
void sum_close(struct sum *s);
void sum_restart(struct sum *s);
void sum_add(struct sum *s, const void *p, size_t n);
/* The sum so far; the stream may go on. */
void sum_get(const struct sum *s, uint8_t out[SUM_BYTES]);
const char *sum_text(const struct sum *s, char out[SUM_TEXT]);

#endif
