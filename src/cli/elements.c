/* elements.c - `artstore se ls` and `se why`.
 *
 * Names of members are those of ING-112; the older ones of CNF-020 are read
 * too. SPDX-License-Identifier: Apache-2.0 */
#include "cli/elements.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/text.h"
#include <inttypes.h>
#include <unistd.h>

#define BAR_COLS 12

struct why_args {
    struct cli_common c;
    const char *retention;
};

const struct cli_opt se_why_opts[] = {
    {.name = "retention",
     .kind = OPT_CHOICE,
     .at = offsetof(struct why_args, retention),
     .value = "temporary|permanent",
     .help = "For a file that is to be kept so (temporary)."},
    {0},
};

static const char *
element_id(const json_t *e)
{
    const char *id = member_text(e, "element_id");

    if (!id)
        id = member_text(e, "storage_id");
    return id ? id : member_text(e, "id");
}

static const char *
element_status(const json_t *e)
{
    const char *s = member_text(e, "capacity_status");

    return s ? s : member_text(e, "status");
}

static const char *
element_health(const json_t *e)
{
    const char *s = member_text(e, "health_status");

    return s ? s : member_text(e, "health");
}

/* "unavailable: http_error": the word of ING-112, and the reason where the
 * element, or who polls it, gave one. */
static void
health_put(struct buf *b, const json_t *e)
{
    const char *word = element_health(e), *why = member_text(e, "health");
    const char *colon = why ? strstr(why, ": ") : NULL;

    text_safe(b, slice_str(word ? word : ""));
    if (!word || strcmp(word, "healthy") == 0)
        return;
    if (json_is_true(json_object_get(e, "stale"))) {
        why = member_text(e, "heard_at");
        buf_printf(b, ": %s", why ? "not heard of since " : "not heard of yet");
    } else if (colon && word != why) {
        why = colon + 2;
        buf_add_str(b, ": ");
    } else {
        why = NULL;
    }
    text_safe(b, slice_str(why ? why : ""));
}

bool
element_takes_files(const json_t *e)
{
    const char *mode = member_text(e, "mode"), *health = element_health(e);

    return !(mode && (strcmp(mode, "ro") == 0 || strcmp(mode, "ar") == 0)) &&
           !(health && strcmp(health, "unavailable") == 0);
}

/* Admin's list and the element's own word differ: at a gateway both are named,
 * at Admin the first is `mode`. */
static void
alarm_mode(struct buf *b, const json_t *e)
{
    const char *listed = member_text(e, "listed_mode");
    const char *reported = member_text(e, "reported_mode");

    if (!listed)
        listed = member_text(e, "mode");
    if (!listed || !reported || strcmp(listed, reported) == 0)
        return;
    buf_add_str(b, b->n ? ", " : "");
    buf_add_str(b, "listed as ");
    text_safe(b, slice_str(listed));
    buf_add_str(b, " but runs as ");
    text_safe(b, slice_str(reported));
}

/* Used per mille; used and free need not add up to the total (reserves). */
static unsigned
element_fill(const json_t *e)
{
    const uint64_t total = member_u64(e, "capacity_total", "total");
    const uint64_t free = member_u64(e, "capacity_free", "available");
    const json_t *percent = json_object_get(e, "capacity_percent");

    if (json_is_number(percent))
        return (unsigned)(json_number_value(percent) * 10);
    if (total == 0)
        return 0;
    return (unsigned)((double)(total - u64_min(free, total)) * 1000 /
                      (double)total);
}

static bool
colours(void)
{
    const char *no = getenv("NO_COLOR"); /* no-color.org */

    return isatty(STDOUT_FILENO) && !(no && *no);
}

/* 32 green, 33 yellow, 31 red, after the element's own judgement. */
static int
colour_of(const char *status)
{
    if (!status || strcmp(status, "ok") == 0)
        return 32;
    return strcmp(status, "warning") == 0 ? 33 : 31;
}

static void
bar_cell(struct table *t, const json_t *e)
{
    const bool colour = colours();
    const unsigned fill = element_fill(e);
    struct buf b;

    buf_init(&b, 512);
    if (colour)
        buf_printf(&b, "\033[%dm", colour_of(element_status(e)));
    text_bar(&b, fill, BAR_COLS, text_is_utf8());
    if (colour)
        buf_add_str(&b, "\033[0m");
    buf_printf(&b, " %5.1f%%", fill / 10.0);
    table_raw(t, buf_str(&b), BAR_COLS + 7);
    buf_release(&b);
}

json_t *
elements_get(struct http *h, struct failure *f)
{
    json_t *o = http_get_json(h, "/api/v1/storage-elements", f);
    json_t *list = json_object_get(o, "storage_elements");

    if (!o && f->status == 404) { /* a gateway: as it sees them */
        o = http_get_json(h, "/api/v1/selection/explain?size=1", f);
        list = json_object_get(o, "elements");
    }
    if (!o)
        return NULL;
    list = json_incref(list);
    json_decref(o);
    if (json_is_array(list))
        return list;
    json_decref(list);
    failure_set(f, CLI_FAILED, "answer", "the answer lists no elements");
    return NULL;
}

