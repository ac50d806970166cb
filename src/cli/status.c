/* status.c - `artstore status` and `version`: is the server well, at a glance.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/elements.h"
#include "cli/progress.h"
#include "cli/text.h"
#include <curl/curl.h>

struct version_args {
    struct cli_common c;
    bool server;
};

const struct cli_opt version_opts[] = {
    {.name = "server",
     .letter = 's',
     .kind = OPT_FLAG,
     .at = offsetof(struct version_args, server),
     .help = "Ask the server for its version too."},
    {0},
};

/* Health is told with 503 too (D11), so its JSON is read whatever the status.
 * NULL: no answer, or none that is health; *F. */
static json_t *
get_health(struct http *h, long *status, struct failure *f)
{
    struct http_req r = {
        .method = "GET", .path = "/health/ready", .anonymous = true};
    const enum cli_exit e = http_call(h, &r, f);
    json_t *o = NULL;

    if (e == CLI_OK || r.status == 503)
        o = json_loadb(buf_str(&r.reply), r.reply.n, 0, NULL);
    *status = r.status;
    if (!json_is_object(o)) {
        json_decref(o);
        o = NULL;
    }
    if (!o && e == CLI_OK) {
        failure_set(f, CLI_FAILED, "answer",
                    "%s/health/ready answered %ld without health",
                    h->place->url, r.status);
        failure_remedy(f, "is this an artstore server?");
    }
    http_finish(&r);
    return o;
}

static json_t *
get_version(struct http *h, struct failure *f)
{
    struct http_req r = {
        .method = "GET", .path = "/version", .anonymous = true};
    json_t *o = NULL;

    if (http_call(h, &r, f) == CLI_OK)
        o = json_loadb(buf_str(&r.reply), r.reply.n, 0, NULL);
    http_finish(&r);
    return o;
}

/* What the part NAME says of itself; it stands in the list of components. */
static const char *
message_of(const json_t *health, const char *name)
{
    const char *n, *text;
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(health, "components"), i, one)
    {
        n = member_text(one, "name");
        text = member_text(one, "message");
        if (n && strcmp(n, name) == 0)
            return text && *text ? text : NULL;
    }
    return NULL;
}

/* Every check that is not well, with what it says of itself. */
static void
print_checks(const json_t *health)
{
    const char *name;
    json_t *check;

    json_object_foreach(json_object_get(health, "checks"), name, check)
    {
        const char *status = json_is_string(check)
                                 ? json_string_value(check)
                                 : member_text(check, "status");
        const char *why = message_of(health, name);

        if (!status || strcmp(status, "ok") == 0 ||
            strcmp(status, "healthy") == 0 || strcmp(status, "up") == 0)
            continue;
        fputs("! ", stdout);
        print_safe(name);
        fputs(" is ", stdout);
        print_safe(status);
        fputs(why ? ": " : "", stdout);
        print_safe(why);
        putchar('\n');
    }
}

/* Elements of one pool have one free space between them (D28), which one of
 * them that takes files stands for. */
static bool
counts_already(const json_t *elements, size_t i)
{
    const char *pool = member_text(json_array_get(elements, i), "pool_id");

    for (size_t k = 0; pool && *pool && k < i; k++) {
        const json_t *e = json_array_get(elements, k);
        const char *other = member_text(e, "pool_id");

        if (other && strcmp(other, pool) == 0 && element_takes_files(e))
            return true;
    }
    return false;
}

static void
print_totals(const json_t *elements)
{
    uint64_t free = 0, total = 0;
    char a[TEXT_SIZE], b[TEXT_SIZE];
    const size_t n = json_array_size(elements);
    size_t i, out = 0;
    json_t *e;

    json_array_foreach((json_t *)(uintptr_t)elements, i, e)
    {
        out += !element_takes_files(e);
        if (!element_takes_files(e) || counts_already(elements, i))
            continue;
        free += member_u64(e, "capacity_free", "available");
        total += member_u64(e, "capacity_total", "total");
    }
    printf("%zu element%s, room for %s of %s", n, n == 1 ? "" : "s",
           text_size(free, a), text_size(total, b));
    if (out)
        printf(" (without %zu that take%s no files)", out, out == 1 ? "s" : "");
    putchar('\n');
}

