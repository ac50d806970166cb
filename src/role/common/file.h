/* file.h - what is known of a file, as JSON: the same members wherever a file
 * is answered. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_FILE_H
#define ROLE_COMMON_FILE_H

#include "base/buf.h"
#include "wire/attr.h"

/* Appends the members with the names of ING-023, without braces. */
void attr_json(struct buf *b, const struct file_attr *a);

#endif
