/* trace.c - see trace.h. SPDX-License-Identifier: Apache-2.0 */
#include "obs/trace.h"
#include "base/uuid.h"

/* Invalid if all bytes are zero; one value in 2^64, but then for ever. */
static void
id_set(uint8_t *id, const uint8_t *from, size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= id[i] = from[i];
    if (!any)
        id[n - 1] = 1;
}

void
trace_begin(struct trace *t, const uint8_t random[24], struct mono now)
{
    *t = (struct trace){.began = now};
    id_set(t->trace_id, random, 16);
    id_set(t->span_id, random + 16, 8);
}

void
trace_join(struct trace *t, const uint8_t trace_id[16],
           const uint8_t parent_id[8], uint8_t flags, const uint8_t random[8],
           struct mono now)
{
    *t = (struct trace){.began = now, .flags = flags};
    memcpy(t->trace_id, trace_id, 16);
    memcpy(t->parent_id, parent_id, 8);
    id_set(t->span_id, random, 8);
}

void
trace_child(struct trace *t, const struct trace *parent,
            const uint8_t random[8], struct mono now)
{
    trace_join(t, parent->trace_id, parent->span_id, parent->flags, random,
               now);
    memcpy(t->request_id, parent->request_id, sizeof(t->request_id));
}

static bool
is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (c && strchr("-._~:/+=@", c));
}

void
trace_request_id(struct trace *t, struct slice sent, const uint8_t random[16])
{
    bool ok = sent.n > 0 && sent.n <= TRACE_REQUEST_MAX;
    struct uuid u;

    for (size_t i = 0; i < sent.n && ok; i++)
        ok = is_id_char(sent.p[i]);
    if (ok && slice_copy(sent, t->request_id, sizeof(t->request_id)))
        return;
    u = uuid_v4(random);
    uuid_text(&u, t->request_id);
}