/* The elements, when there are credentials to ask with. */
static json_t *
try_elements(struct http *h)
{
    struct failure f;
    json_t *list = NULL;

    if (!place_may_have_credentials(h->place)) {
        say("no credentials, so the elements are not shown");
        return NULL;
    }
    if (http_authorize(h, &f) != CLI_OK || !(list = elements_get(h, &f)))
        session_fail("status", "elements", &f);
    return list;
}

static const char *
aggregate_of(const json_t *health)
{
    const char *a = member_text(health, "aggregate");

    return a ? a : member_text(health, "status");
}

static void
print_status(const struct http *h, const json_t *health, const json_t *version,
             const json_t *elements)
{
    const char *v = member_text(version, "version");
    const char *durability = member_text(health, "durability");

    print_safe(aggregate_of(health));
    printf("  %s", h->place->url);
    fputs(v ? "  artstore " : "", stdout);
    print_safe(v);
    fputs(durability ? "  durability " : "", stdout);
    print_safe(durability);
    putchar('\n');
    print_checks(health);
    if (elements) {
        elements_alarms(elements);
        print_totals(elements);
        putchar('\n');
        elements_print(elements);
    }
}

static bool
has_failed(long status, const json_t *health)
{
    const char *a = aggregate_of(health);

    return status == 503 || !a || strcmp(a, "fail") == 0 ||
           strcmp(a, "unhealthy") == 0;
}

int
cmd_status(int argc, char **argv)
{
    struct cli_common c = CLI_COMMON_DEFAULT;
    struct opt_words words;
    struct session s;
    struct failure f;
    json_t *health = NULL, *version = NULL, *elements = NULL, *o;
    long status = 0;
    int r = cli_parse("status", argc, argv, &c, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    r = (int)session_open(&s, &c, "status", false);
    if (r == CLI_OK && !(health = get_health(&s.http, &status, &f)))
        r = (int)session_fail("status", NULL, &f);
    if (health) {
        version = get_version(&s.http, &f);
        elements = try_elements(&s.http);
        if (c.json) {
            o = json_pack("{s:s, s:O, s:O?, s:O?}", "url", s.place.url,
                          "health", health, "version", version,
                          "storage_elements", elements);
            print_json(o);
            json_decref(o);
        } else {
            print_status(&s.http, health, version, elements);
        }
        if (has_failed(status, health))
            r = CLI_LATER;
    }
    json_decref(health);
    json_decref(version);
    json_decref(elements);
    session_close(&s);
    return r;
}

int
cmd_version(int argc, char **argv)
{
    struct version_args a = {.c = CLI_COMMON_DEFAULT};
    struct opt_words words;
    struct session s;
    struct failure f;
    json_t *theirs = NULL, *o;
    int r = cli_parse("version", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    r = CLI_OK;
    if (a.server) {
        r = (int)session_open(&s, &a.c, "version", false);
        if (r == CLI_OK && !(theirs = get_version(&s.http, &f)))
            r = (int)session_fail("version", NULL, &f);
        session_close(&s);
    }
    if (a.c.json) {
        o = json_pack("{s:s, s:O?}", "version", ARTSTORE_VERSION, "server",
                      theirs);
        print_json(o);
        json_decref(o);
    } else {
        printf("artstore %s\n", ARTSTORE_VERSION);
        if (theirs) {
            char *text = json_dumps(theirs, JSON_COMPACT);

            fputs("server   ", stdout);
            print_safe(member_text(theirs, "version")
                           ? member_text(theirs, "version")
                           : text);
            putchar('\n');
            free(text);
        }
    }
    json_decref(theirs);
    return r;
}
