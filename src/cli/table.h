/* table.h - rows of text in aligned columns.
 *
 * Filled cell by cell, printed when complete (or page by page: widths never
 * shrink, so that pages of one list stay in line). Cells are made safe for a
 * terminal when they are added; a cell that the program itself made with
 * colours or bars is added raw, with its width.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/buf.h"
#include <stdio.h>

#define TABLE_COLS 12

struct table {
    const char *const *head; /* COLS titles; one that begins with '>' is
                                aligned to the right */
    size_t cols;
    size_t cells; /* added so far */
    size_t width[TABLE_COLS];
    bool header_done;
    struct buf text; /* of each cell: its length and width, its bytes */
};

void table_init(struct table *t, const char *const *head, size_t cols);
void table_release(struct table *t);
void table_cell(struct table *t, const char *text); /* NULL is "-" */
void table_raw(struct table *t, const char *text, size_t width);
/* Prints and forgets the rows; the titles the first time. */
void table_print(struct table *t, FILE *out);

#endif
