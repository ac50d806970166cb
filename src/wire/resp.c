/* resp.c - status line, then fields. SPDX-License-Identifier: Apache-2.0 */
#include "wire/resp.h"
#include "wire/field.h"

#define STATUS_LINE_MIN 12 /* HTTP/1.1 200 */

static enum http_refusal
parse_status_line(struct http_resp *r, struct slice line)
{
    uint64_t status;

    if (!http_is_field_value(line))
        return http_which_control(line);
    if (line.n < STATUS_LINE_MIN || !slice_starts(line, SLICE("HTTP/")) ||
        line.p[6] != '.' || line.p[8] != ' ' ||
        !slice_u64(slice_of(line.p + 9, 3), &status) || status < 100)
        return HTTP_REF_STATUS_LINE;
    if (line.p[5] != '1' || line.p[7] < '0' || line.p[7] > '9')
        return HTTP_REF_VERSION;
    /* The blank before an empty reason is required, and often forgotten. */
    if (line.n > STATUS_LINE_MIN && line.p[STATUS_LINE_MIN] != ' ')
        return HTTP_REF_STATUS_LINE;
    r->minor = line.p[7] != '0';
    r->status = (uint16_t)status;
    r->reason = slice_skip(line, STATUS_LINE_MIN + 1);
    return HTTP_REF_NONE;
}

static enum http_refusal
note_te(struct http_resp *r, struct slice v)
{
    struct slice item;

    while (http_list_cut(&v, &item)) {
        if (!slice_eq_nocase(item, SLICE("chunked")))
            return HTTP_REF_TE_UNKNOWN;
        if (r->chunked)
            return HTTP_REF_TE;
        r->chunked = true;
    }
    return r->chunked ? HTTP_REF_NONE : HTTP_REF_TE;
}

static enum http_refusal
note_field(struct http_resp *r, const struct http_field *f, bool *close,
           bool *keep)
{
    struct slice v = f->value, item;
    uint64_t n;

    if (slice_eq_nocase(f->name, SLICE("Transfer-Encoding")))
        return note_te(r, v);
    if (slice_eq_nocase(f->name, SLICE("Content-Length"))) {
        if (r->content_length >= 0)
            return HTTP_REF_CL_REPEATED;
        if (!slice_u64(v, &n) || n > INT64_MAX)
            return HTTP_REF_CL;
        r->content_length = (int64_t)n;
    } else if (slice_eq_nocase(f->name, SLICE("Connection"))) {
        while (http_list_cut(&v, &item)) {
            *close |= slice_eq_nocase(item, SLICE("close"));
            *keep |= slice_eq_nocase(item, SLICE("keep-alive"));
        }
    }
    return HTTP_REF_NONE;
}

static enum http_refusal
parse_fields(struct http_resp *r, struct slice rest)
{
    bool close = false, keep = false;
    enum http_refusal bad = HTTP_REF_NONE;

    r->content_length = -1;
    while (!bad && rest.n > 2) {
        struct http_field *f = &r->field[r->nfields];
        size_t lf = slice_find(rest, '\n');

        bad = http_field_parse(f, slice_head(rest, lf - 1));
        if (bad)
            break;
        r->nfields++;
        rest = slice_skip(rest, lf + 1);
        bad = note_field(r, f, &close, &keep);
    }
    if (!bad && r->chunked && r->content_length >= 0)
        bad = HTTP_REF_TE_WITH_CL;
    if (!bad && r->chunked && r->minor == 0)
        bad = HTTP_REF_TE_HTTP10;
    r->keep_alive = !close && (r->minor > 0 || keep);
    return bad;
}

enum http_parse
http_resp_parse(struct http_resp *r, struct http_scan *scan,
                const struct http_limits *limits, const char *p, size_t n)
{
    size_t seen = size_min(n, limits->head_max);
    size_t line_max = STATUS_LINE_MIN + 1 + (size_t)limits->target_max + 1;
    enum http_refusal bad = HTTP_REF_NONE;
    struct slice all;
    size_t lf;
    bool whole;

    assert(limits->fields_max <= HTTP_FIELDS_MAX);
    whole = scan->pos < seen &&
            http_scan_lines(scan, line_max, limits->fields_max, p, seen, &bad);
    if (!whole && !bad) {
        if (n < limits->head_max)
            return HTTP_MORE;
        bad = HTTP_REF_HEAD_BIG;
    }
    memset(r, 0, offsetof(struct http_resp, field));
    if (whole && scan->lines == 0)
        bad = HTTP_REF_STATUS_LINE;
    if (!bad) {
        r->len = scan->pos;
        all = slice_of(p, scan->pos);
        lf = slice_find(all, '\n');
        bad = parse_status_line(r, slice_head(all, lf - 1));
        if (!bad)
            bad = parse_fields(r, slice_skip(all, lf + 1));
    }
    r->refusal = bad == HTTP_REF_TARGET_LONG ? HTTP_REF_STATUS_LINE : bad;
    return bad ? HTTP_REFUSED : HTTP_OK;
}

enum http_resp_body
http_resp_body(const struct http_resp *r, enum http_method method)
{
    if (method == HTTP_HEAD || r->status < 200 || r->status == 204 ||
        r->status == 304)
        return HTTP_BODY_NONE;
    if (r->chunked)
        return HTTP_BODY_CHUNKED;
    return r->content_length >= 0 ? HTTP_BODY_LENGTH : HTTP_BODY_CLOSE;
}

struct slice
http_resp_value(const struct http_resp *r, struct slice name)
{
    for (uint32_t i = 0; i < r->nfields; i++)
        if (slice_eq_nocase(r->field[i].name, name))
            return r->field[i].value;
    return SLICE_NULL;
}
