/* base.h - the few words that every file needs: sizes, counting, containers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)
#define GIB ((uint64_t)1024 * 1024 * 1024)

#define countof(a) (sizeof(a) / sizeof((a)[0]))

/* The struct that holds MEMBER at PTR. */
#define container_of(ptr, type, member) \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

static inline size_t
size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline uint64_t
u64_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline int64_t
i64_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t
u64_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* N rounded up or down to a multiple of ALIGN, a power of two. */
static inline uint64_t
align_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}

static inline uint64_t
align_down(uint64_t n, uint64_t align)
{
    return n & ~(align - 1);
}

#endif
