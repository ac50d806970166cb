/* files.c - `artstore ls`, `stat` and `rm`: what is stored, and taking it away.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include <inttypes.h>

#define PAGE_MAX 1000

struct ls_args {
    struct cli_common c;
    const char *name, *user, *retention, *since, *until, *meta, *cursor;
    uint64_t min_size, max_size;
    uint64_t limit;
    bool all;
};

#define AT(member) offsetof(struct ls_args, member)

const struct cli_opt ls_opts[] = {
    {.name = "name",
     .letter = 'n',
     .kind = OPT_TEXT,
     .at = AT(name),
     .value = "PATTERN",
     .help = "Original name, or a pattern like '*.pdf'."},
    {.name = "user",
     .kind = OPT_TEXT,
     .at = AT(user),
     .value = "USER",
     .help = "Who uploaded it."},
    {.name = "retention",
     .kind = OPT_CHOICE,
     .at = AT(retention),
     .value = "temporary|permanent",
     .help = "How long it is to be kept."},
    {.name = "since",
     .kind = OPT_TEXT,
     .at = AT(since),
     .value = "TIME",
     .help = "Uploaded then or later."},
    {.name = "until",
     .kind = OPT_TEXT,
     .at = AT(until),
     .value = "TIME",
     .help = "Uploaded before."},
    {.name = "min-size",
     .kind = OPT_SIZE,
     .at = AT(min_size),
     .value = "SIZE",
     .help = "At least so large, like 10M."},
    {.name = "max-size",
     .kind = OPT_SIZE,
     .at = AT(max_size),
     .value = "SIZE",
     .help = "At most so large."},
    {.name = "meta",
     .kind = OPT_TEXT,
     .at = AT(meta),
     .value = "KEY[:VALUE]",
     .help = "Has this key in its metadata, with this value."},
    {.name = "limit",
     .letter = 'l',
     .kind = OPT_UINT,
     .at = AT(limit),
     .value = "N",
     .min = 1,
     .max = PAGE_MAX,
     .help = "Files of a page (100)."},
    {.name = "cursor",
     .kind = OPT_TEXT,
     .at = AT(cursor),
     .value = "CURSOR",
     .help = "Go on where an earlier page ended."},
    {.name = "all",
     .letter = 'a',
     .kind = OPT_FLAG,
     .at = AT(all),
     .help = "All pages."},
    {0},
};

static void
query_u64(struct buf *path, const char *key, uint64_t v)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, v);
    query_add(path, key, text);
}

static int
make_query(struct buf *path, const struct ls_args *a, const char *cursor)
{
    buf_clear(path);
    buf_add_str(path, "/api/files");
    query_u64(path, "limit", a->limit);
    query_add(path, "cursor", cursor);
    query_add(path, "name", a->name);
    query_add(path, "user", a->user);
    if (a->retention)
        query_add(path, "retention",
                  (a->retention[0] | 0x20) == 'p' ? "PERMANENT" : "TEMPORARY");
    if (a->min_size)
        query_u64(path, "min_size", a->min_size);
    if (a->max_size != UINT64_MAX)
        query_u64(path, "max_size", a->max_size);
    query_add(path, "meta", a->meta);
    if (query_time(path, "ls", "since", a->since) != CLI_OK ||
        query_time(path, "ls", "until", a->until) != CLI_OK)
        return CLI_USAGE;
    return path->failed ? cli_usage("ls", "the conditions are too long")
                        : CLI_OK;
}

static void
ls_row(struct table *t, const json_t *file)
{
    const char *retention = member_text(file, "retention_policy");
    char size[TEXT_SIZE];

    table_cell(t, member_text(file, "file_id"));
    table_cell(t, text_size(member_u64(file, "size_bytes", "size"), size));
    table_cell(t, member_text(file, "uploaded_at"));
    table_cell(t, !retention                       ? NULL
                  : strcmp(retention, "PERMANENT") ? "temporary"
                                                   : "permanent");
    table_cell(t, member_text(file, "storage_element_id"));
    table_cell(t, member_text(file, "original_filename"));
}

/* One page; the cursor of the next in *NEXT ("" at the end). */
static enum cli_exit
ls_page(struct http *h, const struct ls_args *a, const char *path,
        struct table *t, char next[1024])
{
    json_t *page, *files, *one;
    struct failure f;
    const char *cursor;
    size_t i;

