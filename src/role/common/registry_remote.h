/* registry_remote.h - port/registry.h for an Admin in another process, over
 * port/fetch (D25, ADM-022, ADM-035).
 *
 * Where files are is asked of Admin each time; which elements there are is a
 * list that a reloader brings. A question whose answer is lost is asked once
 * more, since asking twice does no harm. An Admin that keeps failing is left
 * alone for a while: then questions end at once with ERR_AGAIN, and who asks
 * goes on without (reads ask the elements, publishes are told later).
 *
 * Not here: feed() (ERR_UNSUPPORTED; elements of this process have Admin
 * here), and the way of audit entries to Admin (audit_remote.h).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_COMMON_REGISTRY_REMOTE_H
#define ROLE_COMMON_REGISTRY_REMOTE_H

#include "core/breaker.h"
#include "port/registry.h"
#include "role/common/ask.h"

struct registry_remote_conf {
    const char *url;      /* of Admin: http(s)://host[:port][/prefix] */
    struct ask_auth auth; /* a token of scope gateway; fields NULL: none */
    struct dur patience;  /* for an answer; 0: fetch's */
    struct breaker_conf breaker;
    unsigned pending_max; /* questions at a time; 0: 256; over it ERR_AGAIN */
    struct audit_remote *audit; /* outlives it; NULL: entries are lost */
};

/* F must outlive it. ERR_INVAL, ERR_UNSUPPORTED as fetch_peer_open(). */
enum err registry_remote_open(struct registry **out, struct fetch *f,
                              const struct registry_remote_conf *conf,
                              struct fault *fault);
/* No question is under way. Sets *G to NULL; accepts NULL. */
void registry_remote_close(struct registry **g);

struct registry_remote_element {
    struct uuid uuid;  /* nil: not known yet; then found by its id */
    struct blob *blob; /* its element_id names it */
    enum blob_mode mode;
    int priority;
};
/* From any thread. Copied, and the blobs are held. ERR_NOMEM: the old list
 * stays. */
enum err
registry_remote_set(struct registry *g, const struct registry_remote_element *e,
                    unsigned n, struct fault *f);
/* For metrics and health. From any thread. WHY, which may be NULL: the last
 * failure, when the breaker is not closed. */
enum breaker_state registry_remote_state(struct registry *g, struct fault *why);

#endif
