/* probe.h - is there an element at an address, and which?
 *
 *     GET {url}/health/live                       is anybody there? No token
 *     GET {url}/api/v1/capacity?element_id=ID     who, and how full
 *
 * The second needs a token that the element trusts, which is Admin's own; when
 * it is refused the first has to do, and `answered` stays false.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_PROBE_H
#define ROLE_ADMIN_PROBE_H

#include "role/common/ask.h"
#include "wire/capacity.h"

struct admin_api;

struct probe {
    const char *url; /* the caller's */
    void (*done)(struct probe *p);
    /* result */
    enum err err;  /* nobody is there, or somebody else */
    char why[200]; /* for people */
    bool answered;
    struct capacity capacity;
    /* private */
    struct admin_api *api;
    struct fetch_peer *peer;
    struct ask ask;
    struct ask_auth auth;
    char element_id[65];
    struct task task;
};

/* On L's thread; DONE there, later. URL must stay until then. */
void probe_begin(struct probe *p, struct admin_api *api, struct loop *l,
                 const char *url, const char *element_id,
                 void (*done)(struct probe *p));

#endif
