/* head.c - the request head in two passes.
 *
 * The first pass runs while bytes arrive and looks at line ends only (and at
 * the method, so that a TLS handshake or noise is answered at its first bytes).
 * It keeps its place in struct http_scan. The second runs once, over the whole
 * head, when the empty line has come. Each byte is seen a fixed number of
 * times, however it was cut (head_test.c cuts at every place).
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/head.h"
#include "wire/field.h"

#define BLANK_MAX     2 /* RFC 9112 section 2.2: at least one is ignored */
#define VERSION_LEN   8 /* HTTP/1.1 */
#define TLS_HANDSHAKE 0x16

/* ---- first pass ---------------------------------------------------------- */

/* Empty lines before the request line. True when its first byte is there. */
static bool
skip_blank(struct http_scan *s, const char *p, size_t n, enum http_refusal *bad)
{
    while (s->pos < n && p[s->pos] == '\r') {
        if (s->pos + 1 >= n)
            return false;
        if (p[s->pos + 1] != '\n') {
            *bad = HTTP_REF_BARE_CR;
            return false;
        }
        if (++s->blank > BLANK_MAX) {
            *bad = HTTP_REF_EMPTY_LINES;
            return false;
        }
        s->pos += 2;
        s->line = s->start = s->pos;
    }
    return s->pos < n;
}

/* The method up to its blank. True when the blank is there. */
static bool
scan_method(struct http_scan *s, const char *p, size_t n,
            enum http_refusal *bad)
{
    if (s->pos == s->start && !skip_blank(s, p, n, bad))
        return false;
    for (; s->pos < n; s->pos++) {
        char c = p[s->pos];
        uint32_t len = s->pos - s->start;

        if (len > HTTP_METHOD_MAX)
            *bad = HTTP_REF_METHOD_LONG;
        else if (http_is_tchar(c))
            continue;
        else if (c == ' ' && len)
            return true;
        else if (c == '\n')
            *bad = HTTP_REF_BARE_LF;
        else if (c == ' ' || c == '\t' || c == '\r')
            *bad = HTTP_REF_REQUEST_LINE;
        else if (c == TLS_HANDSHAKE && len == 0)
            *bad = HTTP_REF_TLS;
        else
            *bad = HTTP_REF_METHOD;
        return false;
    }
    return false;
}

static enum http_parse
scan_head(struct http_scan *s, const struct http_limits *lim, const char *p,
          size_t n, enum http_refusal *bad)
{
    /* Whatever is over the limit is not looked at, so that the answer is the
     * same when it comes in the same arrival. */
    size_t seen = size_min(n, lim->head_max);
    size_t line_max =
        HTTP_METHOD_MAX + 1 + (size_t)lim->target_max + 1 + VERSION_LEN + 1;

    if (!s->method && s->pos < seen && scan_method(s, p, seen, bad))
        s->method = 1;
    if (*bad)
        return HTTP_REFUSED;
    if (s->method && s->pos < seen &&
        http_scan_lines(s, line_max, lim->fields_max, p, seen, bad))
        return HTTP_OK;
    if (!*bad && n >= lim->head_max)
        *bad = s->lines ? HTTP_REF_HEAD_BIG : HTTP_REF_TARGET_LONG;
    return *bad ? HTTP_REFUSED : HTTP_MORE;
}

/* ---- second pass: the request line --------------------------------------- */

static enum http_refusal
parse_version(struct http_head *h, struct slice v)
{
    if (v.n != VERSION_LEN || !slice_starts(v, SLICE("HTTP/")) ||
        v.p[5] < '0' || v.p[5] > '9' || v.p[6] != '.' || v.p[7] < '0' ||
        v.p[7] > '9')
        return HTTP_REF_REQUEST_LINE;
    if (v.p[5] != '1')
        return HTTP_REF_VERSION;
    /* RFC 9110 section 2.5: a higher minor is read as the highest we know. */
    h->minor = v.p[7] != '0';
    return HTTP_REF_NONE;
}

/* Visible ASCII without '#'. RFC 3986 has fewer, but browsers send { | } ^ in
 * queries; that a path is decodable is for query.h to say. */
