/* put.c - `artstore put`: files go out through a few slots at a time.
 *
 * One thread: each slot is a struct put_job, libcurl moves all of them, and
 * SHA-256 is computed while the bytes pass. When a failure is of a kind that
 * every other file would meet too (credentials, no server), no new file is
 * begun.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/clock.h"
#include "cli/progress.h"
#include "cli/put_job.h"
#include "cli/session.h"
#include "cli/text.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define SLOTS_MAX 32

struct put_args {
    struct cli_common c;
    struct opt_list metadata;
    const char *retention;
    const char *name;
    const char *content_type;
    uint64_t ttl_days;
    uint64_t parallel;
    uint64_t retries;
};

#define AT(member) offsetof(struct put_args, member)

const struct cli_opt put_opts[] = {
    {.name = "retention",
     .kind = OPT_CHOICE,
     .at = AT(retention),
     .value = "temporary|permanent",
     .help = "temporary files can be deleted and, with --ttl-days, expire; "
             "permanent ones are for the archive. The server's default is "
             "temporary."},
    {.name = "ttl-days",
     .kind = OPT_UINT,
     .at = AT(ttl_days),
     .value = "N",
     .min = 1,
     .max = 36500,
     .help = "Days until a temporary file expires."},
    {.name = "metadata",
     .letter = 'm',
     .kind = OPT_LIST,
     .at = AT(metadata),
     .value = "KEY=VALUE",
     .help = "Kept with the file; `artstore ls --meta` finds it. May be "
             "given several times."},
    {.name = "name",
     .letter = 'n',
     .kind = OPT_TEXT,
     .at = AT(name),
     .value = "NAME",
     .help = "Name to store a single file under; needed for "
             "standard input."},
    {.name = "content-type",
     .kind = OPT_TEXT,
     .at = AT(content_type),
     .value = "TYPE",
     .help = "Like application/pdf. By default it follows from the name."},
    {.name = "parallel",
     .letter = 'j',
     .kind = OPT_UINT,
     .at = AT(parallel),
     .value = "N",
     .min = 1,
     .max = SLOTS_MAX,
     .help = "Files to send at the same time (4)."},
    {.name = "retries",
     .kind = OPT_UINT,
     .at = AT(retries),
     .value = "N",
     .max = 100,
     .help = "How often to send a file again when the server cannot take it "
             "now or is lost (5)."},
    {0},
};

struct put {
    struct put_args args;
    struct walk walk;
    struct put_plan plan;
    struct put_job job[SLOTS_MAX];
    size_t next;     /* file of the walk */
    size_t finished; /* stored or failed */
    uint64_t bytes;  /* of those */
    enum cli_exit exit;
    bool give_up;
};

static enum cli_exit
parse_metadata(const struct opt_list *list, json_t **out)
{
    json_t *o = json_object();

    for (size_t i = 0; i < list->n; i++) {
        struct slice value = slice_str(list->v[i]), key;
        json_t *k, *v;
        bool twice;

        slice_cut(&value, '=', &key);
        k = json_stringn(key.p, key.n);
        v = value.p ? json_stringn(value.p, value.n) : NULL;
        twice = k && json_object_get(o, json_string_value(k));
        if (k && v && key.n && !twice)
            json_object_set(o, json_string_value(k), v);
        json_decref(k);
        json_decref(v);
        if (!k || !v || key.n == 0 || twice) {
            json_decref(o);
            return (enum cli_exit)cli_usage(
                "put", "--metadata %s: %s", list->v[i],
                twice ? "the key is given twice"
                      : "must be KEY=VALUE, in UTF-8");
        }
    }
    if (json_object_size(o) == 0) {
        json_decref(o);
        o = NULL;
    }
    *out = o;
    return CLI_OK;
}

/* The outcome of one file: a line, or an object, on standard output; the
 * reason of a failure on standard error too. */
