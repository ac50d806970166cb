/* remote_world.c - see remote_world.h. SPDX-License-Identifier: Apache-2.0 */
#include "remote_world.h"
#include "hash/test_cpu.h"
#include "io/disk_linux.h"
#include "io/http.h"
#include "io/http_world_impl.h"
#include "io/index_sqlite.h"
#include "wire/blobs.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define OK(call) assert_int_equal((call), ERR_OK)

static char base[256];

/* A loop on its own thread, with what it needs. */
struct side {
    struct blocks *blocks;
    struct workers *workers;
    struct ioloop *loop;
    pthread_t thread;
};

struct remote_world {
    struct remote_conf conf;
    char path[300], db[320], url[300];
    unsigned port;
    struct disk *disk;
    struct index *index;
    struct element_pool *pool;
    struct element *element;
    struct blobs_api *api;
    struct router *router;
    struct http_server *http;
    struct tls_context *cert;
    struct tls_client *trust;
    char cert_file[320], key_file[320];
    struct side far, near;
    struct fetch *fetch;
    struct blob *remote;
    struct blob bridge;
    struct task task;
    atomic_bool flag;
    bool rebuilt;
};

void
remote_sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};

    while (nanosleep(&t, &t) == -1 && errno == EINTR) {
    }
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
    (void)st;
    (void)type;
    (void)f;
    (void)remove(path);
    return 0;
}

void
remote_base_make(void)
{
    const char *tmp = getenv("TMPDIR");

    (void)signal(SIGPIPE, SIG_IGN);
    snprintf(base, sizeof(base), "%s/remote-XXXXXX", tmp ? tmp : "/tmp");
    assert(mkdtemp(base));
}

