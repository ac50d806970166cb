/* gateway_elements.h - what a gateway tells of its elements: of all that are
 * not well how many, by name as many as there is room for (ING-096, ING-097).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef JOIN_GATEWAY_ELEMENTS_H
#define JOIN_GATEWAY_ELEMENTS_H

#include "base/buf.h"
#include "port/registry.h"

/* Who was not heard of yet is not among them, nor is one that serves but calls
 * itself degraded. */
struct gateway_sick {
    unsigned n;
    char text[200]; /* "; ID is HEALTH; 3 more are not well either", or "" */
};

/* Looks at all elements of G: 3 ms of 10,000. DETAIL is empty and gets JSON of
 * HEALTH_DETAIL_MAX at most; nothing when there is no memory. */
void gateway_elements(struct registry *g, struct mono now, struct buf *detail,
                      struct gateway_sick *sick);

#endif
