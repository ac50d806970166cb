/* gateway_elements.c - see gateway_elements.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "join/gateway_elements.h"
#include "obs/health.h"
#include "role/common/capacity.h"
#include "wire/capacity.h"
#include "wire/endpoint.h"
#include <stdio.h>
#include <stdlib.h>

#define ITEM_MAX ((size_t)1024)

static bool
is_well(const struct blob_capacity *c, struct mono now)
{
    return capacity_health_parse(slice_str(capacity_health(c, now)), NULL) ==
           CAPACITY_HEALTHY;
}

static void
put_item(struct json_writer *w, const char *id, const struct blob_capacity *c,
         struct mono now)
{
    json_put_object(w, NULL);
    json_put_text(w, "element_id", id);
    json_put_text(w, "mode", c->total ? element_mode_text(c->mode) : "unknown");
    json_put_text(w, "endpoint", c->endpoint);
    json_put_text(w, "status", is_well(c, now) ? "ok" : "fail");
    json_put_text(w, "health", capacity_health(c, now));
    json_put_text(w, "capacity_status", element_status_text(c->status));
    json_end_object(w);
}

static void
sick_add(struct gateway_sick *s, const char *id, const struct blob_capacity *c,
         struct mono now)
{
    if (c->health[0] == '\0' || is_well(c, now) ||
        capacity_health_parse(slice_str(c->health), NULL) == CAPACITY_DEGRADED)
        return;
    if (s->n++ == 0)
        (void)snprintf(s->text, sizeof(s->text), "; %.64s is %.80s", id,
                       capacity_health(c, now));
}

static void
sick_more(struct gateway_sick *s)
{
    size_t at = strlen(s->text);

    if (s->n > 1)
        (void)snprintf(s->text + at, sizeof(s->text) - at,
                       "; %u more %s not well either", s->n - 1,
                       s->n == 2 ? "is" : "are");
}

void
gateway_elements(struct registry *g, struct mono now, struct buf *detail,
                 struct gateway_sick *sick)
{
    unsigned got, n = registry_elements(g, NULL, 0);
    struct registry_element *e = calloc(n + 1, sizeof(*e));
    struct json_writer w;

    *sick = (struct gateway_sick){0};
    if (e == NULL)
        return;
    got = registry_elements(g, e, n);
    json_begin(&w, detail);
    json_put_object(&w, NULL);
    json_put_u64(&w, "total", got);
    json_put_list(&w, "items");
    for (unsigned i = 0; i < n && i < got; i++) {
        const char *id = e[i].blob->element_id;
        struct blob_capacity c;

        e[i].blob->ops->capacity(e[i].blob, &c);
        sick_add(sick, id, &c, now);
        if (detail->n < HEALTH_DETAIL_MAX - ITEM_MAX)
            put_item(&w, id, &c, now);
        blob_drop(&e[i].blob);
    }
    json_end_list(&w);
    json_end_object(&w);
    sick_more(sick);
    free(e);
}
