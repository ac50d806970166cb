/* value.h - one value of one option: text to typed value and back. Internal to
 * conf/. Pure. SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "conf/conf.h"

/* N: 0 or 1, the number, ms of a duration, place in the choices. TEXT: of TEXT
 * and LIST, borrowed from the input or constant. */
struct conf_value {
    int64_t n;
    struct slice text;
};

/* False: S is not a value of O; *WHY is then a constant text that says more
 * than the range does, or NULL. */
bool conf_value_parse(const struct conf_option *o, struct slice s,
                      struct conf_value *v, const char **why);
/* on off true false yes no 1 0, any case (CNF-007). */
bool conf_bool_parse(struct slice s, bool *v);

/* Into and out of the field of *C. A stored text is copied into C's keeping;
 * false: no memory, the field is as before. */
bool conf_value_store(struct conf *c, int id, struct conf_value v);
struct conf_value conf_value_load(const struct conf *c, int id);
bool conf_value_same(const struct conf_option *o, struct conf_value a,
                     struct conf_value b);

/* As a user would write it: "30", "250ms", "8M", "on". */
void conf_value_print(const struct conf_option *o, struct conf_value v,
                      struct buf *out);
/* "a whole number from 1 to 65535": what may be written there. */
void conf_value_range(const struct conf_option *o, struct buf *out);
/* A number of O with its largest exact suffix: "8M", "10m", "65535". */
void conf_number_print(const struct conf_option *o, int64_t n, struct buf *out);
/* "bytes", "MiB", "s" ...; "" for none. */
const char *conf_unit_name(enum conf_unit u);

/* Copies S for the life of C; NULL: no memory. */
const char *conf_keep(struct conf *c, struct slice s);

#endif
