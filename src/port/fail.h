/* fail.h - which call of a failing driver fails.
 *
 * A driver like port/index_fail.c stands before another and passes all calls on
 * but one. A test makes the first fail, then the second, then the third, until
 * a run meets no failure; after each the world must be whole:
 *
 *     for (uint64_t n = 1;; n++) {
 *         fail.at = n, fail.calls = 0;
 *         ... the story ...
 *         if (fail.calls < n) break;
 *     }
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_FAIL_H
#define PORT_FAIL_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct fail {
    uint64_t at;  /* this call fails, counted from 1; 0: none */
    bool after;   /* a call that changes something is carried out and then said
                    to have failed, as when a connection breaks */
    bool on;      /* and all that follow fail too */
    enum err err; /* ERR_IO when 0 */
    uint64_t calls; /* so far */
};

/* Counts a call; is it one that fails? */
static inline bool
fail_now(struct fail *x)
{
    uint64_t n = __atomic_add_fetch(&x->calls, 1, __ATOMIC_RELAXED);

    return x->at && (n == x->at || (x->on && n > x->at));
}

static inline enum err
fail_fault(const struct fail *x, const char *op, struct fault *f)
{
    return fault_set(f, x->err ? x->err : ERR_IO, op, "made to fail");
}

/* The body of a wrapper. CALL is evaluated unless the call fails before. */
#define FAIL_CHANGE(x, op, f, call)                                 \
    do {                                                            \
        bool fail_it = fail_now(x);                                 \
        enum err fail_e = fail_it && !(x)->after ? ERR_OK : (call); \
                                                                    \
        return fail_it ? fail_fault((x), (op), (f)) : fail_e;       \
    } while (0)
#define FAIL_READ(x, op, f, call)              \
    do {                                       \
        if (fail_now(x))                       \
            return fail_fault((x), (op), (f)); \
        return (call);                         \
    } while (0)

#endif
