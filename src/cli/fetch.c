/* fetch.c - see fetch.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/fetch.h"
#include "base/hex.h"
#include "cli/clock.h"
#include "cli/name.h"
#include "cli/progress.h"
#include <errno.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#define READ_STEP  ((size_t)256 * 1024)
#define WAIT_MAX_S 60

static void
make_path(const struct fetch *f, const char *tail, char out[80])
{
    snprintf(out, 80, "/api/files/%s%s", f->id, tail);
}

/* From the JSON of the file, where the head did not say. */
static enum cli_exit
ask_metadata(struct fetch *f, struct failure *why)
{
    const char *sha, *name;
    char path[80];
    json_t *o;

    make_path(f, "/metadata", path);
    o = http_get_json(f->http, path, why);
    if (!o)
        return why->exit;
    sha = member_text(o, "sha256_hash");
    name = member_text(o, "original_filename");
    if (!f->has_digest && sha)
        f->has_digest = hex_decode(slice_str(sha), f->digest, SUM_BYTES);
    if (!f->name[0] && name)
        slice_copy(slice_str(name), f->name, sizeof(f->name));
    if (f->total == RESUME_UNKNOWN && json_object_get(o, "size_bytes"))
        f->total = member_u64(o, "size_bytes", NULL);
    json_decref(o);
    return CLI_OK;
}

/* An answer to HEAD has no body that could say why there is no file: the first
 * byte of it is asked for, too. CLI_OK: by now there is one. */
static enum cli_exit
ask_why(struct fetch *f, struct failure *why)
{
    char path[80];
    struct http_req r = {.method = "GET", .path = path, .range = "bytes=0-0"};
    enum cli_exit e;

    make_path(f, "", path);
    e = http_call(f->http, &r, why);
    http_finish(&r);
    return e != CLI_OK && why->status == 416 ? CLI_OK : e; /* it is empty */
}

enum cli_exit
fetch_head(struct fetch *f, struct failure *why)
{
    char path[80];
    struct http_req r = {.method = "HEAD", .path = path};
    const char *value;
    enum cli_exit e;

    make_path(f, "", path);
    f->total = RESUME_UNKNOWN;
    e = http_call(f->http, &r, why);
    if (e == CLI_OK) {
        f->total = http_length(&r);
        value = http_header(&r, "ETag");
        if (value)
            slice_copy(slice_str(value), f->etag, sizeof(f->etag));
        value = http_header(&r, "Repr-Digest");
        f->has_digest = value && repr_digest(slice_str(value), f->digest);
        value = http_header(&r, "Content-Disposition");
        if (value)
            name_from_disposition(slice_str(value), f->name, sizeof(f->name));
    }
    http_finish(&r);
    if (e != CLI_OK && (why->status == 0 || (e = ask_why(f, why)) != CLI_OK))
        return e;
    if (f->has_digest && f->name[0] && f->total != RESUME_UNKNOWN)
        return CLI_OK;
    return ask_metadata(f, why);
}

bool
fetch_restart(struct fetch *f)
{
    if (f->have == 0)
        return true;
    if (!f->is_file || ftruncate(f->fd, 0) != 0 ||
        lseek(f->fd, 0, SEEK_SET) != 0)
        return false;
    sum_restart(&f->sum);
    f->have = f->resumed_from = 0;
    return true;
}

enum cli_exit
fetch_take_part(struct fetch *f, struct failure *why)
{
    static char step[READ_STEP];
    ssize_t n;

    while ((n = read(f->fd, step, sizeof(step))) > 0) {
        sum_add(&f->sum, step, (size_t)n);
        f->have += (uint64_t)n;
    }
    if (n == -1)
        return failure_set(why, CLI_FAILED, "read", "the part: %s",
                           strerror(errno));
    f->resumed_from = f->have;
    return CLI_OK;
}

