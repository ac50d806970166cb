/* params.c - see params.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/params.h"
#include "base/hex.h"
#include "base/near.h"
#include "wire/digest.h"
#include "wire/disposition.h"
#include "wire/json.h"
#include "wire/query.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TTL_DAYS_MAX 36500
#define PAIRS_MAX    64

void
refuse(struct refusal *r, int status, const char *code, const char *fmt, ...)
{
    va_list ap;

    r->status = status;
    r->code = code;
    r->for_good = false;
    va_start(ap, fmt);
    (void)vsnprintf(r->text, sizeof(r->text), fmt, ap);
    va_end(ap);
}

void
params_init(struct params *p)
{
    memset(p, 0, sizeof(*p));
    buf_init(&p->metadata, ATTR_METADATA_MAX);
}

void
params_release(struct params *p)
{
    buf_release(&p->metadata);
}

bool
retention_parse(struct slice s, enum retention *out)
{
    if (slice_eq_nocase(s, SLICE("TEMPORARY")))
        *out = RETENTION_TEMPORARY;
    else if (slice_eq_nocase(s, SLICE("PERMANENT")))
        *out = RETENTION_PERMANENT;
    else
        return false;
    return true;
}

/* ---- one field each ---- */

static bool
take_filename(char out[FILENAME_MAX_BYTES + 1], struct slice v,
              struct refusal *r)
{
    if (v.n == 0) {
        refuse(r, 400, "invalid_filename", "filename is empty");
        return false;
    }
    (void)filename_sanitise(v, out);
    return true;
}

static bool
set_filename(struct params *p, struct slice v, struct refusal *r)
{
    char name[FILENAME_MAX_BYTES + 1];

    if (!take_filename(name, v, r))
        return false;
    if (p->has_filename && strcmp(name, p->filename) != 0) {
        refuse(r, 400, "filename_conflict",
               "filename was given twice, as \"%.64s\" and as \"%.64s\"",
               p->filename, name);
        return false;
    }
    memcpy(p->filename, name, sizeof(name));
    p->has_filename = true;
    return true;
}

static bool
set_retention(struct params *p, struct slice v, struct refusal *r)
{
    enum retention t;

    if (!retention_parse(v, &t)) {
        refuse(r, 400, "invalid_retention_policy",
               "retention_policy is \"%.*s\"; it must be TEMPORARY or "
               "PERMANENT",
               (int)size_min(v.n, 32), v.p ? v.p : "");
        return false;
    }
    if (p->placed && p->retention != t) {
        refuse(r, 400, "retention_too_late",
               "retention_policy %s came after the file, which is on its way "
               "as %s already; send it before the file, in the query or in "
               "the header X-Retention-Policy",
               t == RETENTION_PERMANENT ? "PERMANENT" : "TEMPORARY",
               t == RETENTION_PERMANENT ? "TEMPORARY" : "PERMANENT");
        return false;
    }
    if (p->has_retention && p->retention != t) {
        refuse(r, 400, "retention_conflict",
               "retention_policy was given twice, as TEMPORARY and as "
               "PERMANENT; it must come before the file and only once");
        return false;
    }
    p->retention = t;
    p->has_retention = true;
    return true;
}

/* It would be dropped without a word. */
static bool
ttl_fits(const struct params *p, struct refusal *r)
{
    if (p->retention == RETENTION_TEMPORARY || !p->has_ttl)
        return true;
    refuse(r, 400, "ttl_days_conflict",
           "ttl_days is for TEMPORARY files, and this one is PERMANENT; leave "
           "one of the two out");
    return false;
}

