/* recover_test.c - tests of recover.h (D33).
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/recover.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define OK   RECOVER_ATTR_OK
#define NONE RECOVER_ATTR_NONE
#define BAD  RECOVER_ATTR_BAD

/* Whole: data of 10 bytes, attr.json with seq 5 that says so. */
#define WHOLE \
    .has_data = true, .size = 10, .attr = OK, .attr_size = 10, .attr_seq = 5

static void
test_table(void **state)
{
    static const struct {
        struct recover_facts f;
        enum recover_verdict v;
        const char *why;
    } row[] = {
        {{WHOLE, .synced = 5}, RECOVER_KEEP, "proved by the journal"},
        {{WHOLE, .synced = 4}, RECOVER_VERIFY, "nothing proves it"},
        {{WHOLE, .synced = 4, .check = RECOVER_MATCH},
         RECOVER_PUBLISH,
         "complete: maybe it was acknowledged"},
        {{WHOLE, .synced = 4, .check = RECOVER_MISMATCH},
         RECOVER_REMOVE,
         "torn: nobody was told of it"},
        {{WHOLE, .has_row = true, .row_seq = 5},
         RECOVER_KEEP,
         "proved by its row, which came after the sync"},
        {{WHOLE, .has_row = true, .row_seq = 4},
         RECOVER_VERIFY,
         "an earlier row proves nothing of this one"},
        {{.has_data = true,
          .size = 9,
          .attr = OK,
          .attr_size = 10,
          .attr_seq = 5,
          .synced = 5},
         RECOVER_QUARANTINE,
         "cut short after it was synced: damage"},
        {{.has_data = true,
          .size = 9,
          .attr = OK,
          .attr_size = 10,
          .attr_seq = 5},
         RECOVER_REMOVE,
         "cut short, and never synced"},
        {{.attr = OK, .attr_seq = 5, .attr_size = 10, .synced = 5},
         RECOVER_QUARANTINE,
         "the data is gone: damage"},
        {{.attr = OK, .attr_seq = 5, .attr_size = 10},
         RECOVER_REMOVE,
         "attr.json came alone"},
        {{.has_data = true, .size = 10}, RECOVER_REMOVE, "data came alone"},
        {{.has_data = true, .size = 10, .has_row = true, .row_seq = 5},
         RECOVER_QUARANTINE,
         "data whose attr.json vanished: damage"},
        {{.has_data = true, .size = 10, .attr = BAD},
         RECOVER_REMOVE,
         "attr.json is torn"},
        {{.has_data = true, .size = 10, .attr = BAD, .has_row = true},
         RECOVER_QUARANTINE,
         "attr.json was whole once: damage"},
        {{.has_sidecar = true}, RECOVER_REMOVE, "checksums came alone"},
        {{WHOLE, .need_sidecar = true, .synced = 9},
         RECOVER_QUARANTINE,
         "its checksums are gone: damage"},
        {{WHOLE, .need_sidecar = true}, RECOVER_REMOVE, "they never came"},
        {{WHOLE, .need_sidecar = true, .has_sidecar = true, .synced = 9},
         RECOVER_KEEP,
         "with its checksums"},
        {{.has_row = true, .row_seq = 5, .synced = 9},
         RECOVER_MISSING,
         "a row without a file: damage"},
        {{.synced = 9}, RECOVER_REMOVE, "nothing at all"},
        {{WHOLE, .tomb = true, .synced = 9, .has_row = true, .row_seq = 5},
         RECOVER_SETTLE,
         "a tombstone wins"},
        {{.has_row = true, .tomb = true}, RECOVER_SETTLE, "over rows too"},
        {{.has_data = true, .tomb = true, .has_row = true},
         RECOVER_SETTLE,
         "half of the delete was done"},
        {{WHOLE, .superseded = true, .synced = 9},
         RECOVER_REMOVE,
         "a later upload of the same file is elsewhere"},
        {{.has_data = true, .attr = RECOVER_ATTR_FOREIGN, .attr_seq = 5},
         RECOVER_LEAVE,
         "another element's"},
        {{.has_data = true, .attr = RECOVER_ATTR_LATER},
         RECOVER_LEAVE,
         "a later version wrote it"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++)
        if (recover_decide(&row[i].f) != row[i].v)
            fail_msg("%s: %s", row[i].why,
                     recover_verdict_name(recover_decide(&row[i].f)));
}

/* All combinations: what was proved is never removed without a tombstone or a
 * successor, and what was not is never reported as damage. */
static void
test_all(void **state)
{
    (void)state;

    for (unsigned bits = 0; bits < 1u << 10; bits++)
        for (int attr = NONE; attr <= OK; attr++)
            for (int check = 0; check < 3; check++) {
                struct recover_facts f = {
                    .has_data = bits & 1,
                    .size = bits & 2 ? 10 : 3,
                    .has_sidecar = bits & 4,
                    .attr = (enum recover_attr)attr,
                    .attr_seq = 5,
                    .attr_size = 10,
                    .need_sidecar = bits & 8,
                    .has_row = bits & 16,
                    .row_seq = bits & 32 ? 5 : 4,
                    .tomb = bits & 64,
                    .superseded = bits & 128,
                    .synced = bits & 256 ? 5 : 4,
                    .check = (enum recover_check)check,
                };
                enum recover_verdict v = recover_decide(&f);
                bool proved =
                    attr == OK ? f.synced >= 5 || (f.has_row && f.row_seq >= 5)
                               : f.has_row;

                if (proved && !f.tomb && !f.superseded)
                    assert_true(v != RECOVER_REMOVE && v != RECOVER_SETTLE);
                if (!proved)
                    assert_true(v != RECOVER_QUARANTINE &&
                                (v != RECOVER_MISSING || f.has_row));
                if (v == RECOVER_KEEP || v == RECOVER_PUBLISH)
                    assert_true(f.has_data && f.size == 10 && attr == OK);
                if (v == RECOVER_PUBLISH)
                    assert_true(check == RECOVER_MATCH);
                if (v == RECOVER_VERIFY)
                    assert_true(check == RECOVER_UNCHECKED);
            }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
