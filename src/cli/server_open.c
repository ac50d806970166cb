/* server_open.c - `artstore server`, opening: what does I/O (loops, disks,
 * databases, keys, sockets), and the roles over it.
 *
 * The sockets are bound before the elements recover, so that a port that is
 * taken is told at once; the first connection is accepted when all is open.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/catalogue.h"
#include "cli/clock.h"
#include "cli/cpu.h"
#include "cli/serve.h"
#include "cli/server_impl.h"
#include "conf/items.h"
#include "io/disk_linux.h"
#include "io/index_sqlite.h"
#include "obs/log.h"
#include "sec/bootstrap.h"
#include "sec/random.h"
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKERS_DEFAULT   12
#define PRIORITY_DEFAULT  100
#define CACHE_ENTRIES_MAX ((size_t)4096) /* per loop */

/* ---- small things ---- */

/* Only the last part of PATH is made: the rest is a mount point that is
 * missing, or a mistake. */
static enum err
make_folder(const char *path, mode_t mode, struct fault *f)
{
    char above[PATH_MAX];
    int sys;

    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return ERR_OK;
    sys = errno;
    (void)snprintf(above, sizeof(above), "%s", path);
    for (char *p = strchr(above + 1, '/'); sys == ENOENT && p;
         p = strchr(p + 1, '/')) {
        *p = '\0';
        if (access(above, F_OK) != 0) {
            (void)fault_sys(f, sys, "find", above);
            return fault_hint(f, "is its disk mounted? Else make it first");
        }
        *p = '/';
    }
    return fault_sys(f, sys, "mkdir", path);
}

/* A certificate that has ended is presented all the same: clients refuse it,
 * and a server that does not start would help nobody. */
void
server_tls_log(struct server *s)
{
    int64_t left = tls_context_expires(s->tls).ms - wall_now().ms;
    int64_t days = left / (24 * 3600 * 1000);

    if (left < 0)
        log_warning(s->log, "The TLS certificate has expired",
                    F_STR("file", s->conf.tls_cert_file));
    else
        log_info(s->log, "TLS certificate read",
                 F_STR("file", s->conf.tls_cert_file),
                 F_I64("days_left", days));
}

static const char *
server_version(const struct conf *c)
{
    return c->app_version[0] ? c->app_version : ARTSTORE_VERSION;
}

/* What a process of that role has nothing to say about (PRD-038). */
static unsigned
metrics_absent(const struct conf *c)
{
    unsigned absent = c->role == CONF_INGESTER
                          ? METRIC_GROUP_STORAGE | METRIC_GROUP_DB
                          : METRIC_GROUP_MONITOR;

    if (c->role != CONF_STORAGE || c->storage_backend != CONF_S3)
        absent |= METRIC_GROUP_S3;
    return absent;
}

bool
server_open_observation(struct server *s)
{
    const struct conf *c = &s->conf;
    /* Who looks at a terminal is a person, unless he says otherwise. */
    bool person = c->source[CONF_LOG_FORMAT].layer == CONF_BY_DEFAULT &&
                  isatty(STDERR_FILENO);
    struct log_conf lc = {.fd = STDERR_FILENO,
                          .format = person ? LOG_TEXT
                                           : (enum log_format)c->log_format,
                          .level = (enum log_level)c->log_level,
                          .service = c->app_name,
                          .version = server_version(c)};
    uint64_t seed;

    sec_random(&seed, sizeof(seed));
    s->metrics = metrics_open(8, METRIC_GROUP_ALL & ~metrics_absent(c), seed);
    lc.metrics = s->metrics;
    s->log = log_open(&lc);
    if (s->metrics == NULL || s->log == NULL)
        return false;
    s->health = health_open(&(struct health_conf){.version = server_version(c),
                                                  .instance_id = "artstore",
                                                  .started = mono_now(),
                                                  .metrics = s->metrics,
                                                  .log = s->log});
    s->observe =
        observe_open(&s->conf, s->metrics, s->log, s->health, LOOPS_MAX);
    return s->health && s->observe;
}

/* ---- opening ---- */

static enum err
open_access_log(struct server *s, struct fault *f)
{
    int fd;
    enum err e = observe_access_open(s->conf.access_log, &fd, f);

    if (e == ERR_OK)
        observe_access(s->observe, s->conf.access_log, fd);
    return e;
}

