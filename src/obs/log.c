/* log.c - see log.h.
 *
 * A record is put together on the stack and handed to the sink in one piece.
 * The places that have spoken lately stand in a small table by address; where
 * the table is full the newcomers share one row, so that it cannot grow. Rows
 * that have been silent for a window are given to others.
 * SPDX-License-Identifier: Apache-2.0 */
#include "obs/log.h"
#include "obs/line.h"
#include "obs/metric.h"
#include "obs/redact.h"
#include "obs/sink.h"
#include "obs/trace.h"
#include <stdlib.h>
#include <time.h>

#define WINDOW_MS  60000
#define SITES      ((size_t)256)
#define STRING_MAX ((size_t)1024) /* of one value */
#define TAIL_ROOM  ((size_t)16)   /* `, "cut": true}\n` */

struct place {
    const struct log_site *site; /* NULL: free */
    int64_t since_ms;            /* begin of the window */
    uint32_t said;
    uint32_t held; /* kept back in this window */
};

struct log {
    struct log_conf conf;
    _Atomic int level;
    struct sink sink;
    pthread_mutex_t lock;          /* for the places */
    struct place place[SITES + 1]; /* the last one: all that found no room */
    _Atomic uint64_t told;         /* dropped lines that were spoken of */
    size_t ident_n;
    char ident[320];
    struct series lines[LOG_LEVEL_CRITICAL + 1];
};

static const char *const level_name[] = {"DEBUG", "INFO", "WARNING", "ERROR",
                                         "CRITICAL"};

const char *
log_level_name(enum log_level level)
{
    assert((unsigned)level < countof(level_name));
    return level_name[level];
}

