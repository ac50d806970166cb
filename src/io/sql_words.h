/* sql_words.h - what a statement does and to which table, for metrics.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IO_SQL_WORDS_H
#define IO_SQL_WORDS_H

#include "base/slice.h"

/* "select" and "file" of "SELECT ... FROM file ...". */
#define SQL_WORD 24
void
sql_words(struct slice text, char operation[SQL_WORD], char table[SQL_WORD]);

#endif
