/* index_fail.h - a driver of port/index.h that passes calls on to another, and
 * fails those that it is told to. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_INDEX_FAIL_H
#define PORT_INDEX_FAIL_H

#include "port/fail.h"
#include "port/index.h"

struct index_fail {
    struct index index; /* give this to who is tested */
    struct index *inner;
    struct fail fail;
};

/* INNER belongs to W then: closing w->index closes it. */
void index_fail_init(struct index_fail *w, struct index *inner);

#endif
