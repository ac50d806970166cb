/* select_test.c - which kernels are chosen for which processor. Nothing is run,
 * so that the processor may be imagined. SPDX-License-Identifier: Apache-2.0 */
#include "hash/hash.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define OLD     .ssse3_sse41 = true, .sse42 = true, .pclmul = true
#define HASWELL OLD, .avx2 = true, .bmi = true
#define SKYLAKE HASWELL, .avx512 = true

static void
test_choice(void **state)
{
    static const struct {
        struct hash_cpu cpu;
        const char *forced;
        const char *name, *crc; /* NULL: refused */
        unsigned lanes;
        const char *why;
    } row[] =
    { {{.amd = false}, NULL, "c", "table", 1, "nothing"},
#if defined(__x86_64__)
      {{OLD}, NULL, "c", "sse4.2", 1, "2010"},
      {{.sse42 = true}, NULL, "c", "table", 1, "crc32 needs pclmul, too"},
      {{OLD, .sha = true}, NULL, "c", "sse4.2", 1, "SHA-NI without BMI"},
      {{HASWELL}, NULL, "avx2", "sse4.2", 8, "no SHA-NI"},
      {{SKYLAKE}, NULL, "avx512", "sse4.2", 16, "AVX-512, no SHA-NI"},
      {{OLD, .bmi = true, .sha = true},
       NULL,
       "sha-ni",
       "sse4.2",
       2,
       "SHA-NI, no AVX2"},
      {{HASWELL, .sha = true, .amd = true},
       NULL,
       "avx2+sha-ni",
       "sse4.2",
       8,
       "Zen 1 to 3"},
      {{HASWELL, .sha = true}, NULL, "avx2+sha-ni", "sse4.2", 8, "Alder Lake"},
      {{SKYLAKE, .sha = true, .vpclmul = true},
       NULL,
       "avx512+sha-ni",
       "vpclmulqdq",
       16,
       "Ice Lake: sixteen lanes beat its SHA-NI"},
      {{SKYLAKE, .sha = true, .vpclmul = true, .amd = true},
       NULL,
       "avx512+sha-ni",
       "vpclmulqdq",
       8,
       "Zen 4: eight are enough"},
      {{HASWELL, .vpclmul = true},
       NULL,
       "avx2",
       "sse4.2",
       8,
       "VPCLMULQDQ without AVX-512 does not count"},
      {{SKYLAKE, .sha = true, .amd = true},
       "avx2",
       "avx2",
       "sse4.2",
       8,
       "forced"},
      {{SKYLAKE, .sha = true, .amd = true},
       "sha-ni",
       "sha-ni",
       "sse4.2",
       2,
       "forced"},
      {{SKYLAKE, .sha = true},
       "avx2+sha-ni",
       "avx2+sha-ni",
       "sse4.2",
       8,
       "forced"},
      {{SKYLAKE, .sha = true},
       "auto",
       "avx512+sha-ni",
       "sse4.2",
       16,
       "not forced"},
      {{SKYLAKE, .sha = true, .vpclmul = true},
       "c",
       "c",
       "table",
       1,
       "forced portable means all of it"},
      {{HASWELL}, "avx512", NULL, NULL, 0, "not there"},
      {{HASWELL}, "avx2+sha-ni", NULL, NULL, 0, "half is not there"},
#endif
      {{.amd = false}, "avx2", NULL, NULL, 0, "not there"},
      {{.amd = false}, "sse9", NULL, NULL, 0, "no such set"},
      {{.amd = false}, "", NULL, NULL, 0, "an empty name is a mistake"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        const struct hash_kernels *k = hash_select(&row[i].cpu, row[i].forced);

        if ((k == NULL) != (row[i].name == NULL))
            fail_msg("row %zu: %s", i, row[i].why);
        if (k == NULL)
            continue;
        if (strcmp(hash_kernels_name(k), row[i].name) != 0 ||
            strcmp(hash_kernels_crc_name(k), row[i].crc) != 0 ||
            hash_kernels_lanes(k) != row[i].lanes)
            fail_msg("row %zu: %s: %s, %s, %u", i, row[i].why,
                     hash_kernels_name(k), hash_kernels_crc_name(k),
                     hash_kernels_lanes(k));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
