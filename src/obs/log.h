/* log.h - structured log: one record, one line, one write.
 *
 *     log_warning(l, "lock renewal failed", F_ERR(e), F_CTX(&req->trace),
 *                 F_U64("epoch", epoch));
 *
 *     {"timestamp": "2026-11-21T09:46:00.123Z", "level": "WARNING", "logger":
 *      "lease", "message": "lock renewal failed", "service": ..., "epoch": 7}
 *
 * The message is a literal that says what happened, always the same; what
 * differs stands in fields. JSON has ", " and ": " between its parts, because
 * documented checks grep for them (ING-313). The text format is for people.
 *
 * Bounds. A line has at most 4 KiB: long strings are cut with "...", fields
 * that do not fit are left out and `"cut": true` says so. A place in the code
 * may say the same thing 10 times a minute at WARNING or ERROR (PRD-196) and
 * 600 times at INFO; the rest is counted and summed up in one line afterwards
 * (log_tick). A reader that is too slow loses lines, which are counted too;
 * see sink.h. Memory is fixed at birth.
 *
 * Secrets. Fields with a secret name print "***"; strings go through
 * redact_text(). Both are a net, not a licence. Client addresses are hashed
 * before they come here (PRD-194).
 *
 * Feeds: log_messages_total, errors_total{type=F_TYPE, severity}. Safe for any
 * thread; takes a lock and a write(2): not for once per request (access.h is).
 * A NULL log is silent. SPDX-License-Identifier: Apache-2.0 */
#ifndef OBS_LOG_H
#define OBS_LOG_H

#include "base/err.h"
#include "base/mono.h"
#include "base/slice.h"
#include "base/uuid.h"

struct log;
struct metrics;
struct sink;
struct trace;

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_CRITICAL,
};

enum log_format { LOG_JSON, LOG_TEXT };

struct log_conf {
    int fd; /* not owned */
    enum log_format format;
    enum log_level level;
    /* Copied; each may be NULL and is then left out. */
    const char *service;
    const char *version;
    const char *instance_id;
    struct metrics *metrics; /* may be NULL */
    /* The clock; NULL is CLOCK_REALTIME. A simulator gives its own. */
    struct wall (*now)(void *arg);
    void *now_arg;
};

/* NULL: no memory. */
struct log *log_open(const struct log_conf *conf);
/* Writes what is still to be summed up. Sets *L to NULL. */
void log_close(struct log **l);

void log_set_level(struct log *l, enum log_level level); /* SIGHUP */
/* "DEBUG" ... "CRITICAL" in either case; "json" or "text". */
bool log_level_parse(struct slice s, enum log_level *out);
bool log_format_parse(struct slice s, enum log_format *out);
const char *log_level_name(enum log_level level);

/* Once a second or so: sums up what was suppressed and says what was lost. */
void log_tick(struct log *l);

/* For access.h, which writes to the same place in the same form. */
struct sink *log_sink(struct log *l);
enum log_format log_format_of(const struct log *l);
/* `, "service": "x", "version": ...`, or the same for the text format. */
struct slice log_ident(const struct log *l);

/* A place in the code. */
struct log_site {
    const char *file; /* "lease.c": the logger is "lease" */
    enum log_level level;
    const char *message;
};

enum log_kind {
    LOG_F_END,
    LOG_F_STR,
    LOG_F_I64,
    LOG_F_U64,
    LOG_F_BOOL,
    LOG_F_MS,
    LOG_F_LIST,
    LOG_F_UUID,
    LOG_F_CTX,
    LOG_F_ERR,
    LOG_F_FAULT,
    LOG_F_TYPE,
};

struct log_field {
    enum log_kind kind;
    const char *key;
    union {
        struct slice s;
        int64_t i;
        uint64_t u;
        const void *p;
        struct {
            const struct slice *p;
            size_t n;
        } list;
    } v;
};

/* Keys are literals of [a-z0-9_]; values are only read during the call. */
#define F_STR(k, cstr) \
    ((struct log_field){LOG_F_STR, k, {.s = slice_str(cstr)}})
#define F_SLICE(k, sl) ((struct log_field){LOG_F_STR, k, {.s = (sl)}})
#define F_I64(k, x)    ((struct log_field){LOG_F_I64, k, {.i = (int64_t)(x)}})
#define F_U64(k, x)    ((struct log_field){LOG_F_U64, k, {.u = (uint64_t)(x)}})
#define F_BOOL(k, x)   ((struct log_field){LOG_F_BOOL, k, {.i = (x)}})
/* A struct dur as milliseconds with three decimals. */
#define F_MS(k, d) ((struct log_field){LOG_F_MS, k, {.i = (d).ns}})
/* ["se-01", "se-02"] */
#define F_LIST(k, arr, cnt) \
    ((struct log_field){LOG_F_LIST, k, {.list = {(arr), (cnt)}}})
#define F_UUID(k, ptr) ((struct log_field){LOG_F_UUID, k, {.p = (ptr)}})
/* request_id, trace_id and span_id of a struct trace; NULL gives nothing. */
#define F_CTX(tr) ((struct log_field){LOG_F_CTX, "", {.p = (tr)}})
/* "error": "not_found" of an enum err. */
#define F_ERR(e) ((struct log_field){LOG_F_ERR, "error", {.i = (e)}})
/* "error" and "detail" of a struct fault; NULL gives nothing. Not beside F_ERR,
 * which has the same key. */
#define F_FAULT(f) ((struct log_field){LOG_F_FAULT, "error", {.p = (f)}})
/* The `type` of errors_total (PRD-087), "internal" when it is missing. */
#define F_TYPE(t) \
    ((struct log_field){LOG_F_TYPE, "error_type", {.s = slice_str(t)}})
#define F_END ((struct log_field){LOG_F_END, NULL, {.u = 0}})

bool log_on(const struct log *l, enum log_level level);
/* FIELD ends with F_END. The site's address is the place. */
void log_write(struct log *l, const struct log_site *site,
               const struct log_field *field);

#define LOG(l, lv, text, ...)                                                  \
    do {                                                                       \
        static const struct log_site log_site_ = {__FILE_NAME__, (lv),         \
                                                  "" text ""};                 \
        if (log_on((l), (lv)))                                                 \
            log_write(                                                         \
                (l), &log_site_,                                               \
                (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ) F_END}); \
    } while (0)

#define log_debug(l, ...)    LOG(l, LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(l, ...)     LOG(l, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(l, ...)  LOG(l, LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(l, ...)    LOG(l, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_critical(l, ...) LOG(l, LOG_LEVEL_CRITICAL, __VA_ARGS__)

#endif
