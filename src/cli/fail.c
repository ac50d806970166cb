/* fail.c - see fail.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/fail.h"
#include "base/buf.h"
#include "cli/text.h"
#include <jansson.h>
#include <stdarg.h>

/* The code of an answer that a proxy made in place of artstore. */
#define FOREIGN "-"

/* What the answers of ING-103 mean to a person at a terminal. The first row
 * that fits is taken: code NULL fits any, status 0 fits any. */
static const struct {
    long status;
    const char *code;
    enum cli_exit exit;
    const char *remedy;
} remedies[] = {
    {401, FOREIGN, CLI_AUTH, "what stands before artstore wants credentials"},
    {403, FOREIGN, CLI_AUTH, "what stands before artstore forbids it"},
    {404, FOREIGN, CLI_FAILED, "is the URL that of an artstore server?"},
    {413, FOREIGN, CLI_FAILED,
     "the limit is the proxy's: client_max_body_size in nginx, "
     "LimitRequestBody in Apache"},
    {502, FOREIGN, CLI_LATER,
     "is the server behind the proxy running, and at the address that the "
     "proxy has?"},
    {503, FOREIGN, CLI_LATER, "is the server behind the proxy running?"},
    {504, FOREIGN, CLI_LATER,
     "the server behind the proxy took too long for it (proxy_read_timeout in "
     "nginx); what was asked may be done all the same"},
    {400, "plain_on_tls_port", CLI_FAILED, "begin the URL with https://"},
    {400, "file_in_readonly_storage", CLI_FAILED,
     "only files on elements in mode edit (retention temporary) can be "
     "deleted; `artstore stat ID` shows where this one is"},
    {404, "file_not_found", CLI_NOTFOUND,
     "`artstore ls` shows the files that exist; it may have been deleted, or "
     "have expired if it had an end"},
    {422, "checksum_mismatch", CLI_MISMATCH,
     "the bytes were changed on their way; put the file again"},
    {422, "virus_detected", CLI_FAILED, "the file was not stored"},
    {500, "storage_corrupt", CLI_MISMATCH,
     "its operator has to look: `artstore storage verify ID` names the damage, "
     "and only a backup can bring the file back"},
    {422, "digest_mismatch", CLI_MISMATCH,
     "the bytes were changed on their way; put the file again"},
    {0, "insufficient_storage", CLI_NOSPACE,
     "`artstore se why SIZE` says why each element refuses; delete files, or "
     "give the server another element"},
    {401, NULL, CLI_AUTH,
     "the token is missing, wrong or expired; `artstore token --data-dir D` "
     "makes one, ARTSTORE_TOKEN or --token takes it"},
    {400, "invalid_scope", CLI_AUTH,
     "`artstore account ls` shows the scopes of an account; without --scope a "
     "token has all of them"},
    {403, NULL, CLI_AUTH,
     "the token does not allow this; one of another account may"},
    {404, "not_found", CLI_FAILED,
     "is the server of an older version? `artstore version --server`"},
    {404, NULL, CLI_NOTFOUND, NULL},
    {413, NULL, CLI_FAILED,
     "the server's limit is MAX_FILE_SIZE_MB; ask its operator to raise it"},
    {414, NULL, CLI_FAILED, "use fewer or shorter --metadata"},
    {415, NULL, CLI_FAILED,
     "the server does not take this type; see --content-type"},
    {429, NULL, CLI_LATER, "too many requests; wait, or use a smaller -j"},
    {431, NULL, CLI_FAILED, "use fewer or shorter --metadata"},
    {507, NULL, CLI_NOSPACE,
     "`artstore se why SIZE` says why each element refuses; delete files, or "
     "give the server another element"},
    {502, NULL, CLI_LATER, "a storage element failed; `artstore se ls`"},
    {503, NULL, CLI_LATER,
     "try again later; `artstore status` says what is wrong"},
    {504, NULL, CLI_LATER,
     "try again later; `artstore status` says what is wrong"},
};

static void
cut_copy(char *dst, size_t cap, const char *src)
{
    snprintf(dst, cap, "%s", src ? src : "");
}

enum cli_exit
failure_set(struct failure *f, enum cli_exit exit, const char *code,
            const char *fmt, ...)
{
    va_list ap;

    *f = (struct failure){.exit = exit};
    cut_copy(f->code, sizeof(f->code), code);
    va_start(ap, fmt);
    vsnprintf(f->message, sizeof(f->message), fmt, ap);
    va_end(ap);
    return exit;
}

