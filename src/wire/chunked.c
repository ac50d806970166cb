/* chunked.c - one state per byte of framing, one move per run of data.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/chunked.h"
#include "wire/field.h"

#define SIZE_DIGITS_MAX 16 /* leading zeros count too: no endless size */

void
chunked_init(struct chunked *c, const struct chunked_limits *limits)
{
    /* text and trailer are guarded by their counts: not cleared. */
    memset(c, 0, offsetof(struct chunked, trailer));
    c->limits = *limits;
    if (c->limits.trailer_max > CHUNKED_TRAILER_MAX)
        c->limits.trailer_max = CHUNKED_TRAILER_MAX;
}

static void
refuse(struct chunked *c, enum http_refusal why)
{
    c->state = CHUNKED_FAILED;
    c->refusal = why;
}

static int
hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

static void
step_size(struct chunked *c, char ch)
{
    int d = hex_digit(ch);

    if (d >= 0) {
        if (++c->digits > SIZE_DIGITS_MAX || c->left > INT64_MAX >> 4)
            refuse(c, HTTP_REF_CHUNK_SIZE);
        c->left = c->left << 4 | (uint64_t)d;
        if (c->state == CHUNKED_SIZE_FIRST)
            c->state = CHUNKED_SIZE;
    } else if (c->state == CHUNKED_SIZE_FIRST) {
        refuse(c, HTTP_REF_CHUNK_SIZE);
    } else if (ch == '\r') {
        c->state = CHUNKED_SIZE_LF;
    } else if (ch == ';') {
        c->state = CHUNKED_EXT;
    } else if (ch == '\n') {
        refuse(c, HTTP_REF_BARE_LF);
    } else {
        /* Blanks too: the grammar has them before ';' only ("bad"
         * whitespace), and they were used to hide what follows. */
        refuse(c, HTTP_REF_CHUNK_SIZE);
    }
}

/* A CR ends an extension even inside quotes: a quoted string holds none. */
static void
step_ext(struct chunked *c, char ch)
{
    unsigned char u = (unsigned char)ch;

    if (++c->ext > c->limits.ext_max) {
        refuse(c, HTTP_REF_CHUNK_EXT_LONG);
    } else if (ch == '\r') {
        if (c->state == CHUNKED_EXT)
            c->state = CHUNKED_SIZE_LF;
        else
            refuse(c, HTTP_REF_CHUNK_EXT);
    } else if (ch == '\n') {
        refuse(c, HTTP_REF_BARE_LF);
    } else if ((u < 0x20 && ch != '\t') || u == 0x7f) {
        refuse(c, HTTP_REF_CHUNK_EXT);
    } else if (c->state == CHUNKED_ESCAPE) {
        c->state = CHUNKED_QUOTED;
    } else if (c->state == CHUNKED_QUOTED) {
        if (ch == '"')
            c->state = CHUNKED_EXT;
        else if (ch == '\\')
            c->state = CHUNKED_ESCAPE;
    } else if (ch == '"') {
        c->state = CHUNKED_QUOTED;
    }
}

static void
size_known(struct chunked *c)
{
    c->digits = 0;
    if (c->left > c->limits.body_max - c->total) {
        refuse(c, HTTP_REF_BODY_BIG);
        return;
    }
    c->last = c->left == 0;
    c->state = c->last ? CHUNKED_TRAILER : CHUNKED_DATA;
}

bool
chunked_trailer_allowed(struct slice name)
{
    static const char *const never[] = {"Transfer-Encoding",
                                        "Content-Length",
                                        "Host",
                                        "Trailer",
                                        "Connection",
                                        "Expect",
                                        "Authorization",
                                        "Content-Encoding",
                                        "Content-Type",
                                        "Content-Range",
                                        "Range",
                                        "TE",
                                        "Upgrade",
                                        "Cookie",
                                        "Keep-Alive",
                                        "Proxy-Authorization",
                                        "Forwarded",
                                        "X-Forwarded-For"};

    for (size_t i = 0; i < countof(never); i++)
        if (slice_eq_nocase(name, slice_str(never[i])))
            return false;
    return true;
}

static void
trailer_line(struct chunked *c)
{
    struct slice line = slice_of(c->text + c->line, c->ntext - c->line);
    struct http_field *f = &c->trailer[c->ntrailers];

    if (line.n == 0) {
        c->state = CHUNKED_END;
        return;
    }
    if (c->ntrailers >= CHUNKED_TRAILERS_MAX) {
        refuse(c, HTTP_REF_TRAILER_BIG);
    } else if (http_field_parse(f, line) || !chunked_trailer_allowed(f->name)) {
        refuse(c, HTTP_REF_TRAILER);
    } else {
        c->ntrailers++;
        c->line = c->ntext;
        c->state = CHUNKED_TRAILER;
    }
}

static void
step_trailer(struct chunked *c, char ch)
{
    if (ch == '\r')
        c->state = CHUNKED_TRAILER_LF;
    else if (ch == '\n')
        refuse(c, HTTP_REF_BARE_LF);
    else if (c->ntext >= c->limits.trailer_max)
        refuse(c, HTTP_REF_TRAILER_BIG);
    else
        c->text[c->ntext++] = ch;
}

/* One byte of framing; never called in CHUNKED_DATA. */
static void
step(struct chunked *c, char ch)
{
    switch (c->state) {
    case CHUNKED_SIZE_FIRST:
    case CHUNKED_SIZE:
        step_size(c, ch);
        break;
    case CHUNKED_EXT:
    case CHUNKED_QUOTED:
    case CHUNKED_ESCAPE:
        step_ext(c, ch);
        break;
    case CHUNKED_SIZE_LF:
        if (ch == '\n')
            size_known(c);
        else
            refuse(c, HTTP_REF_BARE_CR);
        break;
    case CHUNKED_DATA_CR:
        if (ch == '\r')
            c->state = CHUNKED_DATA_LF;
        else
            refuse(c, ch == '\n' ? HTTP_REF_BARE_LF : HTTP_REF_CHUNK_END);
        break;
    case CHUNKED_DATA_LF:
        if (ch == '\n')
            c->state = CHUNKED_SIZE_FIRST;
        else
            refuse(c, HTTP_REF_CHUNK_END);
        break;
    case CHUNKED_TRAILER:
        step_trailer(c, ch);
        break;
    case CHUNKED_TRAILER_LF:
        if (ch == '\n')
            trailer_line(c);
        else
            refuse(c, HTTP_REF_BARE_CR);
        break;
    case CHUNKED_DATA:
    case CHUNKED_END:
    case CHUNKED_FAILED:
        assert(0);
    }
}

enum chunked_result
chunked_decode(struct chunked *c, void *buf, size_t n, size_t *used,
               size_t *data)
{
    char *p = buf;
    size_t in = 0, out = 0;

    while (in < n && c->state < CHUNKED_END) {
        if (c->state == CHUNKED_DATA) {
            size_t k = (size_t)u64_min(c->left, n - in);

            if (in != out)
                memmove(p + out, p + in, k);
            in += k;
            out += k;
            c->total += k;
            c->left -= k;
            if (c->left == 0)
                c->state = CHUNKED_DATA_CR;
        } else {
            step(c, p[in++]);
        }
    }
    *used = in;
    *data = out;
    if (c->state == CHUNKED_END)
        return CHUNKED_DONE;
    return c->state == CHUNKED_FAILED ? CHUNKED_REFUSED : CHUNKED_MORE;
}
