/* ingest.c - birth of the gateway, and its routes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/ingest.h"
#include "role/ingest/cache.h"
#include "role/ingest/impl.h"
#include "sec/random.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct uuid
ingest_file_id(struct ingest_loop *il)
{
    if (il->random_left < 10) {
        sec_random(il->random, sizeof(il->random));
        il->random_left = sizeof(il->random);
    }
    il->random_left -= 10;
    return uuid_v7(il->loop->wall, il->random + il->random_left);
}

static void
on_scrape(struct metrics *m, void *arg)
{
    struct ingest *g = arg;
    uint64_t items = 0, runs = 0;

    for (unsigned i = 0; i < g->n_loops; i++) {
        items += atomic_load(&g->loop[i].lanes.items);
        runs += atomic_load(&g->loop[i].lanes.runs);
    }
    metric_set(m, metric_plain(m, M_LANES_ITEMS), (int64_t)items);
    metric_set(m, metric_plain(m, M_LANES_RUNS), (int64_t)runs);
    metric_set(m, metric_plain(m, M_REPLAY_BYTES),
               (int64_t)atomic_load(&g->held));
}

void
ingest_adjust(struct ingest *g, const struct ingest_conf *c)
{
    (void)snprintf(g->datacenter, sizeof(g->datacenter), "%s",
                   c->datacenter ? c->datacenter : "");
    g->conf.datacenter = g->datacenter;
    g->conf.file_max = c->file_max;
    g->conf.retention = c->retention;
    g->conf.ttl_days = c->ttl_days;
    g->conf.attempts = c->attempts;
    g->conf.fill_width = c->fill_width;
    g->conf.breakers = c->breakers;
    g->conf.verify_reads = c->verify_reads;
}

enum err
ingest_open(struct ingest **out, const struct ingest_conf *c,
            struct loop **loops, unsigned n_loops, struct fault *f)
{
    struct ingest *g = calloc(1, sizeof(*g));
    uint64_t seed;

    *out = NULL;
    if (g == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "ingest");
    g->conf = *c;
    if (c->block_budget)
        g->conf.replay_budget = u64_min(c->replay_budget, c->block_budget / 2);
    ingest_adjust(g, c);
    counts_ingest_init(&g->counts, c->metrics, c->clock);
    g->loop = calloc(n_loops, sizeof(g->loop[0]));
    if (g->loop == NULL) {
        free(g);
        return fault_set(f, ERR_NOMEM, "allocate", "ingest");
    }
    for (; g->n_loops < n_loops; g->n_loops++) {
        struct ingest_loop *il = &g->loop[g->n_loops];

        il->loop = loops[g->n_loops];
        sec_random(&seed, sizeof(seed));
        il->cache = cache_open(c->cache_entries, seed, il->loop);
        if (il->cache == NULL) {
            ingest_close(&g);
            return fault_set(f, ERR_NOMEM, "allocate", "cache of files");
        }
        cache_observe(il->cache, c->metrics);
        lanes_init(&il->lanes, il->loop, c->hash);
    }
    (void)metrics_on_scrape(c->metrics, on_scrape, g);
    *out = g;
    return ERR_OK;
}

void
ingest_loop_quiesce(struct ingest *g, struct loop *l)
{
    cache_clear(ingest_loop_of(g, l)->cache);
    place_forget(ingest_loop_of(g, l));
}

void
ingest_close(struct ingest **gp)
{
    struct ingest *g = *gp;

    *gp = NULL;
    if (g == NULL)
        return;
    for (unsigned i = 0; i < g->n_loops; i++) {
        cache_close(&g->loop[i].cache);
        place_forget(&g->loop[i]);
    }
    free(g->loop);
    free(g);
}

/* ---- routes ---- */

