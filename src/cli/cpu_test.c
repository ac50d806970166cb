/* cpu_test.c - cpu.c against what the compiler's own library reads.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cpu.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void
test_same_as_compiler(void **state)
{
    const struct hash_cpu cpu = cpu_read();
    (void)state;

#if defined(__x86_64__)
    __builtin_cpu_init();
    assert_int_equal(cpu.ssse3_sse41, __builtin_cpu_supports("ssse3") &&
                                          __builtin_cpu_supports("sse4.1"));
    assert_int_equal(cpu.sse42, __builtin_cpu_supports("sse4.2") != 0);
    assert_int_equal(cpu.pclmul, __builtin_cpu_supports("pclmul") != 0);
    assert_int_equal(cpu.avx2, __builtin_cpu_supports("avx2") != 0);
    assert_int_equal(cpu.bmi, __builtin_cpu_supports("bmi") &&
                                  __builtin_cpu_supports("bmi2"));
    assert_int_equal(cpu.avx512, __builtin_cpu_supports("avx512f") &&
                                     __builtin_cpu_supports("avx512bw") &&
                                     __builtin_cpu_supports("avx512vl"));
    assert_int_equal(cpu.amd, __builtin_cpu_is("amd") != 0);
#endif
    assert_non_null(hash_select(&cpu, NULL));
    assert_non_null(hash_select(&cpu, "c"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_compiler),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
