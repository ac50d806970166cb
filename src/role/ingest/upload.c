/* upload.c - one upload from head to 201. The states are in upload.h.
 *
 * The order of checks is what a client would want to learn first: is the
 * request understood, is the file allowed, is there room; and only then the
 * body, which with "Expect: 100-continue" is not even sent before (D04, D26).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/upload.h"
#include "wire/date.h"
#include "wire/disposition.h"
#include <stdio.h>
#include <stdlib.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)

static void upload_receive(struct upload *u);
static void upload_commit(struct upload *u);
static void intake_event(struct intake *s, enum intake_event ev);

/* ---- the end ---- */

static void
upload_free(struct upload *u)
{
    if (u->large)
        atomic_fetch_sub_explicit(&u->il->large, 1, memory_order_relaxed);
    atomic_fetch_sub(&u->g->held, u->held);
    form_close(u);
    intake_release(&u->intake);
    params_release(&u->params);
    buf_release(&u->details);
    if (u->blob)
        place_report(u->g, u->il, &u->place, u->blob->element_id,
                     BREAKER_NEUTRAL); /* nothing can be said of it */
    blob_drop(&u->blob);
    free(u);
}

/* Nothing is in flight any more: the refusal is answered. */
static void
upload_answer_refusal(struct upload *u)
{
    struct call *c = u->call;
    struct exchange *x = c->x;

    u->state = UPLOAD_DONE;
    if (u->intake.aborted)
        count_undone(&u->g->counts);
    count_upload_failed(&u->g->counts,
                        u->refusal.code ? u->refusal.code : "client_gone",
                        u->unsure || u->intake.aborted);
    if (u->read_error < 0) {
        int64_t n = u->read_error;

        upload_free(u);
        exchange_fail(x, n);
        call_end(c);
        return;
    }
    c->for_good = u->refusal.for_good;
    if (u->refusal.status == 415) /* RFC 9110 section 15.5.16 */
        exchange_header(x, SLICE("Accept-Encoding"), SLICE("identity"));
    reply_error_details(c, u->refusal.status, u->refusal.code, u->refusal.text,
                        u->details.n ? buf_str(&u->details) : NULL);
    upload_free(u);
}

void
upload_refuse(struct upload *u)
{
    assert(u->state != UPLOAD_ABORT && u->state != UPLOAD_DONE);
    u->state = UPLOAD_ABORT;
    intake_abort(&u->intake); /* INTAKE_GONE answers */
}

void
upload_read_failed(struct upload *u, int64_t n)
{
    u->read_error = n;
    upload_refuse(u);
}

/* What an element's answer means for the client (ING-104). That one has no room
 * is not 507: place_refuse() says that, of all (D06). */
static void
refuse_element(struct upload *u, enum err e, const struct fault *f)
{
    struct refusal *r = &u->refusal;
    const char *id = u->blob->element_id;

    switch (e) {
    case ERR_NOSPC:
        refuse(r, 503, "no_available_storage",
               "Storage element %s has no room for this file; another may have",
               id);
        break;
    case ERR_NOINODES:
        refuse(r, 503, "no_available_storage",
               "Storage element %s can hold no more files (inodes); another "
               "may",
               id);
        break;
    case ERR_READONLY:
        refuse(r, 503, "no_available_storage",
               "Storage element %s takes no files at the moment", id);
        break;
    case ERR_CONFLICT:
        refuse(r, 409, "conflict",
               "Another file with this id is stored already");
        break;
    case ERR_NOMEM:
        refuse(r, 503, "overloaded", "The server has no memory to spare");
        break;
    case ERR_AGAIN:
        refuse(r, 503, "overloaded",
               "Storage element %s has too many uploads under way", id);
        break;
    case ERR_DENIED: /* our token, not the client's */
        refuse(r, 503, "storage_error",
               "Storage element %s refuses this gateway's token; nothing was "
               "kept",
               id);
        log_error(u->g->conf.log, "upload failed", F_STR("se_id", id),
                  F_FAULT(f), F_STR("request_id", u->call->x->request_id));
        break;
    default:
        refuse(r, 503, "storage_error",
               u->unsure ? "Storage element %s could not store the file; what "
                           "may have been kept is removed when that is known"
                         : "Storage element %s could not store the file; "
                           "nothing was kept",
               id);
        log_error(u->g->conf.log, "upload failed", F_STR("se_id", id),
                  F_FAULT(f), F_STR("request_id", u->call->x->request_id));
    }
}

