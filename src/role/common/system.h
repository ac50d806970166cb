/* system.h - the routes of every process: health, metrics, version, the API
 * description. SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_SYSTEM_H
#define ROLE_COMMON_SYSTEM_H

#include "role/common/route.h"

struct health;
struct metrics;

struct system_conf {
    const char *name;       /* of the service */
    const char *version;    /* what was built */
    const char *role;       /* "server", "ingester" */
    const char *durability; /* "strict", "relaxed" (D10) */
    struct health *health;
    struct metrics *metrics; /* NULL: /metrics is 404 (ING-099) */
};

/* CONF must outlive the table. */
struct route_table system_routes(const struct system_conf *conf);

#endif