static bool
set_ttl(struct params *p, struct slice v, struct refusal *r)
{
    uint64_t days;

    if (!slice_u64(v, &days) || days < 1 || days > TTL_DAYS_MAX) {
        refuse(r, 400, "invalid_ttl_days",
               "ttl_days is \"%.*s\"; it must be a whole number from 1 to %d",
               (int)size_min(v.n, 32), v.p ? v.p : "", TTL_DAYS_MAX);
        return false;
    }
    if (p->has_ttl && p->ttl_days != (int64_t)days) {
        refuse(r, 400, "ttl_days_conflict",
               "ttl_days was given twice, as %lld and as %llu",
               (long long)p->ttl_days, (unsigned long long)days);
        return false;
    }
    p->ttl_days = (int64_t)days;
    p->has_ttl = true;
    return !p->placed || ttl_fits(p, r);
}

static bool
take_content_type(struct params *p, struct slice v, struct refusal *r)
{
    v = slice_trim(v);
    if (v.n >= sizeof(p->content_type) || !http_is_field_value(v) ||
        slice_find(v, '/') == v.n) {
        refuse(r, 400, "invalid_content_type",
               "content_type must be a media type like application/pdf of at "
               "most %zu bytes",
               sizeof(p->content_type) - 1);
        return false;
    }
    return slice_copy(v, p->content_type, sizeof(p->content_type));
}

static bool
set_content_type(struct params *p, struct slice v, struct refusal *r)
{
    if (p->has_content_type &&
        !slice_eq_nocase(slice_trim(v), slice_str(p->content_type))) {
        refuse(r, 400, "content_type_conflict",
               "content_type was given twice, as %s and otherwise",
               p->content_type);
        return false;
    }
    p->has_content_type = true;
    return take_content_type(p, v, r);
}

bool
params_part(struct params *p, struct slice filename, struct slice type,
            struct refusal *r)
{
    if (!p->has_filename) {
        if (filename.p && !take_filename(p->filename, filename, r))
            return false;
        if (filename.p == NULL)
            memcpy(p->filename, "unnamed", 8);
    }
    return p->has_content_type || type.p == NULL ||
           take_content_type(p, type, r);
}

bool
params_settle(struct params *p, enum retention otherwise, struct refusal *r)
{
    if (!p->has_retention)
        p->retention = otherwise;
    p->has_retention = p->placed = true;
    return ttl_fits(p, r);
}

/* The metadata is kept as the JSON text that it is, once it is known to be one
 * object; `retention_policy` inside it counts too (ING-028). */
static bool
set_metadata(struct params *p, struct slice v, struct refusal *r)
{
    struct json_error e;
    json_t *j;
    struct buf was = p->metadata;
    const char *word;
    bool ok = true;

    if (v.n > ATTR_METADATA_MAX) {
        refuse(r, 400, "invalid_metadata",
               "metadata is %zu bytes long; at most %u are kept", v.n,
               (unsigned)ATTR_METADATA_MAX);
        return false;
    }
    j = json_read(v, &e);
    if (j == NULL || !json_is_object(j)) {
        refuse(r, 400, "invalid_metadata",
               "metadata must be a JSON object, like {\"project\":\"x\"}: %s",
               j ? "this is JSON, but no object" : e.text);
        json_decref(j);
        return false;
    }
    word = json_string_value(json_object_get(j, "retention_policy"));
    if (word)
        ok = set_retention(p, slice_str(word), r);
    buf_init(&p->metadata, ATTR_METADATA_MAX);
    json_out_value(&p->metadata, j);
    json_decref(j);
    if (ok && p->metadata.failed) {
        refuse(r, 400, "invalid_metadata", "metadata is longer than %u bytes",
               (unsigned)ATTR_METADATA_MAX);
        ok = false;
    } else if (ok && was.n &&
               !slice_eq(buf_slice(&was), buf_slice(&p->metadata))) {
        refuse(r, 400, "metadata_conflict",
               "metadata was given twice, and not the same");
        ok = false;
    }
    buf_release(&was);
    return ok;
}