/* What E says of the element: to its breaker, and to the monitor when it is
 * otherwise than the view has it (CAP-068, REL-060, ING-149). */
static void
judge_element(struct upload *u, enum err e)
{
    enum breaker_outcome o = BREAKER_NEUTRAL;
    const char *id = u->blob->element_id;
    struct monitor *m = u->g->conf.monitor;

    if (m == NULL)
        return;
    switch (e) {
    case ERR_OK:
        o = BREAKER_SUCCESS;
        break;
    case ERR_NOSPC:
    case ERR_NOINODES:
        monitor_trouble(m, id, RELOAD_NO_ROOM);
        break;
    case ERR_NOENT:
        monitor_trouble(m, id, RELOAD_NOT_FOUND);
        break;
    case ERR_IO:
    case ERR_TIMEOUT:
        o = BREAKER_FAILURE;
        monitor_trouble(m, id, RELOAD_CONNECTION);
        break;
    case ERR_DENIED: /* it may not have heard of our key: who polls tells it */
        o = BREAKER_FAILURE;
        monitor_trouble(m, id, RELOAD_HEALTH);
        break;
    default:
        break;
    }
    place_report(u->g, u->il, &u->place, id, o);
}

/* ---- 201 ---- */

static void
reply_created(struct upload *u)
{
    struct call *c = u->call;
    struct exchange *x = c->x;
    struct buf b;
    char id[UUID_TEXT], location[64];

    u->state = UPLOAD_DONE;
    buf_init(&b, 16 * KIB);
    buf_add_char(&b, '{');
    attr_json(&b, &u->attr);
    buf_add_char(&b, '}');
    snprintf(location, sizeof(location), "/api/files/%s",
             uuid_text(&u->attr.file_id, id));
    exchange_header(x, SLICE("Location"), slice_str(location));
    exchange_header(x, SLICE("X-Artstore-Durability"),
                    u->relaxed ? SLICE("relaxed") : SLICE("strict"));
    count_upload(&u->g->counts, u->attr.size, u->attr.stored_size,
                 mono_sub(x->loop->now, x->began));
    upload_free(u);
    reply_json(c, 201, &b);
    buf_release(&b);
}

static void
pushed(struct registry_push *r)
{
    struct upload *u = container_of(r, struct upload, push);

    /* The element has it for good; its log brings it to Admin later. Who reads
     * it before looks there. */
    if (r->err != ERR_OK || r->anew)
        exchange_header(u->call->x, SLICE("X-Artstore-Route"),
                        slice_str(u->blob->element_id));
    reply_created(u);
}

/* While Admin is up its row comes before the 201 (D25). */
static void
upload_stored(struct upload *u)
{
    judge_element(u, ERR_OK);
    if (u->g->conf.pull == NULL || u->attr.seq == 0) {
        reply_created(u);
        return;
    }
    u->state = UPLOAD_TELL;
    u->stored = (struct index_change){.seq = u->attr.seq,
                                      .op = INDEX_PUBLISH,
                                      .at = u->attr.uploaded_at,
                                      .row = {.attr = u->attr}};
    u->push = (struct registry_push){.loop = u->il->loop,
                                     .done = pushed,
                                     .element_id = u->blob->element_id,
                                     .element_uuid = u->attr.element_uuid,
                                     .since = u->attr.seq - 1,
                                     .next = u->attr.seq,
                                     .c = &u->stored,
                                     .n = 1};
    registry_push(u->g->conf.registry, &u->push);
}

/* May another element be asked, now that this one answered E? One that has no
 * room or takes nothing at the moment has not failed: only failures use up the
 * attempts (D28). */
