/* admin_world.h - Admin with its routes over a catalogue in memory, and a way
 * to ask it: as text, or over port/fetch as another process would.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_UNIT_ADMIN_WORLD_H
#define TEST_UNIT_ADMIN_WORLD_H

#include "exchange_mem.h"
#include "port/fetch_mem.h"
#include "port/index_contract.h"
#include "port/loop_mem.h"
#include "port/meta_fail.h"
#include "role/admin/api.h"
#include "wire/json.h"

#define ADMIN_URL "http://admin.test"

struct admin_world {
    char dir[64];
    struct loop_mem loop;
    struct meta_fail meta;
    struct admin *admin;
    struct admin_api *api;
    struct keys *keys;
    struct router *router;
    /* Requests to ADMIN_URL come to the router; to others, ELSEWHERE answers
     * (NULL: 404). */
    struct fetch_mem fetch;
    void (*elsewhere)(void *arg, struct fetch_mem_call *c);
    void *arg;
    unsigned status;     /* instead of Admin's answers; 0: theirs */
    unsigned asked;      /* requests that came to Admin */
    char last_auth[256]; /* of them */
};

void admin_world_open(struct admin_world *w);
void admin_world_close(struct admin_world *w);
/* Another process with the same catalogue. */
void admin_world_restart(struct admin_world *w);

/* The JSON of the answer to METHOD PATH with BODY, which must have STATUS; NULL
 * when there is no body. */
json_t *admin_world_ask(struct admin_world *w, const char *method,
                        const char *path, struct slice body, int status);
const char *json_text_of(const json_t *j, const char *key);
int64_t json_int_of(const json_t *j, const char *key);

/* A page of changes after SINCE: "p1 p2 d1" publishes the files 1 and 2 and
 * deletes the first, with the numbers that follow SINCE; "-" is one that is
 * missing, "e3" an expiry. */
void admin_world_page(struct buf *b, const struct uuid *uuid, uint64_t since,
                      const char *rows);
/* The same as changes; returns how many. OUT has room for 16. */
size_t
admin_world_changes(struct index_change *out, uint64_t since, const char *rows);
/* Which of the files 1 ... 9 the catalogue has, like "1 3". */
const char *admin_world_files(struct admin_world *w);

void admin_world_ok(enum err e, const struct fault *f);

#endif
