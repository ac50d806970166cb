/* request.c - see request.h. SPDX-License-Identifier: Apache-2.0 */
#include "obs/request.h"
#include <stdio.h>

void
requests_init(struct requests *q, struct metrics *m, struct log *l)
{
    *q = (struct requests){.metrics = m};
    q->bytes_in = metric_nth(m, M_HTTP_BYTES, 0);
    q->bytes_out = metric_nth(m, M_HTTP_BYTES, 1);
    access_init(&q->access, l);
}

const char *
request_method(struct slice method)
{
    static const char *const known[] = {"GET",     "HEAD",   "POST",
                                        "PUT",     "DELETE", "PATCH",
                                        "OPTIONS", "TRACE",  "CONNECT"};

    for (size_t i = 0; i < countof(known); i++)
        if (slice_eq(method, slice_str(known[i])))
            return known[i];
    return "OTHER";
}

/* The row of a route, a method and a status; status 0 stands for a request that
 * has none yet. A row that another has taken is looked up again, which is only
 * slower. */
static struct request_known *
known_get(struct requests *q, const char *method, const char *endpoint,
          unsigned status)
{
    uint64_t h = ((uintptr_t)endpoint * 31 + (uintptr_t)method) * 31 + status;
    struct metrics *m = q->metrics;
    struct request_known *k;
    char code[12];

    k = &q->known[(h * 0x9e3779b97f4a7c15ULL) >> 56];
    if (k->endpoint == endpoint && k->method == method && k->status == status)
        return k;
    *k = (struct request_known){
        .method = method, .endpoint = endpoint, .status = status};
    k->running = metric_series(m, M_HTTP_IN_PROGRESS, method, endpoint);
    if (!status)
        return k;
    snprintf(code, sizeof(code), "%03u", status % 1000);
    k->count = metric_series(m, M_HTTP_REQUESTS, method, endpoint, code);
    k->took = metric_series(m, M_HTTP_DURATION, method, endpoint, code);
    k->size_in = metric_series(m, M_HTTP_REQUEST_SIZE, method, endpoint);
    k->size_out = metric_series(m, M_HTTP_RESPONSE_SIZE, method, endpoint);
    return k;
}

void
request_began(struct requests *q, const char *method, const char *endpoint)
{
    if (q->metrics)
        metric_move(q->metrics, known_get(q, method, endpoint, 0)->running, 1);
}

void
request_ended(struct requests *q, const struct request_rec *r)
{
    struct metrics *m = q->metrics;

    assert(r->status >= 100 && r->status <= 599);
    if (m) {
        struct request_known *k =
            known_get(q, r->method, r->endpoint, r->status);

        metric_move(m, k->running, -1);
        metric_inc(m, k->count);
        metric_observe(m, k->took, r->took.ns);
        metric_observe(m, k->size_in, (int64_t)r->bytes_in);
        metric_observe(m, k->size_out, (int64_t)r->bytes_out);
        metric_add(m, q->bytes_in, r->bytes_in);
        metric_add(m, q->bytes_out, r->bytes_out);
    }
    access_add(&q->access, r);
}
