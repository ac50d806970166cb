/* admin_link.c - see admin_link.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/admin_link.h"
#include "obs/log.h"
#include "sec/keydoc.h"
#include "wire/form.h"
#include "wire/json.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS_EVERY       dur_s(300) /* what Admin says they may be kept for */
#define KEYS_ANEW        dur_s(3)
#define RETRY_MIN        dur_s(1)
#define RETRY_MAX        dur_s(30)
#define SECRET_MAX_BYTES 1024
#define BEARER_MAX       ((size_t)8 * KIB)
#define ANSWER_MAX       ((size_t)64 * KIB)

#define DOCUMENTS_EVERY dur_s(10)
#define SEEN            8 /* as many Admins behind one URL */

enum line { LINE_TOKEN, LINE_KEYS, LINE_DOCUMENTS, LINES };
static const char *const line_name[] = {"token", "keys", "key documents"};

/* One of the questions. */
struct line_state {
    struct admin_link *link;
    struct ask ask;
    struct timer timer;
    struct mono asked;
    struct dur retry;
    bool wanted;
    bool busy;
    bool again; /* there is news since the question was sent */
    bool told;  /* that it fails */
};

struct admin_link {
    struct fetch_peer *peer;
    struct keys *keys;
    struct log *log;
    struct dur patience;
    char *client_id;
    char *client_secret;
    struct loop *loop;
    struct line_state line[LINES];
    struct buf form;     /* of the question for a token; holds the secret */
    uint64_t seen[SEEN]; /* versions of the last documents that were new */
    unsigned n_seen;     /* that were, ever */
    /* keys are taken in by a worker */
    struct work work;
    struct buf jwks;
    bool changed;
    enum err work_err;
    struct fault work_fault;
    bool started, stopping;
    void (*done)(void *arg);
    void *done_arg;
    void (*ready)(void *arg);
    void *ready_arg;
    struct task ready_task;
    struct task wake;
    pthread_mutex_t lock; /* for all that follows */
    struct buf token;
    struct buf documents; /* as Admin has signed them */
    uint64_t documents_version;
    bool woken[LINES];
    bool have[LINES];
    struct mono keys_at; /* when the last question for keys was over */
    struct mono token_until;
    bool refused; /* the account, when it asked for a token last */
    char why[LINES][320];
};

static void line_ask(struct line_state *n);

/* ---- what became of a question ---- */

static void
maybe_over(struct admin_link *k)
{
    for (unsigned i = 0; i < LINES; i++)
        if (!k->stopping || k->line[i].busy)
            return;
    k->stopping = k->started = false;
    k->done(k->done_arg);
}

static void
line_next(struct line_state *n, struct dur in)
{
    struct admin_link *k = n->link;

    n->busy = false;
    if (n == &k->line[LINE_KEYS]) {
        (void)pthread_mutex_lock(&k->lock);
        k->keys_at = k->loop->now;
        (void)pthread_mutex_unlock(&k->lock);
    }
    if (n->again)
        in = RETRY_MIN;
    n->again = false;
    if (k->stopping)
        maybe_over(k);
    else if (!loop_timer(k->loop, &n->timer, mono_add(k->loop->now, in)))
        log_error(k->log, "link to Admin: the loop has no timer left");
}

/* What one may guess of it. */
static const char *
hint_of(bool token, const struct fault *f)
{
    if (f->hint || f->code == ERR_NOMEM)
        return f->hint;
    if (token && f->code == ERR_DENIED)
        return "see SERVICE_ACCOUNT_CLIENT_ID and "
               "SERVICE_ACCOUNT_CLIENT_SECRET";
    return "is Admin there? See AUTH_ADMIN_MODULE_URL and "
           "SERVICE_ACCOUNT_ADMIN_MODULE_URL";
}

