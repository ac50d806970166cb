/* changes.c - see changes.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/changes.h"
#include "wire/date.h"
#include <stdio.h>
#include <stdlib.h>

/* A row has some 30 values; a few stand around them. */
#define VALUES_MAX ((uint32_t)CHANGES_MAX * 40 + 64)

static const struct json_limits limits = {CHANGES_TEXT, 4, VALUES_MAX, false};

static const char *const ops[] = {
    [CHANGE_PUBLISH] = "publish",
    [CHANGE_DELETE] = "delete",
    [CHANGE_EXPIRE] = "expire",
};

/* ---- writing ---- */

void
changes_put_row(struct json_writer *w, const struct change *c)
{
    const struct file_attr *a = &c->attr;
    char date[DATE_TEXT], id[UUID_TEXT], crc[9];

    json_put_object(w, NULL);
    json_put_u64(w, "seq", c->seq);
    json_put_text(w, "op", ops[c->op]);
    json_put_text(w, "at", date_rfc3339_ms(c->at, date));
    json_put_text(w, "file_id", uuid_text(&a->file_id, id));
    json_put_u64(w, "epoch", a->epoch);
    if (c->op == CHANGE_PUBLISH) {
        json_put_object(w, "file");
        blobs_put_members(w, a);
        /* Its name before pages were read by programs. */
        snprintf(crc, sizeof(crc), "%08x", a->stored_crc);
        json_put_text(w, "stored_crc", crc);
        json_end_object(w);
    }
    json_end_object(w);
}

void
changes_put_head(struct json_writer *w, const struct changes_head *h)
{
    char uuid[UUID_TEXT];

    json_put_text(w, "element_id", h->element_id);
    json_put_text(w, "element_uuid", uuid_text(&h->element_uuid, uuid));
    json_put_u64(w, "boot", h->boot);
    json_put_u64(w, "first_seq", h->first_seq);
    json_put_u64(w, "seq", h->seq);
    json_put_u64(w, "since", h->since);
    json_put_u64(w, "next", h->next);
    json_put_bool(w, "more", h->more);
}

void
files_put_next(struct json_writer *w, const struct uuid *next)
{
    char id[UUID_TEXT];

    if (uuid_is_nil(next))
        json_put_null(w, "next_cursor");
    else
        json_put_text(w, "next_cursor", uuid_text(next, id));
}

/* ---- reading ---- */

static void
wrong(struct json_error *e, const char *what)
{
    if (!e->text[0])
        snprintf(e->text, sizeof(e->text), "%s", what);
}

static uint64_t
get_u64(const json_t *o, const char *key, enum json_need need,
        struct json_error *e)
{
    return (uint64_t)json_get_int(o, key, need, 0, INT64_MAX, 0, e);
}

static void
get_uuid(const json_t *o, const char *key, struct uuid *out,
         struct json_error *e)
{
    struct slice s = json_get_str(o, key, JSON_REQUIRED, e);

    if (!e->text[0] && !uuid_parse(s, out))
        wrong(e, "a UUID is malformed");
}

/* The list KEY of O, at most MAX long. */
static const json_t *
get_rows(const json_t *o, const char *key, size_t max, size_t *n,
         struct json_error *e)
{
    const json_t *rows = json_get_list(o, key, JSON_REQUIRED, e);

    *n = rows ? json_array_size(rows) : 0;
    if (*n > max)
        wrong(e, "there are too many rows on one page");
    return rows;
}

