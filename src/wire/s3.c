/* s3.c - see s3.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/s3.h"
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 16

bool
s3_encode(struct buf *out, struct slice s, bool path)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];

        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
            c == '~' || (path && c == '/'))
            (void)buf_add_char(out, (char)c);
        else
            (void)buf_printf(out, "%%%02X", c);
    }
    return !out->failed;
}

/* ---- XML, as far as S3 sends it ---- */

enum xml_event {
    XML_OPEN,
    XML_CLOSE, /* TEXT: the character data since the last OPEN */
    XML_END,
    XML_BAD,
};

struct xml {
    struct slice rest;
    unsigned depth;
    struct slice name; /* of the event, without prefix */
    struct slice text; /* raw: entities as they came */
    bool empty;        /* <name/>: its CLOSE comes next */
    bool root;         /* has been seen */
};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
all_blank(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_blank(s.p[i]))
            return false;
    return true;
}

static struct slice
until(struct slice *rest, const char *end)
{
    size_t n = strlen(end);
    struct slice got = *rest;

    for (size_t i = 0; i + n <= rest->n; i++)
        if (memcmp(rest->p + i, end, n) == 0) {
            got.n = i;
            *rest = slice_skip(*rest, i + n);
            return got;
        }
    *rest = slice_of("", 0);
    return SLICE_NULL;
}

/* What stands between '<' and '>'; one in a quoted attribute is part of it. */
static struct slice
tag(struct slice *rest)
{
    char quote = 0;

    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        struct slice got = {rest->p, i};

        if (quote) {
            quote = c == quote ? 0 : quote;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            *rest = slice_skip(*rest, i + 1);
            return got;
        }
    }
    return SLICE_NULL;
}

static struct slice
name_of(struct slice t)
{
    size_t n = 0;

    while (n < t.n && !is_blank(t.p[n]) && t.p[n] != '/')
        n++;
    t.n = n;
    n = slice_find(t, ':');
    return n < t.n ? slice_skip(t, n + 1) : t;
}

static enum xml_event
close_event(struct xml *x, struct slice name)
{
    if (x->depth == 0)
        return XML_BAD;
    x->depth--;
    x->name = name;
    return XML_CLOSE;
}

static enum xml_event
open_event(struct xml *x, struct slice t)
{
    x->name = name_of(t);
    if (x->name.n == 0 || x->depth == DEPTH_MAX)
        return XML_BAD;
    x->depth++;
    x->root = true;
    x->empty = t.p[t.n - 1] == '/';
    x->text = SLICE_NULL;
    return XML_OPEN;
}

static enum xml_event
xml_next(struct xml *x)
{
    struct slice t;

    if (x->empty) {
        x->empty = false;
        return close_event(x, x->name);
    }
    for (;;) {
        x->text = slice_head(x->rest, slice_find(x->rest, '<'));
        x->rest = slice_skip(x->rest, x->text.n);
        if (x->rest.n == 0)
            return x->root && x->depth == 0 && all_blank(x->text) ? XML_END
                                                                  : XML_BAD;
        x->rest = slice_skip(x->rest, 1);
        if (slice_starts(x->rest, SLICE("?"))) {
            (void)until(&x->rest, "?>");
            continue;
        }
        if (slice_starts(x->rest, SLICE("!--"))) {
            (void)until(&x->rest, "-->");
            continue;
        }
        t = tag(&x->rest);
        if (t.n == 0 || t.p[0] == '!') /* no DOCTYPE, no CDATA */
            return XML_BAD;
        return t.p[0] == '/' ? close_event(x, name_of(slice_skip(t, 1)))
                             : open_event(x, t);
    }
}

/* ---- character data ---- */

static bool
add_utf8(struct buf *b, uint64_t c)
{
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return false;
    if (c < 0x80)
        return buf_add_char(b, (char)c);
    if (c < 0x800)
        return buf_add_char(b, (char)(0xc0 | c >> 6)) &&
               buf_add_char(b, (char)(0x80 | (c & 63)));
    if (c < 0x10000)
        return buf_add_char(b, (char)(0xe0 | c >> 12)) &&
               buf_add_char(b, (char)(0x80 | (c >> 6 & 63))) &&
               buf_add_char(b, (char)(0x80 | (c & 63)));
    return buf_add_char(b, (char)(0xf0 | c >> 18)) &&
           buf_add_char(b, (char)(0x80 | (c >> 12 & 63))) &&
           buf_add_char(b, (char)(0x80 | (c >> 6 & 63))) &&
           buf_add_char(b, (char)(0x80 | (c & 63)));
}

static bool
hex_number(struct slice s, uint64_t *out)
{
    *out = 0;
    if (s.n == 0 || s.n > 6)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        unsigned v = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;

        if (v == 16)
            return false;
        *out = *out << 4 | v;
    }
    return true;
}

