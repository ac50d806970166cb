/* elements_read.c - reading lists of elements: see elements.h.
 *
 * By tokens and not by the JSON library: a fifth to a tenth of its time (8 ms
 * for 10,000 elements: bench/reload_bench.c), and no memory but the list's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/date.h"
#include "wire/elements_impl.h"
#include "wire/endpoint.h"
#include <stdlib.h>

#define DEPTH 16

struct reader {
    struct json_scan scan;
    struct elements *out;
    struct fault *f;
    char *text; /* where the next string goes */
};

/* An entry's members as they come. */
struct draft {
    struct element_entry e;
    const char *why;  /* the first thing that is wrong with it */
    bool api_url;     /* the endpoint comes from there */
    unsigned numbers; /* which of total, used, free were there: a bit each */
    bool unwritable, unavailable;
};

/* False, for the caller to return. */
static bool
refuse(struct reader *r)
{
    (void)fault_set(r->f, ERR_INVAL, "read", "list of elements");
    (void)fault_hint(r->f, r->scan.why ? r->scan.why
                                       : "there is no list of elements");
    return false;
}

static const char *
keep(struct reader *r, struct slice raw)
{
    char *at = r->text;

    /* An escaped text is never longer than it was with its marks. */
    r->text += json_scan_text(raw, at) + 1;
    return at;
}

/* Whole and 0 to 2^63 - 1, as the JSON library would take it. */
static bool
whole(struct slice s, uint64_t *out)
{
    return slice_u64(s, out) && *out <= INT64_MAX;
}

static bool
priority_of(struct slice s, int *out)
{
    bool minus = s.n > 0 && s.p[0] == '-';
    uint64_t v;

    if (!slice_u64(slice_skip(s, minus), &v) || v > ELEMENTS_PRIORITY_TOP)
        return false;
    *out = minus ? -(int)v : (int)v;
    return true;
}

/* ---- one entry ---- */

static void
say(struct draft *d, bool ok, const char *why)
{
    if (!ok && !d->why)
        d->why = why;
}

static void
take_text(struct reader *r, struct draft *d, struct slice key, struct slice raw)
{
    struct element_entry *e = &d->e;

    if (slice_eq(key, SLICE("element_id"))) {
        e->element_id = keep(r, raw);
    } else if (slice_eq(key, SLICE("api_url"))) {
        e->endpoint = keep(r, raw);
        d->api_url = true;
    } else if (slice_eq(key, SLICE("endpoint"))) {
        if (!d->api_url)
            e->endpoint = keep(r, raw);
    } else if (slice_eq(key, SLICE("location"))) {
        e->location = keep(r, raw);
    } else if (slice_eq(key, SLICE("mode"))) {
        e->mode = element_mode_of(raw);
        say(d, e->mode >= 0, "the mode is none");
    } else if (slice_eq(key, SLICE("capacity_status"))) {
        e->status = element_status_of(raw);
    } else if (slice_eq(key, SLICE("health_status"))) {
        d->unavailable = slice_eq(raw, SLICE("unavailable"));
    } else if (slice_eq(key, SLICE("last_updated"))) {
        (void)date_parse_rfc3339(raw, &e->last_updated);
    } else if (slice_eq(key, SLICE("priority"))) {
        say(d, false, "the priority is not a number");
    }
}

static void
take_number(struct draft *d, struct slice key, struct slice raw)
{
    static const struct {
        struct slice key;
        size_t at;
        unsigned bit;
    } row[] = {
#define AT(m) offsetof(struct element_entry, m)
        {{"capacity_total", 14}, AT(total), 1},
        {{"capacity_used", 13}, AT(used), 2},
        {{"capacity_free", 13}, AT(available), 4},
        {{"inodes_total", 12}, AT(inodes_total), 0},
        {{"inodes_available", 16}, AT(inodes_available), 0},
#undef AT
    };

    if (slice_eq(key, SLICE("priority"))) {
        say(d, priority_of(raw, &d->e.priority),
            "the priority is not a number that it may be");
        return;
    }
    for (size_t i = 0; i < countof(row); i++) {
        uint64_t v;

        if (!slice_eq(key, row[i].key))
            continue;
        /* Numbers that are none leave the element without numbers, not the
         * list without the element. */
        if (whole(raw, &v)) {
            memcpy((char *)&d->e + row[i].at, &v, sizeof(v));
            d->numbers |= row[i].bit;
        }
    }
}

