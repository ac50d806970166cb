/* load.c - the four sources, one over the other. See conf.h.
 *
 * The command line is scanned first, because it names the files, and applied
 * last. Of each value the source keeps a rank. What will be covered, by a later
 * layer or by a better name in the same one, is checked like everything else: a
 * mistake that happens not to count today is still a mistake.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/loader.h"
#include "base/near.h"
#include "conf/file.h"
#include "conf/near.h"
#include "conf/report.h"
#include "conf/rules.h"
#include "conf/value.h"
#include <stdio.h>
#include <stdlib.h>

/* "environment", "x.env:3", "command line --app-port". */
static const char *
place_text(const struct place *at, char *out, size_t cap)
{
    if (at->layer == CONF_BY_FILE)
        snprintf(out, cap, "%.120s:%u", at->file, at->line);
    else if (at->layer == CONF_BY_ENV)
        snprintf(out, cap, "environment");
    else
        snprintf(out, cap, "command line %.*s",
                 SLICE_ARG(slice_head(at->name, ARG_NAME_MAX)));
    return out;
}

static void
tell_invalid(struct loader *l, const struct place *at, int id,
             struct slice value, const char *why)
{
    const struct conf_option *o = &conf_option[id];
    /* On the command line PLACE has the name as it was typed. */
    const struct slice name =
        at->layer == CONF_BY_ARGV ? slice_str(o->name) : at->name;
    char place[256], shown[96];
    struct buf range;

    buf_init(&range, 1024);
    conf_value_range(o, &range);
    conf_show(shown, sizeof(shown), value, o->flags & CONF_F_SECRET);
    conf_report_add(l->rep, CONF_ERROR, id, "%.*s=%s (%s): must be %s%s%s",
                    SLICE_ARG(slice_head(name, ARG_NAME_MAX)), shown,
                    place_text(at, place, sizeof(place)), buf_str(&range),
                    why ? "; " : "", why ? why : "");
    buf_release(&range);
}

/* The value of a secret, from the file that NAME_FILE names. False: told. */
static bool
read_indirect(struct loader *l, const struct place *at, int id,
              struct slice path, struct buf *out)
{
    const char *name = conf_keep(l->c, path);
    struct fault f = {0};
    char place[256];
    enum err err = ERR_NOMEM;

    if (name != NULL)
        err = l->in->read ? l->in->read(l->in->ctx, name, out, &f)
                          : ERR_UNSUPPORTED;
    if (err == ERR_OK && !out->failed) {
        while (out->n > 0 &&
               (out->p[out->n - 1] == '\n' || out->p[out->n - 1] == '\r'))
            out->n--;
        return true;
    }
    conf_report_add(l->rep, CONF_ERROR, id, "%.*s=%.*s (%s): %s",
                    SLICE_ARG(slice_head(at->name, ARG_NAME_MAX)),
                    SLICE_ARG(slice_head(path, 160)),
                    place_text(at, place, sizeof(place)), err_text(err));
    return false;
}

/* A list that stands several times on the command line grows; an empty one
 * starts it anew. */
static bool
store(struct loader *l, int id, struct conf_value v, bool grow)
{
    const struct conf_value old = conf_value_load(l->c, id);
    struct buf both;
    bool ok;

    if (!grow || old.text.n == 0 || v.text.n == 0)
        return conf_value_store(l->c, id, v);
    buf_init(&both, CONF_TEXT_MAX);
    buf_add_slice(&both, old.text);
    buf_add_char(&both, ',');
    buf_add_slice(&both, v.text);
    v.text = buf_slice(&both);
    ok = !both.failed && v.text.n <= (size_t)conf_option[id].max &&
         conf_value_store(l->c, id, v);
    buf_release(&both);
    return ok;
}

