/* s3.c - the client thread: queue, transfers, repetitions; see s3.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/s3_impl.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CONNECTIONS_DEFAULT 16
#define QUEUE_DEFAULT       4096
#define PAUSE_LEAST_MS      100
#define PAUSE_MOST_MS       2000
#define IDLE_MS             1000

static struct s3 *
self(struct objects *o)
{
    return container_of(o, struct s3, objects);
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- answers ---- */

struct waiter {
    pthread_mutex_t mu;
    pthread_cond_t cond;
    size_t left;
};

static void
run_done(struct loop *l, struct task *task)
{
    struct object_req *r = container_of(task, struct object_req, task);

    (void)l;
    r->done(r);
}

static void
answer(struct object_req *r)
{
    struct waiter *w = r->wait;

    if (w) {
        pthread_mutex_lock(&w->mu);
        if (--w->left == 0)
            pthread_cond_signal(&w->cond);
        pthread_mutex_unlock(&w->mu);
        return;
    }
    r->task.run = run_done;
    loop_post(r->loop, &r->task);
}

static void
finish(struct s3_transfer *t)
{
    struct object_req *r = t->r;
    struct s3 *s = t->s3;

    t->r = NULL;
    s->busy--;
    if (r->err != ERR_OK && r->err != ERR_NOENT) {
        pthread_mutex_lock(&s->mu);
        s->stats.failed++;
        pthread_mutex_unlock(&s->mu);
    }
    answer(r);
}

/* ---- keys ---- */

static const char *
text_of(const char *s)
{
    return s ? s : "";
}

static void
wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void
signer_free(struct s3_signer *k)
{
    if (k) {
        wipe(k->secret_key);
        wipe(k->token_header);
    }
    free(k);
}

static struct s3_signer *
signer_new(const struct s3_keys *keys)
{
    static const char name[] = "x-amz-security-token: ";
    const char *token = text_of(keys->session_token);
    struct s3_signer *k = calloc(1, sizeof(*k));
    bool ok;

    if (!k)
        return NULL;
    ok = slice_copy(slice_str(text_of(keys->access_key)), k->access_key,
                    sizeof(k->access_key));
    k->secret_key = strdup(text_of(keys->secret_key));
    ok = ok && k->secret_key;
    if (ok && token[0]) {
        k->token_header = malloc(sizeof(name) + strlen(token));
        ok = k->token_header != NULL;
        if (ok)
            snprintf(k->token_header, sizeof(name) + strlen(token), "%s%s",
                     name, token);
    }
    if (!ok) {
        signer_free(k);
        return NULL;
    }
    return k;
}

bool
s3_set_keys(struct objects *o, const struct s3_keys *keys)
{
    struct s3 *s = self(o);
    struct s3_signer *k = signer_new(keys), *old;

    if (!k)
        return false;
    pthread_mutex_lock(&s->mu);
    old = s->fresh; /* never used */
    s->fresh = k;
    pthread_mutex_unlock(&s->mu);
    signer_free(old);
    return true;
}

/* curl has copied what it was given: the old ones can go. */
static void
adopt_keys(struct s3 *s)
{
    struct s3_signer *k;

    pthread_mutex_lock(&s->mu);
    k = s->fresh;
    s->fresh = NULL;
    pthread_mutex_unlock(&s->mu);
    if (k) {
        signer_free(s->signer);
        s->signer = k;
    }
}

/* ---- attempts ---- */

static void
start(struct s3_transfer *t)
{
    struct s3 *s = t->s3;

    adopt_keys(s);
    if (!s3_prepare(t) ||
        curl_multi_add_handle(s->multi, t->easy) != CURLM_OK) {
        t->r->err = fault_set(&t->r->fault, ERR_NOMEM, object_op_name(t->r->op),
                              t->r->key);
        finish(t);
        return;
    }
    t->active = true;
    pthread_mutex_lock(&s->mu);
    s->stats.requests++;
    s->stats.retries += t->attempt > 0;
    pthread_mutex_unlock(&s->mu);
}

/* Half of it fixed, half of it random: those that failed together do not come
 * back together. */
static int64_t
pause_of(struct s3 *s, const struct s3_transfer *t)
{
    int64_t ms = PAUSE_LEAST_MS << (t->attempt < 8 ? t->attempt : 8);

    ms = ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : ms;
    s->random = s->random * 6364136223846793005ULL + 1442695040888963407ULL;
    ms = ms / 2 + (int64_t)((s->random >> 33) % (uint64_t)(ms / 2 + 1));
    return t->retry_after > ms ? t->retry_after : ms;
}

static void
ended(struct s3_transfer *t, CURLcode code)
{
    struct s3 *s = t->s3;

    (void)curl_multi_remove_handle(s->multi, t->easy);
    t->active = false;
    if (s3_judge(t, code) && t->attempt < s->retries) {
        t->due = now_ms() + pause_of(s, t);
        t->attempt++;
    } else {
        finish(t);
    }
}