static bool
may_try_again(struct upload *u, enum err e)
{
    switch (e) {
    case ERR_NOSPC:
    case ERR_NOINODES:
        return place_exclude(&u->place, u->blob->element_id, true);
    case ERR_READONLY:
    case ERR_AGAIN:
        return place_exclude(&u->place, u->blob->element_id, false);
    case ERR_IO:
    case ERR_TIMEOUT:
    case ERR_NOENT: /* it is no element, or none any more (ING-134) */
    case ERR_BUSY:
        return ++u->failures < u->g->conf.attempts &&
               place_exclude(&u->place, u->blob->element_id, false);
    default:
        return false;
    }
}

/* Aims at another element with a body that is still all here. False: none, and
 * u->refusal says why. */
static bool
upload_elsewhere(struct upload *u, enum err e, const struct fault *f)
{
    bool room = e == ERR_NOSPC || e == ERR_NOINODES;
    struct refusal none_left = {0};
    struct blob *b;

    refuse_element(u, e, f);
    judge_element(u, e);
    if (!may_try_again(u, e))
        return false;
    b = place_choose(u->g, u->il, &u->place, &none_left, &u->details);
    if (b == NULL) {
        /* 507 is said of all elements, with why for each (D06); else the cause
         * is told, not that nothing else was left. */
        if (room)
            u->refusal = none_left;
        return false;
    }
    u->refusal = (struct refusal){0};
    blob_drop(&u->blob);
    u->blob = b;
    u->attempt++;
    return true;
}

/* The element failed when a part of the body was no more here. Where its room
 * has run out, another one's may do, and a repetition goes there (D04): 507 is
 * said only where there is none (D06). */
static void
refuse_midway(struct upload *u, enum err e, const struct fault *f)
{
    struct refusal none_left = {0};
    struct blob *b;

    refuse_element(u, e, f);
    judge_element(u, e);
    if ((e != ERR_NOSPC && e != ERR_NOINODES) ||
        !place_exclude(&u->place, u->blob->element_id, true))
        return;
    if (u->known == BLOB_SIZE_UNKNOWN)
        u->place.size = place_outgrown(u->g, u->intake.size, u->il->loop->now);
    u->place.doubts = DOUBTS_MAX; /* it is not asked, so numbers count */
    b = place_choose(u->g, u->il, &u->place, &none_left, &u->details);
    if (b == NULL) {
        u->refusal = none_left;
        return;
    }
    place_report(u->g, u->il, &u->place, b->element_id, BREAKER_NEUTRAL);
    blob_drop(&b);
}

/* The element may have stored it, and is told to give that up. */
static void
upload_unsure(struct upload *u, bool unsure)
{
    if (!unsure)
        return;
    u->unsure = true;
    count_undone(&u->g->counts);
}

static void
put_done(struct blob_put *r)
{
    struct upload *u = container_of(r, struct upload, put);

    u->place.size = u->intake.size; /* by now it is known */
    upload_unsure(u, r->unsure);
    u->relaxed = r->relaxed;
    if (r->err == ERR_OK)
        upload_stored(u);
    else if (upload_elsewhere(u, r->err, &r->fault))
        upload_commit(u);
    else
        upload_refuse(u);
}

static void
publish_done(struct blob_publish *r)
{
    struct upload *u = container_of(r, struct upload, publish);

    u->intake.ticket = NULL; /* used up in any case */
    u->relaxed = r->relaxed;
    if (r->err == ERR_OK) {
        upload_stored(u);
        return;
    }
    upload_unsure(u, r->unsure);
    refuse_midway(u, r->err, &r->fault);
    upload_refuse(u);
}