bool
log_level_parse(struct slice s, enum log_level *out)
{
    for (unsigned i = 0; i < countof(level_name); i++)
        if (slice_eq_nocase(s, slice_str(level_name[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

bool
log_format_parse(struct slice s, enum log_format *out)
{
    bool json = slice_eq_nocase(s, SLICE("json"));

    *out = json ? LOG_JSON : LOG_TEXT;
    return json || slice_eq_nocase(s, SLICE("text"));
}

static struct wall
clock_real(void *arg)
{
    struct timespec ts;

    (void)arg;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (struct wall){(int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000};
}

/* -------------------------------------------------------------- fields -- */

static void
key_put(struct line *l, enum log_format f, const char *key)
{
    line_str(l, f == LOG_JSON ? ", \"" : " ");
    line_str(l, key);
    line_str(l, f == LOG_JSON ? "\": " : "=");
}

static void
string_put(struct line *l, enum log_format f, const char *key, struct slice s)
{
    char clean[STRING_MAX + 64];

    if (redact_is_secret_name(slice_str(key)))
        s = SLICE(REDACTED);
    else
        s = redact_text(slice_head(s, STRING_MAX + 1), clean, sizeof(clean));
    key_put(l, f, key);
    if (f == LOG_JSON)
        line_json(l, s, STRING_MAX);
    else
        line_word(l, s, STRING_MAX);
}

static void
list_put(struct line *l, enum log_format f, const struct log_field *fd)
{
    key_put(l, f, fd->key);
    line_char(l, '[');
    for (size_t i = 0; i < fd->v.list.n; i++) {
        if (i)
            line_str(l, f == LOG_JSON ? ", " : ",");
        line_json(l, fd->v.list.p[i], STRING_MAX);
    }
    line_char(l, ']');
}

static void
hex_put(struct line *l, enum log_format f, const char *key, const uint8_t *id,
        size_t n)
{
    uint8_t any = 0;

    for (size_t i = 0; i < n; i++)
        any |= id[i];
    if (!any)
        return;
    key_put(l, f, key);
    line_str(l, f == LOG_JSON ? "\"" : "");
    line_hex(l, id, n);
    line_str(l, f == LOG_JSON ? "\"" : "");
}

static void
ctx_put(struct line *l, enum log_format f, const struct trace *t)
{
    if (!t)
        return;
    if (t->request_id[0])
        string_put(l, f, "request_id", slice_str(t->request_id));
    hex_put(l, f, "trace_id", t->trace_id, sizeof(t->trace_id));
    hex_put(l, f, "span_id", t->span_id, sizeof(t->span_id));
}

static void
fault_put(struct line *l, enum log_format f, const struct fault *ft)
{
    char text[FAULT_TEXT];

    if (!ft)
        return;
    string_put(l, f, "error", slice_str(err_name(ft->code)));
    string_put(l, f, "detail", slice_str(fault_text(ft, text, sizeof(text))));
}

static void
uuid_put(struct line *l, enum log_format f, const struct log_field *fd)
{
    char text[UUID_TEXT];

    string_put(l, f, fd->key, slice_str(uuid_text(fd->v.p, text)));
}

static void
field_put(struct line *l, enum log_format f, const struct log_field *fd)
{
    switch (fd->kind) {
    case LOG_F_END:
        break;
    case LOG_F_STR:
    case LOG_F_TYPE:
        string_put(l, f, fd->key, fd->v.s);
        break;
    case LOG_F_I64:
        key_put(l, f, fd->key);
        line_i64(l, fd->v.i);
        break;
    case LOG_F_U64:
        key_put(l, f, fd->key);
        line_u64(l, fd->v.u);
        break;
    case LOG_F_BOOL:
        key_put(l, f, fd->key);
        line_str(l, fd->v.i ? "true" : "false");
        break;
    case LOG_F_MS:
        key_put(l, f, fd->key);
        line_fixed(l, fd->v.i / 1000, 3);
        break;
    case LOG_F_LIST:
        list_put(l, f, fd);
        break;
    case LOG_F_UUID:
        uuid_put(l, f, fd);
        break;
    case LOG_F_CTX:
        ctx_put(l, f, fd->v.p);
        break;
    case LOG_F_ERR:
        string_put(l, f, "error", slice_str(err_name((enum err)fd->v.i)));
        break;
    case LOG_F_FAULT:
        fault_put(l, f, fd->v.p);
        break;
    }
}

/* -------------------------------------------------------------- record -- */

/* "lease.c" -> lease */
static struct slice
logger_of(const struct log_site *site)
{
    struct slice name = slice_str(site->file);

    return slice_head(name, slice_find(name, '.'));
}

static void
head_put(struct line *l, struct log *lg, const struct log_site *site,
         struct wall now)
{
    const char *level = level_name[site->level];

    if (lg->conf.format == LOG_JSON) {
        line_str(l, "{\"timestamp\": \"");
        line_time(l, now);
        line_str(l, "\", \"level\": \"");
        line_str(l, level);
        line_str(l, "\", \"logger\": ");
        line_json(l, logger_of(site), 32);
        line_str(l, ", \"message\": ");
        line_json(l, slice_str(site->message), 512);
    } else {
        line_time(l, now);
        line_char(l, ' ');
        line_str(l, level);
        line_add(l, "         ", 9 - strlen(level));
        line_add(l, logger_of(site).p, size_min(32, logger_of(site).n));
        line_str(l, ": ");
        line_add(l, site->message, size_min(512, strlen(site->message)));
    }
    line_add(l, lg->ident, lg->ident_n);
}

static void
emit(struct log *lg, const struct log_site *site, const struct log_field *field,
     struct wall now)
{
    enum log_format f = lg->conf.format;
    char text[SINK_LINE_MAX];
    struct line l;
    bool cut = false;

    line_init(&l, text, sizeof(text) - TAIL_ROOM);
    head_put(&l, lg, site, now);
    for (; field->kind != LOG_F_END; field++) {
        size_t before = l.n;

        field_put(&l, f, field);
        if (l.cut) {
            line_back(&l, before); /* a later, shorter one may fit */
            cut = true;
        }
    }
    l.cap = sizeof(text);
    if (cut)
        line_str(&l, f == LOG_JSON ? ", \"cut\": true" : " cut=true");
    line_str(&l, f == LOG_JSON ? "}\n" : "\n");
    assert(!l.cut);
    metric_inc(lg->conf.metrics, lg->lines[site->level]);
    /* The last words of a process are worth a wait. */
    sink_write(&lg->sink, line_slice(&l),
               site->level == LOG_LEVEL_CRITICAL ? 100 : 0);
}

/* -------------------------------------------------------------- places -- */

static uint32_t
allowance(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_INFO:
        return 600;
    case LOG_LEVEL_WARNING:
    case LOG_LEVEL_ERROR:
        return 10; /* PRD-196 */
    default:
        return UINT32_MAX; /* asked for, or the last words */
    }
}

static struct place *
place_of(struct log *lg, const struct log_site *site, int64_t now_ms)
{
    size_t at = ((uintptr_t)site >> 4) * 0x9e3779b1u % SITES;

    struct place *spare = NULL;

    /* Rows are never emptied, only handed on, so the search ends at a free
     * one; eight steps are far enough for a table that is a quarter full. */
    for (size_t i = 0; i < 8; i++) {
        struct place *p = &lg->place[(at + i) % SITES];

        if (p->site == site)
            return p;
        if (!spare &&
            (!p->site || (now_ms - p->since_ms >= WINDOW_MS && !p->held)))
            spare = p;
        if (!p->site)
            break;
    }
    if (!spare)
        return &lg->place[SITES];
    *spare = (struct place){.site = site, .since_ms = now_ms};
    return spare;
}

/* A copy of what a place held back in a window that has ended, and a new
 * window. */
static bool
place_renew(struct place *p, int64_t now_ms, struct place *ended)
{
    /* A clock that was set back must not silence a place for hours. */
    if (now_ms >= p->since_ms && now_ms - p->since_ms < WINDOW_MS)
        return false;
    *ended = *p;
    p->since_ms = now_ms;
    p->said = p->held = 0;
    return ended->held > 0 && ended->site;
}

static void
sum_up(struct log *lg, const struct place *ended, struct wall now)
{
    static const char text[] = "message repeated";
    struct log_site site = {ended->site->file, ended->site->level, text};
    const struct log_field field[] = {
        F_STR("repeated", ended->site->message),
        F_U64("times", ended->held),
        F_I64("since_seconds", (now.ms - ended->since_ms) / 1000),
        F_END,
    };

    emit(lg, &site, field, now);
}

static bool
may_speak(struct log *lg, const struct log_site *site, struct wall now)
{
    static const struct log_site elsewhere = {
        "log.c", LOG_LEVEL_WARNING, "places that are not in the table"};
    struct place *p, ended;
    bool may, summary;

    pthread_mutex_lock(&lg->lock);
    p = place_of(lg, site, now.ms);
    summary = place_renew(p, now.ms, &ended);
    if (!p->site)
        p->site = &elsewhere;
    may = p->said < allowance(site->level);
    if (may)
        p->said++;
    else
        p->held++;
    pthread_mutex_unlock(&lg->lock);
    if (summary)
        sum_up(lg, &ended, now);
    if (!may)
        metric_inc(lg->conf.metrics,
                   metric_plain(lg->conf.metrics, M_LOG_SUPPRESSED));
    return may;
}

/* -------------------------------------------------------------- public -- */

/* PRD-195: what was handled is counted also when the line is kept back. */
static void
error_count(struct log *lg, enum log_level level, const struct log_field *f)
{
    static const char *const severity[] = {NULL, NULL, "warning", "error",
                                           "critical"};
    struct slice type = SLICE("internal");
    struct slice value[2];

    if (!severity[level] || !lg->conf.metrics)
        return;
    for (; f->kind != LOG_F_END; f++)
        if (f->kind == LOG_F_TYPE)
            type = f->v.s;
    value[0] = type;
    value[1] = slice_str(severity[level]);
    metric_inc(lg->conf.metrics,
               metric_series_of(lg->conf.metrics, M_ERRORS, value, 2));
}

bool
log_on(const struct log *l, enum log_level level)
{
    return l &&
           (int)level >= atomic_load_explicit(&l->level, memory_order_relaxed);
}

void
log_write(struct log *l, const struct log_site *site,
          const struct log_field *field)
{
    struct wall now;

    if (!log_on(l, site->level))
        return;
    now = l->conf.now(l->conf.now_arg);
    error_count(l, site->level, field);
    if (may_speak(l, site, now))
        emit(l, site, field, now);
}

static void
say_dropped(struct log *l, struct wall now)
{
    static const struct log_site site = {
        "log.c", LOG_LEVEL_WARNING, "log lines lost, the reader is too slow"};
    uint64_t dropped = atomic_load(&l->sink.dropped);
    uint64_t told = atomic_load(&l->told);
    const struct log_field field[] = {F_U64("lines", dropped - told), F_END};

    if (dropped == told ||
        !atomic_compare_exchange_strong(&l->told, &told, dropped))
        return;
    metric_add(l->conf.metrics, metric_plain(l->conf.metrics, M_LOG_DROPPED),
               dropped - told);
    emit(l, &site, field, now);
    /* If this line was lost as well, that alone is no news. */
    if (atomic_load(&l->sink.dropped) == dropped + 1)
        atomic_fetch_add(&l->told, 1);
}

void
log_tick(struct log *l)
{
    struct wall now;

    if (!l)
        return;
    now = l->conf.now(l->conf.now_arg);
    for (size_t i = 0; i <= SITES; i++) {
        struct place ended;
        bool summary;

        pthread_mutex_lock(&l->lock);
        summary = l->place[i].held && place_renew(&l->place[i], now.ms, &ended);
        pthread_mutex_unlock(&l->lock);
        if (summary)
            sum_up(l, &ended, now);
    }
    say_dropped(l, now);
}

void
log_set_level(struct log *l, enum log_level level)
{
    if (l)
        atomic_store_explicit(&l->level, (int)level, memory_order_relaxed);
}

struct sink *
log_sink(struct log *l)
{
    return &l->sink;
}

enum log_format
log_format_of(const struct log *l)
{
    return l->conf.format;
}

struct slice
log_ident(const struct log *l)
{
    return slice_of(l->ident, l->ident_n);
}

static void
ident_make(struct log *l, const struct log_conf *conf)
{
    const char *const key[] = {"service", "version", "instance_id"};
    const char *const value[] = {conf->service, conf->version,
                                 conf->instance_id};
    struct line line;

    /* A person at a terminal knows what he started. */
    if (conf->format == LOG_TEXT)
        return;
    line_init(&line, l->ident, sizeof(l->ident));
    for (size_t i = 0; i < countof(key); i++) {
        size_t before = line.n;

        if (!value[i])
            continue;
        key_put(&line, conf->format, key[i]);
        line_json(&line, slice_str(value[i]), 64);
        if (line.cut)
            line_back(&line, before);
    }
    l->ident_n = line.n;
}

struct log *
log_open(const struct log_conf *conf)
{
    struct log *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->conf = *conf;
    if (!l->conf.now)
        l->conf.now = clock_real;
    l->conf.service = l->conf.version = l->conf.instance_id = NULL;
    ident_make(l, conf);
    atomic_init(&l->level, (int)conf->level);
    sink_init(&l->sink, conf->fd);
    pthread_mutex_init(&l->lock, NULL);
    for (unsigned i = 0; i < countof(l->lines); i++)
        l->lines[i] = metric_nth(conf->metrics, M_LOG_MESSAGES, i);
    return l;
}

void
log_close(struct log **l)
{
    struct log *x = *l;
    struct wall now;

    *l = NULL;
    if (!x)
        return;
    now = x->conf.now(x->conf.now_arg);
    for (size_t i = 0; i <= SITES; i++)
        if (x->place[i].held && x->place[i].site)
            sum_up(x, &x->place[i], now);
    say_dropped(x, now);
    sink_release(&x->sink);
    pthread_mutex_destroy(&x->lock);
    free(x);
}
