/* admin_list.h - struct monitor_admin over HTTP: the list of elements with
 * their numbers, from an Admin in another process.
 *
 *     GET /api/v1/internal/storage-elements/available
 *     GET /api/v1/storage-elements       where the first is 404 (CNF-028)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_ADMIN_LIST_H
#define ROLE_INGEST_ADMIN_LIST_H

#include "role/common/admin_link.h"
#include "role/ingest/monitor.h"

struct admin_list {
    struct monitor_admin admin;
    struct admin_link *link;
    struct ask_auth auth;
    /* the question of now; the monitor has one at a time */
    struct monitor_admin_ask *q;
    struct ask ask;
    bool second; /* path */
};

/* LINK must outlive it. */
void admin_list_init(struct admin_list *a, struct admin_link *link);

#endif
