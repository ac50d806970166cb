/* audit.c - `artstore audit ls` and `audit verify`.
 *
 * Verifying does not ask the server whether its log is sound: the rows are
 * fetched, and the sums of wire/audit.h are done here. The last row that Admin
 * has signed (sec/seal.h) must be among them, so that who may write to the
 * database cannot write the whole chain anew. Who has Admin's key could still
 * do that; --anchor is against him.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/text.h"
#include "sec/keys.h"
#include "sec/seal.h"
#include "wire/audit_json.h"
#include "wire/date.h"
#include <inttypes.h>

#define PAGE_MAX 200

/* ---- audit ls ---- */

struct audit_args {
    struct cli_common c;
    const char *actor, *action, *object, *since, *until, *cursor;
    uint64_t limit;
    bool all, oldest;
};

#define AT(member) offsetof(struct audit_args, member)

const struct cli_opt audit_ls_opts[] = {
    {.name = "actor",
     .kind = OPT_TEXT,
     .at = AT(actor),
     .value = "NAME",
     .help = "Who did it: a user, or a service account."},
    {.name = "action",
     .kind = OPT_TEXT,
     .at = AT(action),
     .value = "ACTION",
     .help = "What was done, like file.delete or token.issue."},
    {.name = "object",
     .kind = OPT_TEXT,
     .at = AT(object),
     .value = "NAME",
     .help = "To what: the id of a file, an element, an account, a key."},
    {.name = "since",
     .kind = OPT_TEXT,
     .at = AT(since),
     .value = "TIME",
     .help = "Done then or later."},
    {.name = "until",
     .kind = OPT_TEXT,
     .at = AT(until),
     .value = "TIME",
     .help = "Done before."},
    {.name = "oldest",
     .kind = OPT_FLAG,
     .at = AT(oldest),
     .help = "The oldest first."},
    {.name = "limit",
     .letter = 'l',
     .kind = OPT_UINT,
     .at = AT(limit),
     .value = "N",
     .min = 1,
     .max = PAGE_MAX,
     .help = "Rows of a page (100)."},
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

static int
make_query(struct buf *path, const struct audit_args *a, const char *cursor)
{
    buf_clear(path);
    buf_printf(path, "/api/v1/audit?limit=%" PRIu64, a->limit);
    query_add(path, "cursor", cursor);
    query_add(path, "order", a->oldest ? "asc" : NULL);
    query_add(path, "actor", a->actor);
    query_add(path, "action", a->action);
    query_add(path, "object", a->object);
    if (query_time(path, "audit ls", "since", a->since) != CLI_OK ||
        query_time(path, "audit ls", "until", a->until) != CLI_OK)
        return CLI_USAGE;
    return path->failed ? cli_usage("audit ls", "the conditions are too long")
                        : CLI_OK;
}

static void
ls_row(struct table *t, const json_t *e)
{
    char n[24];

    snprintf(n, sizeof(n), "%" PRIu64, member_u64(e, "n", NULL));
    table_cell(t, n);
    table_cell(t, member_text(e, "at"));
    table_cell(t, member_text(e, "actor"));
    table_cell(t, member_text(e, "action"));
    table_cell(t, member_text(e, "object"));
    table_cell(t, member_text(e, "result"));
}

/* "" at the end; a cursor that goes round would go on for ever. */
static void
next_cursor(const json_t *page, char next[24])
{
    const char *cursor = member_text(page, "next_cursor");

    if (!cursor || strcmp(cursor, next) == 0 ||
        !slice_copy(slice_str(cursor), next, 24))
        next[0] = '\0';
}

static enum cli_exit
ls_pages(struct http *h, const struct audit_args *a, struct buf *path)
{
    static const char *const head[] = {">N",     "AT",     "ACTOR",
                                       "ACTION", "OBJECT", "RESULT"};
    char next[24] = "";
    struct failure f;
    struct table t;
    json_t *page, *e;
    size_t i;

    table_init(&t, head, countof(head));
    do {
        page = http_get_json(h, buf_str(path), &f);
        json_array_foreach(json_object_get(page, "entries"), i, e)
        {
            if (a->c.json)
                print_json(e);
            else
                ls_row(&t, e);
        }
        if (page && !a->c.json && (t.cells || !t.header_done))
            table_print(&t, stdout);
        next_cursor(page, next);
        make_query(path, a, next[0] ? next : NULL);
        json_decref(page);
    } while (page && a->all && next[0] && !interrupted());
    table_release(&t);
    if (page && !a->all && next[0] && !a->c.quiet)
        say("there are more: --all, or --cursor %s", next);
    if (interrupted())
        return CLI_INTERRUPTED;
    return page ? CLI_OK : session_fail("audit ls", NULL, &f);
}

int
cmd_audit_ls(int argc, char **argv)
{
    struct audit_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    struct session s;
    struct buf path;
    int r = cli_parse("audit ls", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (a.limit == 0)
        a.limit = a.all ? PAGE_MAX : 100;
    buf_init(&path, 16 * KIB);
    r = make_query(&path, &a, a.cursor);
    if (r == CLI_OK) {
        r = (int)session_open(&s, &a.c, "audit ls", true);
        if (r == CLI_OK)
            r = (int)ls_pages(&s.http, &a, &path);
        session_close(&s);
    }
    buf_release(&path);
    return r;
}

/* ---- audit verify ---- */

struct verify_args {
    struct cli_common c;
    const char *anchor;
    const char *keys;
};

const struct cli_opt audit_verify_opts[] = {
    {.name = "anchor",
     .kind = OPT_TEXT,
     .at = offsetof(struct verify_args, anchor),
     .value = "N:HASH",
     .help = "What an earlier verify said of its last row: row N must still "
             "have this hash."},
    {.name = "keys",
     .kind = OPT_TEXT,
     .at = offsetof(struct verify_args, keys),
     .value = "FILE",
     .help = "The public keys that its signature must be of, PEM or JWKS: "
             "without it those of the data folder, or what the server says. "
             "With it a log that nobody has signed is refused."},
    {0},
};

/* Row N must have this hash. */
struct anchor {
    uint64_t n; /* 0: none */
    uint8_t hash[AUDIT_HASH];
    bool seen;
};

struct verify {
    struct audit_chain chain;
    enum audit_verdict verdict;
    struct anchor noted;  /* --anchor */
    struct anchor sealed; /* what was signed */
    struct wall sealed_at;
    const struct keyset *keys;
    bool must; /* be signed */
    bool begun;
};

static bool
anchor_parse(struct verify *v, const char *text)
{
    struct slice s = slice_str(text), n;

    return !text || (slice_cut(&s, ':', &n) && slice_u64(n, &v->noted.n) &&
                     v->noted.n && hex_decode(s, v->noted.hash, AUDIT_HASH));
}

static void
anchor_see(struct verify *v, struct anchor *a, uint64_t n, const uint8_t *hash)
{
    if (v->verdict != AUDIT_SOUND || n != a->n)
        return;
    a->seen = hash && memcmp(hash, a->hash, AUDIT_HASH) == 0;
    if (!a->seen) {
        v->verdict = AUDIT_CHANGED;
        v->chain.at = n;
    }
}

static void
anchor_end(struct verify *v, const struct anchor *a)
{
    if (v->verdict == AUDIT_SOUND && a->n && !a->seen) {
        v->verdict = AUDIT_MISSING;
        v->chain.at = a->n;
    }
}

/* What the first page says was signed. */
static void
seal_take(struct verify *v, const json_t *page)
{
    const char *text = member_text(page, "seal");
    struct seal seal;

    if (text ? seal_read(v->keys, slice_str(text), &seal) != TOKEN_OK
             : v->must) {
        v->verdict = AUDIT_UNSIGNED;
    } else if (text) {
        v->sealed.n = seal.head.n;
        memcpy(v->sealed.hash, seal.head.hash, AUDIT_HASH);
        v->sealed_at = seal.at;
    }
}

static bool
verify_row(struct verify *v, const json_t *o, struct json_error *e)
{
    uint8_t hash[AUDIT_HASH];
    struct audit_row row;
    bool sealed;

    if (!audit_get_row(o, &row, hash, &sealed, e))
        return false;
    v->verdict = audit_chain_next(&v->chain, &row, sealed ? hash : NULL);
    anchor_see(v, &v->sealed, row.n, sealed ? hash : NULL);
    anchor_see(v, &v->noted, row.n, sealed ? hash : NULL);
    return true;
}

/* Rows that come while we are at it are no concern of this run. */
static bool
verify_page(struct verify *v, const json_t *page, struct json_error *e)
{
    const json_t *list = json_get_list(page, "entries", JSON_REQUIRED, e);
    struct audit_head head;
    json_t *o;
    size_t i;

    if (!audit_get_head(page, &head, e))
        return false;
    if (!v->begun) {
        audit_chain_init(&v->chain, &head);
        seal_take(v, page);
    }
    v->begun = true;
    if (v->verdict != AUDIT_SOUND)
        return true;
    json_array_foreach((json_t *)(uintptr_t)list, i, o)
    {
        if (!verify_row(v, o, e))
            return false;
        if (v->verdict != AUDIT_SOUND)
            break;
    }
    return true;
}

static enum cli_exit
verify_pages(struct verify *v, struct http *h, struct failure *f)
{
    char path[80], next[24] = "";
    struct json_error e = {0};
    json_t *page;
    bool ok;

    do {
        snprintf(path, sizeof(path), "/api/v1/audit?order=asc&limit=%d%s%s",
                 PAGE_MAX, next[0] ? "&cursor=" : "", next);
        page = http_get_json(h, path, f);
        if (!page)
            return f->exit;
        ok = verify_page(v, page, &e);
        next_cursor(page, next);
        json_decref(page);
        if (!ok)
            return failure_set(f, CLI_FAILED, "answer", "%s", e.text);
        if (interrupted())
            return failure_set(f, CLI_INTERRUPTED, "interrupted",
                               "it was not finished");
    } while (v->verdict == AUDIT_SOUND && next[0]);
    if (v->verdict == AUDIT_SOUND)
        v->verdict = audit_chain_end(&v->chain);
    anchor_end(v, &v->sealed);
    anchor_end(v, &v->noted);
    return CLI_OK;
}

static const char *
verdict_name(enum audit_verdict v)
{
    static const char *const name[] = {"sound", "changed", "missing",
                                       "unsealed", "unsigned"};

    return name[v];
}

static void
print_signed(const struct verify *v)
{
    char date[DATE_TEXT];

    if (v->sealed.n)
        printf("It is signed up to row %" PRIu64 ", at %s.\n", v->sealed.n,
               date_rfc3339_ms(v->sealed_at, date));
    else
        puts("Nobody has signed it.");
}

static void
verify_print(const struct verify *v, bool json)
{
    static const char *const text[] = {
        [AUDIT_CHANGED] = "is not what was written",
        [AUDIT_MISSING] = "is missing",
        [AUDIT_UNSEALED] = "has no hash, and must have one"};
    const struct audit_chain *c = &v->chain;
    const uint64_t rows = c->n ? c->n + 1 - u64_max(c->head.first, 1) : 0;
    char hex[2 * AUDIT_HASH + 1];

    hex_encode(c->hash, AUDIT_HASH, hex);
    if (json) {
        printf("{\"verdict\":\"%s\",\"rows\":%" PRIu64 ",\"older\":%" PRIu64
               ",\"at\":%" PRIu64 ",\"last\":\"%" PRIu64
               ":%s\",\"signed\":%" PRIu64 "}\n",
               verdict_name(v->verdict), rows, c->older, c->at, c->n, hex,
               v->sealed.n);
    } else if (v->verdict == AUDIT_UNSIGNED) {
        puts("The audit log is not signed by a key that is known here.");
    } else if (v->verdict != AUDIT_SOUND) {
        printf("The audit log is not whole: row %" PRIu64 " %s.\n", c->at,
               text[v->verdict]);
    } else if (c->head.n == 0) {
        puts("There is nothing in the audit log.");
    } else {
        print_signed(v);
        printf("The audit log is whole: rows %" PRIu64 " to %" PRIu64
               ". The last is\n%" PRIu64 ":%s\n",
               c->head.first, c->head.n, c->n, hex);
        if (c->older)
            printf("%" PRIu64
                   " rows are from before there was a chain, and not "
                   "protected.\n",
                   c->older);
    }
}

/* Of FILE; NULL: of the data folder; else what the server says. */
static struct keyset *
keys_find(struct session *s, const char *file, struct failure *f)
{
    struct keyset *ks = NULL;
    struct keys *keys = NULL;
    struct fault why = {0};
    char path[600], text[256];
    enum err e = ERR_NOENT;
    json_t *j = NULL;
    char *jwks = NULL;

    if (!file && s->place.data_dir[0])
        snprintf(path, sizeof(path), "%s/keys/public_key.pem",
                 s->place.data_dir);
    else
        snprintf(path, sizeof(path), "%s", file ? file : "");
    if (path[0])
        e = keys_open(
            &keys,
            &(struct keys_conf){.public_path = path, .public_required = true},
            &why);
    if (e == ERR_OK) {
        ks = keys_get(keys);
        keys_close(&keys);
        return ks;
    }
    if (file || e != ERR_NOENT) {
        failure_set(f, CLI_FAILED, "keys", "%s",
                    fault_text(&why, text, sizeof(text)));
        return NULL;
    }
    /* A server without keys has signed nothing. */
    if ((j = http_get_json(&s->http, "/.well-known/jwks.json", f)) != NULL)
        jwks = json_dumps(j, JSON_COMPACT);
    if ((ks = keyset_new(1)) == NULL)
        failure_set(f, CLI_FAILED, "memory", "there is none");
    else if (jwks)
        (void)keyset_add_jwks(ks, slice_str(jwks), &why);
    free(jwks);
    json_decref(j);
    return ks;
}

int
cmd_audit_verify(int argc, char **argv)
{
    struct verify_args a = {.c = CLI_COMMON_DEFAULT};
    struct verify v = {.verdict = AUDIT_SOUND};
    struct opt_words words;
    struct keyset *ks = NULL;
    struct session s;
    struct failure f;
    int r = cli_parse("audit verify", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    if (!anchor_parse(&v, a.anchor))
        return cli_usage("audit verify",
                         "--anchor %s: must be like 57:9f86d0..., as verify "
                         "prints it",
                         a.anchor);
    r = (int)session_open(&s, &a.c, "audit verify", true);
    if (r == CLI_OK) {
        v.must = a.keys != NULL;
        v.keys = ks = keys_find(&s, a.keys, &f);
        if (!ks || verify_pages(&v, &s.http, &f) != CLI_OK)
            r = (int)session_fail("audit verify", NULL, &f);
    }
    if (r == CLI_OK) {
        verify_print(&v, a.c.json);
        if (v.verdict != AUDIT_SOUND)
            r = CLI_MISMATCH;
    }
    if (ks)
        keyset_unref(&ks);
    session_close(&s);
    return r;
}
