/* elements.c - what makes a list of entries a list of elements: see elements.h.
 * Reading is in elements_read.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/elements.h"
#include "wire/date.h"
#include "wire/elements_impl.h"
#include "wire/endpoint.h"
#include "wire/json.h"
#include <stdio.h>
#include <stdlib.h>

bool
elements_text(struct elements *out, size_t n, struct fault *f)
{
    out->text = malloc(n ? n : 1);
    if (!out->text)
        (void)fault_set(f, ERR_NOMEM, "read", "list of elements");
    return out->text != NULL;
}

void
elements_skip(struct elements *out, const char *id, const char *why)
{
    if (out->skipped < ELEMENTS_REASONS)
        (void)snprintf(out->why[out->skipped], sizeof(out->why[0]), "%.64s: %s",
                       id && *id ? id : "an entry without a name", why);
    out->skipped++;
}

/* NULL, or what is wrong with it (REL-014, REL-019). An id is quoted in logs
 * only when it is one. */
static const char *
fault_of(const struct element_entry *e)
{
    if (!e->element_id || !element_id_ok(slice_str(e->element_id)))
        return "the element_id is missing or not valid";
    if (!e->endpoint || !element_endpoint_ok(slice_str(e->endpoint)))
        return "the api_url is missing or not valid";
    if (e->location && !element_location_ok(slice_str(e->location)))
        return "the location is not valid";
    return NULL;
}

static bool
grow(struct elements *out, struct fault *f)
{
    size_t cap = out->cap ? out->cap * 2 : 64;
    struct element_entry *e;

    e = realloc(out->e, cap * sizeof(*e));
    if (!e) {
        (void)fault_set(f, ERR_NOMEM, "read", "list of elements");
        return false;
    }
    out->e = e;
    out->cap = cap;
    return true;
}

bool
elements_add(struct elements *out, const struct element_entry *e,
             struct fault *f)
{
    const char *why = fault_of(e);

    if (why) {
        bool named = e->element_id && element_id_ok(slice_str(e->element_id));

        elements_skip(out, named ? e->element_id : NULL, why);
        return true;
    }
    if (out->n == ELEMENTS_MAX) {
        (void)fault_set(f, ERR_TOOBIG, "read", "list of elements");
        return false;
    }
    if (out->n == out->cap && !grow(out, f))
        return false;
    out->e[out->n++] = *e;
    return true;
}

/* By id; of equal ones the first comes first, which its text tells. */
static int
by_id(const void *pa, const void *pb)
{
    const struct element_entry *a = pa, *b = pb;
    int cmp = strcmp(a->element_id, b->element_id);

    if (cmp != 0)
        return cmp;
    return (a->element_id > b->element_id) - (a->element_id < b->element_id);
}

void
elements_finish(struct elements *out)
{
    size_t n = 0;
    bool sorted = true;

    for (size_t i = 1; i < out->n && sorted; i++)
        sorted = by_id(&out->e[i - 1], &out->e[i]) < 0;
    if (!sorted)
        qsort(out->e, out->n, sizeof(*out->e), by_id);
    for (size_t i = 0; i < out->n; i++) {
        if (n > 0 &&
            strcmp(out->e[n - 1].element_id, out->e[i].element_id) == 0)
            elements_skip(out, out->e[i].element_id,
                          "the element_id is there twice");
        else
            out->e[n++] = out->e[i];
    }
    out->n = n;
    out->stated = out->stated && n == 0 && out->skipped == 0;
}

void
elements_release(struct elements *e)
{
    free(e->e);
    free(e->text);
    *e = (struct elements){0};
}

bool
elements_write(struct buf *b, const struct elements *e)
{
    struct json_writer w;
    char text[DATE_TEXT];

    json_begin(&w, b);
    json_put_object(&w, NULL);
    if (e->versioned) {
        json_put_u64(&w, "generation", e->generation);
        json_put_u64(&w, "version", e->version);
    }
    if (e->published_at.ms)
        json_put_text(&w, "published_at",
                      date_rfc3339_ms(e->published_at, text));
    json_put_list(&w, "storage_elements");
    for (size_t i = 0; i < e->n; i++) {
        json_put_object(&w, NULL);
        json_put_text(&w, "element_id", e->e[i].element_id);
        json_put_text(&w, "api_url", e->e[i].endpoint);
        json_put_text(&w, "endpoint", e->e[i].endpoint);
        if (e->e[i].mode >= 0)
            json_put_text(&w, "mode", element_mode_text(e->e[i].mode));
        json_put_i64(&w, "priority", e->e[i].priority);
        if (e->e[i].location)
            json_put_text(&w, "location", e->e[i].location);
        json_end_object(&w);
    }
    json_end_list(&w);
    json_end_object(&w);
    return !b->failed;
}