static bool
add_entity(struct buf *b, struct slice name)
{
    static const struct {
        const char *name;
        char c;
    } known[] = {
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    uint64_t c;

    for (size_t i = 0; i < countof(known); i++)
        if (slice_eq(name, slice_str(known[i].name)))
            return buf_add_char(b, known[i].c);
    if (slice_starts(name, SLICE("#x")))
        return hex_number(slice_skip(name, 2), &c) && add_utf8(b, c);
    return slice_starts(name, SLICE("#")) &&
           slice_u64(slice_skip(name, 1), &c) && add_utf8(b, c);
}

/* RAW with its entities replaced, in OUT of CAP bytes. */
static bool
text_copy(struct slice raw, char *out, size_t cap)
{
    struct buf b;
    bool ok = true;

    buf_init(&b, cap - 1);
    while (raw.n && ok) {
        struct slice plain = slice_head(raw, slice_find(raw, '&'));

        raw = slice_skip(raw, plain.n);
        ok = buf_add_slice(&b, plain);
        if (ok && raw.n) {
            struct slice name;

            raw = slice_skip(raw, 1);
            ok = slice_find(raw, ';') < raw.n && slice_cut(&raw, ';', &name) &&
                 add_entity(&b, name);
        }
    }
    ok = ok && slice_copy(buf_slice(&b), out, cap);
    buf_release(&b);
    return ok;
}

/* ---- answers ---- */

struct listing {
    struct xml x;
    struct s3_entry *e;
    bool inside; /* of an entry */
    bool *more;
};

/* A member that has ended; false: not what it should be. */
static bool
take_member(struct listing *l)
{
    struct slice name = l->x.name, text = l->x.text;

    if (l->x.depth == 1 && slice_eq(name, SLICE("IsTruncated")))
        *l->more = slice_eq(slice_trim(text), SLICE("true"));
    if (!l->inside || l->x.depth != 2)
        return true;
    if (slice_eq(name, SLICE("Key")))
        return text_copy(text, l->e->key, sizeof(l->e->key));
    if (slice_eq(name, SLICE("UploadId")))
        return text_copy(text, l->e->upload_id, sizeof(l->e->upload_id));
    if (slice_eq(name, SLICE("Size")))
        return slice_u64(slice_trim(text), &l->e->size);
    return true;
}

static enum err
walk(struct listing *l, s3_entry_fn *fn, void *arg)
{
    for (;;) {
        enum xml_event ev = xml_next(&l->x);
        struct slice name = l->x.name;
        bool entry = slice_eq(name, SLICE("Contents")) ||
                     slice_eq(name, SLICE("Upload"));

        if (ev == XML_BAD)
            return ERR_CORRUPT;
        if (ev == XML_END)
            return ERR_OK;
        if (ev == XML_OPEN && l->x.depth == 1 &&
            !slice_starts(name, SLICE("List")))
            return ERR_CORRUPT;
        if (ev == XML_OPEN && l->x.depth == 2 && entry) {
            *l->e = (struct s3_entry){.size = 0};
            l->inside = true;
        } else if (ev == XML_CLOSE && l->x.depth == 1 && entry) {
            l->inside = false;
            if (!l->e->key[0])
                return ERR_CORRUPT;
            if (!fn(arg, l->e))
                return ERR_OK;
        } else if (ev == XML_CLOSE && !take_member(l)) {
            return ERR_CORRUPT;
        }
    }
}

enum err
s3_list_parse(struct slice xml, s3_entry_fn *fn, void *arg, bool *more)
{
    struct listing l = {.x = {.rest = xml}, .more = more};
    enum err err;

    *more = false;
    l.e = malloc(sizeof(*l.e));
    if (!l.e)
        return ERR_NOMEM;
    err = walk(&l, fn, arg);
    free(l.e);
    return err;
}

bool
s3_text_parse(struct slice xml, const char *name, char *out, size_t cap)
{
    struct xml x = {.rest = xml};
    enum xml_event ev;

    out[0] = '\0';
    while ((ev = xml_next(&x)) == XML_OPEN || ev == XML_CLOSE)
        if (ev == XML_CLOSE && x.depth == 1 &&
            slice_eq(x.name, slice_str(name)))
            return text_copy(x.text, out, cap);
    return false;
}

void
s3_error_parse(struct slice xml, char code[S3_CODE_MAX])
{
    struct xml x = {.rest = xml};

    code[0] = '\0';
    if (xml_next(&x) == XML_OPEN && slice_eq(x.name, SLICE("Error")))
        (void)s3_text_parse(xml, "Code", code, S3_CODE_MAX);
}

bool
s3_complete_format(struct buf *out, const char *(*etag)(void *arg, unsigned i),
                   void *arg, unsigned n)
{
    (void)buf_add_str(out, "<CompleteMultipartUpload>");
    for (unsigned i = 0; i < n; i++)
        /* An ETag is a quoted string of what needs no escape in XML (RFC 9110
           section 8.8.3); s3.c of io lets no other in. */
        (void)buf_printf(out,
                         "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag>"
                         "</Part>",
                         i + 1, etag(arg, i));
    return buf_add_str(out, "</CompleteMultipartUpload>");
}
