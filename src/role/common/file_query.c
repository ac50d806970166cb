/* file_query.c - see file_query.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/file_query.h"
#include "wire/date.h"
#include "wire/query.h"
#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

static void
put_text(struct buf *b, const char *key, const char *value)
{
    if (!value)
        return;
    buf_printf(b, "&%s=", key);
    pct_encode(b, slice_str(value), false);
}

static void
put_number(struct buf *b, const char *key, uint64_t v)
{
    if (v)
        buf_printf(b, "&%s=%llu", key, (unsigned long long)v);
}

static void
put_time(struct buf *b, const char *key, struct wall t)
{
    char date[DATE_TEXT];

    if (t.ms)
        put_text(b, key, date_rfc3339_ms(t, date));
}

bool
file_query_put(struct buf *b, const struct meta_query *q)
{
    char id[UUID_TEXT];

    buf_printf(b, "?limit=%u", q->limit);
    if (!uuid_is_nil(&q->after))
        put_text(b, "cursor", uuid_text(&q->after, id));
    if (q->descending)
        put_text(b, "order", "desc");
    put_text(b, "name", q->name);
    put_text(b, "user", q->user);
    put_text(b, "element", q->element_id);
    if (q->retention >= 0)
        put_text(b, "retention",
                 q->retention == RETENTION_PERMANENT ? "PERMANENT"
                                                     : "TEMPORARY");
    put_time(b, "since", q->from);
    put_time(b, "until", q->to);
    put_number(b, "min_size", q->size_min);
    put_number(b, "max_size", q->size_max);
    put_text(b, "meta_key", q->metadata_key);
    put_text(b, "meta_value", q->metadata_value);
    return !b->failed;
}

/* ---- reading ---- */

static bool
number(struct slice v, uint64_t min, uint64_t max, uint64_t *out)
{
    return slice_u64(v, out) && *out >= min && *out <= max;
}

static bool
text(struct slice v, char *to, const char **out)
{
    *out = to;
    return slice_copy(v, to, FILE_QUERY_TEXT);
}

static bool
order(struct slice v, bool *descending)
{
    *descending = slice_eq(v, SLICE("desc"));
    return *descending || slice_eq(v, SLICE("asc"));
}

static bool
retention(struct slice v, int *out)
{
    bool permanent = slice_eq(v, SLICE("PERMANENT"));

    *out = permanent ? RETENTION_PERMANENT : RETENTION_TEMPORARY;
    return permanent || slice_eq(v, SLICE("TEMPORARY"));
}

static bool
limit(struct slice v, unsigned *out)
{
    uint64_t n;

    if (!number(v, 1, META_PAGE_MAX, &n))
        return false;
    *out = (unsigned)n;
    return true;
}

static bool
take(struct file_query *x, struct slice k, struct slice v)
{
    struct meta_query *q = &x->q;

    if (slice_eq(k, SLICE("limit")))
        return limit(v, &q->limit);
    if (slice_eq(k, SLICE("cursor")))
        return uuid_parse(v, &q->after);
    if (slice_eq(k, SLICE("order")))
        return order(v, &q->descending);
    if (slice_eq(k, SLICE("name")))
        return text(v, x->name, &q->name);
    if (slice_eq(k, SLICE("user")))
        return text(v, x->user, &q->user);
    if (slice_eq(k, SLICE("element")))
        return text(v, x->element, &q->element_id);
    if (slice_eq(k, SLICE("retention")))
        return retention(v, &q->retention);
    if (slice_eq(k, SLICE("since")))
        return date_parse_rfc3339(v, &q->from);
    if (slice_eq(k, SLICE("until")))
        return date_parse_rfc3339(v, &q->to);
    if (slice_eq(k, SLICE("min_size")))
        return number(v, 0, INT64_MAX, &q->size_min);
    if (slice_eq(k, SLICE("max_size"))) /* 0 would be any */
        return number(v, 1, INT64_MAX, &q->size_max);
    if (slice_eq(k, SLICE("meta_key")))
        return text(v, x->key, &q->metadata_key);
    if (slice_eq(k, SLICE("meta_value")))
        return text(v, x->value, &q->metadata_value);
    return false;
}

bool
file_query_read(struct file_query *out, struct slice query,
                struct json_error *e)
{
    char pair[FILE_QUERY_TEXT + QUERY_KEY_MAX];
    struct slice key, value;
    struct query it;

    memset(out, 0, sizeof(*out));
    out->q.limit = 100;
    out->q.retention = -1;
    query_init(&it, query, pair, sizeof(pair), QUERY_PAIRS_MAX);
    for (;;) {
        switch (query_next(&it, &key, &value)) {
        case QUERY_END:
            if (!out->q.metadata_value || out->q.metadata_key)
                return true;
            snprintf(e->text, sizeof(e->text), "meta_value needs a meta_key");
            return false;
        case QUERY_OK:
            if (take(out, key, value))
                break;
            snprintf(e->text, sizeof(e->text),
                     "%.*s is not known, or its value is not allowed",
                     SLICE_ARG(slice_head(key, 32)));
            return false;
        default:
            snprintf(e->text, sizeof(e->text),
                     "the query is malformed or too long");
            return false;
        }
    }
}