static bool
write_all(struct fetch *f, const char *p, size_t n)
{
    while (n) {
        ssize_t k = write(f->fd, p, n);

        if (k == -1 && errno == EINTR && !interrupted())
            continue;
        if (k <= 0) {
            f->write_errno = k == -1 ? errno : EIO;
            return false;
        }
        sum_add(&f->sum, p, (size_t)k);
        f->have += (uint64_t)k;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

/* The head of an answer: where do its bytes belong? */
static bool
accept_head(struct fetch *f)
{
    f->judged = true;
    f->answer =
        resume_judge(f->req->status, http_header(f->req, "Content-Range"),
                     f->have, f->total);
    if (f->answer == RESUME_RESTART && !fetch_restart(f))
        f->answer = RESUME_WRONG;
    return f->answer == RESUME_GO_ON || f->answer == RESUME_RESTART;
}

static bool
on_body(void *owner, const void *p, size_t n)
{
    struct fetch *f = owner;

    if (!f->judged && !accept_head(f))
        return false;
    if (f->total != RESUME_UNKNOWN && n > f->total - f->have) {
        f->answer = RESUME_WRONG;
        return false;
    }
    return write_all(f, p, n);
}

/* Why a try ended, when it was this side that ended it. */
static enum cli_exit
called_off(const struct fetch *f, struct failure *why)
{
    if (f->write_errno)
        return failure_set(why,
                           f->write_errno == ENOSPC || f->write_errno == EDQUOT
                               ? CLI_NOSPACE
                               : CLI_FAILED,
                           "write", "writing: %s", strerror(f->write_errno));
    return failure_set(why, CLI_FAILED, "answer",
                       "the server's answer does not fit what was asked for "
                       "(bytes from %" PRIu64 " of %" PRIu64 ")",
                       f->have, f->total);
}

/* One request. CLI_OK: its answer came to its end. */
static enum cli_exit
try_once(struct fetch *f, enum resume_ask ask, int *wait, struct failure *why)
{
    char path[80], range[40];
    struct http_req r = {
        .method = "GET", .path = path, .sink = on_body, .owner = f};
    const char *later;
    uint64_t seconds;
    enum cli_exit e;

    make_path(f, "", path);
    if (ask == RESUME_REST) {
        snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", f->have);
        r.range = range;
        r.if_range = f->etag;
    }
    f->req = &r;
    f->judged = false;
    e = http_call(f->http, &r, why);
    later = http_header(&r, "Retry-After");
    if (e != CLI_OK && later && slice_u64(slice_str(later), &seconds))
        *wait = (int)u64_min(seconds, WAIT_MAX_S);
    if (r.called_off)
        e = called_off(f, why);
    else if (e == CLI_OK && !f->judged && !accept_head(f)) /* no body at all */
        e = called_off(f, why);
    f->req = NULL;
    http_finish(&r);
    return e;
}

/* A pause that ^C ends. */
static bool
pause_for(int seconds)
{
    const struct mono until = mono_add(mono_now(), dur_s(seconds));

    while (!mono_reached(mono_now(), until)) {
        if (interrupted())
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    return true;
}

static bool
worth_again(const struct fetch *f, const struct failure *why)
{
    if (why->status == 503 || why->status == 429 || why->status == 416)
        return true;
    return why->status == 0 && why->exit == CLI_CONNECT && f->http->reached;
}

enum cli_exit
fetch_body(struct fetch *f, struct failure *why)
{
    uint64_t tries = 0, before = f->have;

    for (;;) {
        enum resume_ask ask = resume_ask(f->have, f->total, f->etag);
        int wait = tries ? 1 << size_min(tries - 1, 4) : 0;
        enum cli_exit e = CLI_OK;

        if (ask == RESUME_DONE)
            return CLI_OK;
        if (ask == RESUME_ALL && !fetch_restart(f))
            return failure_set(why, CLI_CONNECT, "lost",
                               "the connection broke and the output cannot be "
                               "taken back");
        e = try_once(f, ask, &wait, why);
        if (e == CLI_OK && (f->total == RESUME_UNKNOWN || f->have >= f->total))
            return CLI_OK;
        if (e == CLI_OK) /* it ended early, and nobody noticed */
            failure_set(why, CLI_CONNECT, "short", "the answer was too short");
        if (why->status == 416 && !fetch_restart(f))
            return e;
        if (f->have > before)
            tries = 0;
        before = f->have;
        if (!worth_again(f, why) || tries++ >= f->retries)
            return why->exit;
        say("%s at %" PRIu64 " bytes; going on", why->message, f->have);
        if (!pause_for(wait))
            return failure_set(why, CLI_INTERRUPTED, "interrupted",
                               "interrupted");
    }
}

enum cli_exit
fetch_verify(const struct fetch *f, struct failure *why)
{
    char ours[SUM_TEXT], theirs[SUM_TEXT];
    uint8_t sum[SUM_BYTES];

    sum_get(&f->sum, sum);
    hex_encode(sum, SUM_BYTES, ours);
    hex_encode(f->digest, SUM_BYTES, theirs);
    if (f->total != RESUME_UNKNOWN && f->have != f->total)
        return failure_set(why, CLI_MISMATCH, "mismatch",
                           "%" PRIu64 " bytes came of %" PRIu64, f->have,
                           f->total);
    if (f->has_digest && memcmp(sum, f->digest, SUM_BYTES) != 0)
        return failure_set(why, CLI_MISMATCH, "mismatch",
                           "the bytes that came have SHA-256 %s, the server "
                           "promised %s",
                           ours, theirs);
    return CLI_OK;
}