static bool
is_target(struct slice s)
{
    unsigned bad = 0;

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        bad |= (unsigned)(c <= 0x20) | (unsigned)(c >= 0x7f) |
               (unsigned)(c == '#');
    }
    return bad == 0;
}

static void
split_query(struct http_head *h, struct slice s)
{
    size_t q = slice_find(s, '?');

    h->path = slice_head(s, q);
    h->query = q < s.n ? slice_skip(s, q + 1) : SLICE_NULL;
}

/* http://host/path, RFC 9112 section 3.2.2 */
static enum http_refusal
parse_absolute(struct http_head *h)
{
    struct slice t = h->target;
    size_t i = 0;

    if (slice_eq_nocase(slice_head(t, 7), SLICE("http://"))) {
        t = slice_skip(t, 7);
    } else if (slice_eq_nocase(slice_head(t, 8), SLICE("https://"))) {
        t = slice_skip(t, 8);
        h->https = true;
    } else {
        return HTTP_REF_TARGET;
    }
    while (i < t.n && t.p[i] != '/' && t.p[i] != '?')
        i++;
    h->absolute = true;
    h->host = slice_head(t, i);
    if (!http_is_host(h->host))
        return HTTP_REF_HOST;
    split_query(h, slice_skip(t, i));
    if (h->path.n == 0) /* section 3.2.4 for OPTIONS */
        h->path =
            h->method == HTTP_OPTIONS && !h->query.p ? SLICE("*") : SLICE("/");
    return HTTP_REF_NONE;
}

static enum http_refusal
parse_target(struct http_head *h, const struct http_limits *lim)
{
    if (h->target.n > lim->target_max)
        return HTTP_REF_TARGET_LONG;
    if (slice_eq(h->method_name, SLICE("CONNECT")))
        return HTTP_REF_CONNECT;
    if (!is_target(h->target))
        return HTTP_REF_TARGET;
    if (slice_eq(h->target, SLICE("*"))) {
        h->path = h->target;
        return h->method == HTTP_OPTIONS ? HTTP_REF_NONE : HTTP_REF_TARGET;
    }
    if (h->target.p[0] != '/')
        return parse_absolute(h);
    split_query(h, h->target);
    return HTTP_REF_NONE;
}

/* LINE without its CR LF: method SP target SP version, and nothing more. */
static enum http_refusal
parse_request_line(struct http_head *h, const struct http_limits *lim,
                   struct slice line)
{
    struct slice rest = line;
    enum http_refusal bad;

    if (!http_is_field_value(line))
        return http_which_control(line);
    h->method_name = slice_head(rest, slice_find(rest, ' '));
    h->method = http_method_of(h->method_name);
    rest = slice_skip(rest, h->method_name.n + 1);
    h->target = slice_head(rest, slice_find(rest, ' '));
    if (h->target.n == 0 || h->target.n == rest.n)
        return HTTP_REF_REQUEST_LINE;
    rest = slice_skip(rest, h->target.n + 1);
    bad = parse_version(h, rest);
    return bad ? bad : parse_target(h, lim);
}

/* ---- second pass: the fields --------------------------------------------- */

/* The fields that decide about framing and routing. */
struct known {
    unsigned hosts;
    unsigned lengths;
    unsigned codings; /* Transfer-Encoding lines */
    struct slice host;
    struct slice length;
    bool close;
    bool keep_alive;
};

static enum http_refusal
note_te(struct http_head *h, struct known *k, struct slice v)
{
    struct slice item;
    bool any = false;

    k->codings++;
    for (; http_list_cut(&v, &item); any = true) {
        if (!slice_eq_nocase(item, SLICE("chunked")))
            return HTTP_REF_TE_UNKNOWN;
        if (h->chunked) /* RFC 9112 section 6.1: not more than once */
            return HTTP_REF_TE;
        h->chunked = true;
    }
    return any ? HTTP_REF_NONE : HTTP_REF_TE;
}

