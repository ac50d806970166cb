/* table_test.c - what must be true of every row of options.def, found by
 * walking the table: a new row is tested by being there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/group.h"
#include "base/near.h"
#include "conf/value.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static enum conf_role
role_of(const struct conf_option *o)
{
    int role = 0;

    while (!(o->roles & CONF_ROLE_BIT(role)))
        role++;
    return (enum conf_role)role;
}

/* Starts with NAME=VALUE in the environment (or on the command line). */
static void
load_one(int id, const char *value, bool argv, struct conf *c,
         struct conf_report *rep)
{
    static char line[2 * CONF_TEXT_MAX];
    const char *const words[] = {line, NULL}, *const none[] = {NULL};
    struct conf_input in = {.role = role_of(&conf_option[id]), .envp = none};
    char flag[80];

    if (argv) {
        conf_option_flag(id, flag, sizeof(flag));
        snprintf(line, sizeof(line), "%s=%s", flag, value);
        in.argv = words;
        in.argc = 1;
    } else {
        snprintf(line, sizeof(line), "ARTSTORE_%s=%s", conf_option[id].name,
                 value);
        in.envp = words;
    }
    conf_load(c, &in, rep);
}

/* VALUE is taken, and prints as something that means the same. */
static void
assert_taken(int id, const char *value)
{
    const struct conf_option *o = &conf_option[id];
    struct conf_value want, have;
    struct conf_report rep;
    struct conf c;
    struct buf text;
    const char *why;

    load_one(id, value, false, &c, &rep);
    if (!conf_value_parse(o, slice_str(value), &want, &why) ||
        c.source[id].layer != CONF_BY_ENV ||
        !conf_value_same(o, want, conf_value_load(&c, id)))
        fail_msg("%s=%.100s is not taken", o->name, value);
    buf_init(&text, CONF_TEXT_MAX);
    conf_value_print(o, want, &text);
    if (!conf_value_parse(o, buf_slice(&text), &have, &why) ||
        !conf_value_same(o, want, have))
        fail_msg("%s=%.100s prints as %s", o->name, value, buf_str(&text));
    buf_release(&text);
    conf_report_release(&rep);
    conf_release(&c);
}

/* VALUE is refused with the name, the value, the source and the range, and the
 * default stays. */
static void
assert_refused(int id, const char *value, bool argv)
{
    const struct conf_option *o = &conf_option[id];
    const bool secret = o->flags & CONF_F_SECRET;
    bool told = false;
    struct conf_report rep;
    struct conf c;
    struct buf range, begin;

    buf_init(&range, 4096);
    buf_init(&begin, 4096);
    conf_value_range(o, &range);
    buf_printf(&begin, "%.80s", secret ? "***" : value);
    load_one(id, value, argv, &c, &rep);
    for (size_t i = 0; i < rep.n; i++) {
        const char *text = rep.issue[i].text;

        told = told ||
               (rep.issue[i].level == CONF_ERROR && rep.issue[i].option == id &&
                strstr(text, o->name) && strstr(text, buf_str(&begin)) &&
                strstr(text, buf_str(&range)) &&
                strstr(text, argv ? "command line" : "environment"));
    }
    if (!told || c.source[id].layer != CONF_BY_DEFAULT)
        fail_msg("%s=%.100s is not refused as it should be: %s", o->name, value,
                 rep.n ? rep.issue[0].text : "nothing");
    buf_release(&range);
    buf_release(&begin);
    conf_report_release(&rep);
    conf_release(&c);
}

static const char *
number_text(const struct conf_option *o, int64_t n, char *out, size_t cap)
{
    snprintf(out, cap, "%lld%s", (long long)n, o->type == CONF_DUR ? "ms" : "");
    return out;
}

/* ING-249: one below, at, and one above each bound. */
static void
test_numeric_bounds(void **state)
{
    char text[64];
    int seen = 0;
    (void)state;

    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];

        if (o->type != CONF_INT && o->type != CONF_SIZE && o->type != CONF_DUR)
            continue;
        assert_refused(id, number_text(o, o->min - 1, text, sizeof(text)), 0);
        assert_refused(id, number_text(o, o->max + 1, text, sizeof(text)), 0);
        assert_taken(id, number_text(o, o->min, text, sizeof(text)));
        assert_taken(id, number_text(o, o->max, text, sizeof(text)));
        assert_refused(id, "many", false);
        assert_refused(id, "", true); /* empty on purpose */
        assert_refused(id, "99999999999999999999", false);
        seen++;
    }
    assert_true(seen > 50);
}

