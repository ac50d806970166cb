/* test_cpu.h - the processor that a test runs on, as hash/ may not ask cli/.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef HASH_TEST_CPU_H
#define HASH_TEST_CPU_H

#include "hash/hash.h"

static inline struct hash_cpu
test_cpu(void)
{
    struct hash_cpu cpu = {.amd = false};

#if defined(__x86_64__)
    __builtin_cpu_init();
    cpu.ssse3_sse41 =
        __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1");
    cpu.sse42 = __builtin_cpu_supports("sse4.2");
    cpu.pclmul = __builtin_cpu_supports("pclmul");
    cpu.avx2 = __builtin_cpu_supports("avx2");
    cpu.bmi = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    cpu.avx512 = __builtin_cpu_supports("avx512f") &&
                 __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512vl");
    cpu.vpclmul = __builtin_cpu_supports("vpclmulqdq") && cpu.avx512;
    cpu.amd = __builtin_cpu_is("amd");
#if defined(__clang__)
    /* clang 14 does not know "sha"; what has VPCLMULQDQ has it, too. */
    cpu.sha = __builtin_cpu_supports("vpclmulqdq");
#else
    cpu.sha = __builtin_cpu_supports("sha");
#endif
#endif
    return cpu;
}

/* For tests that are not about hashing, and hash a gigabyte. */
static inline const struct hash_kernels *
test_quickest(void)
{
    const struct hash_cpu cpu = test_cpu();

    return hash_select(&cpu, "auto");
}

/* The I-th set that this processor can run, or NULL after the last. The plan
 * for processors that are not from AMD runs on AMD, too. */
static inline const struct hash_kernels *
test_kernels(unsigned i)
{
    static const struct {
        const char *name;
        bool amd;
    } sets[] = {
        {"c", false},
        {"avx2", false},
        {"avx512", false},
        {"sha-ni", false},
        {"avx2+sha-ni", false},
        {"avx512+sha-ni", false},
        {"avx512+sha-ni", true},
    };
    struct hash_cpu cpu = test_cpu();
    const bool amd = cpu.amd;

    for (size_t j = 0; j < countof(sets); j++) {
        const struct hash_kernels *k;

        if (sets[j].amd && !amd)
            continue;
        cpu.amd = sets[j].amd;
        k = hash_select(&cpu, sets[j].name);
        if (k != NULL && i-- == 0)
            return k;
    }
    return NULL;
}

#endif