static struct object_req *
take(struct s3 *s)
{
    struct list *it;

    pthread_mutex_lock(&s->mu);
    it = list_pop(&s->queue);
    if (it)
        s->queued--;
    pthread_mutex_unlock(&s->mu);
    return it ? container_of(it, struct object_req, item) : NULL;
}

/* Starts what is new and what is due again; returns how many ms until the next
 * is due. */
static int64_t
start_due(struct s3 *s)
{
    int64_t now = now_ms(), next = IDLE_MS;

    for (unsigned i = 0; i < s->connections; i++) {
        struct s3_transfer *t = &s->t[i];

        if (!t->r && (t->r = take(s)) != NULL) {
            s->busy++;
            t->attempt = 0;
            t->r->unsure = false;
            start(t);
        } else if (t->r && !t->active && t->due <= now) {
            start(t);
        } else if (t->r && !t->active && t->due - now < next) {
            next = t->due - now;
        }
    }
    return next;
}

static void
turn(struct s3 *s, int64_t ms)
{
    int64_t next = start_due(s);
    int running, left;
    CURLMsg *m;

    (void)curl_multi_perform(s->multi, &running);
    while ((m = curl_multi_info_read(s->multi, &left))) {
        struct s3_transfer *t = NULL;
        CURLcode code = m->data.result;

        if (m->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        ended(t, code);
        next = 0; /* there may be a place for another */
    }
    if (next > ms)
        next = ms;
    if (next > 0)
        (void)curl_multi_poll(s->multi, NULL, 0, (int)next, NULL);
}

static void *
s3_main(void *arg)
{
    struct s3 *s = arg;
    bool stop = false;

    pthread_setname_np(pthread_self(), "s3");
    while (!stop) {
        turn(s, IDLE_MS);
        pthread_mutex_lock(&s->mu);
        stop = s->stopping;
        pthread_mutex_unlock(&s->mu);
    }
    return NULL;
}

bool
s3_turn(struct objects *o, int ms)
{
    struct s3 *s = self(o);
    bool more;

    assert(s->manual);
    pthread_mutex_lock(&s->mu);
    more = s->busy > 0 || s->queued > 0;
    pthread_mutex_unlock(&s->mu);
    if (more)
        turn(s, ms);
    return more;
}

/* ---- the port ---- */

static void
s3_submit(struct objects *o, struct object_req *r)
{
    struct s3 *s = self(o);
    bool full;

    assert(r->op < OBJECT_OPS && (r->op != OBJECT_GET || r->n > 0));
    r->err = ERR_OK;
    pthread_mutex_lock(&s->mu);
    full = s->queued == s->queue_max;
    if (!full) {
        s->queued++;
        list_push(&s->queue, &r->item);
    }
    pthread_mutex_unlock(&s->mu);
    if (full) {
        r->unsure = false;
        r->err = fault_set(&r->fault, ERR_AGAIN, object_op_name(r->op),
                           "too many requests are waiting for the store");
        answer(r);
    } else {
        (void)curl_multi_wakeup(s->multi);
    }
}

static void
s3_call(struct objects *o, struct object_req *r, size_t n)
{
    struct s3 *s = self(o);
    struct waiter w = {.left = n};

    pthread_mutex_init(&w.mu, NULL);
    pthread_cond_init(&w.cond, NULL);
    for (size_t i = 0; i < n; i++) {
        r[i].wait = &w;
        s3_submit(o, &r[i]);
    }
    pthread_mutex_lock(&w.mu);
    while (w.left > 0) {
        if (s->manual) {
            pthread_mutex_unlock(&w.mu);
            turn(s, IDLE_MS);
            pthread_mutex_lock(&w.mu);
        } else {
            pthread_cond_wait(&w.cond, &w.mu);
        }
    }
    pthread_mutex_unlock(&w.mu);
    for (size_t i = 0; i < n; i++)
        r[i].wait = NULL;
    pthread_cond_destroy(&w.cond);
    pthread_mutex_destroy(&w.mu);
}

static void
s3_close(struct objects *o)
{
    struct s3 *s = self(o);

    pthread_mutex_lock(&s->mu);
    assert(s->queued == 0);
    s->stopping = true;
    pthread_mutex_unlock(&s->mu);
    if (s->running) {
        (void)curl_multi_wakeup(s->multi);
        pthread_join(s->thread, NULL);
    }
    assert(s->busy == 0);
    for (unsigned i = 0; s->t && i < s->connections; i++) {
        struct s3_transfer *t = &s->t[i];

        if (t->easy)
            curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
        buf_release(&t->url);
        buf_release(&t->own);
        buf_release(&t->answer);
    }
    if (s->multi)
        (void)curl_multi_cleanup(s->multi);
    signer_free(s->signer);
    signer_free(s->fresh);
    free(s->t);
    pthread_mutex_destroy(&s->mu);
    free(s);
}

void
s3_stats(struct objects *o, struct s3_stats *out)
{
    struct s3 *s = self(o);

    pthread_mutex_lock(&s->mu);
    *out = s->stats;
    out->queued = s->queued;
    pthread_mutex_unlock(&s->mu);
}

/* ---- birth ---- */

/* scheme://host[:port][/path] into its parts. */
static bool
parse_endpoint(struct s3 *s, const struct s3_conf *c)
{
    const char *e = text_of(c->endpoint), *rest = strstr(e, "://");
    struct slice host, path;
    int n;

    if (rest == NULL ||
        !slice_copy(slice_of(e, (size_t)(rest - e)), s->scheme,
                    sizeof(s->scheme)) ||
        (strcmp(s->scheme, "http") != 0 && strcmp(s->scheme, "https") != 0))
        return false;
    host = slice_str(rest + 3);
    path = slice_skip(host, slice_find(host, '/'));
    host.n -= path.n;
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    if (host.n == 0 || host.n > 200 || path.n > 256 ||
        slice_find(host, '@') < host.n || slice_find(path, '?') < path.n)
        return false;
    if (c->path_style) {
        (void)slice_copy(host, s->host, sizeof(s->host));
        n = snprintf(s->base, sizeof(s->base), "%.*s/%s/", SLICE_ARG(path),
                     text_of(c->bucket));
    } else {
        n = snprintf(s->host, sizeof(s->host), "%s.%.*s", text_of(c->bucket),
                     SLICE_ARG(host));
        if (n < 0 || (size_t)n >= sizeof(s->host))
            return false;
        n = snprintf(s->base, sizeof(s->base), "%.*s/", SLICE_ARG(path));
    }
    snprintf(s->objects.place, sizeof(s->objects.place), "%.63s at %.*s",
             text_of(c->bucket), (int)size_min(host.n, 80), host.p);
    return n > 0 && (size_t)n < sizeof(s->base);
}

static bool
copy_texts(struct s3 *s, const struct s3_conf *c)
{
    const char *region = text_of(c->region)[0] ? c->region : "us-east-1";

    if (!slice_copy(slice_str(region), s->region, sizeof(s->region)) ||
        !slice_copy(slice_str(text_of(c->prefix)), s->prefix,
                    sizeof(s->prefix)) ||
        !slice_copy(slice_str(text_of(c->ca_file)), s->ca_file,
                    sizeof(s->ca_file)))
        return false;
    snprintf(s->sigv4, sizeof(s->sigv4), "aws:amz:%s:s3", s->region);
    s->signer = signer_new(&c->keys);
    return s->signer != NULL;
}

static bool
make_transfers(struct s3 *s)
{
    s->t = calloc(s->connections, sizeof(*s->t));
    s->multi = curl_multi_init();
    if (!s->t || !s->multi)
        return false;
    curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)s->connections);
    for (unsigned i = 0; i < s->connections; i++) {
        struct s3_transfer *t = &s->t[i];

        t->s3 = s;
        buf_init(&t->url, 16 * KIB);
        buf_init(&t->own, S3_BODY_MAX);
        buf_init(&t->answer, S3_ANSWER_MAX);
        if (!(t->easy = curl_easy_init()))
            return false;
    }
    return true;
}