    next[0] = '\0';
    page = http_get_json(h, path, &f);
    if (!page)
        return session_fail("ls", NULL, &f);
    files = json_object_get(page, "files");
    json_array_foreach(files, i, one)
    {
        if (a->c.json)
            print_json(one);
        else
            ls_row(t, one);
    }
    if (!a->c.json && (t->cells || !t->header_done))
        table_print(t, stdout);
    cursor = member_text(page, "next_cursor");
    if (cursor && !slice_copy(slice_str(cursor), next, 1024))
        say("the server's cursor is too long; the list ends here");
    json_decref(page);
    return CLI_OK;
}

static enum cli_exit
ls_pages(struct http *h, const struct ls_args *a, struct buf *path)
{
    static const char *const head[] = {"ID",        ">SIZE",   "UPLOADED",
                                       "RETENTION", "ELEMENT", "NAME"};
    char next[1024], last[1024] = "";
    struct table t;
    enum cli_exit e;

    table_init(&t, head, countof(head));
    for (;;) {
        e = ls_page(h, a, buf_str(path), &t, next);
        if (e != CLI_OK || !a->all || !next[0] || interrupted())
            break;
        if (strcmp(next, last) == 0) { /* else we would go round for ever */
            say("the server repeats its cursor; the list ends here");
            break;
        }
        memcpy(last, next, sizeof(last));
        make_query(path, a, next);
    }
    if (e == CLI_OK && !a->all && next[0] && !a->c.quiet)
        say("there are more: --all, or --cursor %s", next);
    table_release(&t);
    return interrupted() ? CLI_INTERRUPTED : e;
}

int
cmd_ls(int argc, char **argv)
{
    struct ls_args a = {.c = CLI_COMMON_DEFAULT, .max_size = UINT64_MAX};
    struct opt_words words;
    struct session s;
    struct buf path;
    int r = cli_parse("ls", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (a.limit == 0)
        a.limit = a.all ? PAGE_MAX : 100;
    buf_init(&path, 16 * KIB);
    r = make_query(&path, &a, a.cursor);
    if (r == CLI_OK) {
        r = (int)session_open(&s, &a.c, "ls", true);
        if (r == CLI_OK)
            r = (int)ls_pages(&s.http, &a, &path);
        session_close(&s);
    }
    buf_release(&path);
    return r;
}

static void
stat_line(const char *key, const json_t *v)
{
    char size[TEXT_SIZE], *text = NULL;
    struct buf b;

    buf_init(&b, 64 * KIB);
    if (strcmp(key, "size_bytes") == 0 && json_is_integer(v))
        buf_printf(&b, "%lld (%s)", (long long)json_integer_value(v),
                   text_size((uint64_t)json_integer_value(v), size));
    else if (json_is_string(v))
        text_safe(&b, slice_str(json_string_value(v)));
    else if (json_is_null(v))
        buf_add_str(&b, "-");
    else if ((text = json_dumps(v, JSON_ENCODE_ANY)) != NULL)
        text_safe(&b, slice_str(text));
    printf("%-20s  %s\n", key, buf_str(&b));
    free(text);
    buf_release(&b);
}

/* The members in the order of interest, then those that we do not know. */
static void
stat_print(const json_t *o)
{
    static const char *const order[] = {
        "file_id",          "original_filename", "size_bytes",
        "content_type",     "retention_policy",  "uploaded_at",
        "expires_at",       "uploaded_by",       "storage_element_id",
        "storage_filename", "sha256_hash",       "md5_hash"};
    const char *key;
    json_t *v;

    for (size_t i = 0; i < countof(order); i++)
        if ((v = json_object_get(o, order[i])) != NULL)
            stat_line(order[i], v);
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        bool known = false;

        for (size_t i = 0; i < countof(order); i++)
            known |= strcmp(key, order[i]) == 0;
        if (!known)
            stat_line(key, v);
    }
}

