/* blob_remote_owed.c - the last answer of an attempt was lost: is the file
 * stored (D27)?
 *
 *     put, publish --no answer--> abort ----> aborted: nothing was kept
 *                                  |  \-----> published: so it was stored
 *                                  no answer
 *                                  |
 *                                 owed --element answers again--> withdrawn
 *
 * An abort comes after whatever is under way for the file at the element and
 * leaves a tombstone, so that what it says is final. Where it is lost too the
 * attempt has failed, as far as anybody here knows, and the caller may store
 * the file elsewhere: then what the element may have must go, or there were two
 * copies, or a file that came back after its delete. It is owed until the
 * element answers: an abort that also takes back what was published, if that is
 * this content. Nobody else can have published it: a file_id is one upload's,
 * and an upload tries each element once.
 *
 * Owed is kept in memory, OWED_MAX for an element, the oldest forgotten; a
 * gateway that dies takes it along. SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "obs/log.h"
#include "role/common/blob_remote_impl.h"
#include <stdlib.h>

#define OWED_MAX 256
/* For the first abort: a client waits. */
#define DOUBT_PATIENCE dur_s(5)

struct owed {
    struct list item; /* of m->owed; not there while it is asked */
    struct remote *remote;
    struct loop *loop;
    struct uuid file_id;
    uint64_t number;
    uint8_t sha256[32];
    struct task task;
    struct ask ask;
};

bool
remote_in_doubt(const struct ask *a)
{
    return a->err != ERR_OK && (a->lost || (a->status && a->status < 400));
}

void
remote_doubt(struct remote *m, struct ask *a, struct loop *l,
             const struct uuid *id, uint64_t number,
             void (*done)(struct ask *a))
{
    ask_release(a);
    remote_ask(m, a, l, HTTP_POST, REMOTE_ANSWER_MAX);
    a->patience = DOUBT_PATIENCE;
    a->done = done;
    remote_path(&a->target, id, number, "abort");
    ask_send(a);
}

static void
tell(const struct remote *m, const struct uuid *file_id, const char *state)
{
    char id[UUID_TEXT];

    log_warning(m->conf.log,
                "a storage element did not say whether it has stored a file",
                F_STR("se_id", m->blob.element_id),
                F_STR("file_id", uuid_text(file_id, id)),
                F_STR("state", state));
}

static void
owe(struct remote *m, struct loop *l, const struct file_attr *attr,
    uint64_t number)
{
    struct owed *o = calloc(1, sizeof(*o)), *oldest = NULL;

    if (o == NULL) {
        tell(m, &attr->file_id, "forgotten: no memory");
        return;
    }
    o->remote = m;
    o->loop = l;
    o->file_id = attr->file_id;
    o->number = number;
    memcpy(o->sha256, attr->sha256, sizeof(o->sha256));
    (void)pthread_mutex_lock(&m->mu);
    if (m->n_owed == OWED_MAX && !list_empty(&m->owed)) {
        oldest = container_of(list_pop(&m->owed), struct owed, item);
        m->n_owed--;
    }
    list_push(&m->owed, &o->item);
    m->n_owed++;
    (void)pthread_mutex_unlock(&m->mu);
    tell(m, &attr->file_id, "withdrawn when it answers again");
    if (oldest)
        tell(m, &oldest->file_id, "forgotten");
    free(oldest);
}

/* What the element has of it, as it answered A, into GOT. False: it has not
 * said. */
static bool
answer_read(struct ask *a, struct file_attr *got, bool *relaxed,
            bool *published)
{
    struct json_error je = {0};
    json_t *o = ask_json(a, &JSON_LIMITS_DEFAULT);
    struct slice state = json_get_str(o, "state", JSON_REQUIRED, &je);
    bool aborted = slice_eq(state, SLICE("aborted"));

    *published = slice_eq(state, SLICE("published"));
    json_decref(o);
    return aborted ||
           (*published && remote_take_file(a, got, relaxed) == ERR_OK);
}

