/* digest.h - SHA-256 of a text that is at hand whole. (What comes in pieces is
 * hash/'s.) Any thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef SEC_DIGEST_H
#define SEC_DIGEST_H

#include "base/hex.h"
#include <openssl/evp.h>

/* False: no memory. */
static inline bool
sec_sha256(struct slice text, uint8_t out[32])
{
    return EVP_Digest(text.p, text.n, out, NULL, EVP_sha256(), NULL) == 1;
}

/* The same as 64 digits and a zero; false leaves OUT empty. */
static inline bool
sec_sha256_hex(struct slice text, char out[65])
{
    uint8_t d[32];
    bool ok = sec_sha256(text, d);

    out[0] = '\0';
    if (ok)
        (void)hex_encode(d, sizeof(d), out);
    return ok;
}

#endif