static void
line_failed(struct line_state *n, struct fault *f)
{
    struct admin_link *k = n->link;
    const bool token = n == &k->line[LINE_TOKEN];
    struct dur in = n->retry;
    char text[FAULT_TEXT];

    (void)fault_hint(f, hint_of(token, f));
    (void)pthread_mutex_lock(&k->lock);
    if (token) {
        k->refused = f->code == ERR_DENIED;
        k->have[LINE_TOKEN] &= mono_before(k->loop->now, k->token_until);
    }
    (void)snprintf(k->why[n - k->line], sizeof(k->why[0]), "%.*s",
                   (int)sizeof(k->why[0]) - 1,
                   fault_text(f, text, sizeof(text)));
    (void)pthread_mutex_unlock(&k->lock);
    if (!n->told && !k->stopping)
        log_warning(k->log, "Admin does not give what is asked; tried again",
                    F_STR("what", line_name[n - k->line]), F_FAULT(f),
                    F_TYPE("http_client"));
    n->told = true;
    n->retry.ns =
        n->retry.ns * 2 < RETRY_MAX.ns ? n->retry.ns * 2 : RETRY_MAX.ns;
    line_next(n, in);
}

static void
tell_ready(struct admin_link *k)
{
    void (*ready)(void *arg) = k->ready;

    k->ready = NULL;
    if (ready && !k->stopping)
        ready(k->ready_arg);
}

static void
ready_run(struct loop *l, struct task *t)
{
    (void)l;
    tell_ready(container_of(t, struct admin_link, ready_task));
}

static void
line_good(struct line_state *n, struct dur in)
{
    struct admin_link *k = n->link;
    const bool token = n == &k->line[LINE_TOKEN];

    (void)pthread_mutex_lock(&k->lock);
    k->have[n - k->line] = true;
    k->why[n - k->line][0] = '\0';
    (void)pthread_mutex_unlock(&k->lock);
    if (n->told)
        log_info(k->log, "Admin gives again what is asked",
                 F_STR("what", line_name[n - k->line]));
    n->told = false;
    n->retry = RETRY_MIN;
    if (token) {
        tell_ready(k);
        /* It may be of a key of which no element has heard yet. */
        line_ask(&k->line[LINE_DOCUMENTS]);
    }
    line_next(n, in); /* the last that is done here: K may be stopped by it */
}

/* ---- asking ---- */

static struct ask *
ask_new(struct line_state *n, enum http_method method, const char *target,
        size_t answer_max, void (*done)(struct ask *a))
{
    struct ask *a = &n->ask;

    ask_init(a, n->link->loop, n->link->peer, answer_max);
    a->method = method;
    a->owner = n;
    a->again = true;
    a->patience = n->link->patience;
    a->done = done;
    buf_add_str(&a->target, target);
    return a;
}

/* ---- the token ---- */

static void
token_keep(struct admin_link *k, struct slice token, struct dur life)
{
    (void)pthread_mutex_lock(&k->lock);
    k->token_until = mono_add(k->loop->now, life);
    if (k->token.p)
        explicit_bzero(k->token.p, k->token.n);
    buf_clear(&k->token);
    (void)buf_add_slice(&k->token, token);
    (void)pthread_mutex_unlock(&k->lock);
}

static bool
token_ok(struct slice token)
{
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] <= ' ' || token.p[i] >= 0x7f)
            return false;
    return token.n > 0 && token.n < BEARER_MAX;
}

static void
token_answered(struct ask *a)
{
    struct line_state *n = a->owner;
    struct json_error e = {0};
    json_t *o = ask_json(a, &JSON_LIMITS_DEFAULT);
    struct slice token = json_get_str(o, "access_token", JSON_REQUIRED, &e);
    int64_t life =
        json_get_int(o, "expires_in", JSON_OPTIONAL, 1, INT32_MAX, 300, &e);
    struct fault f = a->fault;

    if (a->err == ERR_OK && (e.text[0] || !token_ok(token)))
        a->err = fault_set(&f, ERR_IO, "token of Admin",
                           e.text[0] ? e.text : "malformed");
    if (a->err == ERR_OK)
        token_keep(n->link, token, dur_s(life));
    json_decref(o);
    if (a->answer.p)
        explicit_bzero(a->answer.p, a->answer.n);
    explicit_bzero(n->link->form.p, n->link->form.n);
    buf_clear(&n->link->form);
    ask_release(a);
    if (a->err == ERR_OK)
        line_good(n, dur_ms(life * 750));
    else
        line_failed(n, &f);
}

