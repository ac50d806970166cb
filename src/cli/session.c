/* session.c - see session.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"
#include "base/uuid.h"
#include "cli/clock.h"
#include "cli/progress.h"
#include "cli/text.h"

enum cli_exit
session_open(struct session *s, const struct cli_common *c, const char *doing,
             bool authorize)
{
    struct failure f;

    *s = (struct session){0};
    (void)interrupted(); /* sets the handler */
    if (!place_find(&s->place, c, &f))
        return session_fail(doing, NULL, &f);
    if (!http_open(&s->http, &s->place, c->timeout)) {
        failure_set(&f, CLI_FAILED, "client", "libcurl does not start");
        return session_fail(doing, NULL, &f);
    }
    if (authorize && http_authorize(&s->http, &f) != CLI_OK)
        return session_fail(doing, NULL, &f);
    return CLI_OK;
}

void
session_close(struct session *s)
{
    http_close(&s->http);
    place_release(&s->place);
}

enum cli_exit
session_fail(const char *doing, const char *what, const struct failure *f)
{
    char text[600];

    progress_hide();
    fflush(stdout);
    snprintf(text, sizeof(text), "%s%s%s", doing, what ? " " : "",
             what ? what : "");
    failure_print(stderr, text, f);
    return f->exit;
}

bool
session_file_id(const char *command, const char *word, char out[37])
{
    struct uuid id;

    if (uuid_parse(slice_str(word), &id)) {
        uuid_text(&id, out);
        return true;
    }
    cli_usage(command,
              "'%s' is not a file id (they are like "
              "01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e); `artstore ls "
              "--name` finds it",
              word);
    return false;
}

const char *
member_text(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

uint64_t
member_u64(const json_t *o, const char *a, const char *b)
{
    const json_t *v = json_object_get(o, a);

    if (!json_is_number(v) && b)
        v = json_object_get(o, b);
    if (json_is_integer(v) && json_integer_value(v) > 0)
        return (uint64_t)json_integer_value(v);
    if (json_is_real(v) && json_real_value(v) > 0 && json_real_value(v) < 1e18)
        return (uint64_t)json_real_value(v);
    return 0;
}

void
print_safe(const char *s)
{
    struct buf b;

    buf_init(&b, 256 * KIB);
    text_safe(&b, slice_str(s));
    fwrite(buf_str(&b), 1, b.n, stdout);
    buf_release(&b);
}

void
print_json(const json_t *o)
{
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
}

int
query_time(struct buf *path, const char *command, const char *key,
           const char *value)
{
    char text[TEXT_TIME];

    if (!value)
        return CLI_OK;
    if (!text_parse_time(slice_str(value), wall_now(), text))
        return cli_usage(command,
                         "--%s %s: must be like 2025-01-02, "
                         "2025-01-02T15:30:45Z, 2h or 7d",
                         key, value);
    query_add(path, key, text);
    return CLI_OK;
}