static bool
digest_ok(enum err e, struct slice name, struct refusal *r)
{
    if (e == ERR_CONFLICT)
        refuse(r, 400, "invalid_checksum",
               "%.*s contradicts another digest of the same file",
               SLICE_ARG(slice_head(name, 32)));
    else if (e != ERR_OK)
        refuse(r, 400, "invalid_checksum",
               "%.*s is malformed: md5 has 32 hexadecimal digits, sha256 has "
               "64; Content-Digest looks like sha-256=:BASE64:",
               SLICE_ARG(slice_head(name, 32)));
    return e == ERR_OK;
}

static bool
set_checksum(struct params *p, struct slice v, struct refusal *r)
{
    v = slice_trim(v);
    return digest_ok(v.n == 32 ? digest_parse_hex_md5(v, &p->digests)
                               : digest_parse_hex_sha256(v, &p->digests),
                     SLICE("checksum"), r);
}

static bool
set_md5(struct params *p, struct slice v, struct refusal *r)
{
    return digest_ok(digest_parse_hex_md5(v, &p->digests), SLICE("md5"), r);
}

static bool
set_sha256(struct params *p, struct slice v, struct refusal *r)
{
    return digest_ok(digest_parse_hex_sha256(v, &p->digests), SLICE("sha256"),
                     r);
}

/* ---- by name ---- */

typedef bool set_fn(struct params *p, struct slice v, struct refusal *r);

static const struct {
    const char *name;
    set_fn *set;
} field[] = {
    {"filename", set_filename},
    {"retention_policy", set_retention},
    {"retention", set_retention},
    {"ttl_days", set_ttl},
    {"metadata", set_metadata},
    {"content_type", set_content_type},
    {"md5", set_md5},
    {"sha256", set_sha256},
    {"checksum", set_checksum},
};

static set_fn *
setter(struct slice name)
{
    for (size_t i = 0; i < countof(field); i++)
        if (slice_eq(name, slice_str(field[i].name)))
            return field[i].set;
    return NULL;
}

bool
params_known(struct slice name)
{
    return setter(name) != NULL;
}

/* Is A, but for case and hyphens, only the beginning of B? Of three letters at
 * least, which is what our shortest name has. */
static bool
begins(struct slice a, struct slice b)
{
    return a.n >= 3 && a.n < b.n &&
           near_distance(a, slice_head(b, a.n), 0) == 0;
}

/* Slips (retention_polcy) before what is cut or has more behind it (ttl,
 * md5sum, metadata[a]). NULL: none is near. */
static const char *
nearest(struct slice name)
{
    const int slips = near_slips(name);
    int least = NEAR_FAR;
    const char *best = NULL;

    for (size_t i = 0; i < countof(field); i++) {
        struct slice own = slice_str(field[i].name);
        int d = near_distance(name, own, slips);

        if (d == NEAR_FAR && (begins(name, own) || begins(own, name)))
            d = slips + 1;
        if (d < least) {
            least = d;
            best = field[i].name;
        }
    }
    return best;
}

static void
refuse_name(struct refusal *r, const char *code, const char *what,
            struct slice name, const char *near)
{
    refuse(r, 400, code,
           "There is no %s \"%.*s\"%s%s%s there are filename, "
           "retention_policy, ttl_days, metadata, content_type, md5, sha256, "
           "checksum",
           what, SLICE_ARG(slice_head(name, 32)), near ? "; did you mean " : "",
           near ? near : "", near ? "?" : ";");
}

bool
params_foreign(struct slice name, struct refusal *r)
{
    const char *near = nearest(name);

    if (near)
        refuse_name(r, "unknown_field", "form field", name, near);
    return near == NULL;
}

bool
params_set(struct params *p, struct slice name, struct slice value,
           struct refusal *r)
{
    set_fn *set = setter(name);

    if (set == NULL)
        refuse_name(r, "invalid_query", "parameter", name, nearest(name));
    return set && set(p, value, r);
}

/* ---- the head ---- */

bool
params_digest_field(struct params *p, struct slice name, struct slice value,
                    struct refusal *r)
{
    enum err e = ERR_OK;