static void
fill_attr(struct upload *u)
{
    struct file_attr *a = &u->attr;
    const struct params *p = &u->params;
    int64_t ttl = p->has_ttl ? p->ttl_days : u->g->conf.ttl_days;

    a->size = u->intake.size;
    memcpy(a->md5, u->intake.digests.md5, sizeof(a->md5));
    memcpy(a->sha256, u->intake.digests.sha256, sizeof(a->sha256));
    memcpy(a->original_filename, p->filename, sizeof(p->filename));
    memcpy(a->content_type, p->content_type, sizeof(p->content_type));
    if (a->content_type[0] == '\0')
        memcpy(a->content_type, "application/octet-stream", 25);
    (void)slice_copy(slice_str(u->call->caller.username), a->uploaded_by,
                     sizeof(a->uploaded_by));
    a->uploaded_at.ms = u->il->loop->wall.ms / 1000 * 1000; /* ING-032 */
    a->retention = u->place.retention;
    a->expires_at.ms = a->retention == RETENTION_TEMPORARY && ttl > 0
                           ? a->uploaded_at.ms + ttl * DAY_MS
                           : 0;
    a->metadata = p->metadata.n ? buf_str(&p->metadata) : NULL;
    (void)storage_name(slice_str(a->original_filename),
                       slice_str(a->uploaded_by), a->uploaded_at, &a->file_id,
                       a->storage_filename);
}

static void
upload_commit(struct upload *u)
{
    u->state = UPLOAD_COMMIT;
    if (intake_body(&u->intake, u->blocks, &u->put)) {
        u->put.loop = u->il->loop;
        u->put.done = put_done;
        u->put.attempt = u->attempt;
        u->put.attr = &u->attr;
        u->put.err = ERR_OK;
        u->put.unsure = u->put.relaxed = false;
        u->blob->ops->put(u->blob, &u->put);
        return;
    }
    u->publish.loop = u->il->loop;
    u->publish.done = publish_done;
    u->publish.ticket = u->intake.ticket;
    u->publish.attr = &u->attr;
    u->publish.err = ERR_OK;
    u->publish.unsure = u->publish.relaxed = false;
    u->blob->ops->publish(u->blob, &u->publish);
}

/* What the client promised against what came (STO-041). */
static bool
digests_match(struct upload *u)
{
    const struct digest_set *d = &u->params.digests;
    const char *which = NULL;

    if (d->has_md5 &&
        memcmp(d->md5, u->intake.digests.md5, sizeof(d->md5)) != 0)
        which = "MD5";
    if (d->has_sha256 &&
        memcmp(d->sha256, u->intake.digests.sha256, sizeof(d->sha256)) != 0)
        which = "SHA-256";
    if (which)
        refuse(&u->refusal, 422, "checksum_mismatch",
               "The %s of the bytes that arrived is not the one that was sent "
               "with them; nothing was stored, send the file again",
               which);
    return which == NULL;
}

/* The intake has failed. When it was the admission that was refused, nothing
 * has left this process and another element may take it. */
static bool
intake_mended(struct upload *u)
{
    struct intake *s = &u->intake;

    if (u->refusal.status)
        return false; /* it was settled before */
    if (!s->refused) {
        refuse_midway(u, s->err, &s->fault);
        return false;
    }
    if (!upload_elsewhere(u, s->err, &s->fault))
        return false;
    intake_again(s, u->blob, u->attempt);
    return true;
}

bool
upload_goes_on(struct upload *u)
{
    if (!u->intake.failed || intake_mended(u))
        return true;
    upload_refuse(u);
    return false;
}

static void
intake_begin(struct upload *u)
{
    intake_init(&u->intake, u->il->loop, &u->il->lanes, intake_event);
    u->intake.client = u->call->x->peer;
}

static void
intake_event(struct intake *s, enum intake_event ev)
{
    struct upload *u = container_of(s, struct upload, intake);

    switch (ev) {
    case INTAKE_READY:
        upload_receive(u);
        break;
    case INTAKE_ENDED:
        if (!digests_match(u)) {
            upload_refuse(u);
        } else {
            fill_attr(u);
            upload_commit(u);
        }
        break;
    case INTAKE_FAILED:
        if (!intake_mended(u) && u->at == NULL)
            upload_refuse(u); /* else when the read in flight has ended */
        break;
    case INTAKE_GONE:
        upload_answer_refusal(u);
        break;
    }
}

/* ---- the body ---- */

