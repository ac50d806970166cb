/* capacity.c - see capacity.h: one table of fields, read and written by it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/capacity.h"
#include "wire/date.h"
#include "wire/endpoint.h"
#include "wire/json_scan.h"
#include <inttypes.h>
#include <stdio.h>

enum kind {
    ID,
    UUID,
    MODE,
    COUNT, /* uint64_t */
    MANY,  /* the same, where "no limit" may be any large number */
    PERCENT,
    HEALTH,
    TEXT,
    STATUS,
    WRITABLE,
    TIME,
};

#define AT(member)   offsetof(struct capacity, member)
#define ROOM(member) sizeof(((struct capacity *)NULL)->member)

/* In the order in which they are written: CAP-044 first. */
static const struct field {
    const char *name;
    enum kind kind;
    bool needed;
    bool hash; /* is it a field of the hash? */
    size_t at, room;
} fields[] = {
    {"storage_id", ID, true, true, AT(element_id), ROOM(element_id)},
    {"mode", MODE, true, true, AT(mode), 0},
    {"total", COUNT, true, true, AT(total), 0},
    {"used", COUNT, true, true, AT(used), 0},
    {"available", COUNT, true, true, AT(available), 0},
    {"percent_used", PERCENT, false, true, AT(percent), 0},
    {"health", HEALTH, false, true, AT(health), 0},
    {"backend", TEXT, false, true, AT(backend), ROOM(backend)},
    {"location", TEXT, false, true, AT(location), ROOM(location)},
    {"last_update", TIME, false, true, AT(last_update), 0},
    {"last_poll", TIME, false, true, AT(last_poll), 0},
    {"endpoint", TEXT, false, true, AT(endpoint), ROOM(endpoint)},
    {"status", STATUS, false, true, AT(status), 0},
    {"writable", WRITABLE, false, true, AT(unwritable), 0},
    {"reserved", COUNT, false, true, AT(reserved), 0},
    {"inodes_total", COUNT, false, true, AT(inodes_total), 0},
    {"inodes_available", MANY, false, true, AT(inodes_available), 0},
    {"files", COUNT, false, true, AT(files), 0},
    {"bytes", COUNT, false, true, AT(bytes), 0},
    {"element_uuid", UUID, false, true, AT(element_uuid), 0},
    {"pool_id", TEXT, false, true, AT(pool_id), ROOM(pool_id)},
    {"boot", COUNT, false, true, AT(boot), 0},
    {"seq", COUNT, false, true, AT(seq), 0},
    {"now", TIME, false, false, AT(now), 0},
    {"keys_version", COUNT, false, false, AT(keys_version), 0},
};

#define NOT_SAID UINT32_MAX /* of `percent`, while reading */

/* The values as text, beside the table; .p NULL: not there. */
struct found {
    struct slice v[countof(fields)];
};

static void *
place(struct capacity *c, size_t at)
{
    return (char *)c + at;
}

/* ---- health ---- */

enum capacity_health
capacity_health_parse(struct slice s, struct slice *reason)
{
    static const struct {
        struct slice word;
        enum capacity_health health;
    } words[] = {{{"healthy", 7}, CAPACITY_HEALTHY},
                 {{"degraded", 8}, CAPACITY_DEGRADED},
                 {{"unhealthy", 9}, CAPACITY_UNHEALTHY}};

    if (reason)
        *reason = SLICE("");
    for (size_t i = 0; i < countof(words); i++) {
        struct slice rest = slice_skip(s, words[i].word.n);

        if (!slice_starts(s, words[i].word) || (rest.n && rest.p[0] != ':'))
            continue;
        if (reason)
            *reason = slice_trim(slice_skip(rest, 1));
        return words[i].health;
    }
    if (reason)
        *reason = s;
    return CAPACITY_UNHEALTHY;
}

const char *
capacity_health_text(const struct capacity *c, char *out, size_t n)
{
    static const char *const word[] = {"healthy", "degraded", "unhealthy"};
    bool why = c->health != CAPACITY_HEALTHY && c->reason[0];

    (void)snprintf(out, n, "%s%s%s", word[c->health], why ? ": " : "",
                   why ? c->reason : "");
    return out;
}

/* What stands behind the word, cut to the room that we have for it. */
static void
take_health(struct capacity *c, struct slice s)
{
    struct slice reason;

    c->health = capacity_health_parse(s, &reason);
    if (!slice_copy(slice_head(reason, sizeof(c->reason) - 1), c->reason,
                    sizeof(c->reason)))
        c->reason[0] = '\0';
}

/* ---- values ---- */

