/* attr_columns.c - see attr_columns.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/attr_columns.h"
#include <string.h>

bool
attr_fits(const struct file_attr *a)
{
    return a->size <= INT64_MAX && a->epoch <= INT64_MAX &&
           a->seq <= INT64_MAX && a->stored_size <= INT64_MAX &&
           (!a->metadata || strlen(a->metadata) <= ATTR_METADATA_MAX);
}

bool
attr_own(struct file_attr *a)
{
    if (a->metadata)
        a->metadata = strdup(a->metadata);
    else
        return true;
    return a->metadata != NULL;
}