enum err
remote_verdict(struct remote *m, struct ask *a, struct file_attr *attr,
               uint64_t number, struct fault *f, bool *unsure, bool *relaxed)
{
    struct file_attr got = *attr;
    enum err was = f->code;
    bool published;

    assert(was != ERR_OK);
    *unsure = !answer_read(a, &got, relaxed, &published);
    if (*unsure) {
        owe(m, a->loop, attr, number);
        return was;
    }
    if (!published)
        return was;
    if (got.size != attr->size ||
        memcmp(got.sha256, attr->sha256, sizeof(got.sha256)) != 0)
        return fault_set(f, ERR_CONFLICT, "publish",
                         "stored already with other content");
    *attr = got;
    return ERR_OK;
}

/* ---- paying ---- */

static void owed_ask(struct loop *l, struct task *t);

/* One at a time. With m->mu held; NULL: nothing to do. */
static struct owed *
owed_next(struct remote *m)
{
    struct list *at = list_pop(&m->owed);

    m->paying = at != NULL;
    return at ? container_of(at, struct owed, item) : NULL;
}

/* A reference to M goes with O. */
static void
owed_post(struct owed *o)
{
    o->task.run = owed_ask;
    loop_post(o->loop, &o->task);
}

static void
owed_asked(struct ask *a)
{
    struct owed *o = container_of(a, struct owed, ask), *next = NULL;
    struct remote *m = o->remote;
    struct file_attr got = {0};
    bool published, relaxed;
    bool settled = answer_read(a, &got, &relaxed, &published) && !published;

    ask_release(a);
    (void)pthread_mutex_lock(&m->mu);
    m->paying = false;
    if (settled) {
        m->n_owed--;
        next = owed_next(m);
    } else { /* the others would hear the same */
        list_push(&m->owed, &o->item);
    }
    (void)pthread_mutex_unlock(&m->mu);
    if (settled) {
        tell(m, &o->file_id, "it has answered: the file is not there");
        free(o);
    }
    if (next)
        owed_post(next);
    else
        remote_unref(m);
}

static void
owed_ask(struct loop *l, struct task *t)
{
    struct owed *o = container_of(t, struct owed, task);
    char hex[2 * 32 + 1];

    remote_ask(o->remote, &o->ask, l, HTTP_POST, REMOTE_ANSWER_MAX);
    o->ask.done = owed_asked;
    remote_path(&o->ask.target, &o->file_id, o->number, "abort");
    buf_printf(&o->ask.target, "?withdraw=%s",
               hex_encode(o->sha256, sizeof(o->sha256), hex));
    ask_send(&o->ask);
}

void
blob_remote_settle(struct blob *b)
{
    struct remote *m = remote_of(b);
    struct owed *o = NULL;

    (void)pthread_mutex_lock(&m->mu);
    if (!m->paying)
        o = owed_next(m);
    (void)pthread_mutex_unlock(&m->mu);
    if (o == NULL)
        return;
    atomic_fetch_add(&m->refs, 1);
    owed_post(o);
}

void
blob_remote_inherit(struct blob *b, struct blob *from)
{
    struct remote *m = remote_of(b), *was = remote_of(from);
    struct list *at, moved;
    unsigned n = 0;

    list_init(&moved);
    (void)pthread_mutex_lock(&was->mu);
    for (; (at = list_pop(&was->owed)) != NULL; n++) {
        container_of(at, struct owed, item)->remote = m;
        list_push(&moved, at);
    }
    was->n_owed -= n;
    (void)pthread_mutex_unlock(&was->mu);
    (void)pthread_mutex_lock(&m->mu);
    m->n_owed += n;
    while ((at = list_pop(&moved)) != NULL)
        list_push(&m->owed, at);
    (void)pthread_mutex_unlock(&m->mu);
}

void
remote_owed_free(struct remote *m)
{
    struct list *at;

    while ((at = list_pop(&m->owed)) != NULL) {
        struct owed *o = container_of(at, struct owed, item);

        tell(m, &o->file_id, "forgotten");
        free(o);
    }
}
