/* meta_fail.h - a driver of port/meta.h that passes calls on to another, and
 * fails those that it is told to. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_META_FAIL_H
#define PORT_META_FAIL_H

#include "port/fail.h"
#include "port/meta.h"

struct meta_fail {
    struct meta meta; /* give this to who is tested */
    struct meta *inner;
    struct fail fail;
};

/* INNER belongs to W then: closing w->meta closes it. */
void meta_fail_init(struct meta_fail *w, struct meta *inner);

#endif