/* At most N bytes that are a good value of O, as many as its items allow. */
static size_t
good_text(const struct conf_option *o, size_t n, char *out)
{
    static const char *const item[] = {
        [CONF_C_MIME] = "a/b",
        [CONF_C_LISTEN] = "h:1",
        [CONF_C_PEERS] = "h:1",
        [CONF_C_CIDR] = "::1",
    };
    size_t used = 0;

    memset(out, 'a', n);
    out[n] = '\0';
    if (o->check == CONF_C_URL)
        memcpy(out, "http://", 7);
    else if (o->check == CONF_C_SWITCH_OR_PATH)
        out[0] = '/';
    else if (o->check == CONF_C_ELEMENTS || o->type == CONF_LIST) {
        while (true) {
            char one[32];

            if (o->check == CONF_C_ELEMENTS)
                snprintf(one, sizeof(one), "e%zu:rw:p%zu", used, used);
            else
                snprintf(one, sizeof(one), "%s",
                         o->check >= CONF_C_MIME ? item[o->check] : "/x");
            if (used + (used > 0) + strlen(one) > n)
                break;
            used += (size_t)sprintf(out + used, "%s%s", used ? "," : "", one);
        }
        out[used] = '\0';
        return used;
    }
    return n;
}

static void
test_text_bounds(void **state)
{
    static char text[2 * CONF_TEXT_MAX];
    (void)state;

    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];
        size_t max = (size_t)o->max;

        if (o->type != CONF_TEXT && o->type != CONF_LIST)
            continue;
        assert_true(max <= CONF_TEXT_MAX);
        assert_true(good_text(o, max, text) + 32 > max);
        if (id != CONF_CONFIG) /* it names files that are not there */
            assert_taken(id, text);
        good_text(o, max + 32, text);
        if (id != CONF_CONFIG)
            assert_refused(id, text, false);
        if (o->min > 0)
            assert_refused(id, "", true);
    }
}

static void
test_choices(void **state)
{
    (void)state;

    for (int id = 0; id < CONF_COUNT; id++) {
        struct slice rest = slice_str(conf_option[id].choices), choice;
        char text[64];

        if (conf_option[id].type != CONF_ENUM)
            continue;
        while (slice_cut(&rest, '|', &choice)) {
            assert_true(slice_copy(choice, text, sizeof(text)));
            assert_taken(id, text);
            for (char *p = text; *p; p++) /* in the other case as well */
                *p = (char)(*p >= 'a' && *p <= 'z'   ? *p - 32
                            : *p >= 'A' && *p <= 'Z' ? *p + 32
                                                     : *p);
            assert_taken(id, text);
            strcat(text, "x");
            assert_refused(id, text, false);
        }
        assert_refused(id, "", true);
    }
}

/* CNF-007 */
static void
test_booleans(void **state)
{
    static const char *const word[] = {"on",   "off",   "ON",   "Off",
                                       "true", "FALSE", "True", "yes",
                                       "No",   "1",     "0"};
    static const char *const wrong[] = {"2",       "y",   "n",  "t", "onn",
                                        "enabled", "o n", "-1", "01"};
    (void)state;

    for (int id = 0; id < CONF_COUNT; id++) {
        if (conf_option[id].type != CONF_BOOL)
            continue;
        for (size_t i = 0; i < countof(word); i++)
            assert_taken(id, word[i]);
        for (size_t i = 0; i < countof(wrong); i++)
            assert_refused(id, wrong[i], false);
    }
}

static void
check_defaults(const struct conf_option *o, int id)
{
    struct slice rest = slice_str(o->per_role), pair;

    for (int r = 0; r < CONF_ROLES; r++) {
        struct slice text = conf_option_default(id, (enum conf_role)r);
        struct conf_value v;
        const char *why;

        if (!conf_value_parse(o, text, &v, &why))
            fail_msg("%s: the default is not allowed", o->name);
    }
    while (rest.n > 0 && slice_cut(&rest, ' ', &pair)) {
        enum conf_role role;

        if (!conf_role_parse(slice_head(pair, slice_find(pair, '=')), &role) ||
            !(o->roles & CONF_ROLE_BIT(role)))
            fail_msg("%s: a default for a role that has it not", o->name);
    }
}