static void
token_ask(struct line_state *n)
{
    struct admin_link *k = n->link;
    struct ask *a =
        ask_new(n, HTTP_POST, "/api/v1/auth/token", ANSWER_MAX, token_answered);
    bool ok;

    a->type = "application/x-www-form-urlencoded";
    ok =
        form_add(&k->form, SLICE("grant_type"), SLICE("client_credentials")) &&
        form_add(&k->form, SLICE("client_id"), slice_str(k->client_id)) &&
        form_add(&k->form, SLICE("client_secret"), slice_str(k->client_secret));
    assert(ok); /* its ceiling holds the longest, all escaped */
    a->piece[a->n_piece++] = buf_slice(&k->form);
    ask_send(a);
}

/* ---- the keys ---- */

static void
keys_work(struct work *w)
{
    struct admin_link *k = container_of(w, struct admin_link, work);

    k->work_err =
        keys_adopt(k->keys, buf_slice(&k->jwks), &k->changed, &k->work_fault);
}

static void
keys_done(struct loop *l, struct work *w)
{
    struct admin_link *k = container_of(w, struct admin_link, work);

    (void)l;
    buf_release(&k->jwks);
    if (k->work_err != ERR_OK) {
        line_failed(&k->line[LINE_KEYS], &k->work_fault);
        return;
    }
    if (k->changed)
        log_info(k->log, "Keys of the Admin module taken over");
    line_good(&k->line[LINE_KEYS], KEYS_EVERY);
}

static void
keys_answered(struct ask *a)
{
    struct line_state *n = a->owner;
    struct admin_link *k = n->link;
    struct fault f = a->fault;
    enum err e = a->err;

    k->jwks = a->answer;
    a->answer = (struct buf){0};
    ask_release(a);
    if (e != ERR_OK) {
        buf_release(&k->jwks);
        line_failed(n, &f);
        return;
    }
    k->work_fault = (struct fault){0};
    k->work.work = keys_work;
    k->work.done = keys_done;
    loop_work(k->loop, &k->work);
}

/* ---- what elements are to hear ---- */

/* The keys have changed: what one of them has signed may be good no more. */
static void
keys_outdated(struct admin_link *k)
{
    struct line_state *n = &k->line[LINE_KEYS];

    n->again = n->busy;
    line_ask(n);
}

/* Two Admins behind one URL have documents of their own, and answer in turn;
 * that is no news. Elements may trust the keys of one of them only, so they are
 * brought what either has; and what is new may have a lower version than what
 * the other has, since so may its clock. */
static bool
is_new(struct admin_link *k, uint64_t version)
{
    for (unsigned i = 0; i < SEEN; i++)
        if (k->seen[i] == version)
            return false;
    k->seen[k->n_seen++ % SEEN] = version;
    return true;
}

static void
documents_answered(struct ask *a)
{
    struct line_state *n = a->owner;
    struct admin_link *k = n->link;
    struct fault f = a->fault;
    uint64_t version = 0;

    /* Nearly always what it was, and half a MiB to parse. Only we write it. */
    if (a->err == ERR_OK)
        version = slice_eq(buf_slice(&a->answer), buf_slice(&k->documents))
                      ? k->documents_version
                      : keydocs_version(buf_slice(&a->answer));
    if (a->err == ERR_OK && version == 0)
        a->err = fault_set(&f, ERR_CORRUPT, "key documents", "malformed");
    if (version && version != k->documents_version) {
        struct buf before;

        (void)pthread_mutex_lock(&k->lock);
        before = k->documents;
        k->documents = a->answer;
        k->documents_version = version;
        (void)pthread_mutex_unlock(&k->lock);
        a->answer = before;
        if (is_new(k, version))
            keys_outdated(k);
    }
    ask_release(a);
    if (version)
        line_good(n, DOCUMENTS_EVERY);
    else
        line_failed(n, &f);
}

