/* mac.c - see mac.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/mac.h"
#include "base/base.h"
#include "base/hex.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

void
sec_mac(struct slice secret, const char *name, struct slice text,
        char out[SEC_MAC_HEX + 1])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = EVP_MAC_CTX_new(mac);
    const OSSL_PARAM how[] = {
        OSSL_PARAM_construct_utf8_string("digest", "SHA256", 0),
        OSSL_PARAM_construct_end()};
    unsigned char sum[SEC_MAC_HEX / 2];
    size_t n;
    bool ok;

    /* Without the text's secret, or without memory, no answer could be safe. */
    assert(secret.n > 0 && c);
    ok =
        EVP_MAC_init(c, (const unsigned char *)secret.p, secret.n, how) == 1 &&
        EVP_MAC_update(c, (const unsigned char *)name, strlen(name) + 1) == 1 &&
        EVP_MAC_update(c, (const unsigned char *)text.p, text.n) == 1 &&
        EVP_MAC_final(c, sum, &n, sizeof(sum)) == 1;
    assert(ok && n == sizeof(sum));
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(mac);
    hex_encode(sum, sizeof(sum), out);
}

bool
sec_mac_is(struct slice secret, const char *name, struct slice text,
           struct slice said)
{
    char right[SEC_MAC_HEX + 1];

    if (said.n != SEC_MAC_HEX)
        return false;
    sec_mac(secret, name, text, right);
    return CRYPTO_memcmp(right, said.p, SEC_MAC_HEX) == 0;
}