static void
report(struct put *p, const struct put_job *j, json_t *stored,
       const struct failure *f)
{
    const char *path = j->file->path, *name;
    char doing[512], size[TEXT_SIZE];
    struct buf b;
    json_t *o;

    progress_hide();
    if (f) {
        snprintf(doing, sizeof(doing), "put %s", path);
        failure_print(stderr, doing, f);
    }
    if (p->args.c.json) {
        o = stored ? json_incref(stored) : json_object();
        buf_init(&b, 64 * KIB);
        text_safe(&b, slice_str(path)); /* for a path that is not UTF-8 */
        if (json_object_set_new(o, "path", json_string(path)) != 0)
            json_object_set_new(o, "path", json_string(buf_str(&b)));
        buf_release(&b);
        if (f) {
            json_object_set_new(o, "error", json_string(f->code));
            json_object_set_new(o, "message", json_string(f->message));
            json_object_set_new(o, "status", json_integer(f->status));
            json_object_set_new(o, "request_id", json_string(f->request_id));
        }
        json_dumpf(o, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(o);
    } else if (!f) {
        const json_t *element = json_object_get(stored, "storage_element_id");

        name = json_string_value(json_object_get(stored, "original_filename"));
        name = j->file->relative ? j->file->relative : name ? name : j->name;
        buf_init(&b, 64 * KIB);
        text_safe(&b, slice_str(json_string_value(
                          json_object_get(stored, "file_id"))));
        buf_add_str(&b, "  ");
        text_safe(&b, slice_str(json_string_value(element)));
        buf_printf(&b, "  %10s  ", text_size(j->sum.bytes, size));
        text_safe(&b, slice_str(name));
        puts(buf_str(&b));
        buf_release(&b);
    }
    fflush(stdout);
}

static void
finish(struct put *p, struct put_job *j, json_t *stored,
       const struct failure *f)
{
    report(p, j, stored, f);
    if (f) {
        p->exit = exit_merge(p->exit, f->exit);
        p->give_up |= f->exit == CLI_AUTH || f->exit == CLI_CONNECT ||
                      f->exit == CLI_USAGE;
    }
    p->bytes += j->file->size;
    p->finished++;
    json_decref(stored);
    put_job_release(j);
}

/* One slot, one step. */
static void
step(struct put *p, struct put_job *j)
{
    struct failure f;
    json_t *stored;

    if (j->state == PUT_IDLE) {
        if (p->next == p->walk.n || p->give_up)
            return;
        if (put_job_begin(j, &p->plan, &p->walk.file[p->next++], &f) !=
            CLI_OK) {
            finish(p, j, NULL, &f);
            return;
        }
    }
    if (j->state == PUT_WAITING) {
        if (p->give_up)
            put_job_release(j);
        else if (mono_reached(mono_now(), j->not_before) && put_job_ready(j) &&
                 put_job_send(j, &f) != CLI_OK)
            finish(p, j, NULL, &f);
    } else if (j->req.done) {
        const enum cli_exit e = put_job_end(j, &stored, &f);

        if (j->state == PUT_IDLE)
            finish(p, j, stored, e == CLI_OK ? NULL : &f);
        else if (!p->args.c.quiet && !j->renewed)
            say("put %s: %s; trying again", j->file->path, f.message);
    }
}

static void
show(const struct put *p)
{
    uint64_t bytes = p->bytes, total = p->walk.bytes;
    const char *name = NULL;

    for (size_t i = 0; i < p->args.parallel; i++)
        if (p->job[i].state != PUT_IDLE) {
            bytes += p->job[i].sum.bytes;
            name = name ? name : p->job[i].name;
        }
    progress_update(bytes, p->walk.streams ? UINT64_MAX : total,
                    (unsigned)p->finished, name);
}

/* Wakes the streams that have something again; the descriptor of one that has
 * not, or -1. */
static int
stalled_fd(struct put *p)
{
    int fd = -1;

    for (size_t i = 0; i < p->args.parallel; i++) {
        struct put_job *j = &p->job[i];
        struct pollfd ready = {.fd = j->fd, .events = POLLIN};

        if (j->state == PUT_WAITING && !j->head_read && j->file->stream)
            fd = j->fd; /* the next step() reads it */
        if (j->state != PUT_SENDING || !j->stalled)
            continue;
        if (poll(&ready, 1, 0) != 0) {
            j->stalled = false;
            http_continue(&j->req);
        } else {
            fd = j->fd;
        }
    }
    return fd;
}

static void
run(struct put *p)
{
    bool busy = true;

    while (busy) {
        busy = false;
        for (size_t i = 0; i < p->args.parallel; i++) {
            step(p, &p->job[i]);
            busy |= p->job[i].state != PUT_IDLE;
        }
        busy |= p->next < p->walk.n && !p->give_up;
        if (interrupted()) {
            p->exit = CLI_INTERRUPTED;
            p->give_up = true;
            break;
        }
        if (busy)
            http_turn(p->plan.http, 100, stalled_fd(p));
        show(p);
    }
    for (size_t i = 0; i < p->args.parallel; i++)
        if (p->job[i].state != PUT_IDLE)
            put_job_release(&p->job[i]);
    progress_stop();
    if (p->finished < p->walk.n)
        say("%s; %zu of %zu files were not sent",
            p->exit == CLI_INTERRUPTED ? "interrupted" : "stopped",
            p->walk.n - p->finished, p->walk.n);
}

static int
check_args(struct put *p, const struct opt_words *words)
{
    const struct put_args *a = &p->args;
    bool in = false;

    for (int i = 0; i < words->n; i++) {
        if (strcmp(words->v[i], "-") != 0)
            continue;
        if (in)
            return cli_usage("put", "standard input is named twice");
        in = true;
        if (!a->name)
            return cli_usage("put", "standard input needs a --name");
    }
    if (a->name && (words->n > 1 || strchr(a->name, '/')))
        return cli_usage("put", "--name is for a single file, and is a name "
                                "without a slash");
    if (a->content_type &&
        (strncasecmp(a->content_type, "multipart/", 10) == 0 ||
         !strchr(a->content_type, '/') || strpbrk(a->content_type, "\r\n")))
        return cli_usage("put", "--content-type must be like text/plain, and "
                                "not multipart");
    if (a->ttl_days && a->retention &&
        strcasecmp(a->retention, "permanent") == 0)
        return cli_usage("put", "--ttl-days is for temporary files");
    return CLI_OK;
}

/* The list of files. What cannot be read is a failure of its own; the rest is
 * sent all the same. */
static void
make_list(struct put *p, const struct opt_words *words)
{
    struct failure f;

    for (int i = 0; i < words->n; i++)
        if (walk_add(&p->walk, words->v[i], &f) != CLI_OK) {
            failure_print(stderr, "put", &f);
            p->exit = exit_merge(p->exit, f.exit);
        }
    if (p->args.name && p->walk.n > 1)
        p->exit =
            (enum cli_exit)cli_usage("put", "--name is for a single file");
}

static void
send_all(struct put *p)
{
    struct session s;
    enum cli_exit e = session_open(&s, &p->args.c, "put", true);

    if (e == CLI_OK) {
        p->plan.http = &s.http;
        p->args.parallel = u64_min(p->args.parallel, p->walk.n);
        progress_start(p->args.c.quiet, (unsigned)p->walk.n);
        run(p);
    } else {
        p->exit = e;
    }
    p->plan.http = NULL;
    session_close(&s);
}

int
cmd_put(int argc, char **argv)
{
    static struct put p; /* 32 jobs: large for a stack */
    struct opt_words words;
    json_t *metadata = NULL;
    int r;

    p = (struct put){
        .args = {.c = CLI_COMMON_DEFAULT, .parallel = 4, .retries = 5}};
    r = cli_parse("put", argc, argv, &p.args, 1, -1, &words);
    if (r != CLI_GO)
        return r;
    if ((r = check_args(&p, &words)) != CLI_OK ||
        (r = (int)parse_metadata(&p.args.metadata, &metadata)) != CLI_OK)
        return r;
    p.plan = (struct put_plan){.metadata = metadata,
                               .name = p.args.name,
                               .content_type = p.args.content_type,
                               .ttl_days = p.args.ttl_days,
                               .retries = p.args.retries};
    if (p.args.retention)
        p.plan.retention = strcasecmp(p.args.retention, "permanent") == 0
                               ? "PERMANENT"
                               : "TEMPORARY";
    make_list(&p, &words);
    if (p.exit != CLI_USAGE && p.walk.n > 0)
        send_all(&p);
    walk_release(&p.walk);
    json_decref(metadata);
    return (int)p.exit;
}