/* VALUE is what option ID is given at AT, with all about its name settled. */
static void
assign_value(struct loader *l, const struct conf_name *name,
             const struct place *at, struct slice value)
{
    const struct conf_option *o = &conf_option[name->id];
    struct conf_source *src = &l->c->source[name->id];
    struct conf_value v;
    const char *why;
    const bool again = src->layer == at->layer && src->rank == name->rank;

    if (!conf_value_parse(o, value, &v, &why)) {
        tell_invalid(l, at, name->id, value, why);
        return;
    }
    assert(src->layer <= at->layer); /* conf_load() goes from low to high */
    if (src->layer == at->layer && src->rank > name->rank)
        return;
    if (again && at->layer == CONF_BY_FILE && src->file == at->file)
        conf_report_add(l->rep, CONF_WARNING, name->id,
                        "%s is given twice in %.120s (lines %u and %u); the "
                        "later one holds",
                        o->name, at->file, src->line, at->line);
    if (!store(l, name->id, v,
               again && at->layer == CONF_BY_ARGV && o->type == CONF_LIST)) {
        tell_invalid(l, at, name->id, value, "too long, or no memory is left");
        return;
    }
    *src = (struct conf_source){at->layer, name->rank, at->line, at->file};
}

/* Whether this assignment is meant for this role and can be used at all. */
static bool
wanted(struct loader *l, const struct conf_name *name, const struct place *at,
       struct slice value)
{
    const struct conf_option *o = &conf_option[name->id];
    const enum conf_role role = l->in->role;
    char place[256];

    place_text(at, place, sizeof(place));
    if (name->role >= 0 && name->role != (int)role)
        return false; /* another role of the same installation */
    if (!(o->roles & CONF_ROLE_BIT(role))) {
        if (at->layer == CONF_BY_ARGV)
            conf_report_add(l->rep, CONF_ERROR, name->id,
                            "%s (%s): the role %s has no such option", o->name,
                            place, conf_role_name(role));
        else
            conf_report_add(l->rep, CONF_NOTICE, name->id,
                            "%.*s (%s): the role %s does not use it",
                            SLICE_ARG(slice_head(at->name, ARG_NAME_MAX)),
                            place, conf_role_name(role));
        return false;
    }
    if (at->layer == CONF_BY_ARGV && (o->flags & CONF_F_SECRET)) {
        conf_report_add(l->rep, CONF_ERROR, name->id,
                        "%s (%s): a secret on the command line can be read by "
                        "every user; use a file, %s_FILE or the environment",
                        o->name, place, o->name);
        return false;
    }
    if (at->layer == CONF_BY_ENV && conf_is_service_link(value) &&
        o->type != CONF_TEXT && o->type != CONF_LIST) {
        conf_report_add(l->rep, CONF_WARNING, name->id,
                        "%s=%.*s (%s): ignored, it looks like a Kubernetes "
                        "service link (enableServiceLinks: false avoids it)",
                        o->name, SLICE_ARG(slice_head(value, 60)), place);
        return false;
    }
    if (at->layer == CONF_BY_ENV && (o->flags & CONF_F_PREFIX) &&
        !name->prefixed) {
        conf_report_add(l->rep, CONF_WARNING, name->id,
                        "%s (%s): ignored, the name is too general; write "
                        "ARTSTORE_%s",
                        o->name, place, o->name);
        return false;
    }
    return true;
}

static void
assign(struct loader *l, const struct conf_name *name, const struct place *at,
       struct slice value)
{
    const struct conf_option *o = &conf_option[name->id];
    const bool text = o->type == CONF_TEXT || o->type == CONF_LIST;
    struct buf secret;

    if (!wanted(l, name, at, value))
        return;
    if (value.n == 0 && at->layer != CONF_BY_ARGV && (!text || o->min > 0))
        return; /* NAME= in an environment that was made by a template */
    if (!name->indirect) {
        assign_value(l, name, at, value);
        return;
    }
    buf_init(&secret, CONF_TEXT_MAX);
    if (value.n > 0 && read_indirect(l, at, name->id, value, &secret))
        assign_value(l, name, at, buf_slice(&secret));
    if (secret.p != NULL)
        explicit_bzero(secret.p, secret.cap);
    buf_release(&secret);
}

/* The name is not an option: say so, or let it pass. The value is never shown,
 * since the name may be a misspelt secret's. */
