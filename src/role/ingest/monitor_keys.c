/* monitor_keys.c - elements cannot ask Admin, so the leader, who polls them,
 * brings them Admin's signed word of which keys verify tokens (D36;
 * sec/keydoc.h): when an answer names an older version than Admin's, and when
 * the poll is refused with 401, since our own token may be of a key that the
 * element has not heard of. By the same way as the poll.
 *
 * Anybody may bring an element something, so it may be busy with others: then
 * it is tried again soon, and not with the next poll only, or whoever keeps it
 * busy would put off a revocation for long.
 *
 * It may be that nothing helps: the element trusts another Admin. Then the log
 * is told once for each version, and it is tried again once a minute.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/monitor_impl.h"
#include "sec/keydoc.h"
#include <stdlib.h>

#define KEYS_PATH  "/api/v1/trusted-keys"
#define AGAIN      dur_s(60)
#define SOON       dur_ms(1500)
#define TRIES      8 /* of one that is busy, after a poll */
#define TELL_AT    3 /* failures in a row */
#define ANSWER_MAX ((size_t)8 * KIB)

struct bringing {
    struct ask ask;
    struct list item;
    struct timer timer; /* of the next try */
    bool waiting;       /* for it */
    unsigned tries;
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

#define WHAT(b)                                              \
    F_STR("se_id", (b)->id), F_U64("version", (b)->version), \
        F_FAULT(&(b)->ask.fault), F_TYPE("http_client")

/* It was not reached, or has much to do; soon, or with the next poll, then. */
static void
failed(struct monitor *m, struct mon_element *e, const struct bringing *b)
{
    e->keys_brought = 0;
    if (++e->keys_failed == TELL_AT)
        log_warning(m->conf.log,
                    "storage element does not take Admin's keys; it is tried "
                    "again",
                    WHAT(b));
}

static void
refused(struct monitor *m, struct mon_element *e, const struct bringing *b)
{
    e->keys_failed = 0;
    if (!e->keys_told)
        log_warning(m->conf.log,
                    "storage element does not take Admin's keys; until it has "
                    "its jwks.json it refuses tokens",
                    WHAT(b));
    e->keys_told = true;
}

static void
tell(struct monitor *m, struct mon_element *e, struct bringing *b)
{
    const int status = b->ask.status;

    if (b->ask.err == ERR_OK) {
        e->keys_failed = 0;
        if (!was_taken(&b->ask))
            return; /* it had them; a 401 must have another reason */
        e->keys_brought = 0;
        log_info(m->conf.log, "Keys of the Admin module brought",
                 F_STR("se_id", b->id), F_U64("version", b->version));
    } else if (status < 400 || status >= 500 || status == 408) {
        failed(m, e, b);
    } else {
        refused(m, e, b);
    }
}

static void
bring_end(struct bringing *b)
{
    struct monitor *m = b->m;

    list_remove(&b->item);
    mon_peer_drop(&b->peer);
    buf_release(&b->text);
    ask_release(&b->ask);
    free(b);
    monitor_ended(m);
}

/* Nobody else brings it to E meanwhile. */
static bool
wait_for_it(struct mon_element *e, struct bringing *b)
{
    const struct monitor_conf *c = &b->m->conf;
    struct loop *l = b->m->loop;

    if ((b->ask.status != 503 && b->ask.status != 408) || b->tries == TRIES ||
        e->peer != b->peer ||
        c->documents(c->documents_arg, NULL) != b->version ||
        !loop_timer(l, &b->timer, mono_add(l->now, SOON)))
        return false;
    b->waiting = true;
    e->keys_brought = b->version;
    e->keys_next = mono_add(l->now, AGAIN);
    return true;
}

static void
bring_done(struct ask *a)
{
    struct bringing *b = container_of(a, struct bringing, ask);
    struct monitor *m = b->m;
    struct mon_element *e = mon_element_find(m, b->id);

    if (e && a->err != ERR_CANCELED) {
        tell(m, e, b);
        if (wait_for_it(e, b))
            return;
    }
    bring_end(b);
}

static void
bring_send(struct bringing *b)
{
    b->tries++;
    ask_init(&b->ask, b->m->loop, b->peer->peer, ANSWER_MAX);
    b->ask.method = HTTP_PUT;
    b->ask.type = "application/json";
    b->ask.again = true;
    b->ask.patience = b->m->conf.poll.timeout;
    b->ask.done = bring_done;
    buf_add_str(&b->ask.target, KEYS_PATH);
    b->ask.piece[b->ask.n_piece++] = buf_slice(&b->text);
    ask_send(&b->ask);
}

static void
bring_again(struct loop *l, struct timer *t)
{
    struct bringing *b = container_of(t, struct bringing, timer);

    (void)l;
    b->waiting = false;
    if (b->tries == TRIES) {
        bring_end(b); /* by keys_cancel() */
        return;
    }
    ask_release(&b->ask);
    bring_send(b);
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
    b->timer.fire = bring_again;
    memcpy(b->id, e->id, sizeof(b->id));
    if (e->keys_brought != b->version)
        e->keys_told = false;
    e->keys_brought = b->version;
    e->keys_next = mono_add(m->loop->now, AGAIN);
    list_push(&m->bringings, &b->item);
    monitor_began(m);
    bring_send(b);
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
    LIST_FOREACH_SAFE (it, next, &m->bringings) {
        struct bringing *b = container_of(it, struct bringing, item);

        b->tries = TRIES;
        if (b->waiting)
            (void)loop_timer(m->loop, &b->timer, m->loop->now);
        else
            ask_cancel(&b->ask);
    }
}