/* "field" is what params.c takes by name. */
static const struct route_doc upload_docs[] = {
    {"filename", "field", "string",
     "Name of the file; needed when the body is not a form and the path does "
     "not end in it"},
    {"retention_policy", "field", "Retention",
     "TEMPORARY (default) or PERMANENT; in a form before the file"},
    {"retention", "field", "Retention", "The same"},
    {"ttl_days", "field", "integer",
     "Days until a TEMPORARY file expires. Not with PERMANENT"},
    {"metadata", "field", "string", "A JSON object of your own, at most 8 KiB"},
    {"content_type", "field", "string",
     "Media type of the file; else that of the body or of the form's part"},
    {"md5", "field", "string", "Expected MD5, 32 hexadecimal digits"},
    {"sha256", "field", "string", "Expected SHA-256, 64 hexadecimal digits"},
    {"checksum", "field", "string", "One of the two"},
    {"Content-Digest", "header", "string", "Expected digest (RFC 9530)"},
    {"Repr-Digest", "header", "string", "Expected digest (RFC 9530)"},
    {"Content-MD5", "header", "string", "Expected MD5 (RFC 1864)"},
    {"X-Retention-Policy", "header", "Retention", "As retention_policy"},
    {"X-TTL-Days", "header", "integer", "As ttl_days"},
    {"X-Metadata", "header", "string", "As metadata"},
    {"file", "form", "binary", "The file, in multipart/form-data"},
    {"201", NULL, "File", "Stored durably"},
    {"400", NULL, "Error",
     "A field is missing, malformed or contradicted, or a parameter is not "
     "known; nothing is kept"},
    {"413", NULL, "Error", "Larger than MAX_FILE_SIZE_MB"},
    {"415", NULL, "Error", "The body has a Content-Encoding"},
    {"422", NULL, "Error", "The bytes do not have the expected digest"},
    {"503", NULL, "Error", "No storage element can take it at the moment"},
    {"507", NULL, "Error", "No storage element has room; details say why"},
    {0},
};

static const struct route_doc download_docs[] = {
    {"Range", "header", "string", "Byte ranges, at most 16"},
    {"If-Range", "header", "string", "RFC 9110 section 13.1.5"},
    {"If-Match", "header", "string", "RFC 9110 section 13.1.1"},
    {"If-None-Match", "header", "string", "RFC 9110 section 13.1.2"},
    {"If-Modified-Since", "header", "string", "RFC 9110 section 13.1.3"},
    {"If-Unmodified-Since", "header", "string", "RFC 9110 section 13.1.4"},
    {"200", NULL, "binary", "The file"},
    {"206", NULL, "binary", "The ranges asked for"},
    {"304", NULL, NULL, "It has not changed"},
    {"400", NULL, "Error", "The id is no UUID"},
    {"404", NULL, "Error", "No such file"},
    {"412", NULL, "Error", "A condition is not met"},
    {"416", NULL, "Error", "No byte lies in the range"},
    {"500", NULL, "Error", "The bytes are not those that were stored"},
    {0},
};

static const struct route_doc metadata_docs[] = {
    {"200", NULL, "File", "What is known of the file"},
    {"400", NULL, "Error", "The id is no UUID"},
    {"404", NULL, "Error", "No such file"},
    {0},
};

static const struct route_doc delete_docs[] = {
    {"If-Match", "header", "string", "RFC 9110 section 13.1.1"},
    {"If-None-Match", "header", "string", "RFC 9110 section 13.1.2"},
    {"If-Modified-Since", "header", "string", "RFC 9110 section 13.1.3"},
    {"If-Unmodified-Since", "header", "string", "RFC 9110 section 13.1.4"},
    {"204", NULL, NULL, "Gone for good"},
    {"400", NULL, "Error",
     "The id is no UUID, or the file's element is not in mode edit"},
    {"403", NULL, "Error", "It is somebody else's"},
    {"404", NULL, "Error", "No such file"},
    {"412", NULL, "Error", "A condition is not met; the file is still there"},
    {0},
};

static const struct route_doc list_docs[] = {
    {"limit", "query", "integer", "1 to 1000, default 100"},
    {"cursor", "query", "string", "next_cursor of the page before"},
    {"order", "query", "string", "asc (oldest first, default) or desc"},
    {"name", "query", "string", "Part of the name, or a glob with * and ?"},
    {"user", "query", "string", "Uploaded by"},
    {"element", "query", "string", "Storage element"},
    {"retention", "query", "Retention", "TEMPORARY or PERMANENT"},
    {"since", "query", "string", "Uploaded at or after (RFC 3339)"},
    {"until", "query", "string", "Uploaded before (RFC 3339)"},
    {"min_size", "query", "integer", "Bytes"},
    {"max_size", "query", "integer", "Bytes"},
    {"meta", "query", "string", "Metadata key, or KEY:VALUE"},
    {"200", NULL, "FileList", "One page"},
    {"400", NULL, "Error", "A filter is unknown or malformed"},
    {0},
};

