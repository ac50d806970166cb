/* digest.c - digests in header fields. SPDX-License-Identifier: Apache-2.0 */
#include "wire/digest.h"
#include "base/hex.h"
#include "wire/sfdict.h"

/* Puts N bytes to DST, or compares when some are there. */
static enum err
put(bool *has, uint8_t *dst, const uint8_t *src, size_t n)
{
    if (*has)
        return memcmp(dst, src, n) == 0 ? ERR_OK : ERR_CONFLICT;
    memcpy(dst, src, n);
    *has = true;
    return ERR_OK;
}

static enum err
put_base64(bool *has, uint8_t *dst, size_t n, struct slice text)
{
    uint8_t raw[32];
    size_t got;

    if (!base64_decode(text, raw, n, &got) || got != n)
        return ERR_INVAL;
    return put(has, dst, raw, n);
}

static enum err
put_hex(bool *has, uint8_t *dst, size_t n, struct slice text)
{
    uint8_t raw[32];

    if (text.n == 0)
        return ERR_OK;
    if (!hex_decode(text, raw, n))
        return ERR_INVAL;
    return put(has, dst, raw, n);
}

enum err
digest_parse(struct slice value, struct digest_set *set)
{
    struct sf_member m;
    enum sf_result r;
    enum err e = ERR_OK;

    while (!e && (r = sf_dict_next(&value, &m)) != SF_END) {
        bool md5 = slice_eq(m.key, SLICE("md5"));
        bool sha256 = slice_eq(m.key, SLICE("sha-256"));

        if (r == SF_BAD || ((md5 || sha256) && m.type != SF_BYTES))
            return ERR_INVAL;
        if (md5)
            e = put_base64(&set->has_md5, set->md5, 16, m.text);
        else if (sha256)
            e = put_base64(&set->has_sha256, set->sha256, 32, m.text);
    }
    return e;
}

enum err
digest_parse_md5(struct slice value, struct digest_set *set)
{
    return put_base64(&set->has_md5, set->md5, 16, slice_trim(value));
}

enum err
digest_parse_hex_md5(struct slice value, struct digest_set *set)
{
    return put_hex(&set->has_md5, set->md5, 16, value);
}

enum err
digest_parse_hex_sha256(struct slice value, struct digest_set *set)
{
    return put_hex(&set->has_sha256, set->sha256, 32, value);
}

enum err
digest_of_head(const struct http_head *h, struct digest_set *set)
{
    static const struct {
        struct slice name;
        enum err (*parse)(struct slice, struct digest_set *);
    } row[] = {
        {{"Content-Digest", 14}, digest_parse},
        {{"Repr-Digest", 11}, digest_parse},
        {{"Content-MD5", 11}, digest_parse_md5},
    };
    enum err e = ERR_OK;

    for (size_t i = 0; i < countof(row); i++) {
        const struct http_field *f = NULL;

        while (!e && (f = http_head_next(h, row[i].name, f)))
            e = row[i].parse(f->value, set);
    }
    return e;
}

bool
digest_format(struct buf *b, const struct digest_set *set)
{
    char text[BASE64_LEN(32)];

    if (set->has_sha256)
        buf_printf(b, "sha-256=:%s:", base64_encode(set->sha256, 32, text));
    if (set->has_md5)
        buf_printf(b, "%smd5=:%s:", set->has_sha256 ? ", " : "",
                   base64_encode(set->md5, 16, text));
    return !b->failed;
}

bool
digest_parse_want(struct slice value, unsigned *sha256, unsigned *md5)
{
    struct sf_member m;
    enum sf_result r;

    *sha256 = *md5 = 0;
    while ((r = sf_dict_next(&value, &m)) != SF_END) {
        /* RFC 9530 section 4: integers from 0 to 10. */
        if (r == SF_BAD || m.type != SF_INTEGER || m.number < 0 ||
            m.number > 10)
            return false;
        if (slice_eq(m.key, SLICE("sha-256")))
            *sha256 = (unsigned)m.number;
        else if (slice_eq(m.key, SLICE("md5")))
            *md5 = (unsigned)m.number;
    }
    return true;
}

bool
digest_format_want(struct buf *b, unsigned sha256, unsigned md5)
{
    if (sha256)
        buf_printf(b, "sha-256=%u", sha256);
    if (md5)
        buf_printf(b, "%smd5=%u", sha256 ? ", " : "", md5);
    return !b->failed;
}