static enum err
open_loops(struct server *s, struct fault *f)
{
    const struct conf *c = &s->conf;
    static const char *const kind[] = {"auto", "uring", "epoll"};
    cpu_set_t set;
    unsigned n = (unsigned)c->threads;
    enum err e;

    if (n == 0)
        n = sched_getaffinity(0, sizeof(set), &set) == 0
                ? (unsigned)CPU_COUNT(&set)
                : 1;
    n = n > LOOPS_MAX ? LOOPS_MAX : n;
    e = blocks_open(&s->blocks, c->block_budget_mb * MIB, f);
    if (e == ERR_OK)
        e = workers_open(&s->workers,
                         c->disk_workers ? (unsigned)c->disk_workers
                                         : WORKERS_DEFAULT,
                         ioloop_work_finished, f);
    for (; s->n_loops < n && e == ERR_OK; s->n_loops += e == ERR_OK) {
        e = ioloop_open(&s->loop[s->n_loops], kind[c->loop], s->n_loops,
                        s->blocks, s->workers, f);
        if (e == ERR_OK)
            s->loops[s->n_loops] = &s->loop[s->n_loops]->loop;
    }
    return e;
}

static enum err
open_element(struct server *s, const struct conf_element *ce, struct fault *f)
{
    struct join_element *el = &s->el[s->n_el];
    char path[PATH_MAX], index[PATH_MAX + 16];
    struct stat st;
    enum err e = ERR_OK;

    if (s->n_el == ELEMENTS_MAX || !serve_path(&s->conf, ce->path, path))
        return fault_set(f, ERR_TOOBIG, "open element", ce->id);
    if (s->first_start)
        e = make_folder(path, 0750, f);
    if (e == ERR_OK && stat(path, &st) != 0) {
        (void)fault_sys(f, errno, "open", path);
        e = fault_hint(f, "is its disk mounted? For a new element make the "
                          "folder and `artstore storage init`");
    }
    if (e != ERR_OK)
        return e;
    memset(el, 0, sizeof(*el));
    (void)slice_copy(slice_str(ce->id), el->element_id, sizeof(el->element_id));
    el->mode = (enum blob_mode)ce->mode;
    el->priority = (int)ce->priority;
    el->quota = ce->quota;
    el->device = (uint64_t)st.st_dev;
    (void)snprintf(el->place, sizeof(el->place), "%.255s", path);
    s->n_el++;
    e = disk_linux_open(&el->disk, path, NULL, f);
    if (e != ERR_OK)
        return e;
    snprintf(index, sizeof(index), "%s/superblock", path);
    el->fresh = s->first_start && access(index, F_OK) != 0;
    /* Without a superblock nothing may be put there, not even an index. */
    if (!el->fresh && access(index, F_OK) != 0) {
        (void)fault_set(f, ERR_NOENT, "open", index);
        return fault_hint(f, "this folder is no storage element: is its disk "
                             "mounted? `artstore storage init` makes a new "
                             "one");
    }
    snprintf(index, sizeof(index), "%s/index.db", path);
    e = index_sqlite_open(&el->index, index, f);
    if (e == ERR_OK)
        index_sqlite_observe(el->index, s->metrics);
    else
        (void)fault_in(f, el->place);
    if (e == ERR_CORRUPT)
        (void)fault_hint(f, "move it away: the start makes it anew from the "
                            "attr.json files");
    return e;
}

/* The one element of `artstore storage`, in a bucket. Its superblock is looked
 * for when it is opened. */
static enum err
open_bucket_element(struct server *s, struct fault *f)
{
    const struct conf *c = &s->conf;
    struct join_element *el = &s->el[s->n_el];
    char folder[PATH_MAX];
    enum err e;

    if (!serve_path(&s->conf, c->storage_path, folder))
        return fault_set(f, ERR_TOOBIG, "open element", c->storage_path);
    e = bucket_open(&s->bucket, c, f);
    if (e == ERR_OK)
        e = bucket_open_index(&s->bucket, c, folder, false, f);
    if (e != ERR_OK)
        return e;
    index_sqlite_observe(s->bucket.index, s->metrics);
    *el = (struct join_element){
        .mode = (enum blob_mode)c->storage_mode,
        .priority = PRIORITY_DEFAULT,
        .quota = c->storage_quota_bytes,
        .objects = s->bucket.objects,
        .limit = c->s3_soft_capacity_limit,
        .memory = c->s3_memory,
        .index = s->bucket.index,
    };
    (void)slice_copy(slice_str(c->storage_element_id), el->element_id,
                     sizeof(el->element_id));
    s->n_el++;
    return ERR_OK;
}

