/* put_job.c - see put_job.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/put_job.h"
#include "cli/clock.h"
#include "cli/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MAX_S 60
#define HEAD_MAX   ((size_t)MIB)

/* Its end is not known. */
static bool
is_endless(const struct put_job *j)
{
    return j->file->stream && j->size == HTTP_UNKNOWN;
}

static bool
has_bytes(const struct put_job *j)
{
    struct pollfd ready = {.fd = j->fd, .events = POLLIN};

    return poll(&ready, 1, 0) != 0;
}

bool
put_job_ready(struct put_job *j)
{
    while (j->file->stream && !j->head_read) {
        ssize_t got;

        if (!has_bytes(j))
            return false;
        got = read(j->fd, j->head + j->head_n, HEAD_MAX - j->head_n);
        if (got == 0) /* that is all */
            j->source.size = j->size = j->head_n;
        else if (got > 0)
            j->head_n += (size_t)got;
        /* An error is met again by job_read(). */
        j->head_read = got <= 0 || j->head_n == HEAD_MAX;
    }
    return true;
}

static size_t
head_take(struct put_job *j, void *p, size_t n)
{
    n = size_min(n, j->head_n - j->head_at);
    memcpy(p, j->head + j->head_at, n);
    j->head_at += n;
    sum_add(&j->sum, p, n);
    return n;
}

static size_t
job_read(void *owner, void *p, size_t n)
{
    struct put_job *j = owner;
    ssize_t got;

    if (j->head_at < j->head_n)
        return head_take(j, p, n);
    if (is_endless(j) && !has_bytes(j)) {
        j->stalled = true;
        return HTTP_NOT_NOW;
    }
    if (j->size != HTTP_UNKNOWN) /* no more than we promised */
        n = (size_t)u64_min(n, j->size - j->sum.bytes);
    do
        got = n ? read(j->fd, p, n) : 0;
    while (got == -1 && errno == EINTR && !interrupted());
    if (got == -1) {
        j->read_errno = errno;
        return HTTP_STOP;
    }
    if (got == 0 && j->size != HTTP_UNKNOWN && j->sum.bytes < j->size)
        return HTTP_STOP; /* the file has become shorter */
    sum_add(&j->sum, p, (size_t)got);
    return (size_t)got;
}

static bool
job_rewind(void *owner)
{
    struct put_job *j = owner;

    if (is_endless(j) || (!j->file->stream && lseek(j->fd, 0, SEEK_SET) != 0))
        return false;
    j->head_at = 0;
    sum_restart(&j->sum);
    return true;
}

