/* monitor_keys.c - elements cannot ask Admin, so the leader, who polls them,
 * brings them Admin's signed word of which keys verify tokens (D36;
 * sec/keydoc.h): when an answer names an older version than Admin's, and when
 * the poll is refused with 401, since our own token may be of a key that the
 * element has not heard of. By the same way as the poll.
 *
 * It may be that nothing helps: the element trusts another Admin. Then the log
 * is told once for each version, and it is tried again once a minute.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include "sec/keydoc.h"
#include <stdlib.h>

#define KEYS_PATH  "/api/v1/trusted-keys"
#define AGAIN      dur_s(60)
#define ANSWER_MAX ((size_t)8 * KIB)

struct bringing {
    struct ask ask;
    struct list item;
    struct monitor *m;
    struct mon_peer *peer;
    char id[65];
    struct buf text;
    uint64_t version;
};

static bool
was_taken(struct ask *a)
{
    struct json_error e = {0};
    json_t *o = ask_json(a, &JSON_LIMITS_DEFAULT);
    bool taken = json_get_bool(o, "taken", JSON_OPTIONAL, false, &e);

    json_decref(o);
    return taken;
}

static void
tell(struct monitor *m, struct mon_element *e, struct bringing *b)
{
    if (b->ask.err == ERR_OK) {
        if (!was_taken(&b->ask))
            return; /* it had them; a 401 must have another reason */
        e->keys_brought = 0;
        log_info(m->conf.log, "Keys of the Admin module brought",
                 F_STR("se_id", b->id), F_U64("version", b->version));
    } else if (b->ask.status < 400 || b->ask.status >= 500 ||
               b->ask.status == 408) {
        /* It was not reached, or has much to do; with the next poll, then. */
        e->keys_brought = 0;
    } else if (!e->keys_told) {
        e->keys_told = true;
        log_warning(m->conf.log,
                    "storage element does not take Admin's keys; until it has "
                    "its jwks.json it refuses tokens",
                    F_STR("se_id", b->id), F_U64("version", b->version),
                    F_FAULT(&b->ask.fault), F_TYPE("http_client"));
    }
}

static void
bring_done(struct ask *a)
{
    struct bringing *b = container_of(a, struct bringing, ask);
    struct monitor *m = b->m;
    struct mon_element *e = mon_element_find(m, b->id);

    list_remove(&b->item);
    if (e && a->err != ERR_CANCELED)
        tell(m, e, b);
    mon_peer_drop(&b->peer);
    buf_release(&b->text);
    ask_release(a);
    free(b);
    monitor_ended(m);
}

static void
bring(struct monitor *m, struct mon_element *e, struct mon_peer *peer)
{
    struct bringing *b = calloc(1, sizeof(*b));

    if (b == NULL)
        return; /* after the next poll, then */
    buf_init(&b->text, KEYDOCS_MAX);
    b->version = m->conf.documents(m->conf.documents_arg, &b->text);
    if (b->version == 0) {
        buf_release(&b->text);
        free(b);
        return;
    }
    b->m = m;
    b->peer = mon_peer_hold(peer);
    memcpy(b->id, e->id, sizeof(b->id));
    ask_init(&b->ask, m->loop, peer->peer, ANSWER_MAX);
    b->ask.method = HTTP_PUT;
    b->ask.type = "application/json";
    b->ask.again = true;
    b->ask.patience = m->conf.poll.timeout;
    b->ask.done = bring_done;
    buf_add_str(&b->ask.target, KEYS_PATH);
    b->ask.piece[b->ask.n_piece++] = buf_slice(&b->text);
    if (e->keys_brought != b->version)
        e->keys_told = false;
    e->keys_brought = b->version;
    e->keys_next = mono_add(m->loop->now, AGAIN);
    list_push(&m->bringings, &b->item);
    monitor_began(m);
    ask_send(&b->ask);
}

void
keys_bring(struct monitor *m, struct mon_element *e, struct mon_peer *peer,
           int status, uint64_t version)
{
    uint64_t ours;

    if (m->conf.documents == NULL || m->stopping)
        return;
    ours = m->conf.documents(m->conf.documents_arg, NULL);
    if (ours == 0 || (status != 401 && version >= ours))
        return;
    if (e->keys_brought == ours && !mono_reached(m->loop->now, e->keys_next))
        return;
    bring(m, e, peer);
}

void
keys_cancel(struct monitor *m)
{
    LIST_FOREACH_SAFE (it, next, &m->bringings)
        ask_cancel(&container_of(it, struct bringing, item)->ask);
}
