/* periodic.h - what an element does by itself: measure, expire, clean points.
 * Private to role/storage. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_STORAGE_PERIODIC_H
#define ROLE_STORAGE_PERIODIC_H

#include "role/storage/element.h"

struct periodic;

enum err
periodic_new(struct periodic **out, struct element *e, struct fault *f);
void periodic_free(struct periodic **p);

/* Makes all that was done durable in the index too, so that buckets are no
 * longer dirty and tombstones no longer needed; where buckets stay dirty (see
 * clean.c), only the latter. Blocks. */
enum err clean_point(struct element *e, struct fault *f);
/* The same at the end, with the mark that the stop was clean. */
void clean_end(struct element *e);

#endif