void
loader_tell_name(struct loader *l, const struct conf_name *name,
                 const struct place *at)
{
    const struct slice written = slice_head(at->name, ARG_NAME_MAX);
    char place[256], flag[ARG_NAME_MAX + 4] = "";
    int near;

    place_text(at, place, sizeof(place));
    if (name->kind == CONF_NAME_SERVICE) {
        conf_report_add(l->rep, CONF_WARNING, -1,
                        "%.*s (%s): ignored, it looks like a Kubernetes "
                        "service link (enableServiceLinks: false avoids it)",
                        SLICE_ARG(written), place);
        return;
    }
    if (name->kind == CONF_NAME_REMOVED) {
        if (l->removed_told[name->removed])
            return;
        l->removed_told[name->removed] = true;
        conf_report_add(l->rep, CONF_WARNING, -1,
                        "%.*s (%s): removed, ignored; %s", SLICE_ARG(written),
                        place, name->why);
        return;
    }
    near = conf_near(name->bare, l->in->role);
    if (near < 0) {
        conf_report_add(l->rep, CONF_ERROR, -1, "%.*s (%s): unknown option",
                        SLICE_ARG(written), place);
        return;
    }
    if (at->layer == CONF_BY_ARGV)
        conf_option_flag(near, flag, sizeof(flag));
    conf_report_add(
        l->rep, CONF_ERROR, -1, "%.*s (%s): unknown option; did you mean %s%s?",
        SLICE_ARG(written), place, name->prefixed ? "ARTSTORE_" : "",
        flag[0] ? flag : conf_option[near].name);
}

/* ---- files ---- */

static void
load_bytes(struct loader *l, const char *path, struct slice bytes)
{
    struct place at = {CONF_BY_FILE, path, 0, SLICE_NULL};
    struct conf_file f;
    struct slice value;
    struct buf scratch;
    const char *why;
    enum err err;

    buf_init(&scratch, CONF_TEXT_MAX + 1);
    conf_file_init(&f, bytes);
    while ((err = conf_file_next(&f, &scratch, &at.name, &value, &why)) !=
           ERR_END) {
        struct conf_name name;

        at.line = f.line;
        if (err != ERR_OK) { /* no byte of the line: it may be a secret */
            conf_report_add(l->rep, CONF_ERROR, -1, "%.120s:%u: %s", path,
                            f.line, err == ERR_INVAL ? why : err_text(err));
            continue;
        }
        name = conf_name_resolve(at.name);
        if (name.kind == CONF_NAME_UNKNOWN || name.kind == CONF_NAME_REMOVED)
            loader_tell_name(l, &name, &at);
        else if (name.id == CONF_CONFIG)
            conf_report_add(l->rep, CONF_ERROR, name.id,
                            "%.120s:%u: a file cannot name another file", path,
                            f.line);
        else if (name.kind == CONF_NAME_OPTION)
            assign(l, &name, &at, value);
    }
    if (scratch.p != NULL)
        explicit_bzero(scratch.p, scratch.cap);
    buf_release(&scratch);
}

static void
load_file(struct loader *l, struct slice path)
{
    const char *name = conf_keep(l->c, slice_trim(path));
    enum err err = ERR_UNSUPPORTED;
    struct fault f = {0};
    struct buf bytes;
    char text[300] = "";

    buf_init(&bytes, CONF_FILE_MAX);
    if (name == NULL)
        err = ERR_NOMEM;
    else if (l->in->read != NULL)
        err = l->in->read(l->in->ctx, name, &bytes, &f);
    if (err == ERR_OK && bytes.failed)
        err = ERR_TOOBIG;
    if (err == ERR_OK) {
        load_bytes(l, name, buf_slice(&bytes));
    } else {
        if (f.code != ERR_OK)
            fault_text(&f, text, sizeof(text));
        conf_report_add(l->rep, CONF_ERROR, CONF_CONFIG, "--config %.160s: %s",
                        name ? name : "", text[0] ? text : err_text(err));
    }
    if (bytes.p != NULL)
        explicit_bzero(bytes.p, bytes.cap);
    buf_release(&bytes);
}

/* ---- environment ---- */

/* Of a name without ARTSTORE_ that is one slip away from an option's: worth a
 * word, but it is not ours to refuse. */