void
remote_base_remove(void)
{
    (void)nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *
remote_base(void)
{
    return base;
}

/* ---- sides ---- */

static void *
loop_main(void *arg)
{
    ioloop_run(arg);
    return NULL;
}

static void
side_open(struct side *s, const char *kind)
{
    struct fault f;

    OK(blocks_open(&s->blocks, 64 * MIB, &f));
    OK(workers_open(&s->workers, 3, ioloop_work_finished, &f));
    OK(ioloop_open(&s->loop, kind, 0, s->blocks, s->workers, &f));
}

static void
side_run(struct side *s)
{
    assert_int_equal(pthread_create(&s->thread, NULL, loop_main, s->loop), 0);
}

static void
side_stop(struct side *s)
{
    ioloop_stop(s->loop);
    pthread_join(s->thread, NULL);
    workers_close(&s->workers);
}

static void
side_close(struct side *s)
{
    assert_int_equal(blocks_used(s->blocks), 0);
    ioloop_close(&s->loop);
    blocks_close(&s->blocks);
}

/* Waits at most 20 s. */
static void
wait_flag(atomic_bool *flag)
{
    for (int i = 0; i < 20000 && !atomic_load(flag); i++)
        remote_sleep_ms(1);
    assert_true(atomic_load(flag));
    atomic_store(flag, false);
}

static void
set_flag(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

/* ---- the element's side ---- */

static void
world_element(struct remote_world *w)
{
    struct element_conf conf = {.mode = BLOB_EDIT,
                                .hash = test_quickest(),
                                .relaxed = w->conf.relaxed,
                                /* what others free shall not be seen */
                                .quota = 1 << 30,
                                .now = {1700000000000}};
    struct ledger_conf ledger = element_ledger_conf();
    struct element_report report;
    struct fault f;

    OK(index_sqlite_open(&w->index, w->db, &f));
    w->pool = element_pool_new(&ledger);
    OK(element_open(&w->element, &conf, w->disk, w->index, w->pool, &report,
                    &f));
    if (!w->rebuilt) /* a rebuild asks for a look at everything */
        assert_int_equal(report.buckets, 0); /* a clean stop */
    w->rebuilt = false;
}

static void
start_run(struct loop *l, struct task *t)
{
    struct remote_world *w = container_of(t, struct remote_world, task);

    blobs_start(w->api, l);
    set_flag(&w->flag);
}

static void
far_start(struct remote_world *w)
{
    const struct blobs_conf bc = {.hash = test_quickest(),
                                  .lease = w->conf.lease,
                                  .attempts_max = w->conf.attempts_max};
    struct http_conf hc = {
        .limits = HTTP_LIMITS_DEFAULT,
        .head_timeout = dur_s(20),
        .idle_timeout = dur_s(20),
        .body_timeout = dur_s(20),
        .write_timeout = dur_s(20),
        .linger_silence = dur_s(2),
        .linger_timeout = dur_s(20),
        .linger_max = GIB,
        .body_max = INT64_MAX,
        .drain_max = 64 * KIB,
        .connections_max = 1000,
        .connections_per_address = 1000,
        .answer_max = 32 * MIB,
    };
    struct route_table table;
    struct fault f;
    char url[64];

    side_open(&w->far, w->conf.loop);
    world_element(w);
    if (w->conf.tls) {
        const struct tls_conf tc = {.cert_file = w->cert_file,
                                    .key_file = w->key_file};

        OK(tls_context_open(&w->cert, &tc, &f));
        hc.tls = w->cert;
    }
    w->api = blobs_open(w->element, &bc);
    table = blobs_routes(w->api);
    w->router = router_open(&table, 1, "server", NULL, NULL, 1);
    assert_true(w->api && w->router);
    OK(http_server_open(&w->http, &hc, &w->far.loop, 1, router_app(w->router),
                        NULL, &f));
    OK(http_server_listen(w->http, "127.0.0.1:0", url, sizeof(url), &f));
    w->port = (unsigned)atoi(strrchr(url, ':') + 1);
    side_run(&w->far);
    w->task.run = start_run;
    loop_post(&w->far.loop->loop, &w->task);
    wait_flag(&w->flag);
    http_server_start(w->http);
}

static void
stop_run(struct loop *l, struct task *t)
{
    struct remote_world *w = container_of(t, struct remote_world, task);

    (void)l;
    blobs_stop(w->api, set_flag, &w->flag);
}

static void
far_stop(struct remote_world *w)
{
    http_server_drain(w->http, dur_ms(300), set_flag, &w->flag);
    wait_flag(&w->flag);
    w->task.run = stop_run;
    loop_post(&w->far.loop->loop, &w->task);
    wait_flag(&w->flag);
    assert_int_equal(blobs_attempts(w->api), 0);
    side_stop(&w->far);
    http_server_close(&w->http);
    tls_context_close(&w->cert);
    router_close(&w->router);
    blobs_close(&w->api);
    element_close(&w->element);
    element_pool_free(&w->pool);
    w->index->ops->close(w->index);
    side_close(&w->far);
}

/* ---- the gateway's side ---- */

static void
near_start(struct remote_world *w)
{
    struct fetch_http_conf fc =
        w->conf.fetch ? *w->conf.fetch : fetch_http_defaults();
    struct blob_remote_conf rc = {.element_id = "se-01",
                                  .url = w->url,
                                  .hash = test_quickest(),
                                  .segment_max = w->conf.segment_max};
    struct fault f;

    /* 150 files at once wait for 32 connections, on a busy machine for long. */
    fc.connect_timeout = dur_s(60);
    snprintf(w->url, sizeof(w->url),
             w->conf.tls ? "https://localhost:%u" : "http://127.0.0.1:%u",
             w->port);
    if (w->conf.tls) {
        OK(tls_client_open(&w->trust, w->cert_file, false, &f));
        fc.tls = w->trust;
    }
    if (w->conf.front)
        w->conf.front(w->conf.arg, w->port, w->url, sizeof(w->url));
    side_open(&w->near, w->conf.loop);
    OK(fetch_http_open(&w->fetch, &fc, &w->near.loop, 1, &f));
    OK(blob_remote_open(&w->remote, w->fetch, &rc, &f));
    snprintf(w->bridge.element_id, sizeof(w->bridge.element_id), "se-01");
    side_run(&w->near);
}

static void
near_stop(struct remote_world *w)
{
    blob_remote_close(&w->remote);
    for (int i = 0; i < 20000 && fetch_http_peers(w->fetch); i++)
        remote_sleep_ms(1);
    assert_int_equal(fetch_http_peers(w->fetch), 0);
    assert_int_equal(fetch_http_connections(w->fetch), 0);
    side_stop(&w->near);
    fetch_http_close(&w->fetch);
    tls_client_close(&w->trust);
    side_close(&w->near);
    if (w->conf.unfront)
        w->conf.unfront(w->conf.arg);
}

/* ---- the bridge ---- */

struct crossing {
    struct remote_world *w;
    struct task task;
    struct work wait;
    pthread_mutex_t mu;
    pthread_cond_t cond;
    bool done;
    void *orig;
    union {
        struct blob_admit admit;
        struct blob_append append;
        struct blob_publish publish;
        struct blob_put put;
        struct blob_abort abort;
        struct blob_open open;
        struct blob_read read;
        struct blob_delete del;
        struct blob_list list;
    } q;
};

static void
crossed(struct crossing *k)
{
    pthread_mutex_lock(&k->mu);
    k->done = true;
    pthread_cond_signal(&k->cond);
    pthread_mutex_unlock(&k->mu);
}

static void
cross_wait(struct work *work)
{
    struct crossing *k = container_of(work, struct crossing, wait);

    pthread_mutex_lock(&k->mu);
    while (!k->done)
        pthread_cond_wait(&k->cond, &k->mu);
    pthread_mutex_unlock(&k->mu);
}

static struct crossing *
crossing_new(struct blob *b, void *orig)
{
    struct crossing *k = calloc(1, sizeof(*k));

    assert_non_null(k);
    k->w = container_of(b, struct remote_world, bridge);
    k->orig = orig;
    pthread_mutex_init(&k->mu, NULL);
    pthread_cond_init(&k->cond, NULL);
    k->wait.work = cross_wait;
    return k;
}

static void
crossing_free(struct crossing *k)
{
    pthread_cond_destroy(&k->cond);
    pthread_mutex_destroy(&k->mu);
    free(k);
}

/* One call: over, carried out, and its results back. */
#define CROSSING(kind)                                                  \
    static void kind##_there(struct blob_##kind *q)                     \
    {                                                                   \
        crossed(container_of(q, struct crossing, q.kind));              \
    }                                                                   \
    static void kind##_run(struct loop *l, struct task *t)              \
    {                                                                   \
        struct crossing *k = container_of(t, struct crossing, task);    \
        (void)l;                                                        \
        k->w->remote->ops->kind(k->w->remote, &k->q.kind);              \
    }                                                                   \
    static void kind##_back(struct loop *l, struct work *work)          \
    {                                                                   \
        struct crossing *k = container_of(work, struct crossing, wait); \
        struct blob_##kind *r = k->orig, was = *r;                      \
        (void)l;                                                        \
        *r = k->q.kind;                                                 \
        r->loop = was.loop;                                             \
        r->done = was.done;                                             \
        r->priv = was.priv;                                             \
        crossing_free(k);                                               \
        r->done(r);                                                     \
    }                                                                   \
    static void bridge_##kind(struct blob *b, struct blob_##kind *r)    \
    {                                                                   \
        struct crossing *k = crossing_new(b, r);                        \
        k->q.kind = *r;                                                 \
        k->q.kind.loop = &k->w->near.loop->loop;                        \
        k->q.kind.done = kind##_there;                                  \
        k->task.run = kind##_run;                                       \
        k->wait.done = kind##_back;                                     \
        loop_post(&k->w->near.loop->loop, &k->task);                    \
        loop_work(r->loop, &k->wait);                                   \
    }

#define blob_del blob_delete
/* clang-format off */
CROSSING(admit)
CROSSING(append)
CROSSING(publish)
CROSSING(put)
CROSSING(abort)
CROSSING(open)
CROSSING(read)
CROSSING(del)
CROSSING(list)
/* clang-format on */

static struct blob *
remote_of(struct blob *b)
{
    return container_of(b, struct remote_world, bridge)->remote;
}

static void
bridge_info(struct blob_reader *rd, struct blob_info *out)
{
    extern void remote_info(struct blob_reader * rd, struct blob_info * out);

    remote_info(rd, out);
}

static void
bridge_close(struct blob_reader *rd)
{
    extern void remote_close(struct blob_reader * rd);

    remote_close(rd);
}

/* The poller's part. A worker of the element counts a batch after it has
 * answered it, so a poll at once may be one batch behind; no poller is that
 * fast, and the contract asks for the sum. */
static void
bridge_capacity(struct blob *b, struct blob_capacity *out)
{
    struct remote_world *w = container_of(b, struct remote_world, bridge);
    struct blob *real = element_blob(w->element);

    for (int i = 0; i < 1000; i++) {
        remote_sleep_ms(20);
        real->ops->capacity(real, out);
        if (out->reserved == 0)
            break;
    }
    blob_remote_set_capacity(w->remote, out);
    w->remote->ops->capacity(w->remote, out);
}

static uint64_t
bridge_generation(struct blob *b)
{
    return remote_of(b)->ops->generation(remote_of(b));
}

static const struct blob_ops bridge_ops = {
    .admit = bridge_admit,
    .append = bridge_append,
    .publish = bridge_publish,
    .put = bridge_put,
    .abort = bridge_abort,
    .open = bridge_open,
    .info = bridge_info,
    .read = bridge_read,
    .close = bridge_close,
    .del = bridge_del,
    .list = bridge_list,
    .capacity = bridge_capacity,
    .generation = bridge_generation,
};

/* ---- the whole ---- */

struct remote_world *
remote_world_open(const struct remote_conf *c)
{
    struct remote_world *w = calloc(1, sizeof(*w));
    struct disk_linux_conf dc = {.create = true};
    struct element_birth birth = {.label = "se-01", .pool_id = "pool"};
    static unsigned count;
    struct fault f;

    assert_non_null(w);
    w->conf = *c;
    w->bridge.ops = &bridge_ops;
    snprintf(w->path, sizeof(w->path), "%s/%u", base, ++count);
    snprintf(w->db, sizeof(w->db), "%s/index.db", w->path);
    OK(disk_linux_open(&w->disk, w->path, &dc, &f));
    snprintf(w->cert_file, sizeof(w->cert_file), "%s/%u.pem", base, count);
    snprintf(w->key_file, sizeof(w->key_file), "%s/%u.key", base, count);
    if (c->tls)
        cert_make(w->cert_file, w->key_file, "localhost");
    birth.element_uuid.b[0] = 1;
    OK(element_init(w->disk, &birth, test_quickest(), &f));
    far_start(w);
    near_start(w);
    return w;
}

void
remote_world_restart(struct remote_world *w)
{
    near_stop(w);
    far_stop(w);
    far_start(w);
    near_start(w);
}

void
remote_world_audit(struct remote_world *w)
{
    struct element_report rep;
    struct fault f;

    near_stop(w);
    far_stop(w);
    OK(index_sqlite_open(&w->index, w->db, &f));
    OK(element_rebuild(w->disk, w->index, NULL, test_quickest(), true, true,
                       &rep, &f));
    assert_int_equal(rep.extra + rep.missing + rep.damaged, 0);
    w->index->ops->close(w->index);
    w->rebuilt = true;
    far_start(w);
    near_start(w);
}

void
remote_world_close(struct remote_world **wp)
{
    struct remote_world *w = *wp;

    *wp = NULL;
    near_stop(w);
    far_stop(w);
    w->disk->ops->close(w->disk);
    (void)nftw(w->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(w);
}

void
remote_world_reached(struct remote_world *w)
{
    blob_remote_settle(w->remote);
}

struct blob *
remote_world_blob(struct remote_world *w)
{
    return &w->bridge;
}

struct blob *
remote_world_element(struct remote_world *w)
{
    return element_blob(w->element);
}

struct element *
remote_world_core(struct remote_world *w)
{
    return w->element;
}

unsigned
remote_world_attempts(struct remote_world *w)
{
    return blobs_attempts(w->api);
}

unsigned
remote_world_port(struct remote_world *w)
{
    return w->port;
}

const char *
remote_world_path(struct remote_world *w)
{
    return w->path;
}

const char *
remote_world_cert(struct remote_world *w)
{
    return w->cert_file;
}

void
remote_cert(const char *cert, const char *key, const char *name)
{
    cert_make(cert, key, name);
}

struct fetch *
remote_world_fetch(struct remote_world *w)
{
    return w->fetch;
}

struct ioloop *
remote_world_gateway(struct remote_world *w)
{
    return w->near.loop;
}
