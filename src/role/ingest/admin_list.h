/* admin_list.h - struct monitor_admin over HTTP: the list of elements with
 * their numbers, from an Admin in another process.
 *
 *     GET /api/v1/storage-elements
 *     GET /api/v1/internal/storage-elements/available    where that is 404
 *
 * The first has all elements, also those that take nothing (ro, ar, not heard
 * of): who has files is to be read from, and one that is silent for a minute
 * has not been removed (REL-020). So it goes before the second, other than in
 * CNF-028.
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