/* "12", "12.3", "12.34", any more digits: hundredths, cut. */
static bool
percent_parse(struct slice s, unsigned *out)
{
    struct slice whole = slice_head(s, slice_find(s, '.'));
    struct slice part = slice_skip(s, whole.n + 1);
    uint64_t v = 0, w;

    if (!slice_u64(whole, &w) || w > 10000000)
        return false;
    if (whole.n < s.n) {
        struct slice two = slice_head(part, 2);

        if (!slice_u64(two, &v) ||
            (part.n > 2 &&
             !slice_u64(slice_head(slice_skip(part, 2), 15), &(uint64_t){0})))
            return false;
        v *= two.n == 1 ? 10 : 1;
    }
    *out = (unsigned)(w * 100 + v);
    return true;
}

static bool
take_word(struct capacity *c, const struct field *f, struct slice s)
{
    int *n = place(c, f->at);

    switch (f->kind) {
    case MODE:
        *n = element_mode_of(s);
        return *n >= 0;
    case STATUS: /* one that we do not know is not said */
        *n = element_status_of(s);
        return true;
    case WRITABLE:
        c->unwritable = slice_eq(s, SLICE("false"));
        return c->unwritable || slice_eq(s, SLICE("true"));
    default:
        assert(f->kind == HEALTH);
        take_health(c, s);
        return true;
    }
}

static bool
take(struct capacity *c, const struct field *f, struct slice s)
{
    uint64_t *count = place(c, f->at);

    switch (f->kind) {
    case ID:
        return element_id_ok(s) && slice_copy(s, place(c, f->at), f->room);
    case TEXT:
        return slice_copy(s, place(c, f->at), f->room);
    case UUID:
        return uuid_parse(s, place(c, f->at));
    case COUNT:
        return slice_u64(s, count) && *count <= INT64_MAX;
    case MANY:
        return slice_u64(s, count);
    case PERCENT:
        return percent_parse(s, &c->percent);
    case TIME:
        return date_parse_rfc3339(s, place(c, f->at));
    default:
        return take_word(c, f, s);
    }
}

static bool
fail(struct capacity_error *e, const char *what, const char *name)
{
    (void)snprintf(e->text, sizeof(e->text), "%s%s", what, name);
    return false;
}

/* Hundredths, cut where it is beyond any sense (STO-023). */
static unsigned
percent_of(uint64_t used, uint64_t total)
{
    double p = total ? (double)used * 10000 / (double)total + 0.5 : 0;

    return p < 1e9 ? (unsigned)p : 1000000000;
}

/* CAP-043. */
static bool
make_sense(struct capacity *c, const char *expected, struct capacity_error *e)
{
    if (expected && strcmp(c->element_id, expected) != 0)
        return fail(e, "it is the answer of another element", "");
    if (c->available > c->total)
        return fail(e, "more is available than there is in all", "");
    if (c->inodes_total == 0)
        c->inodes_available = 0; /* there is no such limit */
    if (c->inodes_available > c->inodes_total)
        return fail(e, "more inodes are available than there are", "");
    if (c->percent == NOT_SAID)
        c->percent = percent_of(c->used, c->total);
    return true;
}

static bool
read_found(struct capacity *out, const struct found *v, const char *expected,
           struct capacity_error *e)
{
    *out = (struct capacity){
        .status = -1, .percent = NOT_SAID, .keys_version = UINT64_MAX};
    for (size_t i = 0; i < countof(fields); i++) {
        if (!v->v[i].p) {
            if (fields[i].needed)
                return fail(e, "it lacks ", fields[i].name);
        } else if (!take(out, &fields[i], v->v[i])) {
            return fail(e, "it has a wrong ", fields[i].name);
        }
    }
    return make_sense(out, expected, e);
}

static void
put_found(struct found *v, struct slice name, struct slice value, bool again)
{
    /* Older names of the same things (CNF-020 and STO-018's own). */
    if (slice_eq(name, SLICE("element_id")))
        name = SLICE("storage_id");
    if (slice_eq(name, SLICE("capacity_status")))
        name = SLICE("status");
    for (size_t i = 0; i < countof(fields); i++)
        if (slice_eq(name, slice_str(fields[i].name)) && (again || !v->v[i].p))
            v->v[i] = value.p ? value : SLICE("");
}

bool
capacity_read_fields(struct capacity *out, const struct capacity_field *f,
                     size_t n, const char *expected, struct capacity_error *e)
{
    struct found v = {0};

    for (size_t i = 0; i < n; i++)
        put_found(&v, f[i].name, f[i].value, false);
    return read_found(out, &v, expected, e);
}

/* ---- JSON ---- */

struct json_reader {
    struct json_scan scan;
    struct found top, below;
    char text[4096]; /* strings without their escapes */
    size_t n;
};

