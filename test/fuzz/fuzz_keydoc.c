/* fuzz_keydoc.c - key documents, which anybody may bring to an element without
 * a token.
 *
 * An input that begins with a brace is such a text as it came: nothing in it is
 * signed by a key that is trusted, so nothing may be taken. Any other is the
 * payload of one document behind its first byte, as if its signature had been
 * good: else the fuzzer would have to sign before it finds JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "sec/keydoc.h"
#include "some_keys.h"
#include <stdlib.h>

#define PAYLOAD_MAX ((size_t)16 * KIB)
#define HEADER      "eyJhbGciOiJSUzI1NiJ9." /* {"alg":"RS256"} */

static void
text_try(struct slice text)
{
    static const struct wall now = {1800000000000};
    uint64_t version = 0;
    struct fault f = {0};
    struct buf out;

    (void)keydocs_version(text);
    (void)keydocs_own_version(text);
    buf_init(&out, KEYDOCS_MAX);
    if (keydocs_follow(some_keys(), text, now, &out, &version, &f) == ERR_OK ||
        out.n)
        abort(); /* a forgery */
    buf_release(&out);
}

static void
payload_try(struct slice payload)
{
    char jws[sizeof(HEADER) + BASE64_LEN(PAYLOAD_MAX) + 8];
    struct keyset *ks = keyset_new(2);
    size_t n = sizeof(HEADER) - 1;
    struct fault f = {0};

    if (!ks || payload.n > PAYLOAD_MAX)
        goto out;
    memcpy(jws, HEADER, n);
    base64url_encode(payload.p, payload.n, jws + n);
    strcat(jws + n, ".AAAA");
    if (keydoc_add(ks, slice_str(jws), &f) != ERR_OK && ks->n)
        abort(); /* half a list */
out:
    keyset_unref(&ks);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);

    if (size && data[0] != '{')
        payload_try(slice_skip(in, 1));
    else
        text_try(in);
    return 0;
}