static bool
member(struct reader *r, struct draft *d, struct slice key)
{
    bool plain = !r->scan.escapes;
    struct slice value;
    enum json_token t = json_scan_next(&r->scan, &value);

    if (!plain) {
        /* No member of ours has an escape in its name. */
    } else if (t == JSON_TEXT) {
        take_text(r, d, key, value);
    } else if (t == JSON_NUM) {
        take_number(d, key, value);
    } else if (t == JSON_NO && slice_eq(key, SLICE("writable"))) {
        d->unwritable = true;
    } else if (t != JSON_NIL && slice_eq(key, SLICE("priority"))) {
        say(d, false, "the priority is not a number");
    }
    return json_scan_skip(&r->scan, t) || refuse(r);
}

/* At an entry's brace. */
static bool
read_entry(struct reader *r)
{
    struct draft d = {
        .e = {.mode = -1, .status = -1, .priority = ELEMENTS_PRIORITY}};
    struct slice key;
    enum json_token t;

    while ((t = json_scan_next(&r->scan, &key)) == JSON_KEY)
        if (!member(r, &d, key))
            return false;
    if (t != JSON_CLOSE)
        return refuse(r);
    d.e.has_capacity = d.numbers == 7;
    d.e.unhealthy = d.unavailable || d.unwritable;
    if (d.why && d.e.element_id && element_id_ok(slice_str(d.e.element_id))) {
        elements_skip(r->out, d.e.element_id, d.why);
        return true;
    }
    return elements_add(r->out, &d.e, r->f);
}

/* Behind a list's bracket. */
static bool
read_list(struct reader *r)
{
    struct slice text;
    enum json_token t;

    r->out->n = 0;
    r->out->skipped = 0;
    r->out->stated = true;
    while ((t = json_scan_next(&r->scan, &text)) != JSON_LIST_END) {
        if (t == JSON_OPEN) {
            if (!read_entry(r))
                return false;
            continue;
        }
        if (!json_scan_skip(&r->scan, t))
            return refuse(r);
        elements_skip(r->out, NULL, "it is not an object");
    }
    return true;
}

/* ---- the document ---- */

struct top {
    bool list, items;
};

static bool
top_member(struct reader *r, struct top *top, struct slice key)
{
    struct slice value;
    enum json_token t = json_scan_next(&r->scan, &value);
    uint64_t v;

    if (t == JSON_LIST && slice_eq(key, SLICE("storage_elements"))) {
        top->list = true;
        return read_list(r);
    }
    if (t == JSON_LIST && slice_eq(key, SLICE("items")) && !top->list) {
        top->items = true;
        return read_list(r);
    }
    if (t == JSON_NUM && slice_eq(key, SLICE("version")) && whole(value, &v)) {
        r->out->versioned = true;
        r->out->version = v;
    } else if (t == JSON_NUM && slice_eq(key, SLICE("generation")) &&
               whole(value, &v)) {
        r->out->generation = v;
    } else if (t == JSON_TEXT && slice_eq(key, SLICE("published_at"))) {
        (void)date_parse_rfc3339(value, &r->out->published_at);
    }
    return json_scan_skip(&r->scan, t) || refuse(r);
}

static bool
read_top(struct reader *r)
{
    struct top top = {0};
    struct slice text;
    enum json_token t = json_scan_next(&r->scan, &text);

    if (t == JSON_LIST) {
        if (!read_list(r))
            return false;
        top.list = true;
    } else if (t == JSON_OPEN) {
        while ((t = json_scan_next(&r->scan, &text)) == JSON_KEY)
            if (!top_member(r, &top, text))
                return false;
        if (t != JSON_CLOSE)
            return refuse(r);
    }
    if (!top.list && !top.items)
        return refuse(r);
    return json_scan_next(&r->scan, &text) == JSON_DONE || refuse(r);
}

static enum err
ended(struct elements *out, bool ok, const struct fault *f)
{
    if (ok)
        elements_finish(out);
    else
        elements_release(out);
    return ok ? ERR_OK : f->code;
}

enum err
elements_read(struct elements *out, struct slice json, struct fault *f)
{
    struct fault mine = {0};
    struct reader r = {.out = out, .f = f ? f : &mine};

    *out = (struct elements){0};
    if (json.n > ELEMENTS_TEXT_MAX)
        return fault_set(f, ERR_TOOBIG, "read", "list of elements");
    if (!elements_text(out, json.n, r.f))
        return ERR_NOMEM;
    r.text = out->text;
    json_scan_init(&r.scan, json, DEPTH);
    return ended(out, read_top(&r), r.f);
}

/* ---- the two hashes ---- */

struct pairs {
    struct elements_pair *own; /* of a JSON object */
    const struct elements_pair *p;
    size_t n, cap;
};

