/* docs_test.c - what people read is made of the table, whole, and true.
 * ING-274, PRD-188. That the committed pages are the ones made here is checked
 * by conf/docs-current. SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"
#include "conf/wrap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_help(void **state)
{
    struct buf out;
    (void)state;

    buf_init(&out, MIB);
    for (int role = 0; role < CONF_ROLES; role++) {
        struct slice rest, line;

        buf_clear(&out);
        conf_help((enum conf_role)role, &out);
        assert_false(out.failed);
        for (int id = 0; id < CONF_COUNT; id++) {
            const struct conf_option *o = &conf_option[id];
            const bool has = o->roles & CONF_ROLE_BIT(role);
            char flag[80], want[90];

            conf_option_flag(id, flag, sizeof(flag));
            snprintf(want, sizeof(want), "\n  %s", flag);
            if (o->flags & (CONF_F_SECRET | CONF_F_PLANNED))
                snprintf(want, sizeof(want), "%s", o->name);
            if (has && strstr(buf_str(&out), want) == NULL)
                fail_msg("%s is not in the help of %s", o->name,
                         conf_role_name((enum conf_role)role));
        }
        rest = buf_slice(&out);
        while (slice_cut(&rest, '\n', &line)) {
            if (line.n > 80)
                fail_msg("%.*s", SLICE_ARG(line));
        }
    }
    buf_release(&out);
}

static void
test_md(void **state)
{
    struct buf out;
    (void)state;

    buf_init(&out, MIB);
    conf_doc_md(&out);
    assert_false(out.failed);
    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];
        char want[128];

        snprintf(want, sizeof(want), "\n### `%s%s`\n",
                 o->flags & CONF_F_PREFIX ? "ARTSTORE_" : "", o->name);
        if (strstr(buf_str(&out), want) == NULL)
            fail_msg("%s is not on the page", o->name);
    }
    buf_release(&out);
}

static enum err
read_it(void *ctx, const char *path, struct buf *out, struct fault *f)
{
    (void)path;
    (void)f;
    buf_add_str(out, ctx);
    return ERR_OK;
}

/* Whoever takes the # off every line gets the defaults and no complaint, but
 * that a gateway has no account yet. */
static void
test_env_example(void **state)
{
    static const char *const argv[] = {"--config", "x"};
    struct buf out, file;
    struct slice rest, line;
    struct conf_report rep;
    struct conf c;
    (void)state;

    buf_init(&out, MIB);
    buf_init(&file, MIB);
    conf_env_example(&out);
    rest = buf_slice(&out);
    while (slice_cut(&rest, '\n', &line)) {
        if (line.n > 1 && line.p[0] == '#' && line.p[1] != ' ')
            line = slice_skip(line, 1);
        buf_add_slice(&file, line);
        buf_add_char(&file, '\n');
    }
    assert_false(out.failed || file.failed);
    for (int role = 0; role < CONF_ROLES; role++) {
        struct conf_input in = {.role = (enum conf_role)role,
                                .argv = argv,
                                .argc = 2,
                                .read = read_it,
                                .ctx = file.p};
        enum err err = conf_load(&c, &in, &rep);

        if (err != ERR_OK || rep.warnings > (role == CONF_INGESTER))
            fail_msg("%s", rep.issue[0].text);
        for (int id = 0; id < CONF_COUNT; id++) {
            const struct conf_option *o = &conf_option[id];
            const bool given = o->initial[0] != '\0' || o->min == 0;

            if (id != CONF_CONFIG && (o->roles & CONF_ROLE_BIT(role)) &&
                given && c.source[id].layer != CONF_BY_FILE)
                fail_msg("%s is not in .env.example", o->name);
        }
        conf_report_release(&rep);
        conf_release(&c);
    }
    buf_release(&out);
    buf_release(&file);
}

static void
test_wrap(void **state)
{
    struct buf out;
    (void)state;

    buf_init(&out, 1024);
    conf_wrap(&out, SLICE("aa bb cc dddddddddd e"), "> ", 7);
    assert_string_equal(buf_str(&out), "> aa bb\n> cc\n> dddddddddd\n> e\n");
    buf_release(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_md),
        cmocka_unit_test(test_env_example),
        cmocka_unit_test(test_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