static enum http_refusal
note_expect(struct http_head *h, struct slice v)
{
    struct slice item;

    while (http_list_cut(&v, &item)) {
        if (!slice_eq_nocase(item, SLICE("100-continue")))
            return HTTP_REF_EXPECT;
        /* RFC 9110 section 10.1.1: of HTTP/1.0 it is to be ignored. */
        h->expect_continue = h->minor > 0;
    }
    return HTTP_REF_NONE;
}

static void
note_connection(struct known *k, struct slice v)
{
    struct slice item;

    while (http_list_cut(&v, &item)) {
        k->close |= slice_eq_nocase(item, SLICE("close"));
        k->keep_alive |= slice_eq_nocase(item, SLICE("keep-alive"));
    }
}

static enum http_refusal
note_field(struct http_head *h, struct known *k, const struct http_field *f)
{
    switch (f->name.n) { /* cheaper than five comparisons */
    case 4:
        if (slice_eq_nocase(f->name, SLICE("Host"))) {
            k->hosts++;
            k->host = f->value;
        }
        break;
    case 6:
        if (slice_eq_nocase(f->name, SLICE("Expect")))
            return note_expect(h, f->value);
        break;
    case 10:
        if (slice_eq_nocase(f->name, SLICE("Connection")))
            note_connection(k, f->value);
        break;
    case 14:
        if (slice_eq_nocase(f->name, SLICE("Content-Length"))) {
            k->lengths++;
            k->length = f->value;
        }
        break;
    case 17:
        if (slice_eq_nocase(f->name, SLICE("Transfer-Encoding")))
            return note_te(h, k, f->value);
        break;
    default:
        break;
    }
    return HTTP_REF_NONE;
}

/* Without the port that the scheme has anyway. */
static struct slice
strip_port(struct slice host, struct slice port)
{
    return slice_ends(host, port) ? slice_head(host, host.n - port.n) : host;
}

static enum http_refusal
check_host(struct http_head *h, const struct known *k)
{
    struct slice port = h->https ? SLICE(":443") : SLICE(":80");

    if (k->hosts > 1)
        return HTTP_REF_HOST_REPEATED;
    if (k->hosts == 0) {
        if (h->minor > 0)
            return HTTP_REF_HOST_MISSING;
        return HTTP_REF_NONE;
    }
    if (!http_is_host(k->host))
        return HTTP_REF_HOST;
    if (!h->absolute)
        h->host = k->host;
    else if (!slice_eq_nocase(strip_port(h->host, port),
                              strip_port(k->host, port)))
        return HTTP_REF_HOST_MISMATCH;
    return HTTP_REF_NONE;
}

static enum http_refusal
check_framing(struct http_head *h, const struct known *k)
{
    uint64_t v;

    if (k->lengths && k->codings)
        return HTTP_REF_TE_WITH_CL;
    if (k->codings && h->minor == 0)
        return HTTP_REF_TE_HTTP10;
    if (k->lengths > 1)
        return HTTP_REF_CL_REPEATED;
    h->content_length = -1;
    if (k->lengths) {
        if (!slice_u64(k->length, &v) || v > INT64_MAX)
            return HTTP_REF_CL;
        h->content_length = (int64_t)v;
    }
    return HTTP_REF_NONE;
}

static enum http_refusal
parse_fields(struct http_head *h, struct slice rest)
{
    struct known k = {0};
    enum http_refusal bad = HTTP_REF_NONE;
    enum http_refusal later = HTTP_REF_NONE;

    while (!bad && rest.n > 2) {
        struct http_field *f = &h->field[h->nfields];
        size_t lf = slice_find(rest, '\n');

        bad = http_field_parse(f, slice_head(rest, lf - 1));
        if (bad)
            break;
        h->nfields++;
        rest = slice_skip(rest, lf + 1);
        /* What the fields mean together goes before what one of them asks:
         * TE with CL is an attack, an unknown coding only a wish. */
        if (!later)
            later = note_field(h, &k, f);
        else
            note_field(h, &k, f);
    }
    if (!bad)
        bad = check_framing(h, &k);
    if (!bad)
        bad = check_host(h, &k);
    h->keep_alive = !k.close && (h->minor > 0 || k.keep_alive);
    return bad ? bad : later;
}