void
elements_print(const json_t *elements)
{
    static const char *const head[] = {"ELEMENT", "MODE",  ">PRIORITY",
                                       "FILL",    ">ROOM", ">TOTAL",
                                       "STATUS",  "HEALTH"};
    char text[TEXT_SIZE];
    struct table t;
    struct buf b;
    json_t *e;
    size_t i;

    table_init(&t, head, countof(head));
    buf_init(&b, 4 * KIB);
    json_array_foreach((json_t *)(uintptr_t)elements, i, e)
    {
        table_cell(&t, element_id(e));
        table_cell(&t, member_text(e, "mode"));
        snprintf(text, sizeof(text), "%" PRIu64,
                 member_u64(e, "priority", NULL));
        table_cell(&t, text);
        bar_cell(&t, e);
        table_cell(
            &t, text_size(member_u64(e, "capacity_free", "available"), text));
        table_cell(&t,
                   text_size(member_u64(e, "capacity_total", "total"), text));
        table_cell(&t, element_status(e));
        buf_clear(&b);
        health_put(&b, e);
        table_cell(&t, buf_str(&b));
    }
    buf_release(&b);
    table_print(&t, stdout);
    table_release(&t);
}

/* Why it is not "ok": inodes count like bytes (D07), and fewer than three are
 * too few for a file. */
static void
alarm_room(struct buf *b, const json_t *e)
{
    const uint64_t inodes = member_u64(e, "inodes_available", NULL);
    const uint64_t total = member_u64(e, "inodes_total", NULL);
    char free[TEXT_SIZE];

    buf_printf(b, " (%.1f%% used, room for %s", element_fill(e) / 10.0,
               text_size(member_u64(e, "capacity_free", "available"), free));
    if (total && inodes < 3)
        buf_printf(b, ", but %" PRIu64 " of %" PRIu64 " inodes are free",
                   inodes, total);
    buf_add_char(b, ')');
}

unsigned
elements_alarms(const json_t *elements)
{
    unsigned n = 0;
    json_t *e;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)elements, i, e)
    {
        const char *id = element_id(e), *status = element_status(e);
        const char *health = element_health(e);
        struct buf b;

        buf_init(&b, 4 * KIB);
        if (status && strcmp(status, "ok") != 0) {
            text_safe(&b, slice_str(status));
            alarm_room(&b, e);
        }
        if (health && strcmp(health, "healthy") != 0) {
            buf_add_str(&b, b.n ? ", " : "");
            health_put(&b, e);
        }
        alarm_mode(&b, e);
        if (b.n) {
            fputs("! ", stdout);
            print_safe(id ? id : "?");
            printf(": %s\n", buf_str(&b));
            n++;
        }
        buf_release(&b);
    }
    return n;
}

int
cmd_se_ls(int argc, char **argv)
{
    struct cli_common c = CLI_COMMON_DEFAULT;
    struct opt_words words;
    struct session s;
    struct failure f;
    json_t *list = NULL, *one;
    size_t i;
    int r = cli_parse("se ls", argc, argv, &c, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    r = (int)session_open(&s, &c, "se ls", true);
    if (r == CLI_OK && !(list = elements_get(&s.http, &f)))
        r = (int)session_fail("se ls", NULL, &f);
    if (list && c.json) {
        json_array_foreach(list, i, one) print_json(one);
    } else if (list) {
        elements_print(list);
    }
    json_decref(list);
    session_close(&s);
    return r;
}

static void
why_print(const json_t *o, uint64_t size, const char *retention)
{
    static const char *const head[] = {"",          "ELEMENT", "MODE",
                                       ">PRIORITY", "STATUS",  ">ROOM",
                                       "VERDICT",   "REASON"};
    const char *choice = member_text(o, "choice");
    char text[TEXT_SIZE];
    struct table t;
    json_t *e;
    size_t i;

    table_init(&t, head, countof(head));
    json_array_foreach(json_object_get(o, "elements"), i, e)
    {
        const char *id = element_id(e);

        table_cell(&t, choice && id && strcmp(id, choice) == 0 ? ">" : "");
        table_cell(&t, id);
        table_cell(&t, member_text(e, "mode"));
        snprintf(text, sizeof(text), "%" PRIu64,
                 member_u64(e, "priority", NULL));
        table_cell(&t, text);
        table_cell(&t, element_status(e));
        table_cell(
            &t, text_size(member_u64(e, "available", "capacity_free"), text));
        table_cell(&t, member_text(e, "verdict"));
        table_cell(&t, member_text(e, "reason"));
    }
    table_print(&t, stdout);
    table_release(&t);
    printf("A %s file of %s ", retention, text_size(size, text));
    fputs(choice ? "would go to " : "has no place on any element", stdout);
    print_safe(choice);
    puts(".");
}

int
cmd_se_why(int argc, char **argv)
{
    struct why_args a = {.c = CLI_COMMON_DEFAULT, .retention = "temporary"};
    struct opt_words words;
    struct session s;
    struct failure f = {0};
    char path[120];
    json_t *o = NULL;
    uint64_t size;
    int r = cli_parse("se why", argc, argv, &a, 1, 1, &words);

    if (r != CLI_GO)
        return r;
    if (!text_parse_size(slice_str(words.v[0]), &size))
        return cli_usage("se why", "'%s' is not a size like 4096, 10M or 1.5G",
                         words.v[0]);
    a.retention = (a.retention[0] | 0x20) == 'p' ? "permanent" : "temporary";
    snprintf(path, sizeof(path),
             "/api/v1/selection/explain?size=%" PRIu64 "&retention_policy=%s",
             size, a.retention[0] == 'p' ? "PERMANENT" : "TEMPORARY");
    r = (int)session_open(&s, &a.c, "se why", true);
    if (r == CLI_OK && !(o = http_get_json(&s.http, path, &f)))
        r = (int)session_fail("se why", NULL, &f);
    if (!o && f.status == 413) /* no element has a place for it either */
        r = CLI_NOSPACE;
    if (o && a.c.json)
        print_json(o);
    else if (o)
        why_print(o, size, a.retention);
    if (o && !member_text(o, "choice"))
        r = CLI_NOSPACE;
    json_decref(o);
    session_close(&s);
    return r;
}
