/* sum.c - see sum.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/sum.h"
#include "base/hex.h"
#include <openssl/evp.h>

bool
sum_open(struct sum *s)
{
    *s = (struct sum){.ctx = EVP_MD_CTX_new()};
    return s->ctx && EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL) == 1;
}

void
sum_close(struct sum *s)
{
    EVP_MD_CTX_free(s->ctx);
    s->ctx = NULL;
}

void
sum_restart(struct sum *s)
{
    int ok = EVP_DigestInit_ex(s->ctx, EVP_sha256(), NULL);

    assert(ok == 1);
    s->bytes = 0;
}

void
sum_add(struct sum *s, const void *p, size_t n)
{
    int ok = EVP_DigestUpdate(s->ctx, p, n);

    assert(ok == 1);
    s->bytes += n;
}

void
sum_get(const struct sum *s, uint8_t out[SUM_BYTES])
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    int ok = copy && EVP_MD_CTX_copy_ex(copy, s->ctx) == 1 &&
             EVP_DigestFinal_ex(copy, out, NULL) == 1;

    assert(ok);
    EVP_MD_CTX_free(copy);
}

const char *
sum_text(const struct sum *s, char out[SUM_TEXT])
{
    uint8_t sum[SUM_BYTES];

    sum_get(s, sum);
    return hex_encode(sum, sizeof(sum), out);
}
