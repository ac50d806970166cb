/* fetch_mem.h - port/fetch.h without sockets: each request goes to a function
 * that answers it, now or later. For tests and the simulator.
 *
 *     static void answer(void *arg, struct fetch_mem_call *c)
 *     { ... c->target, c->body ...; fetch_mem_answer(c, 200, body); }
 *
 *     struct fetch_mem m;
 *     fetch_mem_init(&m, answer, arg);  ->  give &m.fetch to who is tested
 *
 * Requests of a loop are answered on it; a loop in virtual time keeps it all in
 * one thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_FETCH_MEM_H
#define PORT_FETCH_MEM_H

#include "base/buf.h"
#include "port/fetch.h"

#define FETCH_MEM_BODY_MAX ((size_t)64 * MIB)

struct fetch_mem;

/* A request that has come whole. It stays until it is answered. */
struct fetch_mem_call {
    const char *url; /* of the peer */
    enum http_method method;
    struct slice target;
    struct slice fields;
    uint64_t length; /* as it was promised, or FETCH_CHUNKED */
    struct dur patience;
    struct buf body;
    struct loop *loop;
    /* private */
    struct fetch_mem *mem;
    struct fetch_request *request; /* NULL: given up */
    struct buf head;
    struct buf answer;
    size_t at; /* read of the answer */
    struct http_resp resp;
    bool out; /* with who answers */
};

struct fetch_mem {
    struct fetch fetch;
    void (*answer)(void *arg, struct fetch_mem_call *c);
    void *arg;
    /* The next requests fail with ERR_IO: LOST after they were answered, so
     * that only the answer is lost; AWAY before anybody saw them. */
    unsigned lost, away;
    unsigned begun; /* requests so far */
    unsigned calls; /* under way */
    unsigned peers; /* open */
};

void
fetch_mem_init(struct fetch_mem *m,
               void (*answer)(void *arg, struct fetch_mem_call *c), void *arg);
/* Once for each call, on its loop. BODY is copied. C is gone then. */
void fetch_mem_answer(struct fetch_mem_call *c, int status, struct slice body);

#endif