static bool
pairs_add(struct pairs *a, struct slice id, struct slice value)
{
    if (a->n == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 64;
        struct elements_pair *p =
            a->n < ELEMENTS_MAX ? realloc(a->own, cap * sizeof(*p)) : NULL;

        if (!p)
            return false;
        a->own = p;
        a->cap = cap;
    }
    a->own[a->n++] = (struct elements_pair){id, value};
    return true;
}

/* {"se-01": "http://..."} or {"se-01": 50}: as the fields of a hash. Ids and
 * endpoints have nothing to escape; what has is not valid anyway. */
static bool
pairs_of_json(struct pairs *a, struct slice json, struct fault *f)
{
    struct json_scan s;
    struct slice key, value;
    enum json_token t;

    json_scan_init(&s, json, DEPTH);
    if (json_scan_next(&s, &key) != JSON_OPEN)
        goto bad;
    while ((t = json_scan_next(&s, &key)) == JSON_KEY) {
        t = json_scan_next(&s, &value);
        if (!json_scan_skip(&s, t))
            goto bad;
        if (t != JSON_TEXT && t != JSON_NUM)
            value = SLICE("");
        if (!pairs_add(a, key, value)) {
            (void)fault_set(f, ERR_TOOBIG, "read", "list of elements");
            return false;
        }
    }
    if (t == JSON_CLOSE && json_scan_next(&s, &key) == JSON_DONE) {
        a->p = a->own;
        return true;
    }
bad:
    (void)fault_set(f, ERR_INVAL, "read", "list of elements");
    (void)fault_hint(f, s.why ? s.why : "an object is expected");
    return false;
}

static bool
pairs_make(struct pairs *a, const struct elements_map *m, struct fault *f)
{
    *a = (struct pairs){.p = m->pair, .n = m->pair ? m->n : 0};
    return m->pair || m->json.n == 0 || pairs_of_json(a, m->json, f);
}

static const char *
keep_raw(char **at, struct slice s)
{
    char *p = *at;

    if (s.n)
        memcpy(p, s.p, s.n);
    /* A zero inside would hide what stands behind it. */
    for (size_t i = 0; i < s.n; i++)
        if (p[i] == '\0')
            p[i] = '?';
    p[s.n] = '\0';
    *at += s.n + 1;
    return p;
}

static bool
take_registry(struct elements *out, const struct pairs *reg, struct fault *f)
{
    size_t room = 0;
    char *at;

    for (size_t i = 0; i < reg->n; i++)
        room += reg->p[i].id.n + reg->p[i].value.n + 2;
    if (room > ELEMENTS_TEXT_MAX) {
        (void)fault_set(f, ERR_TOOBIG, "read", "list of elements");
        return false;
    }
    if (!elements_text(out, room, f))
        return false;
    at = out->text;
    for (size_t i = 0; i < reg->n; i++) {
        struct element_entry e = {
            .mode = -1, .status = -1, .priority = ELEMENTS_PRIORITY};

        e.element_id = keep_raw(&at, reg->p[i].id);
        e.endpoint = keep_raw(&at, reg->p[i].value);
        if (!elements_add(out, &e, f))
            return false;
    }
    return true;
}

static int
id_cmp(const void *pa, const void *pb)
{
    const struct slice *id = pa;
    const struct element_entry *e = pb;

    return slice_cmp(*id, slice_str(e->element_id));
}

/* A priority that is none takes its element out (REL-019); one without an
 * element says nothing. */
static void
take_priorities(struct elements *out, const struct pairs *prio)
{
    size_t n = 0;

    for (size_t i = 0; i < prio->n && out->n > 0; i++) {
        struct element_entry *e =
            bsearch(&prio->p[i].id, out->e, out->n, sizeof(*out->e), id_cmp);

        if (e && !priority_of(prio->p[i].value, &e->priority)) {
            elements_skip(out, e->element_id, "the priority is not a number");
            e->priority = INT32_MIN;
        }
    }
    for (size_t i = 0; i < out->n; i++)
        if (out->e[i].priority != INT32_MIN)
            out->e[n++] = out->e[i];
    out->n = n;
}

enum err
elements_read_maps(struct elements *out, const struct elements_map *registry,
                   const struct elements_map *priorities, struct fault *f)
{
    struct fault mine = {0}, *g = f ? f : &mine;
    struct pairs reg = {0}, prio = {0};
    bool ok = false;

    *out = (struct elements){0};
    if (!pairs_make(&reg, registry, g) || !pairs_make(&prio, priorities, g))
        goto out;
    if (!take_registry(out, &reg, g))
        goto out;
    elements_finish(out);
    take_priorities(out, &prio);
    ok = true;
out:
    free(reg.own);
    free(prio.own);
    if (!ok)
        elements_release(out);
    return ok ? ERR_OK : g->code;
}