bool
changes_open(struct changes_page *p, struct slice text, struct json_error *e)
{
    struct changes_head *h = &p->head;
    struct slice id;

    *p = (struct changes_page){0};
    p->root = json_read_limited(text, &limits, e);
    if (!p->root)
        return false;
    id = json_get_str(p->root, "element_id", JSON_OPTIONAL, e);
    if (id.p && !slice_copy(id, h->element_id, sizeof(h->element_id)))
        wrong(e, "element_id is too long");
    get_uuid(p->root, "element_uuid", &h->element_uuid, e);
    h->boot = get_u64(p->root, "boot", JSON_OPTIONAL, e);
    h->first_seq = get_u64(p->root, "first_seq", JSON_OPTIONAL, e);
    h->seq = get_u64(p->root, "seq", JSON_OPTIONAL, e);
    h->since = get_u64(p->root, "since", JSON_REQUIRED, e);
    h->next = get_u64(p->root, "next", JSON_REQUIRED, e);
    h->more = json_get_bool(p->root, "more", JSON_OPTIONAL, false, e);
    p->rows = get_rows(p->root, "changes", CHANGES_MAX, &p->n, e);
    if (h->next < h->since)
        wrong(e, "next is less than since");
    p->last = h->since;
    if (e->text[0])
        changes_release(p);
    return !e->text[0];
}

static enum change_op
get_op(const json_t *o, struct json_error *e)
{
    struct slice s = json_get_str(o, "op", JSON_REQUIRED, e);

    for (size_t i = CHANGE_PUBLISH; i < countof(ops); i++)
        if (slice_eq(s, slice_str(ops[i])))
            return (enum change_op)i;
    wrong(e, "op is one of publish, delete, expire");
    return CHANGE_DELETE;
}

static void
get_publish(const json_t *o, struct change *c, struct json_error *e)
{
    const json_t *file = json_get_obj(o, "file", JSON_REQUIRED, e);
    struct uuid id = c->attr.file_id;

    if (!e->text[0] && blobs_get_attr(file, &c->attr, e) &&
        !uuid_eq(&id, &c->attr.file_id)) {
        free((void *)(uintptr_t)c->attr.metadata);
        c->attr.metadata = NULL;
        wrong(e, "file_id differs from that of the file");
    }
}

bool
changes_row(struct changes_page *p, struct change *c, struct json_error *e)
{
    const json_t *o = json_array_get(p->rows, p->at++);
    struct slice at;

    *c = (struct change){0};
    if (!json_is_object(o)) {
        wrong(e, "a change is an object");
        return false;
    }
    c->seq = get_u64(o, "seq", JSON_REQUIRED, e);
    c->op = get_op(o, e);
    at = json_get_str(o, "at", JSON_REQUIRED, e);
    if (!e->text[0] && !date_parse_rfc3339(at, &c->at))
        wrong(e, "at is a time of RFC 3339");
    get_uuid(o, "file_id", &c->attr.file_id, e);
    c->attr.epoch = get_u64(o, "epoch", JSON_REQUIRED, e);
    if (c->seq <= p->last || c->seq > p->head.next)
        wrong(e, "the numbers go up, from since to next");
    p->last = c->seq;
    if (!e->text[0] && c->op == CHANGE_PUBLISH)
        get_publish(o, c, e);
    return !e->text[0];
}

void
changes_release(struct changes_page *p)
{
    json_decref(p->root);
    p->root = NULL;
}

/* ---- files ---- */

bool
files_open(struct files_page *p, struct slice text, size_t max,
           struct json_error *e)
{
    struct slice next;

    *p = (struct files_page){0};
    p->root = json_read_limited(text, &limits, e);
    if (!p->root)
        return false;
    p->rows = get_rows(p->root, "files", size_min(max, CHANGES_MAX), &p->n, e);
    next = json_get_str(p->root, "next_cursor", JSON_OPTIONAL, e);
    if (next.p && !uuid_parse(next, &p->next))
        wrong(e, "next_cursor is malformed");
    if (e->text[0])
        files_release(p);
    return !e->text[0];
}

bool
files_row(struct files_page *p, struct file_attr *a, struct json_error *e)
{
    const json_t *o = json_array_get(p->rows, p->at++);

    if (json_is_object(o))
        return blobs_get_attr(o, a, e);
    *a = (struct file_attr){0};
    wrong(e, "a file is an object");
    return false;
}

void
files_release(struct files_page *p)
{
    json_decref(p->root);
    p->root = NULL;
}
