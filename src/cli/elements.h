/* elements.h - storage elements as they are shown: how full, how well.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ELEMENTS_H
#define CLI_ELEMENTS_H

#include "cli/session.h"

/* The answer of the server, or NULL with *F. The caller's to decref. */
json_t *elements_get(struct http *h, struct failure *f);
/* Table of all on stdout; bars may have colours when stdout is a terminal. */
void elements_print(const json_t *elements);
/* False: it is dead, or its mode forbids it. */
bool element_takes_files(const json_t *e);
/* Lines about the full and the sick ones, and those that run with another mode
 * than Admin lists, on stdout; how many there are. */
unsigned elements_alarms(const json_t *elements);

#endif
