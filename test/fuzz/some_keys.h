/* some_keys.h - for fuzz targets of what is signed: the keys that are trusted.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_SOME_KEYS_H
#define FUZZ_SOME_KEYS_H

#include "sec/keyset.h"
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

/* One key of ours, made once a run, with which nothing is ever signed. */
static inline struct keyset *
some_keys(void)
{
    static struct keyset *ks;

    if (!ks) {
        ks = keyset_new(1);
        if (!ks || keyset_add(ks, EVP_RSA_gen(2048), "k1", KEY_OURS, NULL))
            abort();
    }
    return ks;
}

#endif
