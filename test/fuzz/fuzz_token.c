/* fuzz_token.c - bearer tokens from strangers.
 *
 * An input with two dots is a token as it came. Any other is a header and a
 * payload, divided by the first line feed, that are encoded first: else the
 * fuzzer would have to find base64 before it finds JSON. Nothing may be taken
 * as verified, and a refusal must leave no claim behind.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "sec/token.h"
#include "some_keys.h"
#include <stdlib.h>

static void
parts_try(struct slice rest)
{
    static const struct token_conf conf = {.audience = "a", .issuer = "i"};
    static const struct claims zero;
    char encoded[BASE64_LEN(TOKEN_MAX)];
    struct token_header h;
    struct claims c;
    struct slice head;

    if (rest.n > TOKEN_MAX || !slice_cut(&rest, '\n', &head))
        return;
    (void)token_header_read(
        slice_str(base64url_encode(head.p, head.n, encoded)), &h);
    base64url_encode(rest.p, rest.n, encoded);
    if (claims_read(slice_str(encoded), &conf, &c) != TOKEN_OK) {
        if (memcmp(&c, &zero, sizeof(c)) != 0)
            abort();
    } else if (c.exp_s < 0 || (c.scopes & ~(unsigned)SCOPE_KNOWN)) {
        abort();
    } else {
        (void)claims_time(&c, dur_s(60), (struct wall){1800000000000});
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct token_conf conf;
    struct slice in = slice_of(data, size);
    struct claims c;

    if (token_verify(some_keys(), &conf, in, (struct wall){0}, &c) == TOKEN_OK)
        abort(); /* a forgery */
    parts_try(in);
    return 0;
}
