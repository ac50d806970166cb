/* access.c - see access.h. SPDX-License-Identifier: Apache-2.0 */
#include "obs/access.h"
#include "obs/line.h"
#include "obs/redact.h"
#include "obs/sink.h"
#include "obs/trace.h"

#define PATH_MAX_SHOWN  ((size_t)512)
#define AGENT_MAX_SHOWN ((size_t)128)
#define WHO_MAX_SHOWN   ((size_t)128)

void
access_init(struct access *a, struct log *l)
{
    a->log = l;
    a->sink = l ? log_sink(l) : NULL;
    a->n = 0;
}

void
access_direct(struct access *a, struct log *l, struct sink *s)
{
    access_flush(a);
    a->log = l;
    a->sink = s;
}

void
access_flush(struct access *a)
{
    if (a->n && a->log)
        sink_write(a->sink, slice_of(a->text, a->n), 0);
    a->n = 0;
}

static void
field_json(struct line *l, const char *key, struct slice v, size_t max)
{
    if (!v.n)
        return;
    line_str(l, ", \"");
    line_str(l, key);
    line_str(l, "\": ");
    line_json(l, v, max);
}

static void
number_json(struct line *l, const char *key, uint64_t v)
{
    line_str(l, ", \"");
    line_str(l, key);
    line_str(l, "\": ");
    line_u64(l, v);
}

static void
record_json(struct line *l, const struct request_rec *r, struct slice path,
            struct slice ident)
{
    line_str(l, "{\"timestamp\": \"");
    line_time(l, r->at);
    line_str(l, r->quiet ? "\", \"level\": \"DEBUG" : "\", \"level\": \"INFO");
    line_str(l, "\", \"logger\": \"access\", \"message\": \"request\"");
    line_add(l, ident.p, ident.n);
    field_json(l, "method", slice_str(r->method), 16);
    field_json(l, "path", path, PATH_MAX_SHOWN);
    field_json(l, "endpoint", slice_str(r->endpoint), 128);
    number_json(l, "status", r->status);
    line_str(l, ", \"duration_ms\": ");
    line_fixed(l, r->took.ns / 1000, 3);
    number_json(l, "bytes_in", r->bytes_in);
    number_json(l, "bytes_out", r->bytes_out);
    field_json(l, "client_hash", r->client, WHO_MAX_SHOWN);
    field_json(l, "subject", r->subject, WHO_MAX_SHOWN);
    field_json(l, "user_agent", r->agent, AGENT_MAX_SHOWN);
    field_json(l, "error", slice_str(r->error), 64);
    if (r->trace) {
        field_json(l, "request_id", slice_str(r->trace->request_id),
                   TRACE_REQUEST_MAX);
        line_str(l, ", \"trace_id\": \"");
        line_hex(l, r->trace->trace_id, sizeof(r->trace->trace_id));
        line_str(l, "\", \"span_id\": \"");
        line_hex(l, r->trace->span_id, sizeof(r->trace->span_id));
        line_char(l, '"');
    }
    line_str(l, "}\n");
}

static void
word(struct line *l, struct slice s, size_t max)
{
    line_char(l, ' ');
    line_word(l, s.n ? s : SLICE("-"), max);
}

static void
number(struct line *l, uint64_t v)
{
    line_char(l, ' ');
    line_u64(l, v);
}

static void
record_text(struct line *l, const struct request_rec *r, struct slice path)
{
    line_time(l, r->at);
    word(l, r->client, WHO_MAX_SHOWN);
    word(l, r->subject, WHO_MAX_SHOWN);
    line_char(l, ' ');
    line_str(l, r->method);
    word(l, path, PATH_MAX_SHOWN);
    number(l, r->status);
    number(l, r->bytes_in);
    number(l, r->bytes_out);
    line_char(l, ' ');
    line_fixed(l, r->took.ns / 1000, 3);
    line_str(l, "ms");
    word(l, slice_str(r->trace ? r->trace->request_id : NULL),
         TRACE_REQUEST_MAX);
    if (r->error)
        word(l, slice_str(r->error), 64);
    line_char(l, '\n');
}

void
access_add(struct access *a, const struct request_rec *r)
{
    char clean[PATH_MAX_SHOWN + 64];
    struct slice path = slice_head(r->path, PATH_MAX_SHOWN + 1);
    struct line l;

    if (!a->log || !log_on(a->log, r->quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO))
        return;
    /* A path without "=" or ":" cannot match a rule that needs a name; a
     * token as a part of the path is the only other secret it may hold. */
    path = redact_text(path, clean, sizeof(clean));
    if (sizeof(a->text) - a->n < ACCESS_LINE_MAX)
        access_flush(a);
    line_init(&l, a->text + a->n, ACCESS_LINE_MAX);
    if (log_format_of(a->log) == LOG_JSON)
        record_json(&l, r, path, log_ident(a->log));
    else
        record_text(&l, r, path);
    if (l.cut) {
        /* Escapes make a byte six; then the long parts are left out. */
        line_back(&l, 0);
        if (log_format_of(a->log) == LOG_JSON) {
            struct request_rec brief = *r;

            brief.agent = brief.subject = brief.client = SLICE_NULL;
            record_json(&l, &brief, SLICE("..."), log_ident(a->log));
        } else {
            record_text(&l, r, SLICE("..."));
        }
    }
    a->n += l.cut ? 0 : l.n;
}
