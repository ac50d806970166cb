/* keys.c - `artstore keys ls` and `keys rotate`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/table.h"
#include "wire/json.h"
#include <inttypes.h>

#define NOT_GIVEN UINT64_MAX

struct keys_args {
    struct cli_common c;
    uint64_t lead, keep;
};

#define AT(member) offsetof(struct keys_args, member)

const struct cli_opt keys_rotate_opts[] = {
    {.name = "lead",
     .kind = OPT_UINT,
     .at = AT(lead),
     .value = "SECONDS",
     .max = 30 * 86400,
     .help = "For how long the new key is published before it signs (600): "
             "gateways ask for it every 300 seconds, elements are told with "
             "the next poll of the gateway that leads."},
    {.name = "keep",
     .kind = OPT_UINT,
     .at = AT(keep),
     .value = "SECONDS",
     .max = 90 * 86400,
     .help = "For how long the keys before verify after that (30 days and 10 "
             "minutes: the longest that a token may live). With --lead 0 "
             "--keep 0 every token of now is refused at once, by elements "
             "when they have been told."},
    {0},
};

static void
print_keys(const json_t *o, bool json)
{
    static const char *const head[] = {"KEY", "STATE", "SIGNS FROM",
                                       "VERIFIES UNTIL"};
    struct table t;
    json_t *k;
    size_t i;

    table_init(&t, head, countof(head));
    json_array_foreach(json_object_get(o, "keys"), i, k)
    {
        if (json) {
            print_json(k);
            continue;
        }
        table_cell(&t, member_text(k, "kid"));
        table_cell(&t, member_text(k, "state"));
        table_cell(&t, member_text(k, "signs_from"));
        table_cell(&t, member_text(k, "verifies_until"));
    }
    if (!json)
        table_print(&t, stdout);
    table_release(&t);
    if (json_is_true(json_object_get(o, "documents_owed")))
        say("Admin could not sign documents of these keys yet, so elements do "
            "not hear of them and will refuse what a new one signs; its log "
            "says why, and it tries again");
}

int
cmd_keys_ls(int argc, char **argv)
{
    struct cli_common c = CLI_COMMON_DEFAULT;
    struct opt_words words;
    struct session s;
    struct failure f;
    json_t *o = NULL;
    int r = cli_parse("keys ls", argc, argv, &c, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    r = (int)session_open(&s, &c, "keys ls", true);
    if (r == CLI_OK && !(o = http_get_json(&s.http, "/api/v1/keys", &f)))
        r = (int)session_fail("keys ls", NULL, &f);
    if (o)
        print_keys(o, c.json);
    json_decref(o);
    session_close(&s);
    return r;
}

static void
print_removed(const json_t *removed)
{
    const char *kid = member_text(removed, "kid");
    const char *until = member_text(removed, "would_verify_until");

    if (kid)
        say("there are as many keys as may be: %s was removed, and tokens that "
            "it has signed are refused from now on (it would have verified "
            "%s%s)",
            kid, until ? "until " : "for ever", until ? until : "");
}

static enum cli_exit
rotate(struct http *h, const struct keys_args *a, struct failure *f)
{
    struct http_req r = {.method = "POST",
                         .path = "/api/v1/keys/rotate",
                         .content_type = "application/json"};
    struct json_error why = {0};
    struct json_writer w;
    struct buf body;
    enum cli_exit e;
    json_t *o;

    buf_init(&body, KIB);
    json_begin(&w, &body);
    json_put_object(&w, NULL);
    if (a->lead != NOT_GIVEN)
        json_put_u64(&w, "lead_s", a->lead);
    if (a->keep != NOT_GIVEN)
        json_put_u64(&w, "keep_s", a->keep);
    json_end_object(&w);
    r.body = buf_slice(&body);
    e = http_call(h, &r, f);
    if (e == CLI_OK) {
        o = json_read(buf_slice(&r.reply), &why);
        print_keys(o, a->c.json);
        print_removed(json_object_get(o, "removed"));
        json_decref(o);
    }
    http_finish(&r);
    buf_release(&body);
    return e;
}

int
cmd_keys_rotate(int argc, char **argv)
{
    struct keys_args a = {
        .c = CLI_COMMON_DEFAULT, .lead = NOT_GIVEN, .keep = NOT_GIVEN};
    struct opt_words words;
    struct session s;
    struct failure f;
    int r = cli_parse("keys rotate", argc, argv, &a, 0, 0, &words);

    if (r != CLI_GO)
        return r;
    r = (int)session_open(&s, &a.c, "keys rotate", true);
    if (r == CLI_OK && rotate(&s.http, &a, &f) != CLI_OK)
        r = (int)session_fail("keys rotate", NULL, &f);
    session_close(&s);
    return r;
}
