/* retry.c - see retry.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/retry.h"
#include <string.h>

void
retry_init(struct retry *r, unsigned attempts_max)
{
    assert(attempts_max > 0);
    *r = (struct retry){.attempts_max = attempts_max};
}

enum select_excluded
retry_excludes(const struct retry *r, const char *element_id)
{
    for (unsigned i = 0; i < r->n_out; i++)
        if (strcmp(r->out[i].element_id, element_id) == 0)
            return r->out[i].why;
    return SELECT_NOT_EXCLUDED;
}

static void
exclude(struct retry *r, const char *element_id, enum select_excluded why)
{
    struct retry_out *o;

    if (r->n_out == RETRY_OUT_MAX)
        return; /* the caller sees that it is full and answers */
    o = &r->out[r->n_out++];
    (void)slice_copy(slice_str(element_id), o->element_id,
                     sizeof(o->element_id));
    o->why = why;
}

static struct retry_step
answer(struct retry_step s, int status, const char *code)
{
    s.next = RETRY_ANSWER;
    s.status = status;
    s.code = code;
    s.retry_after = status == 503;
    return s;
}

/* ---- what an end means ---- */

static bool
is_room(const struct retry_end *e)
{
    return e->end == BREAKER_ANSWERED && e->status == 507;
}

static bool
is_gone(const struct retry_end *e)
{
    return e->end == BREAKER_ANSWERED && e->status == 404;
}

/* An element that says before the first byte that it will not: full, not here
 * any more, read-only since the choice was made. */
static bool
is_refusal(const struct retry_end *e)
{
    return e->phase == RETRY_ADMIT &&
           (is_room(e) || is_gone(e) ||
            (e->end == BREAKER_ANSWERED && e->status == 403 && e->read_only));
}

/* ING-139: a 4xx is the request's own, wherever it is sent; but 404, 507 and
 * read-only are the element's, and 408 and 429 are of the moment. */
static bool
is_final(const struct retry_end *e)
{
    return e->end == BREAKER_ANSWERED && e->status >= 400 && e->status < 500 &&
           !is_gone(e) && !e->read_only && e->status != 408 && e->status != 429;
}

static bool
is_ok(const struct retry_end *e)
{
    return e->end == BREAKER_ANSWERED && e->status >= 200 && e->status < 300;
}

/* No answer after bytes were sent, or a 5xx of a proxy after all of them: the
 * element may have published it. What it says itself is certain: 507 and 4xx
 * mean that nothing is there (STO-032). */
static bool
is_uncertain(const struct retry_end *e)
{
    if (e->phase == RETRY_ADMIT)
        return false;
    return e->end != BREAKER_ANSWERED || (e->status >= 500 && !is_room(e));
}

static enum reload_reason
reason_of(const struct retry_end *e, bool *reload)
{
    *reload = true;
    if (is_room(e))
        return RELOAD_NO_ROOM;
    if (is_gone(e))
        return RELOAD_NOT_FOUND;
    if (e->end == BREAKER_NOT_CONNECTED || e->end == BREAKER_BROKEN ||
        e->end == BREAKER_TIMED_OUT)
        return RELOAD_CONNECTION;
    *reload = false; /* ING-136 */
    return RELOAD_MANUAL;
}

/* ING-104, but that 507 is for retry_none() alone (D06). */
static int
status_of(const struct retry_end *e)
{
    if (e->end == BREAKER_TIMED_OUT)
        return 504;
    if (is_room(e) || e->read_only || is_gone(e) ||
        (e->end == BREAKER_ANSWERED && (e->status == 503 || e->status == 429)))
        return 503;
    return 502;
}

static const char *
code_of(int status)
{
    return status == 504   ? "upload_timeout"
           : status == 502 ? "storage_error"
                           : "no_available_storage";
}

struct retry_step
retry_ended(struct retry *r, const struct retry_end *e)
{
    struct retry_step s = {.outcome = breaker_judge(e->end, e->status)};

    if (is_ok(e)) {
        s.next = RETRY_DONE;
        return s;
    }
    s.abort = is_uncertain(e);
    if (e->end == BREAKER_GIVEN_UP)
        return answer(s, 503, "canceled"); /* nobody is there to read it */
    s.capacity = is_room(e);
    s.reason = reason_of(e, &s.reload);
    if (is_final(e))
        return answer(s, e->status, "storage_error");
    s.attempt = !is_refusal(e);
    r->attempts += s.attempt;
    r->refusals += !s.attempt;
    r->last_status = status_of(e);
    exclude(r, e->element_id, is_room(e) ? SELECT_REFUSED : SELECT_FAILED);
    if (e->phase != RETRY_ADMIT && !e->replayable)
        return answer(s, 503, "no_available_storage"); /* D04 */
    if (r->attempts >= r->attempts_max)
        return answer(s, r->last_status, code_of(r->last_status));
    if (r->n_out == RETRY_OUT_MAX)
        return answer(s, 503, "no_available_storage");
    s.next = RETRY_CHOOSE;
    return s;
}

struct retry_step
retry_none(const struct retry *r, enum select_kind kind)
{
    struct retry_step s = {.outcome = BREAKER_NEUTRAL};

    assert(kind != SELECT_YES);
    if (kind == SELECT_ROOM)
        return answer(s, 507, "insufficient_storage");
    /* Others failed before this: say how, if it was not "later" as well. */
    if (r->attempts > 0 && r->last_status != 503)
        return answer(s, r->last_status, code_of(r->last_status));
    return answer(s, 503, "no_available_storage");
}
