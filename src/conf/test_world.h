/* test_world.h - what conf_load() can see, as text; for the tests of conf/.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_TEST_WORLD_H
#define CONF_TEST_WORLD_H

#include "conf/conf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define MAX_WORDS 64

struct world { /* everything that conf_load() can see */
    enum conf_role role;
    const char *args; /* words with blanks between */
    const char *env;  /* lines */
    const char *file; /* content of all files but two, see read_world() */
};

/* The row of a table that begins like a struct world. */
#define WORLD(row) \
    ((struct world){(row).role, (row).args, (row).env, (row).file})

static inline enum err
read_world(void *ctx, const char *path, struct buf *out, struct fault *f)
{
    const struct world *w = ctx;

    if (strcmp(path, "missing.env") == 0)
        return fault_set(f, ERR_NOENT, "open", path);
    if (strcmp(path, "secret.txt") == 0)
        buf_add_str(out, "from-its-file\n");
    else
        buf_add_str(out, w->file ? w->file : "");
    return ERR_OK;
}

/* Cuts TEXT at the bytes C into WORD, which ends in NULL. */
static inline size_t
split(char *text, char c, const char **word)
{
    size_t n = 0;

    for (char *p = text; p != NULL && *p != '\0';) {
        char *end = strchr(p, c);

        assert_true(n + 1 < MAX_WORDS);
        word[n++] = p;
        if (end != NULL)
            *end++ = '\0';
        p = end;
    }
    word[n] = NULL;
    return n;
}

static inline void
load(struct world w, struct conf *c, struct conf_report *rep)
{
    /* Static: sources keep pointing at the words. */
    static char args[4096], env[4096];
    const char *argv[MAX_WORDS], *envp[MAX_WORDS];
    struct conf_input in = {.role = w.role,
                            .argv = argv,
                            .envp = envp,
                            .rest_allowed = w.role == CONF_CLIENT,
                            .read = read_world,
                            .ctx = &w};
    enum err err;

    snprintf(args, sizeof(args), "%s", w.args ? w.args : "");
    snprintf(env, sizeof(env), "%s", w.env ? w.env : "");
    in.argc = split(args, ' ', argv);
    split(env, '\n', envp);
    err = conf_load(c, &in, rep);
    assert_int_equal(err, rep->errors > 0 ? ERR_INVAL : ERR_OK);
}

static inline void
release(struct conf *c, struct conf_report *rep)
{
    conf_report_release(rep);
    conf_release(c);
}

/* Whether one issue of LEVEL has every one of the parts of WANT, which are
 * parted by '|'. */
static inline bool
told(const struct conf_report *rep, enum conf_level level, const char *want)
{
    for (size_t i = 0; i < rep->n; i++) {
        struct slice rest = slice_str(want), part;
        bool all = rep->issue[i].level == level;

        while (all && slice_cut(&rest, '|', &part))
            all = memmem(rep->issue[i].text, strlen(rep->issue[i].text), part.p,
                         part.n) != NULL;
        if (all)
            return true;
    }
    return false;
}

static inline void
print_report(const struct conf_report *rep)
{
    for (size_t i = 0; i < rep->n; i++)
        print_message("  %d: %s\n", rep->issue[i].level, rep->issue[i].text);
}

#endif