static int64_t
mtime_ns(const struct stat *st)
{
    return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

static enum cli_exit
open_file(struct put_job *j, struct failure *f)
{
    const char *path = j->file->path;
    struct stat st;

    j->size = HTTP_UNKNOWN;
    if (j->file->stream && !(j->head = malloc(HEAD_MAX)))
        return failure_set(f, CLI_FAILED, "client", "no memory");
    if (strcmp(path, "-") == 0) {
        j->fd = STDIN_FILENO;
        return CLI_OK;
    }
    /* What was a file in a folder may be a link by now: not followed. */
    j->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY |
                           (j->file->relative ? O_NOFOLLOW : 0));
    if (j->fd == -1 || fstat(j->fd, &st) == -1)
        return failure_set(f, CLI_FAILED, "read", "%s", strerror(errno));
    if (j->file->stream)
        return CLI_OK;
    if (!S_ISREG(st.st_mode))
        return failure_set(f, CLI_FAILED, "read", "not a file any more");
    j->size = (uint64_t)st.st_size;
    j->mtime_ns = mtime_ns(&st);
    (void)posix_fadvise(j->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return CLI_OK;
}

/* The metadata of the command, and where in the folder the file was. */
static bool
add_metadata(struct put_job *j)
{
    const char *relative = j->file->relative;
    json_t *o = j->plan->metadata ? json_deep_copy(j->plan->metadata) : NULL;
    char *text = NULL;

    if (relative) {
        json_t *path = json_string(relative); /* NULL: not UTF-8 */

        if (!o)
            o = json_object();
        if (!json_object_get(o, "path") && json_object_set(o, "path", path))
            say("%s: the path is not UTF-8: it is not kept in the metadata",
                j->file->path);
        json_decref(path);
    }
    if (o && json_object_size(o)) {
        text = json_dumps(o, JSON_COMPACT);
        query_add(&j->path, "metadata", text);
    }
    json_decref(o);
    free(text);
    return !j->path.failed;
}

static enum cli_exit
make_path(struct put_job *j, struct failure *f)
{
    char number[24];

    buf_init(&j->path, 60 * KIB);
    buf_add_str(&j->path, "/api/files/upload");
    query_add(&j->path, "filename", j->name);
    query_add(&j->path, "retention_policy", j->plan->retention);
    if (j->plan->ttl_days) {
        snprintf(number, sizeof(number), "%" PRIu64, j->plan->ttl_days);
        query_add(&j->path, "ttl_days", number);
    }
    if (!add_metadata(j))
        return failure_set(f, CLI_USAGE, "too_long",
                           "too much metadata for one request");
    return CLI_OK;
}

enum cli_exit
put_job_begin(struct put_job *j, const struct put_plan *plan,
              const struct walk_file *file, struct failure *f)
{
    enum cli_exit e;

    *j = (struct put_job){.plan = plan, .file = file, .fd = -1};
    j->state = PUT_WAITING;
    j->name = plan->name ? plan->name : walk_name(file->path);
    if (!sum_open(&j->sum))
        return failure_set(f, CLI_FAILED, "client", "no memory");
    if ((e = open_file(j, f)) != CLI_OK || (e = make_path(j, f)) != CLI_OK)
        return e;
    j->source = (struct http_source){
        .read = job_read, .rewind = job_rewind, .owner = j, .size = j->size};
    return CLI_OK;
}

enum cli_exit
put_job_send(struct put_job *j, struct failure *f)
{
    enum cli_exit e;

    assert(j->state == PUT_WAITING);
    if ((e = http_authorize(j->plan->http, f)) != CLI_OK)
        return e;
    j->req = (struct http_req){
        .method = "POST",
        .path = buf_str(&j->path),
        .content_type =
            j->plan->content_type ? j->plan->content_type : walk_type(j->name),
        .source = &j->source,
        .patient = is_endless(j),
    };
    j->stalled = false;
    j->tries++;
    if (!http_start(j->plan->http, &j->req, f))
        return f->exit;
    j->state = PUT_SENDING;
    return CLI_OK;
}

bool
put_in_vain(const struct failure *f, const char *retry_after)
{
    return f->status == 503 && !retry_after &&
           strcmp(f->code, "no_available_storage") == 0;
}

int
put_again_after(const struct failure *f, bool rewindable, bool sent_all,
                bool reached, unsigned tries, uint64_t retries,
                const char *retry_after)
{
    /* At once, then after 1, 2, 4 ... seconds. */
    uint64_t wait = tries > 1 ? UINT64_C(1) << size_min(tries - 2, 5) : 0;

    if (!rewindable || tries > retries || put_in_vain(f, retry_after))
        return -1;
    if (f->status == 0) {
        /* A server that was never reached is a wrong address: say so at once.
         * One that was is being started again, perhaps. */
        if (f->exit != CLI_CONNECT || sent_all || !reached)
            return -1;
    } else if (f->status != 503 && f->status != 429) {
        return -1;
    } else {
        if (retry_after)
            (void)slice_u64(slice_str(retry_after), &wait);
        wait = u64_max(wait, 1); /* it has said that it is busy */
    }
    return (int)u64_min(wait, WAIT_MAX_S);
}

/* Does the server have the bytes that were sent? */
static enum cli_exit
verify(struct put_job *j, const json_t *o, struct failure *f)
{
    const char *id = json_string_value(json_object_get(o, "file_id"));
    const char *theirs = json_string_value(json_object_get(o, "sha256_hash"));
    const json_int_t size =
        json_integer_value(json_object_get(o, "size_bytes"));
    char ours[SUM_TEXT];

    if (!id || !theirs)
        return failure_set(f, CLI_FAILED, "answer",
                           "the server's answer lacks file_id or sha256_hash");
    sum_text(&j->sum, ours);
    if (strcmp(theirs, ours) == 0 && size == (json_int_t)j->sum.bytes)
        return CLI_OK;
    failure_set(f, CLI_MISMATCH, "mismatch",
                "what was stored as %s is not what was sent: %" PRIu64
                " bytes with SHA-256 %s, there %lld bytes with %s",
                id, j->sum.bytes, ours, (long long)size, theirs);
    failure_remedy(f, "`artstore rm %s`, and put the file again", id);
    return f->exit;
}

static void
warn_if_changed(const struct put_job *j)
{
    struct stat st;

    if (j->file->stream || fstat(j->fd, &st) == -1)
        return;
    if ((uint64_t)st.st_size != j->size || mtime_ns(&st) != j->mtime_ns)
        say("%s: changed while it was sent; stored as it was read",
            j->file->path);
}

/* The server makes names harmless. */
static void
warn_if_renamed(const struct put_job *j, const json_t *stored)
{
    const char *name =
        json_string_value(json_object_get(stored, "original_filename"));

    if (name && strcmp(name, j->name) != 0)
        say("%s: stored under the name %s", j->file->path, name);
}

/* Why the exchange failed, in the words of this side where it was this side. */
static enum cli_exit
judge(struct put_job *j, struct failure *f)
{
    enum cli_exit e = http_judge(&j->req, f);

    if (j->req.called_off) {
        e = failure_set(f, CLI_FAILED, "read", "%s",
                        j->read_errno ? strerror(j->read_errno)
                                      : "became shorter while it was sent");
    } else if (e == CLI_CONNECT && j->req.sent_all) {
        failure_remedy(f,
                       "the whole file had been sent, so it may be stored: "
                       "`artstore ls --name '%s' --since 1h` tells",
                       j->name);
    } else if (f->status == 507 && is_endless(j)) {
        failure_remedy(f, "a stream does not tell its length, so room for 64 "
                          "MiB is asked for; a file tells it: put one, or see "
                          "what `artstore se why SIZE` says");
    }
    return e;
}

enum cli_exit
put_job_end(struct put_job *j, json_t **stored, struct failure *f)
{
    struct http *h = j->plan->http;
    enum cli_exit e = judge(j, f);
    const char *later;
    int wait;

    assert(j->state == PUT_SENDING && j->req.done);
    *stored = NULL;
    j->state = PUT_IDLE;
    if (e == CLI_OK) {
        *stored = json_loadb(buf_str(&j->req.reply), j->req.reply.n, 0, NULL);
        e = verify(j, *stored, f);
        warn_if_changed(j);
        warn_if_renamed(j, *stored);
        return e;
    }
    later = http_header(&j->req, "Retry-After");
    if (put_in_vain(f, later))
        failure_remedy(f, "`artstore se ls` shows the modes that there are; "
                          "`artstore storage init` makes another element");
    wait = put_again_after(f, !is_endless(j), j->req.sent_all, h->reached,
                           j->tries, j->plan->retries, later);
    if (f->status == 401 && h->token_fetched && !j->renewed && !is_endless(j)) {
        j->renewed = true;
        h->token_until = (struct mono){0};
        wait = 0;
    }
    if (wait >= 0 && !j->req.called_off && job_rewind(j)) {
        j->state = PUT_WAITING;
        j->not_before = mono_add(mono_now(), dur_s(wait));
    }
    http_finish(&j->req);
    return e;
}

void
put_job_release(struct put_job *j)
{
    http_finish(&j->req);
    if (j->fd > STDIN_FILENO)
        close(j->fd);
    j->fd = -1;
    sum_close(&j->sum);
    buf_release(&j->path);
    free(j->head);
    j->head = NULL;
    j->state = PUT_IDLE;
}