/* The one element of `artstore storage`. */
static enum err
open_own_element(struct server *s, struct fault *f)
{
    const struct conf *c = &s->conf;
    struct conf_element ce = {.mode = c->storage_mode,
                              .priority = PRIORITY_DEFAULT,
                              .quota = c->storage_quota_bytes};

    if (c->storage_backend == CONF_S3)
        return open_bucket_element(s, f);
    if (!slice_copy(slice_str(c->storage_element_id), ce.id, sizeof(ce.id)) ||
        !slice_copy(slice_str(c->storage_path), ce.path, sizeof(ce.path)))
        return fault_set(f, ERR_TOOBIG, "open element", c->storage_path);
    return open_element(s, &ce, f);
}

static enum err
open_elements(struct server *s, struct fault *f)
{
    struct slice rest = slice_str(s->conf.storage_elements);
    struct conf_element ce;
    enum err e = ERR_OK;
    char path[PATH_MAX];

    if (s->first_start && serve_path(&s->conf, "elements", path))
        e = make_folder(path, 0750, f);
    while (e == ERR_OK && conf_element_next(&rest, &ce, NULL) == ERR_OK)
        e = open_element(s, &ce, f);
    return e;
}

/* SQLite files are made after the elements: when one of these is not there,
 * the next start is a first start again. What there is already has to be asked
 * whether this is one. */
static enum err
open_catalogue(struct server *s, struct fault *f)
{
    const bool shared = catalogue_is_shared(&s->conf);
    struct uuid installation = {0};
    char path[PATH_MAX];
    bool there;
    enum err e = ERR_OK;

    if (!serve_path(&s->conf, "admin.db", path))
        return fault_set(f, ERR_TOOBIG, "open", "DATA_DIR");
    there = shared || access(path, F_OK) == 0;
    s->first_start = true;
    if (there)
        e = catalogue_open(&s->meta, &s->conf, s->metrics, &s->first_start, f);
    if (e == ERR_OK && shared && !s->first_start)
        e = installation_keys(s, f);
    if (e == ERR_OK && s->roles & JOIN_STORAGE)
        e = open_elements(s, f);
    if (e == ERR_OK && s->first_start)
        e = installation_find(s, &installation, f);
    if (e == ERR_OK && !there)
        e = catalogue_open(&s->meta, &s->conf, s->metrics, &s->first_start, f);
    return e == ERR_OK ? installation_take(s, &installation, f) : e;
}

static enum err
open_data(struct server *s, struct fault *f)
{
    enum err e = make_folder(s->conf.data_dir, 0750, f);
    struct stat st;

    if (e == ERR_OK && stat(s->conf.data_dir, &st) == 0 && !S_ISDIR(st.st_mode))
        e = fault_set(f, ERR_INVAL, "open", s->conf.data_dir);
    if (e != ERR_OK)
        return f->hint ? e : fault_hint(f, "DATA_DIR must be a folder");
    if (s->roles == JOIN_INGEST)
        return ERR_OK;
    if (!(s->roles & JOIN_ADMIN))
        return open_own_element(s, f);
    return open_catalogue(s, f);
}

static enum err
open_keys(struct server *s, struct fault *f)
{
    const struct conf *c = &s->conf;
    char dir[PATH_MAX];
    const bool own = s->roles & JOIN_ADMIN;
    /* A gateway asks Admin. A file that is named must be there all the same. */
    const bool asks = s->roles == JOIN_INGEST;
    const bool named =
        c->source[CONF_AUTH_PUBLIC_KEY_PATH].layer != CONF_BY_DEFAULT;
    struct keys_conf kc = {.now = wall_now(),
                           .log = s->log,
                           .create = own,
                           .adopts = asks,
                           .hand_dir = own || asks ? NULL : c->data_dir,
                           .public_required = named || !(own || asks)};

    if (!serve_path(&s->conf, "keys", dir))
        return fault_set(f, ERR_TOOBIG, "open", "DATA_DIR");
    kc.dir = own ? dir : NULL;
    kc.public_path = c->auth_enabled && c->auth_public_key_path[0]
                         ? c->auth_public_key_path
                         : NULL;
    s->auth.enabled = c->auth_enabled;
    s->auth.token = (struct token_conf){.audience = c->auth_audience,
                                        .issuer = c->auth_issuer,
                                        .leeway = c->auth_leeway};
    s->auth.metrics = s->metrics;
    if (!own && !c->auth_enabled)
        return ERR_OK;
    return keys_open(&s->keys, &kc, f);
}

