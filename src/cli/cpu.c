/* cpu.c - reads cpuid (Intel SDM volume 2, "CPUID"; AMD APM volume 3, appendix
 * E). Wide registers are usable only if the system saves them when it switches
 * threads, which XGETBV tells. SPDX-License-Identifier: Apache-2.0 */
#include "cli/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#define XCR0_YMM 0x06u /* SSE and AVX */
#define XCR0_ZMM 0xe6u /* and opmask, upper halves, upper 16 registers */

static bool
has(unsigned reg, unsigned bits)
{
    return (reg & bits) == bits;
}

/* OSXSAVE must have been seen: XGETBV traps without it. */
__attribute__((target("xsave"))) static unsigned
saved_registers(void)
{
    return (unsigned)_xgetbv(0);
}

static bool
is_amd(void)
{
    unsigned max, b, c, d;
    char vendor[12];

    if (!__get_cpuid(0, &max, &b, &c, &d))
        return false;
    memcpy(vendor, &b, 4);
    memcpy(vendor + 4, &d, 4);
    memcpy(vendor + 8, &c, 4);
    return memcmp(vendor, "AuthenticAMD", 12) == 0;
}

struct hash_cpu
cpu_read(void)
{
    struct hash_cpu cpu = {.amd = is_amd()};
    unsigned a, b, c, d, xcr0;

    if (!__get_cpuid(1, &a, &b, &c, &d))
        return cpu;
    cpu.ssse3_sse41 = has(c, bit_SSSE3 | bit_SSE4_1);
    cpu.sse42 = has(c, bit_SSE4_2);
    cpu.pclmul = has(c, bit_PCLMUL);
    xcr0 = has(c, bit_OSXSAVE) ? saved_registers() : 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return cpu;
    cpu.bmi = has(b, bit_BMI | bit_BMI2);
    cpu.sha = has(b, bit_SHA);
    cpu.avx2 = has(b, bit_AVX2) && has(xcr0, XCR0_YMM);
    cpu.avx512 = has(b, bit_AVX512F | bit_AVX512BW | bit_AVX512VL) &&
                 has(xcr0, XCR0_ZMM);
    cpu.vpclmul = has(c, bit_VPCLMULQDQ) && cpu.avx512;
    return cpu;
}
#else
struct hash_cpu
cpu_read(void)
{
    return (struct hash_cpu){.amd = false};
}
#endif
