/* api_body.c - requests that bring a whole body, are worked on by a worker, and
 * answer with JSON.
 *
 * Small ones have their place in the request; larger ones, pages of changes,
 * take memory, so that there is a ceiling on how many are there at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/api_impl.h"
#include "wire/query.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void
job_free(struct api_job *j)
{
    struct admin_api *api = j->call->role;

    if (j->large)
        atomic_fetch_sub(&api->large, 1);
    if (j->secret && j->out.p)
        explicit_bzero(j->out.p, j->out.cap);
    small_body_release(&j->body);
    buf_release(&j->out);
    free(j);
}

/* ---- answering ---- */

void
api_reply_err(struct call *c, enum err e, const struct fault *f,
              const char *why)
{
    switch (e) {
    case ERR_NOENT:
        reply_error(c, 404, "element_not_found",
                    "There is no such storage element; "
                    "GET /api/v1/storage-elements lists them");
        break;
    case ERR_INVAL:
        reply_error(c, 400, err_name(e), "%s", why);
        break;
    case ERR_CONFLICT:
    case ERR_BUSY:
    case ERR_EXISTS:
    case ERR_UNSUPPORTED:
        reply_error(c, 409, err_name(e), "%s%s%s", why[0] ? why : err_text(e),
                    f->code == e ? ": " : "", f->code == e ? f->what : "");
        break;
    default:
        reply_fault(c, f, "The database");
        break;
    }
}

static void
job_answer(struct api_job *j)
{
    struct call *c = j->call;

    if (j->secret) {
        exchange_header(c->x, SLICE("Cache-Control"), SLICE("no-store"));
        exchange_header(c->x, SLICE("Pragma"), SLICE("no-cache"));
    }
    if (j->code)
        reply_error(c, j->status, j->code, "%s", j->why.text);
    else if (j->err)
        api_reply_err(c, j->err, &j->fault, j->why.text);
    else if (j->out.n)
        reply_json(c, j->status ? j->status : 200, &j->out);
    else
        reply_empty(c, 204);
    job_free(j);
}

static void
job_waited(struct announce_wait *w)
{
    job_answer(container_of(w, struct api_job, wait));
}

static void
job_done(struct loop *l, struct work *w)
{
    struct api_job *j = container_of(w, struct api_job, work);
    struct admin_api *api = j->call->role;

    if (j->told)
        j->told(j);
    j->wait = (struct announce_wait){.loop = l, .ready = job_waited};
    if (!j->awaits || j->err || !admin_await_told(api->conf.admin, &j->wait))
        job_answer(j);
}

static void
job_work(struct work *w)
{
    struct api_job *j = container_of(w, struct api_job, work);

    j->run(j);
}

static void
job_submit(struct api_job *j)
{
    struct loop *l = j->call->x->loop;

    j->now = l->wall;
    j->work = (struct work){.work = job_work, .done = job_done};
    loop_work(l, &j->work);
}

/* ---- reading ---- */

static void
body_done(struct small_body *b)
{
    job_submit(container_of(b, struct api_job, body));
}

static void
body_failed(struct small_body *b)
{
    job_free(container_of(b, struct api_job, body));
}

/* The element of the path, decoded. False: it cannot be one. */
static bool
element_param(struct call *c, char id[65])
{
    size_t n = 0;

    if (c->param[0].n >= 65 || !pct_decode(c->param[0], id, &n))
        return false;
    id[n] = '\0';
    return admin_id_ok(slice_of(id, n));
}

struct api_job *
api_job_plain(struct call *c, void (*run)(struct api_job *j))
{
    struct api_job *j = calloc(1, sizeof(*j));

    if (!j) {
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        return NULL;
    }
    j->call = c;
    j->run = run;
    j->body.done = body_done;
    j->body.failed = body_failed;
    buf_init(&j->out, API_ANSWER_MAX);
    return j;
}

struct api_job *
api_job_new(struct call *c, void (*run)(struct api_job *j))
{
    struct api_job *j = api_job_plain(c, run);

    if (j && c->param[0].n && !element_param(c, j->element_id)) {
        free(j);
        api_reply_err(c, ERR_NOENT, NULL, "");
        return NULL;
    }
    return j;
}

void
api_job_refuse(struct api_job *j, int status, const char *code,
               const char *text, ...)
{
    va_list ap;

    j->status = status;
    j->code = code;
    va_start(ap, text);
    (void)vsnprintf(j->why.text, sizeof(j->why.text), text, ap);
    va_end(ap);
}

void
api_job_read(struct api_job *j, size_t max)
{
    struct call *c = j->call;
    struct admin_api *api = c->role;

    j->large = max > API_SMALL && c->x->body_left;
    if (j->large && atomic_fetch_add(&api->large, 1) >= API_LARGE_MAX) {
        job_free(j);
        reply_error(c, 503, "overloaded",
                    "Too many pages are being taken in; try again soon");
        return;
    }
    small_body_read(&j->body, c, max);
}