void
failure_remedy(struct failure *f, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(f->remedy, sizeof(f->remedy), fmt, ap);
    va_end(ap);
}

/* Members as "name: value", anything else as the JSON that it is. */
static void
details_plain(struct buf *b, const json_t *details)
{
    const char *key;
    json_t *v;
    char *text;

    json_object_foreach((json_t *)(uintptr_t)details, key, v)
    {
        text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        buf_printf(b, "%s%s: %s", b->n ? "\n" : "", key,
                   json_is_string(v) ? json_string_value(v)
                   : text            ? text
                                     : "");
        free(text);
    }
    if (b->n || !details || json_is_null(details))
        return;
    text = json_dumps(details, JSON_COMPACT | JSON_ENCODE_ANY);
    buf_add_str(b, text ? text : "");
    free(text);
}

/* One line for each element that refused (D06: "with a list of why each was
 * refused"); other details as the JSON they are. */
static void
details_text(char *out, size_t cap, const json_t *details)
{
    const json_t *list = json_object_get(details, "elements");
    struct buf b;
    size_t i;
    json_t *one;

    buf_init(&b, cap - 1);
    if (!list)
        list = details;
    json_array_foreach(list, i, one)
    {
        const char *id = json_string_value(json_object_get(one, "element_id"));
        const char *why = json_string_value(json_object_get(one, "reason"));

        if (!id || !why)
            break;
        buf_printf(&b, "%s%s: %s", b.n ? "\n" : "", id, why);
    }
    if (b.n == 0)
        details_plain(&b, details);
    cut_copy(out, cap, buf_str(&b));
    buf_release(&b);
}

static void
remedy_find(struct failure *f, const char *code)
{
    f->exit = CLI_FAILED;
    for (size_t i = 0; i < countof(remedies); i++) {
        if (remedies[i].status && remedies[i].status != f->status)
            continue;
        if (remedies[i].code && strcmp(remedies[i].code, code) != 0)
            continue;
        f->exit = remedies[i].exit;
        cut_copy(f->remedy, sizeof(f->remedy), remedies[i].remedy);
        return;
    }
}

/* Which scope the token lacks, where the server names it. */
static void
remedy_scope(struct failure *f, const json_t *details)
{
    const char *scope = json_string_value(json_object_get(details, "scope"));

    if (f->status == 403 && scope)
        failure_remedy(f,
                       "the token needs the scope %s: `artstore token --scope "
                       "\"%s\"` makes one, for an account that has it",
                       scope, scope);
}

/* Without a code and a text of its own. */
static void
explain(struct failure *f, bool foreign, const char *server)
{
    if (f->status >= 300 && f->status < 400)
        cut_copy(f->message, sizeof(f->message),
                 "the answer is a redirect, which is not followed");
    else if (foreign)
        snprintf(f->message, sizeof(f->message),
                 "%.100s answered in place of artstore",
                 server ? server : "another server");
    else
        cut_copy(f->message, sizeof(f->message),
                 "the answer has no explanation");
}

enum cli_exit
failure_from_reply(struct failure *f, long status, struct slice body,
                   const char *request_id, const char *server)
{
    json_t *root = json_loadb(body.p ? body.p : "", body.n, 0, NULL);
    const char *code = json_string_value(json_object_get(root, "error"));
    const char *text = json_string_value(json_object_get(root, "message"));
    const char *id = json_string_value(json_object_get(root, "request_id"));
    const json_t *details = json_object_get(root, "details");
    /* Ours without a body (to HEAD, say) has an id. */
    const bool foreign = !root && (body.n > 0 || !request_id);

    *f = (struct failure){.status = status};
    if (!text) /* RFC 9457 */
        text = json_string_value(json_object_get(root, "detail"));
    if (!text)
        text = json_string_value(json_object_get(root, "title"));
    cut_copy(f->code, sizeof(f->code), code);
    cut_copy(f->message, sizeof(f->message), text);
    if (!text)
        explain(f, foreign, server);
    cut_copy(f->request_id, sizeof(f->request_id), id ? id : request_id);
    details_text(f->details, sizeof(f->details), details);
    remedy_find(f, foreign ? FOREIGN : f->code);
    remedy_scope(f, details);
    if (strcmp(f->code, "not_found") == 0)
        cut_copy(f->role, sizeof(f->role),
                 json_string_value(json_object_get(details, "role")));
    json_decref(root);
    return f->exit;
}

