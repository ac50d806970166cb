/* fuzz_elements.c - lists of elements, capacity answers, and the tokens under
 * both: the scanner takes what the JSON library takes, and nothing else.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/capacity.h"
#include "wire/elements.h"
#include "wire/json.h"
#include "wire/json_scan.h"
#include <stdlib.h>

#define DEPTH 12

/* Every token of S as the library would write it; false: not JSON. */
static bool
write_tokens(struct slice json, struct buf *b)
{
    bool comma = false, ok = false;
    char *text = malloc(json.n + 1);
    struct json_scan s;
    struct slice raw;
    enum json_token t;

    assert(text);
    json_scan_init(&s, json, DEPTH);
    while ((t = json_scan_next(&s, &raw)) != JSON_BAD && t != JSON_DONE) {
        bool ends = t == JSON_CLOSE || t == JSON_LIST_END;

        if (comma && !ends)
            buf_add_char(b, ',');
        comma = t != JSON_OPEN && t != JSON_LIST && t != JSON_KEY;
        if (t == JSON_KEY || t == JSON_TEXT)
            json_out_str(b, slice_of(text, json_scan_text(raw, text)));
        else if (t == JSON_NUM)
            buf_add_slice(b, raw);
        else
            buf_add_str(b, t == JSON_OPEN       ? "{"
                           : t == JSON_CLOSE    ? "}"
                           : t == JSON_LIST     ? "["
                           : t == JSON_LIST_END ? "]"
                           : t == JSON_YES      ? "true"
                           : t == JSON_NO       ? "false"
                                                : "null");
        if (t == JSON_KEY)
            buf_add_char(b, ':');
    }
    ok = t == JSON_DONE;
    free(text);
    return ok;
}

/* The library refuses numbers that it cannot hold, which are JSON. */
static void
compare(struct slice json)
{
    const struct json_limits wide = {1 << 20, DEPTH, 1 << 20, true};
    struct json_error e = {0};
    json_error_t why;
    struct buf b;
    json_t *j, *k;

    buf_init(&b, 8 * json.n + 64);
    if (!write_tokens(json, &b)) {
        j = json_read_limited(json, &wide, &e);
        assert(!j);
    } else {
        j = json_loadb(json.p, json.n, JSON_DECODE_ANY, &why);
        k = json_loadb(b.p, b.n, JSON_DECODE_ANY, &why);
        assert((j == NULL) == (k == NULL));
        assert(j || json_error_code(&why) == json_error_numeric_overflow);
        assert(!j || json_equal(j, k));
        json_decref(k);
    }
    json_decref(j);
    buf_release(&b);
}

static void
check_list(const struct elements *l)
{
    struct elements again;
    struct buf b;

    assert(l->n <= ELEMENTS_MAX && (!l->stated || l->n == 0));
    for (size_t i = 0; i < l->n; i++) {
        assert(l->e[i].element_id[0] && l->e[i].endpoint[0]);
        assert(i == 0 ||
               strcmp(l->e[i - 1].element_id, l->e[i].element_id) < 0);
    }
    buf_init(&b, 8 * MIB);
    assert(elements_write(&b, l));
    assert(elements_read(&again, buf_slice(&b), NULL) == ERR_OK);
    assert(again.n == l->n && again.skipped == 0);
    assert(again.versioned == l->versioned);
    for (size_t i = 0; i < l->n; i++) {
        assert(strcmp(l->e[i].element_id, again.e[i].element_id) == 0);
        assert(strcmp(l->e[i].endpoint, again.e[i].endpoint) == 0);
        assert(l->e[i].priority == again.e[i].priority);
        assert(l->e[i].mode == again.e[i].mode);
    }
    elements_release(&again);
    buf_release(&b);
}

static void
lists(struct slice s)
{
    const struct elements_map reg = {.json = s};
    struct elements_pair pair[16];
    struct elements_map pairs = {.pair = pair};
    struct elements l;
    struct slice rest = s, part;

    if (elements_read(&l, s, NULL) == ERR_OK) {
        check_list(&l);
        elements_release(&l);
    }
    if (elements_read_maps(&l, &reg, &reg, NULL) == ERR_OK) {
        check_list(&l);
        elements_release(&l);
    }
    while (pairs.n < countof(pair) && slice_cut(&rest, '\n', &part)) {
        size_t at = slice_find(part, '=');

        pair[pairs.n].id = slice_head(part, at);
        pair[pairs.n++].value = slice_skip(part, at + 1);
    }
    if (elements_read_maps(&l, &pairs, &pairs, NULL) == ERR_OK) {
        check_list(&l);
        elements_release(&l);
    }
}

static void
check_capacity(const struct capacity *c)
{
    struct capacity_fields f;
    struct capacity_error e;
    struct capacity d;

    assert(c->mode >= 0 && c->mode <= 3 && c->available <= c->total);
    capacity_write_fields(c, &f);
    assert(capacity_read_fields(&d, f.f, f.n, c->element_id, &e));
    assert(d.total == c->total && d.available == c->available);
    assert(d.mode == c->mode && d.status == c->status);
    assert(d.health == c->health && d.unwritable == c->unwritable);
}

static void
capacities(struct slice s)
{
    struct capacity_field f[16];
    struct slice rest = s, part;
    struct capacity_error e;
    struct capacity c;
    size_t n = 0;

    if (capacity_read(&c, s, NULL, &e))
        check_capacity(&c);
    while (n < countof(f) && slice_cut(&rest, '\n', &part)) {
        size_t at = slice_find(part, '=');

        f[n].name = slice_head(part, at);
        f[n++].value = slice_skip(part, at + 1);
    }
    if (capacity_read_fields(&c, f, n, NULL, &e))
        check_capacity(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice s = slice_of(data, n);

    if (n > 20000)
        return 0;
    compare(s);
    lists(s);
    capacities(s);
    return 0;
}
