/* index.c - the little that index.h and meta.h own themselves.
 * SPDX-License-Identifier: Apache-2.0 */
#include "port/index.h"
#include "port/meta.h"
#include <stdlib.h>

void
index_row_release(struct index_row *row)
{
    free((void *)row->attr.metadata);
    row->attr.metadata = NULL;
}

void
meta_file_release(struct meta_file *f)
{
    free((void *)f->attr.metadata);
    f->attr.metadata = NULL;
}
