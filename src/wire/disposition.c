/* disposition.c - names of files. SPDX-License-Identifier: Apache-2.0 */
#include "wire/disposition.h"
#include "wire/date.h"
#include "wire/query.h"
#include "wire/utf8.h"
#include <stdio.h>

#define EXT_MAX  16 /* ".numbers-tef" exists; longer ones are sentences */
#define USER_MAX 48

/* ---- Content-Disposition ------------------------------------------------- */

static bool
is_plain(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 0x20 && u < 0x7f && c != '"' && c != '\\' && c != '%';
}

bool
disposition_format(struct buf *b, bool attachment, struct slice name)
{
    struct slice s = name;
    bool plain = true;

    buf_add_str(b,
                attachment ? "attachment; filename=\"" : "inline; filename=\"");
    while (s.n) {
        size_t k = utf8_next(s, NULL);
        bool ok = k == 1 && is_plain(s.p[0]);

        buf_add_char(b, ok ? s.p[0] : '_');
        plain = plain && ok;
        s = slice_skip(s, k ? k : 1);
    }
    buf_add_char(b, '"');
    if (!plain && utf8_valid(name)) {
        buf_add_str(b, "; filename*=UTF-8''");
        pct_encode(b, name, false); /* unreserved is a subset of attr-char */
    }
    return !b->failed;
}

/* ---- harmless names ------------------------------------------------------ */

/* Control characters, and those that reorder or hide what is seen: with U+202E
 * "fdp.exe" reads "exe.pdf". Joiners (U+200C, U+200D) are letters' business. */
static bool
is_hidden(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200b || c == 0x200e ||
           c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0xfffe ||
           c == 0xffff || c == '/' || c == '\\';
}

/* What a storage name keeps: of ASCII only what every file system and every
 * shell takes as it is. */
static bool
is_kept(uint32_t c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') ||
           ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '.' ||
           c == '_';
}

/* Copies S with '_' for each unfit character; stops before CAP is passed. */
static size_t
clean(struct slice s, bool strict, char *out, size_t cap)
{
    size_t n = 0;

    while (s.n) {
        uint32_t c;
        size_t k = utf8_next(s, &c);
        bool ok = k && !is_hidden(c) &&
                  (!strict || (is_kept(c) && c != 0xa0 && c != 0x3000));
        size_t len = ok ? k : 1;

        if (n + len > cap)
            break;
        if (ok)
            memcpy(out + n, s.p, k);
        else
            out[n] = '_';
        n += len;
        s = slice_skip(s, k ? k : 1);
    }
    return n;
}

/* Behind the last separator; separators at the end do not count. */
static struct slice
base_name(struct slice s)
{
    size_t i;

    s = slice_trim(s);
    while (s.n && (s.p[s.n - 1] == '/' || s.p[s.n - 1] == '\\'))
        s.n--;
    for (i = s.n; i > 0 && s.p[i - 1] != '/' && s.p[i - 1] != '\\'; i--)
        ;
    return slice_trim(slice_skip(s, i));
}

/* The extension without its dot, empty when there is none; STEM is the rest. */
static struct slice
split_ext(struct slice name, struct slice *stem)
{
    size_t i = name.n;

    while (i > 0 && name.p[i - 1] != '.') {
        unsigned char c = (unsigned char)name.p[i - 1];

        if (!is_kept(c) || c == '-' || c == '_')
            break;
        i--;
    }
    *stem = name;
    if (i < 2 || i == name.n || name.n - i > EXT_MAX || name.p[i - 1] != '.' ||
        !utf8_valid(slice_skip(name, i)))
        return SLICE_NULL;
    *stem = slice_head(name, i - 1);
    return slice_skip(name, i);
}

size_t
filename_sanitise(struct slice raw, char out[FILENAME_MAX_BYTES + 1])
{
    struct slice stem, ext = split_ext(base_name(raw), &stem);
    size_t tail = ext.n ? ext.n + 1 : 0;
    size_t n = clean(stem, false, out, FILENAME_MAX_BYTES - tail);

    if (ext.n) {
        out[n++] = '.';
        n += clean(ext, false, out + n, FILENAME_MAX_BYTES - n);
    } else if (n == 0 || slice_eq(slice_of(out, n), SLICE(".")) ||
               slice_eq(slice_of(out, n), SLICE(".."))) {
        memcpy(out, "file", 4);
        n = 4;
    }
    out[n] = 0;
    return n;
}

/* ---- storage names ------------------------------------------------------- */

static struct slice
skip_front(struct slice s)
{
    while (s.n && (s.p[0] == '.' || s.p[0] == '-' || s.p[0] == ' '))
        s = slice_skip(s, 1);
    return s;
}

size_t
storage_name(struct slice name, struct slice user, struct wall t,
             const struct uuid *id, char out[STORAGE_NAME_MAX + 1])
{
    char who[USER_MAX + 1], date[DATE_TEXT], uuid[UUID_TEXT];
    char tail[EXT_MAX + 2] = "", rest[STORAGE_NAME_MAX];
    struct slice stem, ext = split_ext(base_name(name), &stem);
    size_t n, k;

    n = clean(skip_front(user), true, who, USER_MAX);
    who[n] = 0;
    if (ext.n) {
        tail[0] = '.';
        k = 1 + clean(ext, true, tail + 1, EXT_MAX);
        tail[k] = 0;
        for (size_t i = 1; i < k; i++)
            if (tail[i] >= 'A' && tail[i] <= 'Z')
                tail[i] = (char)(tail[i] + ('a' - 'A'));
    }
    k = (size_t)snprintf(rest, sizeof(rest), "_%s_%s_%s%s",
                         n ? who : "anonymous", date_compact(t, date),
                         uuid_text(id, uuid), tail);
    assert(k < sizeof(rest));
    n = clean(skip_front(stem), true, out, STORAGE_NAME_MAX - k);
    if (n == 0) {
        memcpy(out, "file", 4);
        n = 4;
    }
    memcpy(out + n, rest, k + 1);
    return n + k;
}