static const struct route_doc explain_docs[] = {
    {"size", "query", "integer", "Bytes of the file"},
    {"retention_policy", "query", "Retention", "TEMPORARY or PERMANENT"},
    {"200", NULL, "Selection", "The choice and a verdict on every element"},
    {"400", NULL, "Error", "A parameter is malformed"},
    {"413", NULL, "Error", "Larger than MAX_FILE_SIZE_MB allows"},
    {0},
};

static const struct route_doc reload_docs[] = {
    {"200", NULL, "Reload", "Where it came from, and what it changed"},
    {"404", NULL, "Error", "The elements are this server's own"},
    {"503", NULL, "Error", "Nobody gives a list; the one in use stays"},
    {0},
};

/* curl -T adds the name to a URL that ends in a slash, and none to that of what
 * comes from a pipe. */
#define UPLOAD_ALSO                                                     \
    {                                                                   \
        "/api/v1/files/upload", "/api/v1/upload", "/api/files/upload/", \
            "/api/v1/files/upload/", "/api/v1/upload/"                  \
    }

static const struct route routes[] = {
    {HTTP_POST, "/api/files/upload", SCOPE_WRITE, upload_begin, "file_upload",
     "Store a file, sent as a form or as it is", UPLOAD_ALSO, upload_docs},
    {HTTP_PUT, "/api/files/upload", SCOPE_WRITE, upload_begin,
     "file_upload_put", "The same for clients that send with PUT (curl -T)",
     UPLOAD_ALSO, upload_docs},
    {HTTP_PUT,
     "/api/files/upload/{filename}",
     SCOPE_WRITE,
     upload_begin,
     "file_upload_named_put",
     "Store a file, sent as it is, under that name (curl -T report.pdf "
     ".../upload/)",
     {"/api/v1/files/upload/{filename}", "/api/v1/upload/{filename}"},
     upload_docs},
    {HTTP_POST,
     "/api/files/upload/{filename}",
     SCOPE_WRITE,
     upload_begin,
     "file_upload_named",
     "The same with POST",
     {"/api/v1/files/upload/{filename}", "/api/v1/upload/{filename}"},
     upload_docs},
    {HTTP_GET,
     "/api/files",
     SCOPE_READ,
     file_list,
     "file_list",
     "List and search files",
     {"/api/v1/files"},
     list_docs},
    {HTTP_GET,
     "/api/files/{file_id}",
     SCOPE_READ,
     download_begin,
     "file_download",
     "Fetch a file",
     {"/api/v1/files/{file_id}"},
     download_docs},
    {HTTP_GET,
     "/api/files/{file_id}/metadata",
     SCOPE_READ,
     file_metadata,
     "file_metadata",
     "What is known of a file",
     {"/api/v1/files/{file_id}/metadata", "/api/v1/files/{file_id}/attributes"},
     metadata_docs},
    {HTTP_DELETE,
     "/api/files/{file_id}",
     SCOPE_DELETE,
     file_delete,
     "file_delete",
     "Delete a file",
     {"/api/v1/files/{file_id}"},
     delete_docs},
    {HTTP_GET,
     "/api/v1/selection/explain",
     SCOPE_READ,
     selection_explain,
     "selection_explain",
     "Where a file of that size would go, and why",
     {"/api/selection/explain"},
     explain_docs},
    {HTTP_POST,
     "/api/v1/config/reload",
     SCOPE_ADMIN,
     config_reload,
     "config_reload",
     "Read the list of storage elements again, now",
     {"/api/v1/internal/se-config/reload"},
     reload_docs},
};

struct route_table
ingest_routes(struct ingest *g)
{
    return (struct route_table){routes, countof(routes), g, "files"};
}