/* Digests may come behind the bytes that they are of (RFC 9530 section 2). */
static bool
trailers_read(struct upload *u)
{
    const struct exchange *x = u->call->x;

    for (uint32_t i = 0; i < x->n_trailers && !u->form; i++)
        if (!params_digest_field(&u->params, x->trailer[i].name,
                                 x->trailer[i].value, &u->refusal))
            return false;
    return true;
}

void
upload_received(struct upload *u)
{
    if (!trailers_read(u)) {
        upload_refuse(u);
        return;
    }
    u->state = UPLOAD_END;
    intake_end(&u->intake);
}

bool
upload_too_big(struct upload *u, uint64_t size)
{
    if (!place_too_large(u->g, size, &u->refusal))
        return false;
    upload_refuse(u);
    return true;
}

static void
raw_read(struct exchange *x, int64_t n)
{
    struct upload *u = ((struct call *)x->role)->state;

    u->at = NULL;
    if (!upload_goes_on(u))
        return;
    if (n < 0) {
        upload_read_failed(u, n);
    } else if (n == 0) {
        upload_received(u);
    } else {
        intake_took(&u->intake, (size_t)n);
        if (upload_too_big(u, u->intake.size))
            return;
        if (x->body_left == 0)
            upload_received(u);
        else
            upload_receive(u);
    }
}

static void
raw_step(struct upload *u)
{
    struct exchange *x = u->call->x;
    struct slice body;
    void *p;
    size_t n;

    if (u->intake.size == 0 && u->exact && exchange_peek(x, &body)) {
        intake_give(&u->intake, body.p, body.n);
        upload_received(u);
        return;
    }
    if (!intake_room(&u->intake, &p, &n))
        return; /* INTAKE_READY or INTAKE_FAILED */
    u->at = p;
    exchange_read(x, p, n, true, raw_read);
}

static void
upload_receive(struct upload *u)
{
    u->state = UPLOAD_RECEIVE;
    if (u->form)
        form_step(u);
    else
        raw_step(u);
}

/* A body that fits the replay window, and the budget of all of them, stays in
 * memory until an element has it (D04). */
static bool
upload_hold(struct upload *u)
{
    struct ingest *g = u->g;
    uint64_t need;

    if (u->known <= BLOB_PUT_MAX ||
        u->known > u64_min(g->conf.replay_window, INTAKE_HELD_MAX))
        return false;
    need = align_up(u->known, BLOCK_SIZE);
    if (atomic_fetch_add(&g->held, need) + need > g->conf.replay_budget ||
        !intake_hold(&u->intake, u->known)) {
        atomic_fetch_sub(&g->held, need);
        return false;
    }
    u->held = need;
    return true;
}

/* Admin has answered, or will not in time: what there is now counts. */
static void
admin_answered(struct monitor_wait *w)
{
    struct upload *u = container_of(w, struct upload, wait);

    u->waiting = false;
    if (upload_place(u))
        upload_receive(u);
}

/* Of a stream of unknown length nobody knows what it needs: as much as another
 * turned out to need of late, else a whole step (D28), else any room, since it
 * may be short all the same. */
static struct blob *
choose_stream(struct upload *u)
{
    const uint64_t need[] = {place_stream_need(u->g, u->il->loop->now),
                             BLOB_SIZE_UNKNOWN, 0};
    struct blob *b = NULL;

    for (size_t i = need[0] == 0; i < countof(need) && b == NULL; i++) {
        if (i == 2 && u->refusal.status != 507)
            break;
        u->place.size = need[i];
        u->place.doubts = i == 0 ? DOUBTS_MAX : 0; /* who has it for sure */
        b = place_choose(u->g, u->il, &u->place, &u->refusal, &u->details);
    }
    u->place.size = BLOB_SIZE_UNKNOWN;
    return b;
}