static enum err
start_thread(struct s3 *s, struct fault *f)
{
    sigset_t all, old;
    int e;

    if (s->manual)
        return ERR_OK;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    e = pthread_create(&s->thread, NULL, s3_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    s->running = e == 0;
    return e ? fault_sys(f, e, "start thread", "s3") : ERR_OK;
}

enum err
s3_open(struct objects **out, const struct s3_conf *c, struct fault *f)
{
    static const struct objects_ops ops = {
        .submit = s3_submit, .call = s3_call, .close = s3_close};
    struct s3 *s = calloc(1, sizeof(*s));
    enum err err = ERR_OK;

    *out = NULL;
    if (!s || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(s);
        return fault_set(f, ERR_NOMEM, "open", "s3");
    }
    s->objects.ops = &ops;
    pthread_mutex_init(&s->mu, NULL);
    list_init(&s->queue);
    s->connections = c->connections ? c->connections : CONNECTIONS_DEFAULT;
    s->queue_max = c->queue_max ? c->queue_max : QUEUE_DEFAULT;
    s->retries = c->retries;
    s->connect_timeout = c->connect_timeout.ns ? c->connect_timeout : dur_s(5);
    s->timeout = c->timeout.ns ? c->timeout : dur_s(30);
    s->manual = c->manual;
    s->random = (uint64_t)now_ms() ^ (uintptr_t)s;
    if (!parse_endpoint(s, c)) {
        (void)fault_set(f, ERR_INVAL, "S3_ENDPOINT", text_of(c->endpoint));
        err = fault_hint(f, "like https://s3.eu-central-1.amazonaws.com");
    } else if (!copy_texts(s, c) || !make_transfers(s)) {
        err = fault_set(f, ERR_NOMEM, "open", s->objects.place);
    } else {
        err = start_thread(s, f);
    }
    if (err != ERR_OK)
        s3_close(&s->objects);
    else
        *out = &s->objects;
    return err;
}
