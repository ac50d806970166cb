/* loader.h - what load.c and args.c share. Internal to conf/.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_LOADER_H
#define CONF_LOADER_H

#include "conf/name.h"

#define ARG_NAME_MAX 80 /* a longer option name cannot be one */

struct place { /* where an assignment was found */
    enum conf_layer layer;
    const char *file;
    uint32_t line;
    struct slice name; /* as it was written */
};

struct arg { /* one option of the command line, waiting to be applied */
    struct conf_name name;
    struct slice typed; /* without the value */
    struct slice value;
};

struct loader {
    struct conf *c;
    const struct conf_input *in;
    struct conf_report *rep;
    struct arg *arg;
    size_t args;
    bool removed_told[CONF_NAME_REMOVED_MAX]; /* one warning each (ING-129) */
};

/* Fills l->arg, and finds where the options end. */
void loader_scan_args(struct loader *l);

/* NAME is not an option: says so, or lets it pass. The value is never shown,
 * since the name may be a misspelt secret's. */
void loader_tell_name(struct loader *l, const struct conf_name *name,
                      const struct place *at);

#endif