static struct slice
value_of(struct json_reader *r, enum json_token t, struct slice raw)
{
    size_t n;

    switch (t) {
    case JSON_NUM:
        return raw;
    case JSON_YES:
        return SLICE("true");
    case JSON_NO:
        return SLICE("false");
    case JSON_TEXT:
        if (!r->scan.escapes)
            return raw.p ? raw : SLICE("");
        if (raw.n >= sizeof(r->text) - r->n)
            return SLICE(""); /* longer than any value that is taken */
        n = json_scan_text(raw, r->text + r->n);
        r->n += n + 1;
        return slice_of(r->text + r->n - n - 1, n);
    default:
        return SLICE_NULL;
    }
}

/* Members of an object into V, those of `capacity` into r->below. */
static bool
read_object(struct json_reader *r, struct found *v)
{
    struct slice key, raw, value;
    enum json_token t;

    while ((t = json_scan_next(&r->scan, &key)) == JSON_KEY) {
        bool plain = !r->scan.escapes;

        t = json_scan_next(&r->scan, &raw);
        if (t == JSON_OPEN && v == &r->top && plain &&
            slice_eq(key, SLICE("capacity"))) {
            if (!read_object(r, &r->below))
                return false;
            continue;
        }
        value = value_of(r, t, raw);
        if (value.p && plain)
            put_found(v, key, value, false);
        if (!json_scan_skip(&r->scan, t))
            return false;
    }
    return t == JSON_CLOSE;
}

bool
capacity_read(struct capacity *out, struct slice json, const char *expected,
              struct capacity_error *e)
{
    struct json_reader r = {.n = 0};
    struct slice text;

    if (json.n > CAPACITY_TEXT_MAX)
        return fail(e, "it is too long", "");
    json_scan_init(&r.scan, json, 16);
    if (json_scan_next(&r.scan, &text) != JSON_OPEN ||
        !read_object(&r, &r.top) || json_scan_next(&r.scan, &text) != JSON_DONE)
        return fail(e, "it is no JSON object: ",
                    r.scan.why ? r.scan.why : "it is something else");
    for (size_t i = 0; i < countof(fields); i++)
        if (!r.top.v[i].p)
            r.top.v[i] = r.below.v[i];
    return read_found(out, &r.top, expected, e);
}

/* ---- writing ---- */

static bool
is_said(const struct capacity *c, const struct field *f)
{
    const void *p = (const char *)c + f->at;

    if (!f->hash)
        return false;
    if (f->kind == TIME)
        return ((const struct wall *)p)->ms != 0;
    if (f->kind == STATUS)
        return c->status >= 0;
    if (f->kind == UUID)
        return !uuid_is_nil(p);
    return f->kind != TEXT || *(const char *)p;
}

static int
format(const struct capacity *c, const struct field *f, char *out, size_t n)
{
    const void *p = (const char *)c + f->at;
    char text[DATE_TEXT], uuid[UUID_TEXT], health[128];

    switch (f->kind) {
    case ID:
    case TEXT:
        return snprintf(out, n, "%s", (const char *)p);
    case UUID:
        return snprintf(out, n, "%s", uuid_text(p, uuid));
    case MODE:
        return snprintf(out, n, "%s", element_mode_text(c->mode));
    case STATUS:
        return snprintf(out, n, "%s", element_status_text(c->status));
    case WRITABLE:
        return snprintf(out, n, "%s", c->unwritable ? "false" : "true");
    case COUNT:
    case MANY:
        return snprintf(out, n, "%" PRIu64, *(const uint64_t *)p);
    case PERCENT:
        return snprintf(out, n, "%u.%02u", c->percent / 100, c->percent % 100);
    case HEALTH:
        return snprintf(out, n, "%s",
                        capacity_health_text(c, health, sizeof(health)));
    case TIME:
        return snprintf(out, n, "%s",
                        date_rfc3339_ms(*(const struct wall *)p, text));
    }
    return 0;
}

void
capacity_write_fields(const struct capacity *c, struct capacity_fields *out)
{
    char *at = out->text, *end = out->text + sizeof(out->text);

    out->n = 0;
    for (size_t i = 0; i < countof(fields); i++) {
        int n;

        if (!is_said(c, &fields[i]))
            continue;
        n = format(c, &fields[i], at, (size_t)(end - at));
        /* All fields at their longest come to less than TEXT. */
        assert(n >= 0 && n < end - at && out->n < CAPACITY_FIELDS);
        out->f[out->n++] = (struct capacity_field){slice_str(fields[i].name),
                                                   slice_of(at, (size_t)n)};
        at += n + 1;
    }
}