static enum err
open_first_account(struct server *s, struct fault *f)
{
    struct credentials cred = {0};
    bool created = false;
    enum err e;

    if (!(s->roles & JOIN_ADMIN))
        return ERR_OK;
    e = bootstrap_account(s->meta, s->conf.data_dir, "", wall_now(), &created,
                          &cred, f);

    if (e == ERR_OK && created)
        fprintf(stderr,
                "First start: made the service account %s\n"
                "  its secret is in %s/credentials.json (mode 0600)%s%s\n",
                cred.client_id, s->conf.data_dir,
                /* A terminal forgets; a journal does not. */
                isatty(STDERR_FILENO) ? "; shown once: " : "",
                isatty(STDERR_FILENO) ? cred.client_secret : "");
    credentials_release(&cred);
    if (e == ERR_OK && s->roles == JOIN_ADMIN)
        e = bootstrap_gateway(s->meta, s->conf.data_dir, wall_now(), f);
    return e;
}

/* Open files that each loop keeps for the next reader: as many as a quarter of
 * our descriptors allows, since opening one anew costs three times what serving
 * 4 KiB does. */
static size_t
cache_entries(const struct server *s)
{
    struct rlimit r;
    size_t n = 1024;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0)
        n = r.rlim_cur / 4 / s->n_loops;
    return size_min(n < 16 ? 16 : n, CACHE_ENTRIES_MAX);
}

static enum err
open_join(struct server *s, const struct hash_kernels *hash, struct fault *f)
{
    const struct conf *c = &s->conf;
    struct join_conf jc = {
        .roles = s->roles,
        .loops = s->loops,
        .n_loops = s->n_loops,
        .elements = s->el,
        .n_elements = s->n_el,
        .meta = s->meta,
        .auth = &s->auth,
        .token_cache = 4096,
        .ingest =
            {
                .replay_window = c->upload_replay_window,
                .replay_budget = c->replay_budget,
                .block_budget = c->block_budget_mb * MIB,
                .gather_max = 32,
                .cache_entries = cache_entries(s),
                .hash = hash,
            },
        .relaxed = c->durability == CONF_RELAXED,
        .system = {.name = c->app_name,
                   .role = conf_role_name(c->role),
                   .version = ARTSTORE_VERSION,
                   .durability =
                       c->durability == CONF_RELAXED ? "relaxed" : "strict",
                   .health = s->health,
                   .metrics =
                       c->prometheus_metrics_enabled ? s->metrics : NULL},
        .batch_max = (unsigned)c->commit_batch_max,
        .bucket_files = (uint32_t)c->bucket_files_max,
        .location = c->datacenter_location,
        .endpoint = s->url,
        .audience = c->auth_audience,
        .issuer = c->auth_issuer,
        .log = s->log,
        .metrics = s->metrics,
        .health = s->health,
        .now = wall_now(),
        .routed = observe_routed,
        .routed_arg = s->observe,
        .clock = mono_now,
    };

    server_conf_join(c, &jc);
    s->auth.keys = s->keys;
    server_far_conf(s, &jc);
    return join_open(&s->join, &jc, f);
}

static enum err
open_tls(struct server *s, struct fault *f)
{
    const struct conf *c = &s->conf;
    const struct tls_conf tc = {
        .cert_file = c->tls_cert_file,
        .key_file = c->tls_key_file,
        .allow_tls12 = c->tls_min_version == CONF_TLS_1_2,
    };

    enum err e;

    if (c->tls_cert_file[0] == '\0')
        return ERR_OK;
    e = tls_context_open(&s->tls, &tc, f);
    if (e == ERR_OK)
        server_tls_log(s);
    return e;
}

static void
app_begin(struct serve_app *app, struct exchange *x)
{
    struct server *s = container_of(app, struct server, app);
    struct serve_app *roles = join_app(s->join);

    roles->begin(roles, x);
}

/* Which option says where. A right that is missing has its own hint. */
static enum err
listen_fault(const struct conf *c, enum err e, struct fault *f)
{
    if (e == ERR_OK || e == ERR_DENIED)
        return e;
    (void)fault_hint(f, c->listen[0] ? "see LISTEN"
                                     : "see APP_PORT and APP_HOST, or LISTEN");
    return e;
}