uint64_t
admin_link_documents(void *arg, struct buf *out)
{
    struct admin_link *k = arg;
    uint64_t version;

    (void)pthread_mutex_lock(&k->lock);
    version = k->documents_version;
    if (out && !buf_add_slice(out, buf_slice(&k->documents)))
        version = 0;
    (void)pthread_mutex_unlock(&k->lock);
    return version;
}

/* ---- when ---- */

static void
line_ask(struct line_state *n)
{
    struct admin_link *k = n->link;

    if (!n->wanted || n->busy || k->stopping)
        return;
    loop_timer_stop(k->loop, &n->timer);
    n->busy = true;
    n->asked = k->loop->now;
    if (n == &k->line[LINE_TOKEN])
        token_ask(n);
    else if (n == &k->line[LINE_KEYS])
        ask_send(ask_new(n, HTTP_GET, "/.well-known/jwks.json", KEYSET_TEXT,
                         keys_answered));
    else
        ask_send(ask_new(n, HTTP_GET, "/.well-known/key-documents", KEYDOCS_MAX,
                         documents_answered));
}

static void
timer_fired(struct loop *l, struct timer *t)
{
    (void)l;
    line_ask(container_of(t, struct line_state, timer));
}

static void
woken(struct loop *l, struct task *t)
{
    struct admin_link *k = container_of(t, struct admin_link, wake);
    bool now[LINES];

    (void)pthread_mutex_lock(&k->lock);
    memcpy(now, k->woken, sizeof(now));
    memset(k->woken, 0, sizeof(k->woken));
    (void)pthread_mutex_unlock(&k->lock);
    for (unsigned i = 0; i < LINES; i++)
        if (now[i] && k->started &&
            mono_sub(l->now, k->line[i].asked).ns >= RETRY_MIN.ns)
            line_ask(&k->line[i]);
}

/* Under the lock. */
static void
wake(struct admin_link *k, enum line i)
{
    bool posted = k->woken[LINE_TOKEN] || k->woken[LINE_KEYS]; /* no other */

    if (!k->loop)
        return;
    k->woken[i] = true;
    if (!posted)
        loop_post(k->loop, &k->wake);
}

void
admin_link_refused(struct admin_link *k)
{
    (void)pthread_mutex_lock(&k->lock);
    wake(k, LINE_TOKEN);
    (void)pthread_mutex_unlock(&k->lock);
}

enum authority_keys
admin_link_key_unknown(void *arg, struct mono now)
{
    struct admin_link *k = arg;
    enum authority_keys r = AUTHORITY_KEYS_KNOWN;

    (void)pthread_mutex_lock(&k->lock);
    if (k->line[LINE_KEYS].wanted && !k->have[LINE_KEYS])
        r = AUTHORITY_KEYS_ABSENT;
    else if (k->line[LINE_KEYS].wanted &&
             mono_sub(now, k->keys_at).ns >= KEYS_ANEW.ns)
        r = AUTHORITY_KEYS_ASKED;
    if (r != AUTHORITY_KEYS_KNOWN)
        wake(k, LINE_KEYS);
    (void)pthread_mutex_unlock(&k->lock);
    return r;
}

static void
was_refused(void *arg)
{
    admin_link_refused(arg);
}

/* ---- for others ---- */

static void
put_fields(void *arg, struct buf *out)
{
    struct admin_link *k = arg;

    (void)pthread_mutex_lock(&k->lock);
    if (k->token.n)
        buf_printf(out, "Authorization: Bearer %s\r\n", buf_str(&k->token));
    (void)pthread_mutex_unlock(&k->lock);
}

struct ask_auth
admin_link_auth(struct admin_link *k)
{
    return (struct ask_auth){put_fields, was_refused, k};
}

struct fetch_peer *
admin_link_peer(struct admin_link *k)
{
    return k->peer;
}

