/* elements_impl.h - what the readers of elements.h share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_ELEMENTS_IMPL_H
#define WIRE_ELEMENTS_IMPL_H

#include "wire/elements.h"
#include "wire/json_scan.h"

/* Adds E after judging it: true also when it was left out; false: no memory,
 * or too many. */
bool elements_add(struct elements *out, const struct element_entry *e,
                  struct fault *f);
/* Counts an entry that is left out. ID may be NULL. */
void elements_skip(struct elements *out, const char *id, const char *why);
/* Sorts, and leaves out what has the id of an earlier one. */
void elements_finish(struct elements *out);

/* Memory for strings that come to N bytes and as many zeros at most. */
bool elements_text(struct elements *out, size_t n, struct fault *f);

#endif