bool
upload_place(struct upload *u)
{
    if (!params_settle(&u->params, u->g->conf.retention, &u->refusal)) {
        upload_refuse(u);
        return false;
    }
    u->place.retention = u->params.retention;
    u->place.size = u->known;
    u->blob =
        u->known == BLOB_SIZE_UNKNOWN
            ? choose_stream(u)
            : place_choose(u->g, u->il, &u->place, &u->refusal, &u->details);
    if (u->blob == NULL && !u->asked && place_admin_asks(u->g, u->il)) {
        u->asked = u->waiting = true;
        u->refusal = (struct refusal){0};
        buf_clear(&u->details);
        u->wait.loop = u->il->loop;
        u->wait.ready = admin_answered;
        monitor_ask_admin(u->g->conf.monitor, &u->wait);
        return false;
    }
    if (u->blob == NULL) {
        upload_refuse(u);
        return false;
    }
    u->refusal = (struct refusal){0};
    buf_clear(&u->details); /* of a choice in vain before this one */
    u->attempt++;
    intake_aim(&u->intake, u->blob, &u->attr.file_id, u->attempt, u->known,
               u->exact);
    if (!upload_hold(u) && u->exact && u->known > BLOB_PUT_MAX)
        intake_admit(&u->intake);
    return true;
}

/* ---- the beginning ---- */

/* On the loop where the upload will live. */
static void
upload_start(struct upload *u)
{
    struct exchange *x = u->call->x;

    u->il = ingest_loop_of(u->g, x->loop);
    intake_begin(u);
    if (u->large)
        atomic_fetch_add_explicit(&u->il->large, 1, memory_order_relaxed);
    u->attr.file_id = ingest_file_id(u->il);
    if (u->form || upload_place(u))
        upload_receive(u);
}

static void
upload_arrived(struct exchange *x)
{
    struct call *c = x->role;

    c->loop_id = x->loop->id; /* or it would go back to another's spare ones */
    upload_start(c->state);
}

/* Large uploads gather on one loop, so that its lanes fill: more lanes beat
 * more threads. The first loop that is not full takes it. */
static struct loop *
gathering_loop(struct ingest *g)
{
    for (unsigned i = 0; i < g->n_loops; i++)
        if (atomic_load_explicit(&g->loop[i].large, memory_order_relaxed) <
            g->conf.gather_max)
            return g->loop[i].loop;
    return NULL;
}

static bool
upload_refused_early(struct upload *u)
{
    struct exchange *x = u->call->x;
    const struct http_head *h = x->head;
    struct slice type = http_head_value(h, SLICE("Content-Type"));

    if ((u->call->param[0].n &&
         !params_path(&u->params, u->call->param[0], &u->refusal)) ||
        !params_head(&u->params, x, &u->refusal))
        return true;
    u->known = h->chunked ? BLOB_SIZE_UNKNOWN : x->body_left;
    if (form_open(u, type)) {
        u->exact = false; /* the form is larger than the file in it */
    } else if (u->refusal.status) {
        return true;
    } else {
        u->exact = !h->chunked;
        if (u->params.filename[0] == '\0') {
            refuse(&u->refusal, 400, "missing_filename",
                   "The body is not a form, so the name of the file must be in "
                   "the path or in the query: PUT "
                   "/api/files/upload/report.pdf");
            return true;
        }
        if (u->params.content_type[0] == '\0')
            (void)slice_copy(type, u->params.content_type,
                             sizeof(u->params.content_type));
    }
    return u->exact && place_too_large(u->g, u->known, &u->refusal);
}

void
upload_begin(struct call *c)
{
    struct ingest *g = c->role;
    struct upload *u = calloc(1, sizeof(*u));
    struct loop *to;

    if (u == NULL) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return;
    }
    c->state = u;
    c->x->role = c;
    u->call = c;
    u->g = g;
    u->il = ingest_loop_of(g, c->x->loop);
    params_init(&u->params);
    buf_init(&u->details, VERDICTS_MAX);
    intake_begin(u);
    if (upload_refused_early(u)) {
        upload_refuse(u);
        return;
    }
    u->large = u->known > BLOB_PUT_MAX;
    to = u->large ? gathering_loop(g) : NULL;
    if (to == NULL || !exchange_move(c->x, to, upload_arrived))
        upload_start(u);
}
