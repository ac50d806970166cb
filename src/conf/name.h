/* name.h - what a name in a file, in the environment or on the command line
 * stands for (D40). Internal to conf/. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_NAME_H
#define CONF_NAME_H

#include "conf/conf.h"

#define CONF_NAME_REMOVED_MAX 8

enum conf_name_kind {
    CONF_NAME_OPTION,
    CONF_NAME_REMOVED, /* WHY says what came in its place */
    CONF_NAME_IGNORED, /* ARTSTORE_TEST_*, _BIN, _BUILD: of tests and benches */
    CONF_NAME_SERVICE, /* looks like one of Kubernetes' service variables */
    CONF_NAME_UNKNOWN
};

struct conf_name {
    enum conf_name_kind kind;
    int id;
    int role;      /* the role whose name stands in front, or -1 */
    bool prefixed; /* with ARTSTORE_ */
    bool indirect; /* NAME_FILE: the value is in that file */
    uint8_t rank;  /* of two names in one source the higher one holds */
    uint8_t
        removed; /* which of the removed ones, below CONF_NAME_REMOVED_MAX */
    const char *why;
    struct slice bare; /* without ARTSTORE_ */
};

/* NAME in upper case, as in the table. */
struct conf_name conf_name_resolve(struct slice name);

/* A value like tcp://10.0.0.1:6379, which Kubernetes puts into NAME_PORT for a
 * service called NAME. */
bool conf_is_service_link(struct slice value);

#endif
