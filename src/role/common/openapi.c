/* openapi.c - see openapi.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/openapi.h"
#include "wire/json.h"
#include <stdio.h>
#include <string.h>

static void
schema_of(struct json_writer *w, const char *key, const char *type)
{
    char ref[96];

    json_put_object(w, key);
    if (strcmp(type, "binary") == 0) {
        json_put_text(w, "type", "string");
        json_put_text(w, "format", "binary");
    } else if (strcmp(type, "text") == 0) {
        json_put_text(w, "type", "string");
    } else if (type[0] >= 'A' && type[0] <= 'Z') {
        snprintf(ref, sizeof(ref), "#/components/schemas/%s", type);
        json_put_text(w, "$ref", ref);
    } else {
        json_put_text(w, "type", type);
    }
    json_end_object(w);
}

static bool
is_in(const struct route_doc *d, const char *place)
{
    return d->in &&
           (strcmp(d->in, place) == 0 ||
            (strcmp(d->in, "field") == 0 &&
             (strcmp(place, "query") == 0 || strcmp(place, "form") == 0)));
}

/* {names} of the path, then what the docs say. */
static void
parameters(struct json_writer *w, const char *path, const struct route *r)
{
    json_put_list(w, "parameters");
    for (const char *p = strchr(path, '{'); p; p = strchr(p + 1, '{')) {
        json_put_object(w, NULL);
        json_put_str(w, "name", slice_of(p + 1, strcspn(p + 1, "}")));
        json_put_text(w, "in", "path");
        json_put_bool(w, "required", true);
        schema_of(w, "schema", "string");
        json_end_object(w);
    }
    for (const struct route_doc *d = r->docs; d && d->name; d++) {
        const bool query = is_in(d, "query");

        if (!query && !is_in(d, "header"))
            continue;
        json_put_object(w, NULL);
        json_put_text(w, "name", d->name);
        json_put_text(w, "in", query ? "query" : "header");
        json_put_text(w, "description", d->text);
        schema_of(w, "schema", d->type);
        json_end_object(w);
    }
    json_end_list(w);
}

static void
content(struct json_writer *w, const char *type)
{
    json_put_object(w, "content");
    json_put_object(w, strcmp(type, "binary") == 0 ? "application/octet-stream"
                       : strcmp(type, "text") == 0 ? "text/plain"
                                                   : "application/json");
    schema_of(w, "schema", type);
    json_end_object(w);
    json_end_object(w);
}

static void
answer(struct json_writer *w, const char *status, const char *text,
       const char *type)
{
    json_put_object(w, status);
    json_put_text(w, "description", text);
    if (type)
        content(w, type);
    json_end_object(w);
}

static void
answers(struct json_writer *w, const struct route *r, bool bodies)
{
    const char *error = bodies ? "Error" : NULL;
    bool any = false, busy = false;

    json_put_object(w, "responses");
    for (const struct route_doc *d = r->docs; d && d->name; d++)
        if (d->in == NULL) {
            answer(w, d->name, d->text, bodies ? d->type : NULL);
            any = true;
            busy |= strcmp(d->name, "503") == 0;
        }
    if (!any)
        answer(w, "200", r->summary, NULL);
    if (r->scope && !busy)
        answer(w, "503", "Keys of tokens are not here yet; Retry-After", error);
    if (r->scope) {
        answer(w, "401", "No token, or one that is not valid", error);
        answer(w, "403", "The token does not grant this", error);
    }
    json_end_object(w);
}

static void
form_as(struct json_writer *w, const struct route *r, const char *media)
{
    json_put_object(w, media);
    json_put_object(w, "schema");
    json_put_text(w, "type", "object");
    json_put_object(w, "properties");
    for (const struct route_doc *d = r->docs; d->name; d++)
        if (is_in(d, "form"))
            schema_of(w, d->name, d->type);
    json_end_object(w);
    json_end_object(w);
    json_end_object(w);
}