    if (slice_eq_nocase(name, SLICE("Content-MD5")))
        e = digest_parse_md5(value, &p->digests);
    else if (slice_eq_nocase(name, SLICE("Content-Digest")) ||
             slice_eq_nocase(name, SLICE("Repr-Digest")))
        e = digest_parse(value, &p->digests);
    return digest_ok(e, name, r);
}

bool
params_path(struct params *p, struct slice segment, struct refusal *r)
{
    char text[4 * KIB];
    size_t n;

    if (segment.n > sizeof(text) || !pct_decode(segment, text, &n)) {
        refuse(r, 400, "invalid_filename",
               "The name of the file in the path is too long or has a %% that "
               "two hexadecimal digits do not follow");
        return false;
    }
    return set_filename(p, slice_of(text, n), r);
}

static bool
params_query(struct params *p, struct slice query, struct refusal *r)
{
    char text[ATTR_METADATA_MAX + 64];
    struct slice key, value;
    struct query q;

    query_init(&q, query, text, sizeof(text), PAIRS_MAX);
    for (;;) {
        switch (query_next(&q, &key, &value)) {
        case QUERY_OK:
            if (!params_set(p, key, value, r))
                return false;
            break;
        case QUERY_END:
            return true;
        case QUERY_BAD:
            refuse(r, 400, "invalid_query",
                   "The query has a %% that two hexadecimal digits do not "
                   "follow");
            return false;
        case QUERY_LONG:
            refuse(r, 400, "invalid_query",
                   "The query has too many parameters, or one is too long");
            return false;
        }
    }
}

static bool
is_identity(struct slice codings)
{
    struct slice one;

    while (http_list_cut(&codings, &one))
        if (!slice_eq_nocase(one, SLICE("identity")))
            return false;
    return true;
}

/* A part that was stored would pass for the file (RFC 9110 section 14.5: a PUT
 * with Content-Range is 400 where parts are not known), and so would what is
 * only compressed for the way (STO-042). */
static bool
is_the_file(const struct http_field *f, struct refusal *r)
{
    if (slice_eq_nocase(f->name, SLICE("Content-Range"))) {
        refuse(r, 400, "partial_upload",
               "Content-Range says that the body is a part of a file; nothing "
               "was stored, send all of the file in one request");
        return false;
    }
    if (slice_eq_nocase(f->name, SLICE("Content-Encoding")) &&
        !is_identity(f->value)) {
        refuse(r, 415, "unsupported_encoding",
               "Content-Encoding \"%.*s\" is not undone here; send the file as "
               "it is, and one that is a compressed file without that header",
               SLICE_ARG(slice_head(f->value, 32)));
        return false;
    }
    return true;
}

static bool
field_of_ours(struct params *p, const struct http_field *f, bool form,
              struct refusal *r)
{
    if (!is_the_file(f, r))
        return false;
    if (slice_eq_nocase(f->name, SLICE("X-Retention-Policy")))
        return set_retention(p, f->value, r);
    if (slice_eq_nocase(f->name, SLICE("X-TTL-Days")))
        return set_ttl(p, f->value, r);
    if (slice_eq_nocase(f->name, SLICE("X-Metadata")))
        return set_metadata(p, f->value, r);
    /* Digests in the head of a form are those of the form, not of the file. */
    return form || params_digest_field(p, f->name, f->value, r);
}

/* As the scanner of forms decides it: what is no form is the file as it is, and
 * its digests are checked. */
bool
params_is_form(struct slice content_type)
{
    size_t semi = slice_find(content_type, ';');

    return slice_eq_nocase(slice_trim(slice_head(content_type, semi)),
                           SLICE("multipart/form-data"));
}

bool
params_head(struct params *p, const struct exchange *x, struct refusal *r)
{
    const struct http_head *h = x->head;
    bool form = params_is_form(http_head_value(h, SLICE("Content-Type")));

    if (h->query.n && !params_query(p, h->query, r))
        return false;
    for (uint32_t i = 0; i < h->nfields; i++)
        if (!field_of_ours(p, &h->field[i], form, r))
            return false;
    return true;
}