void
admin_link_status(struct admin_link *k, struct admin_link_status *out)
{
    (void)pthread_mutex_lock(&k->lock);
    out->has_token = k->have[LINE_TOKEN] || !k->line[LINE_TOKEN].wanted;
    out->refused = k->refused && !out->has_token;
    out->has_keys = k->have[LINE_KEYS] || !k->line[LINE_KEYS].wanted;
    memcpy(out->why, k->why[k->why[LINE_TOKEN][0] ? LINE_TOKEN : LINE_KEYS],
           sizeof(out->why));
    (void)pthread_mutex_unlock(&k->lock);
}

/* ---- birth and end ---- */

enum err
admin_link_open(struct admin_link **out, struct fetch *f,
                const struct admin_link_conf *conf, struct fault *fault)
{
    struct admin_link *k = calloc(1, sizeof(*k));
    enum err e = ERR_OK;

    *out = NULL;
    if (!k)
        return fault_set(fault, ERR_NOMEM, "open", "link to Admin");
    (void)pthread_mutex_init(&k->lock, NULL);
    k->keys = conf->keys;
    k->log = conf->log;
    k->patience = conf->patience;
    k->wake.run = woken;
    k->ready = conf->ready;
    k->ready_arg = conf->arg;
    k->ready_task.run = ready_run;
    buf_init(&k->token, BEARER_MAX);
    buf_init(&k->form, 8 * KIB);
    for (unsigned i = 0; i < LINES; i++) {
        k->line[i].link = k;
        k->line[i].retry = RETRY_MIN;
        k->line[i].timer.fire = timer_fired;
    }
    k->line[LINE_TOKEN].wanted = conf->client_id[0] != '\0';
    k->line[LINE_KEYS].wanted = conf->keys != NULL;
    k->line[LINE_DOCUMENTS].wanted = conf->documents;
    buf_init(&k->documents, KEYDOCS_MAX);
    k->client_id = strdup(conf->client_id);
    k->client_secret = strdup(conf->client_secret);
    if (!k->client_id || !k->client_secret)
        e = fault_set(fault, ERR_NOMEM, "open", "link to Admin");
    else if (strlen(k->client_id) > SECRET_MAX_BYTES ||
             strlen(k->client_secret) > SECRET_MAX_BYTES)
        e = fault_set(fault, ERR_TOOBIG, "open", "credentials");
    if (e == ERR_OK)
        e = fetch_peer_open(f, conf->url, &k->peer, fault);
    if (e != ERR_OK)
        admin_link_close(&k);
    *out = k;
    return e;
}

void
admin_link_start(struct admin_link *k, struct loop *l)
{
    (void)pthread_mutex_lock(&k->lock);
    k->loop = l;
    (void)pthread_mutex_unlock(&k->lock);
    k->started = true;
    for (unsigned i = 0; i < LINES; i++)
        line_ask(&k->line[i]);
    if (!k->line[LINE_TOKEN].wanted)
        loop_post(l, &k->ready_task);
}

void
admin_link_stop(struct admin_link *k, void (*done)(void *arg), void *arg)
{
    k->done = done;
    k->done_arg = arg;
    k->stopping = true;
    for (unsigned i = 0; i < LINES; i++) {
        loop_timer_stop(k->loop, &k->line[i].timer);
        if (k->line[i].busy)
            ask_cancel(&k->line[i].ask);
    }
    maybe_over(k);
}

void
admin_link_unplug(struct admin_link *k)
{
    if (k)
        fetch_peer_close(&k->peer);
}

void
admin_link_close(struct admin_link **kp)
{
    struct admin_link *k = *kp;

    *kp = NULL;
    if (!k)
        return;
    fetch_peer_close(&k->peer);
    if (k->client_secret)
        explicit_bzero(k->client_secret, strlen(k->client_secret));
    if (k->token.p)
        explicit_bzero(k->token.p, k->token.n);
    free(k->client_id);
    free(k->client_secret);
    buf_release(&k->token);
    buf_release(&k->documents);
    buf_release(&k->form);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}