/* What an access log can say of a head that was refused in the first pass. */
static void
name_refused(struct http_head *h, const struct http_scan *s, const char *p)
{
    struct slice line;

    if (!s->method)
        return;
    line = slice_of(p + s->start, s->pos - s->start);
    h->method_name = slice_head(line, slice_find(line, ' '));
    h->method = http_method_of(h->method_name);
    if (s->lines) {
        line = slice_skip(line, h->method_name.n + 1);
        h->target = slice_head(line, slice_find(line, ' '));
        if (!is_target(h->target))
            h->target = SLICE_NULL;
    }
}

void
http_head_forget(struct http_head *h)
{
    /* The array of fields need not be cleared: nfields guards it. */
    memset(h, 0, offsetof(struct http_head, field));
}

enum http_parse
http_head_parse(struct http_head *h, struct http_scan *scan,
                const struct http_limits *limits, const char *p, size_t n)
{
    enum http_refusal bad = HTTP_REF_NONE;
    enum http_parse r;
    struct slice all;
    size_t lf;

    assert(limits->fields_max <= HTTP_FIELDS_MAX);
    r = scan_head(scan, limits, p, n, &bad);
    if (r == HTTP_MORE)
        return r;
    http_head_forget(h);
    if (r == HTTP_OK) {
        h->len = scan->pos;
        all = slice_of(p + scan->start, scan->pos - scan->start);
        lf = slice_find(all, '\n');
        bad = parse_request_line(h, limits, slice_head(all, lf - 1));
        if (!bad)
            bad = parse_fields(h, slice_skip(all, lf + 1));
    } else {
        name_refused(h, scan, p);
    }
    h->refusal = bad;
    return bad ? HTTP_REFUSED : HTTP_OK;
}

/* ---- afterwards ---------------------------------------------------------- */

static void
rebase(struct slice *s, const char *from, const char *to, size_t n)
{
    uintptr_t at = (uintptr_t)s->p, first = (uintptr_t)from;

    if (s->p && at >= first && at - first <= n)
        s->p = to + (at - first);
}

void
http_head_rebase(struct http_head *h, const char *from, const char *to)
{
    struct slice *s[] = {&h->method_name, &h->target, &h->path, &h->query,
                         &h->host};

    for (size_t i = 0; i < countof(s); i++)
        rebase(s[i], from, to, h->len);
    for (uint32_t i = 0; i < h->nfields; i++) {
        rebase(&h->field[i].name, from, to, h->len);
        rebase(&h->field[i].value, from, to, h->len);
    }
}

const struct http_field *
http_head_next(const struct http_head *h, struct slice name,
               const struct http_field *after)
{
    uint32_t i = after ? (uint32_t)(after - h->field) + 1 : 0;

    for (; i < h->nfields; i++)
        if (slice_eq_nocase(h->field[i].name, name))
            return &h->field[i];
    return NULL;
}

const struct http_field *
http_head_find(const struct http_head *h, struct slice name)
{
    return http_head_next(h, name, NULL);
}

struct slice
http_head_value(const struct http_head *h, struct slice name)
{
    const struct http_field *f = http_head_find(h, name);

    return f ? f->value : SLICE_NULL;
}

bool
http_head_has_token(const struct http_head *h, struct slice name,
                    struct slice token)
{
    const struct http_field *f = NULL;

    while ((f = http_head_next(h, name, f))) {
        struct slice rest = f->value, item;

        while (http_list_cut(&rest, &item)) {
            item = slice_trim(slice_head(item, slice_find(item, ';')));
            if (slice_eq_nocase(item, token))
                return true;
        }
    }
    return false;
}

static const struct slice method_names[HTTP_OTHER] = {
#define X(id, name) [id] = {name, sizeof(name) - 1},
    HTTP_METHOD_TABLE(X)
#undef X
};

const char *
http_method_name(enum http_method m)
{
    assert((unsigned)m <= HTTP_OTHER);
    return m < HTTP_OTHER ? method_names[m].p : "OTHER";
}

enum http_method
http_method_of(struct slice name)
{
    for (int i = 0; i < HTTP_OTHER; i++)
        if (slice_eq(name, method_names[i]))
            return (enum http_method)i;
    return HTTP_OTHER;
}