static void
tell_slip(struct loader *l, struct slice name)
{
    if (name.n < 8 || slice_find(name, '_') == name.n)
        return;
    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];

        if (!(o->flags & CONF_F_PREFIX) &&
            (o->roles & CONF_ROLE_BIT(l->in->role)) &&
            near_distance(name, slice_str(o->name), 1) == 1) {
            conf_report_add(l->rep, CONF_WARNING, id,
                            "%.*s (environment): not an option; did you mean "
                            "%s?",
                            SLICE_ARG(slice_head(name, ARG_NAME_MAX)), o->name);
            return;
        }
    }
}

static void
load_env(struct loader *l)
{
    bool service_told = false;

    for (const char *const *e = l->in->envp; e && *e; e++) {
        struct place at = {CONF_BY_ENV, NULL, 0, SLICE_NULL};
        struct slice value = slice_str(*e);
        struct conf_name name;

        if (!slice_cut(&value, '=', &at.name) || value.p == NULL)
            continue; /* no equals sign: not a variable */
        name = conf_name_resolve(at.name);
        if (name.kind == CONF_NAME_OPTION)
            assign(l, &name, &at, value);
        else if (name.kind == CONF_NAME_UNKNOWN && !name.prefixed)
            tell_slip(l, at.name);
        else if (name.kind == CONF_NAME_UNKNOWN ||
                 name.kind == CONF_NAME_REMOVED)
            loader_tell_name(l, &name, &at);
        else if (name.kind == CONF_NAME_SERVICE && !service_told) {
            loader_tell_name(l, &name,
                             &at); /* Kubernetes makes seven at once */
            service_told = true;
        }
    }
}

/* ---- command line ---- */

static void
load_args(struct loader *l)
{
    for (size_t i = 0; i < l->args; i++) {
        const struct arg *a = &l->arg[i];
        const struct place at = {CONF_BY_ARGV, NULL, 0, a->typed};

        assign(l, &a->name, &at, a->value);
    }
}

/* The files of --config in their order, else those of ARTSTORE_CONFIG. */
static void
load_files(struct loader *l)
{
    static const struct slice env = SLICE("ARTSTORE_CONFIG=");
    struct slice rest, path;
    bool given = false;

    for (size_t i = 0; i < l->args; i++) {
        if (l->arg[i].name.id != CONF_CONFIG)
            continue;
        given = true;
        rest = l->arg[i].value;
        while (slice_cut(&rest, ',', &path))
            load_file(l, path);
    }
    for (const char *const *e = l->in->envp; !given && e && *e; e++) {
        rest = slice_str(*e);
        if (!slice_starts(rest, env))
            continue;
        rest = slice_skip(rest, env.n);
        while (rest.n > 0 && slice_cut(&rest, ',', &path))
            load_file(l, path);
    }
}

/* ---- all together ---- */

static bool
set_defaults(struct conf *c)
{
    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];
        struct conf_value v = {0, SLICE_NULL};
        const char *why;
        bool ok;

        /* A row whose default is not allowed is a mistake in the table, and the
         * tests walk all of them. */
        ok = conf_value_parse(o, conf_option_default(id, c->role), &v, &why);
        assert(ok);
        if (!conf_value_store(c, id, v))
            return false;
    }
    return true;
}

enum err
conf_load(struct conf *c, const struct conf_input *in, struct conf_report *rep)
{
    struct loader l = {.c = c, .in = in, .rep = rep};

    assert(in->role < CONF_ROLES);
    *c = (struct conf){.role = in->role};
    *rep = (struct conf_report){0};
    l.arg = calloc(in->argc + 1, sizeof(*l.arg));
    if (l.arg == NULL || !set_defaults(c)) {
        conf_report_add(rep, CONF_ERROR, -1, "%s", err_text(ERR_NOMEM));
        goto out;
    }
    loader_scan_args(&l);
    load_files(&l);
    load_env(&l);
    load_args(&l);
    conf_rules(c, rep);
out:
    free(l.arg);
    return rep->errors > 0 ? ERR_INVAL : ERR_OK;
}
