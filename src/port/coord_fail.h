/* coord_fail.h - a driver of port/coord.h that passes requests on to another,
 * and fails those that it is told to. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_FAIL_H
#define PORT_COORD_FAIL_H

#include "port/coord.h"
#include "port/fail.h"

struct coord_fail {
    struct coord coord; /* give this to who is tested */
    struct coord *inner;
    struct fail fail;
    /* Bits of enum coord_op: only those are counted, and fail; 0: all. */
    uint64_t only;
};

/* INNER belongs to W then: closing w->coord closes it. */
void coord_fail_init(struct coord_fail *w, struct coord *inner);

#endif