static void
test_rows(void **state)
{
    static const char *const field[] = {
#define OPT(name, member, ...) #member,
#include "conf/options.def"
#undef OPT
    };
    (void)state;

    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];
        const size_t n = strlen(o->name), words = strlen(o->help);
        char flag[80];

        conf_option_flag(id, flag, sizeof(flag));
        for (size_t i = 0; i < n; i++) {
            char low = (char)(o->name[i] == '_' ? '_' : o->name[i] | 0x20);

            if (field[id][i] != low ||
                (o->name[i] != '_' && flag[i + 2] != low))
                fail_msg("%s: the field is %s", o->name, field[id]);
        }
        assert_true(field[id][n] == '\0' && flag[n + 2] == '\0');
        assert_int_equal(conf_option_find(slice_str(o->name)), id);
        assert_int_equal(conf_option_find(slice_str(flag + 2)), id);
        assert_true(o->roles != 0 && o->roles < CONF_ROLE_BIT(CONF_ROLES));
        assert_true(o->min <= o->max && o->min >= 0);
        assert_true(o->max <= INT64_C(1) << 60);
        assert_true((o->type == CONF_ENUM) == (o->choices != NULL));
        if (words < 10 || o->help[words - 1] != '.' || strchr(o->help, '\n'))
            fail_msg("%s: its help is not a paragraph", o->name);
        /* near.c measures names up to 64 characters */
        assert_int_equal(
            near_distance(slice_str(o->name), slice_str(o->name), 1), 0);
        assert_true(o->group >= 0 && o->group < CONF_GROUPS);
        check_defaults(o, id);
    }
    assert_int_equal(conf_option_find(SLICE("APP_POR")), -1);
    assert_int_equal(conf_option_find(SLICE("APP_PORTS")), -1);
    assert_int_equal(conf_option_find(SLICE("")), -1);
}

/* The constants of conf.h are the places in the lists. */
static void
test_constants(void **state)
{
    static const struct {
        int id;
        int place;
        const char *word;
    } row[] = {
        {CONF_APP_ENV, CONF_ENV_DEVELOPMENT, "development"},
        {CONF_APP_ENV, CONF_ENV_PRODUCTION, "production"},
        {CONF_LOOP, CONF_LOOP_AUTO, "auto"},
        {CONF_LOOP, CONF_LOOP_URING, "uring"},
        {CONF_LOOP, CONF_LOOP_EPOLL, "epoll"},
        {CONF_SANDBOX, CONF_SANDBOX_OFF, "off"},
        {CONF_SANDBOX, CONF_SANDBOX_AUTO, "auto"},
        {CONF_SANDBOX, CONF_SANDBOX_ON, "on"},
        {CONF_DURABILITY, CONF_STRICT, "strict"},
        {CONF_DURABILITY, CONF_RELAXED, "relaxed"},
        {CONF_TLS_MIN_VERSION, CONF_TLS_1_3, "1.3"},
        {CONF_TLS_MIN_VERSION, CONF_TLS_1_2, "1.2"},
        {CONF_RETENTION_DEFAULT, CONF_TEMPORARY, "TEMPORARY"},
        {CONF_RETENTION_DEFAULT, CONF_PERMANENT, "PERMANENT"},
        {CONF_STORAGE_MODE, CONF_EDIT, "edit"},
        {CONF_STORAGE_MODE, CONF_RW, "rw"},
        {CONF_STORAGE_MODE, CONF_RO, "ro"},
        {CONF_STORAGE_MODE, CONF_AR, "ar"},
        {CONF_STORAGE_BACKEND, CONF_LOCAL, "local"},
        {CONF_STORAGE_BACKEND, CONF_S3, "s3"},
        {CONF_LOG_LEVEL, CONF_LOG_DEBUG, "DEBUG"},
        {CONF_LOG_LEVEL, CONF_LOG_INFO, "INFO"},
        {CONF_LOG_LEVEL, CONF_LOG_WARNING, "WARNING"},
        {CONF_LOG_LEVEL, CONF_LOG_ERROR, "ERROR"},
        {CONF_LOG_LEVEL, CONF_LOG_CRITICAL, "CRITICAL"},
        {CONF_LOG_FORMAT, CONF_LOG_JSON, "json"},
        {CONF_LOG_FORMAT, CONF_LOG_TEXT, "text"},
        {CONF_COMPRESSION_ALGORITHM, CONF_GZIP, "gzip"},
        {CONF_COMPRESSION_ALGORITHM, CONF_BROTLI, "brotli"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct conf_value v;
        const char *why;

        assert_true(conf_value_parse(&conf_option[row[i].id],
                                     slice_str(row[i].word), &v, &why));
        if (v.n != row[i].place)
            fail_msg("%s", row[i].word);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_numeric_bounds),
        cmocka_unit_test(test_text_bounds),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_booleans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