/* Paths of one role alone; a server has them all. */
static const struct {
    const char *begins, *ends;
    const char *role;
    const char *remedy;
} homes[] = {
    {"/api/v1/accounts", "", "admin", "Admin has the accounts"},
    {"/api/v1/audit", "", "admin", "Admin has the audit log"},
    {"/api/v1/keys", "", "admin", "Admin has the keys"},
    {"/api/v1/files/", "/verify", "storage",
     "the element that has the file reads it; `artstore stat ID` names it, "
     "`artstore se ls --json` has its address"},
    {"/api/files", "", "ingester", "ask a gateway"},
    {"/api/v1/selection/", "", "ingester", "a gateway chooses"},
};

static const char *
role_words(const char *role)
{
    return strcmp(role, "admin") == 0      ? "Admin"
           : strcmp(role, "ingester") == 0 ? "a gateway"
           : strcmp(role, "storage") == 0  ? "a storage element"
                                           : NULL;
}

void
failure_elsewhere(struct failure *f, const char *path)
{
    const char *here = role_words(f->role);
    struct slice p = slice_str(path);

    p = slice_head(p, slice_find(p, '?'));
    for (size_t i = 0; here && i < countof(homes); i++) {
        struct slice end = slice_str(homes[i].ends);

        if (strcmp(homes[i].role, f->role) == 0 ||
            !slice_starts(p, slice_str(homes[i].begins)) || p.n < end.n ||
            !slice_eq(slice_skip(p, p.n - end.n), end))
            continue;
        failure_remedy(f, "this is %s; %s (--url, ARTSTORE_URL)", here,
                       homes[i].remedy);
        return;
    }
}

void
failure_there(struct failure *f, const char *url)
{
    static const char said[] = "`artstore status`";
    const char *at = strstr(f->remedy, said);
    char before[sizeof(f->remedy)];

    if (!at)
        return;
    cut_copy(before, sizeof(before), f->remedy);
    failure_remedy(f, "%.*s`artstore status --url %s`%s", (int)(at - f->remedy),
                   before, url, before + (at - f->remedy) + strlen(said));
}

/* TEXT may come from the server or from a file name, so controls are shown as
 * escapes: nobody rewrites a terminal through an error message. */
static void
put_lines(FILE *out, const char *head, const char *text)
{
    struct slice rest = slice_str(text), line;
    struct buf b;

    buf_init(&b, 16 * KIB);
    while (slice_cut(&rest, '\n', &line)) {
        buf_add_str(&b, head);
        text_safe(&b, line);
        buf_add_char(&b, '\n');
    }
    fputs(buf_str(&b), out);
    buf_release(&b);
}

void
failure_print(FILE *out, const char *doing, const struct failure *f)
{
    struct buf b;

    buf_init(&b, 8 * KIB);
    if (doing && *doing)
        buf_printf(&b, "%s: ", doing);
    if (f->status && f->code[0])
        buf_printf(&b, "%s (%s, %ld)", f->message, f->code, f->status);
    else if (f->status)
        buf_printf(&b, "%s (HTTP %ld)", f->message, f->status);
    else
        buf_add_str(&b, f->message);
    put_lines(out, "artstore: ", buf_str(&b));
    if (f->details[0])
        put_lines(out, "  ", f->details);
    if (f->request_id[0])
        put_lines(out, "  request id: ", f->request_id);
    if (f->remedy[0])
        put_lines(out, "  what to do: ", f->remedy);
    buf_release(&b);
}

enum cli_exit
exit_merge(enum cli_exit so_far, enum cli_exit next)
{
    if (so_far == CLI_INTERRUPTED || next == CLI_INTERRUPTED)
        return CLI_INTERRUPTED;
    if (next == CLI_OK || next == so_far)
        return so_far;
    return so_far == CLI_OK ? next : CLI_FAILED;
}

const char *
exit_text(enum cli_exit e)
{
    switch (e) {
#define X(name, number, text) \
    case name:                \
        return text;
        CLI_EXIT_TABLE(X)
#undef X
    }
    return "";
}
