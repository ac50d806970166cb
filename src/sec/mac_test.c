/* mac_test.c - as openssl has it, and what a name is for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "sec/mac.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* printf 'what do ya want \0for nothing?' | openssl dgst -sha256 -hmac Jefe */
static void
test_sum(void **state)
{
    char out[SEC_MAC_HEX + 1];
    (void)state;

    sec_mac(SLICE("Jefe"), "what do ya want ", SLICE("for nothing?"), out);
    assert_string_equal(
        out,
        "ffe25383ff65e17b031aae1ed14b029719169dfa3038c1fed547997cb5204b27");
    assert_true(sec_mac_is(SLICE("Jefe"), "what do ya want ",
                           SLICE("for nothing?"), slice_str(out)));
}

static void
test_differs(void **state)
{
    static const struct {
        const char *secret, *name, *text;
        const char *why;
    } row[] = {
        {"s1", "jwk:a:k", "{}", "another secret"},
        {"s", "jwk:b:k", "{}", "another name"},
        {"s", "jwk:a:k", "{} ", "another text"},
        {"s", "jwk:a:", "k{}", "the end of the name in the text"},
    };
    char out[SEC_MAC_HEX + 1];
    (void)state;

    sec_mac(SLICE("s"), "jwk:a:k", SLICE("{}"), out);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (sec_mac_is(slice_str(row[i].secret), row[i].name,
                       slice_str(row[i].text), slice_str(out)))
            fail_msg("%s", row[i].why);
    assert_false(sec_mac_is(SLICE("s"), "jwk:a:k", SLICE("{}"),
                            slice_head(slice_str(out), 63)));
    assert_false(sec_mac_is(SLICE("s"), "jwk:a:k", SLICE("{}"), SLICE_NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