static enum cli_exit
stat_one(struct session *s, const struct cli_common *c, const char *id,
         bool first)
{
    char path[80];
    struct failure f;
    json_t *o;

    snprintf(path, sizeof(path), "/api/files/%s/metadata", id);
    o = http_get_json(&s->http, path, &f);
    if (!o)
        return session_fail("stat", id, &f);
    if (c->json)
        print_json(o);
    else {
        if (!first)
            putchar('\n');
        stat_print(o);
    }
    json_decref(o);
    return CLI_OK;
}

static enum cli_exit
rm_one(struct session *s, const struct cli_common *c, const char *id,
       bool first)
{
    char path[80];
    struct http_req r = {.method = "DELETE", .path = path};
    struct failure f;
    enum cli_exit e;

    (void)first;
    snprintf(path, sizeof(path), "/api/files/%s", id);
    e = http_call(&s->http, &r, &f);
    if (e != CLI_OK)
        session_fail("rm", id, &f);
    else if (c->json)
        printf("{\"file_id\":\"%s\",\"deleted\":true}\n", id);
    else if (!c->quiet)
        printf("%s  deleted\n", id);
    http_finish(&r);
    return e;
}

static enum cli_exit
verify_one(struct session *s, const struct cli_common *c, const char *id,
           bool first)
{
    char path[80];
    struct failure f;
    const char *reason;
    bool whole;
    json_t *o;

    (void)first;
    snprintf(path, sizeof(path), "/api/v1/files/%s/verify", id);
    o = http_get_json(&s->http, path, &f);
    if (!o)
        return session_fail("verify", id, &f);
    whole = json_is_true(json_object_get(o, "verified"));
    reason = member_text(o, "reason");
    if (c->json)
        print_json(o);
    else if (!whole || !c->quiet)
        printf("%s  %s%s%s\n", id, whole ? "ok" : "damaged", reason ? ": " : "",
               reason ? reason : "");
    json_decref(o);
    return whole ? CLI_OK : CLI_MISMATCH;
}

/* A command of ids: one() for each. All are looked at before the first. */
static int
for_each_id(const char *name, int argc, char **argv,
            enum cli_exit (*one)(struct session *, const struct cli_common *,
                                 const char *, bool))
{
    struct cli_common c = CLI_COMMON_DEFAULT;
    struct opt_words words;
    struct session s;
    enum cli_exit e = CLI_OK;
    char id[37];
    int r = cli_parse(name, argc, argv, &c, 1, -1, &words);

    if (r != CLI_GO)
        return r;
    for (int i = 0; i < words.n; i++)
        if (!session_file_id(name, words.v[i], id))
            return CLI_USAGE;
    e = session_open(&s, &c, name, true);
    for (int i = 0; e != CLI_INTERRUPTED && s.http.multi && i < words.n; i++) {
        if (i == 0 && e != CLI_OK)
            break;
        session_file_id(name, words.v[i], id);
        e = exit_merge(e, one(&s, &c, id, i == 0));
        fflush(stdout);
        if (e == CLI_CONNECT || e == CLI_AUTH)
            break; /* it would be the same with each */
    }
    session_close(&s);
    return (int)e;
}

int
cmd_stat(int argc, char **argv)
{
    return for_each_id("stat", argc, argv, stat_one);
}

int
cmd_storage_verify(int argc, char **argv)
{
    return for_each_id("storage verify", argc, argv, verify_one);
}

int
cmd_rm(int argc, char **argv)
{
    return for_each_id("rm", argc, argv, rm_one);
}