static enum err
open_http(struct server *s, struct fault *f)
{
    const struct conf *c = &s->conf;
    struct http_conf hc = {
        .limits = HTTP_LIMITS_DEFAULT,
        .linger_silence = dur_s(2),
        .linger_timeout = dur_s(30),
        .linger_max = GIB,
        .drain_max = 64 * KIB,
        .answer_max = 32 * MIB,
        .tls = s->tls,
        .client = observe_client,
        .client_arg = s->observe,
    };
    struct slice rest = slice_str(c->listen);
    struct conf_listen li;
    char address[300], url[256];
    enum err e;

    server_conf_http(c, s->log, &hc);
    hc.limits.head_max = (uint32_t)c->http_head_max;
    s->app.begin = app_begin;
    e = http_server_open(&s->http, &hc, s->loop, s->n_loops, &s->app,
                         observe_observer(s->observe), f);
    if (e != ERR_OK)
        return e;
    if (c->listen[0] == '\0') {
        snprintf(address, sizeof(address),
                 strchr(c->app_host, ':') ? "[%s]:%lld" : "%s:%lld",
                 c->app_host, (long long)c->app_port);
        e = http_server_listen(s->http, address, s->url, sizeof(s->url), f);
        return listen_fault(c, e, f);
    }
    while (e == ERR_OK && conf_listen_next(&rest, &li, NULL) == ERR_OK) {
        snprintf(address, sizeof(address),
                 strchr(li.host, ':') ? "[%s]:%u" : "%s:%u", li.host,
                 (unsigned)li.port);
        e = http_server_listen(s->http, address, url, sizeof(url), f);
        if (e == ERR_OK && s->url[0] == '\0')
            memcpy(s->url, url, sizeof(url));
    }
    return listen_fault(c, e, f);
}

/* Do elements lie on the file system of DATA_DIR? */
static bool
shares_disk(const struct server *s)
{
    struct stat st;

    if (stat(s->conf.data_dir, &st) != 0)
        return false;
    for (unsigned i = 0; i < s->n_el; i++)
        if (s->el[i].device == (uint64_t)st.st_dev)
            return true;
    return false;
}

static enum err
open_watchers(struct server *s, struct fault *f)
{
    struct vitals_conf vc = {
        .health = s->health,
        .metrics = s->metrics,
        .data_dir = s->conf.data_dir,
        .shared = shares_disk(s),
        .loops = s->loops,
        .n_loops = s->n_loops,
    };
    const struct gauges_conf gc = {
        .metrics = s->metrics,
        .http = s->http,
        .tls = s->tls != NULL,
        .loop = s->loop,
        .n_loops = s->n_loops,
        .blocks = s->blocks,
        .workers = s->workers,
        .keys = s->keys,
        .bucket = s->bucket.objects,
        .started = wall_now(),
        .version = ARTSTORE_VERSION,
    };

    server_conf_vitals(&s->conf, &vc.limits);
    s->vitals = vitals_open(&vc);
    s->gauges = gauges_open(&gc);
    s->standstill = standstill_open(s->loops, s->n_loops);
    return s->vitals && s->gauges && s->standstill
               ? ERR_OK
               : fault_set(f, ERR_NOMEM, "allocate", "vitals");
}

enum err
server_open(struct server *s, struct fault *f)
{
    static const struct {
        const char *what;
        enum err (*open)(struct server *s, struct fault *f);
    } steps[] = {
        {"opening the access log", open_access_log},
        {"opening event loops", open_loops},
        {"opening elements and catalogue", open_data},
        {"reading keys", open_keys},
        {"making the first account", open_first_account},
        {"reading certificates", open_tls},
        {"opening sockets", open_http},
        {"opening the way to others", server_far_open},
    };
    const struct hash_cpu cpu = cpu_read();
    const struct hash_kernels *hash = hash_select(&cpu, s->conf.hash);
    enum err e = ERR_OK;

    s->roles = s->conf.role == CONF_STORAGE    ? JOIN_STORAGE
               : s->conf.role == CONF_ADMIN    ? JOIN_ADMIN
               : s->conf.role == CONF_INGESTER ? JOIN_INGEST
                                               : JOIN_ALL;
    assert(hash); /* check_files() has looked */
    for (size_t i = 0; i < countof(steps) && e == ERR_OK; i++) {
        startup_step(s->startup, steps[i].what);
        e = steps[i].open(s, f);
    }
    if (e == ERR_OK) {
        startup_step(s->startup, "recovering storage elements");
        e = open_join(s, hash, f);
    }
    if (e == ERR_OK)
        e = open_watchers(s, f);
    if (e == ERR_OK)
        e = instance_write(&s->instance, s->conf.data_dir, s->url,
                           s->conf.auth_issuer, s->conf.auth_audience, f);
    if (e == ERR_OK)
        log_info(
            s->log, "Starting ArtStore", F_STR("url", s->url),
            F_STR("loop", ioloop_kind(s->loop[0])),
            F_U64("threads", s->n_loops),
            F_STR("hash", hash_kernels_name(hash)),
            F_STR("catalogue", !s->meta                        ? "none"
                               : catalogue_is_shared(&s->conf) ? "postgresql"
                                                               : "sqlite"),
            F_STR("durability",
                  s->conf.durability == CONF_RELAXED ? "relaxed" : "strict"));
    return e;
}
