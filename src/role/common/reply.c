/* reply.c - see reply.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/reply.h"
#include "obs/log.h"
#include "wire/json.h"
#include "wire/problem.h"
#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 512
#define ERROR_MAX   (640 * KIB)

void
reply_json(struct call *c, int status, const struct buf *json)
{
    struct exchange *x = c->x;

    if (json->failed) {
        reply_error(c, 500, "answer_too_big",
                    "The answer is larger than this server makes");
        return;
    }
    exchange_answer(x, status, SLICE("application/json"), buf_slice(json));
    call_end(c);
}

void
reply_error_details(struct call *c, int status, const char *code,
                    const char *message, const char *details)
{
    struct exchange *x = c->x;
    enum problem_form form =
        problem_form_for(http_head_value(x->head, SLICE("Accept")));
    const struct problem p = {
        .status = status,
        .code = code,
        .message = slice_str(message),
        .request_id = slice_str(x->request_id),
        .details = slice_str(details),
    };
    struct buf b;

    x->error = code;
    /* A client that comes back may find it better. */
    if (status == 503 && !c->for_good)
        exchange_header(x, SLICE("Retry-After"), SLICE("5"));
    buf_init(&b, ERROR_MAX);
    if (!problem_body(&b, &p, form)) { /* details too long: without them */
        struct problem less = p;

        less.details = SLICE_NULL;
        buf_clear(&b);
        (void)problem_body(&b, &less, form);
    }
    exchange_answer(x, status, slice_str(problem_content_type(form)),
                    buf_slice(&b));
    buf_release(&b);
    call_end(c);
}

void
reply_error(struct call *c, int status, const char *code, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    reply_error_details(c, status, code, message, NULL);
}

static void
log_fault(struct call *c, const struct fault *f)
{
    log_error(c->router_log, "request failed", F_FAULT(f),
              F_STR("request_id", c->x->request_id),
              F_STR("route", c->route->name));
}

static void
say_away(struct call *c, const char *who)
{
    reply_error(c, 503, "unavailable", "%s does not answer at the moment", who);
}

void
reply_away(struct call *c, const struct fault *f, const char *who)
{
    log_fault(c, f);
    say_away(c, who);
}

void
reply_fault(struct call *c, const struct fault *f, const char *who)
{
    log_fault(c, f);
    switch (f->code) {
    case ERR_NOSPC:
    case ERR_NOINODES:
        reply_error(c, 507, "insufficient_storage",
                    "A disk that this needs is full");
        break;
    case ERR_AGAIN:
    case ERR_BUSY:
    case ERR_TIMEOUT:
        if (who)
            say_away(c, who);
        else
            reply_error(c, 503, "overloaded",
                        "The server has too much to do at the moment");
        break;
    case ERR_NOMEM:
        reply_error(c, 503, "overloaded", "The server has no memory to spare");
        break;
    default:
        reply_error(c, 500, "internal_error",
                    "Something failed here; the log has it under this "
                    "request_id");
    }
}

void
reply_empty(struct call *c, int status)
{
    exchange_answer(c->x, status, SLICE_NULL, SLICE_NULL);
    call_end(c);
}