static void
request_body(struct json_writer *w, const struct route *r)
{
    bool form = false, file = false, body = false;

    for (const struct route_doc *d = r->docs; d && d->name; d++) {
        form |= is_in(d, "form");
        file |= is_in(d, "form") && strcmp(d->type, "binary") == 0;
        body |= is_in(d, "body");
    }
    if (!form && !body)
        return;
    json_put_object(w, "requestBody");
    json_put_object(w, "content");
    if (file) {
        form_as(w, r, "multipart/form-data");
        json_put_object(w, "application/octet-stream");
        schema_of(w, "schema", "binary");
        json_end_object(w);
    } else if (form) {
        form_as(w, r, "application/x-www-form-urlencoded");
        form_as(w, r, "application/json");
    } else {
        json_put_object(w, "application/json");
        schema_of(w, "schema", "Object");
        json_end_object(w);
    }
    json_end_object(w);
    json_end_object(w);
}

static void
operation(struct json_writer *w, const struct route *r, enum http_method m,
          const char *path, const char *tag, size_t alias)
{
    char method[HTTP_METHOD_MAX], id[96], scope[SCOPE_TEXT];
    size_t n = 0;

    for (const char *p = http_method_name(m); *p; p++)
        method[n++] = (char)(*p | 0x20);
    method[n] = '\0';
    snprintf(id, sizeof(id), alias ? "%s%s_%zu" : "%s%s", r->name,
             m == r->method ? "" : "_head", alias);
    json_put_object(w, method);
    json_put_text(w, "operationId", id);
    json_put_text(w, "summary", r->summary);
    json_put_list(w, "tags");
    json_put_text(w, NULL, tag);
    json_end_list(w);
    if (r->scope) {
        json_put_list(w, "security");
        json_put_object(w, NULL);
        json_put_list(w, "bearer");
        json_put_text(w, NULL, scope_text(r->scope, scope));
        json_end_list(w);
        json_end_object(w);
        json_end_list(w);
    }
    parameters(w, path, r);
    request_body(w, r);
    answers(w, r, m != HTTP_HEAD);
    json_end_object(w);
}

static const char *
path_of(const struct route *r, size_t i)
{
    return i == 0 ? r->pattern : i <= ROUTE_ALSO_MAX ? r->also[i - 1] : NULL;
}

/* Does an earlier route (or an earlier path of this one) have PATH already?
 * Then its object is written there, with all methods. */
static bool
path_is_new(const struct route_table *tables, size_t t, size_t i, size_t k,
            const char *path)
{
    for (size_t a = 0; a <= t; a++)
        for (size_t b = 0; b < tables[a].n; b++)
            for (size_t c = 0; path_of(&tables[a].route[b], c); c++) {
                if (a == t && b == i && c == k)
                    return true;
                if (strcmp(path_of(&tables[a].route[b], c), path) == 0)
                    return false;
            }
    return true;
}

static void
path_item(struct json_writer *w, const struct route_table *tables, size_t n,
          const char *path)
{
    json_put_object(w, path);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < tables[t].n; i++)
            for (size_t k = 0; path_of(&tables[t].route[i], k); k++) {
                const struct route *r = &tables[t].route[i];

                if (strcmp(path_of(r, k), path) != 0)
                    continue;
                operation(w, r, r->method, path, tables[t].tag, k);
                if (r->method == HTTP_GET)
                    operation(w, r, HTTP_HEAD, path, tables[t].tag, k);
            }
    json_end_object(w);
}

void
openapi_make(const struct route_table *tables, size_t n, const char *version,
             struct buf *out)
{
    struct json_writer w;

    json_begin(&w, out);
    json_put_object(&w, NULL);
    json_put_text(&w, "openapi", "3.1.0");
    json_put_object(&w, "info");
    json_put_text(&w, "title", "artstore");
    json_put_text(&w, "version", version);
    json_put_text(&w, "description",
                  "Stores files durably, knows where they are, gives them back "
                  "verified.");
    json_end_object(&w);
    json_put_object(&w, "paths");
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < tables[t].n; i++)
            for (size_t k = 0; path_of(&tables[t].route[i], k); k++) {
                const char *path = path_of(&tables[t].route[i], k);

                if (path_is_new(tables, t, i, k, path))
                    path_item(&w, tables, n, path);
            }
    json_end_object(&w);
    json_put_object(&w, "components");
    openapi_schemas(&w, "schemas");
    json_put_raw(&w, "securitySchemes",
                 SLICE("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
                       "\"bearerFormat\":\"JWT\"}}"));
    json_end_object(&w);
    json_end_object(&w);
}
