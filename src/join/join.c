/* join.c - see join.h. SPDX-License-Identifier: Apache-2.0 */
#include "join/join.h"
#include "join/watch.h"
#include "obs/health.h"
#include "obs/log.h"
#include "role/admin/api.h"
#include "role/storage/blobs.h"
#include "role/storage/cloud.h"
#include "role/storage/element.h"
#include "role/storage/routes.h"
#include "role/storage/trust.h"
#include "sec/random.h"
#include "wire/endpoint.h"
#include <stdlib.h>
#include <string.h>

#define ELEMENTS_MAX 64

struct joined {
    struct element *element;
    struct element_pool *pool; /* shared by those of one device */
    uint64_t device;
    bool owns_pool;
    bool in_bucket;
};

struct join {
    struct join_conf conf;
    struct joined el[ELEMENTS_MAX];
    unsigned n;
    struct admin *admin;
    struct admin_api *admin_api;
    struct ingest *ingest;
    struct gateway *gateway;
    struct storage_api *storage;
    struct blobs_api *blobs;
    struct trust_api *trust;
    struct watch *watch;
    struct authority *authority;
    struct router *router;
    void (*done)(void *arg);
    void *done_arg;
    unsigned stopping;
};

/* ---- who we are ---- */

/* The installation's id: made once, kept with the catalogue, written into every
 * superblock, so that a foreign disk is not taken for ours (D31). */
enum err
join_installation(struct meta *m, bool make, struct uuid *id, struct fault *f)
{
    char text[UUID_TEXT];
    uint8_t random[16];
    struct buf b;
    enum err e;

    buf_init(&b, 64);
    e = m->ops->setting_get(m, "installation_id", &b, f);
    if (e == ERR_OK && !uuid_parse(buf_slice(&b), id))
        e = fault_set(f, ERR_CORRUPT, "read", "installation_id");
    if (e == ERR_NOENT && make) {
        sec_random(random, sizeof(random));
        *id = uuid_v4(random);
        e = m->ops->setting_put(m, "installation_id",
                                slice_str(uuid_text(id, text)), f);
    }
    buf_release(&b);
    return e;
}

/* ---- elements ---- */

static struct element_pool *
pool_for(struct join *j, uint64_t device)
{
    for (unsigned i = 0; i < j->n; i++)
        if (j->el[i].device == device && !j->el[i].in_bucket)
            return j->el[i].pool;
    return NULL;
}

enum err
join_element_make(const struct join_element *s, const struct uuid *installation,
                  const struct hash_kernels *hash, struct wall now,
                  struct fault *f)
{
    struct element_birth birth = {.installation_id = *installation,
                                  .label = s->element_id,
                                  .mode = s->mode,
                                  .now = now};
    char pool[17];
    uint8_t random[16];

    sec_random(random, sizeof(random));
    birth.element_uuid = uuid_v4(random);
    for (unsigned i = 0; i < 16; i++)
        pool[i] = "0123456789abcdef"[s->device >> (60 - 4 * i) & 15];
    pool[16] = '\0';
    birth.pool_id = pool;
    return s->objects ? cloud_init(s->objects, &birth, hash, f)
                      : element_init(s->disk, &birth, hash, f);
}

/* A bucket needs no room for its own housekeeping (STO-022). */
static struct ledger_conf
ledger_of(const struct join_conf *c, bool in_bucket)
{
    struct ledger_conf l = c->ledger;

    if (in_bucket)
        l.headroom = (struct ledger_room){0, 0};
    return l;
}

static struct element_pool *
pool_new(struct join *j, const struct join_element *s)
{
    const struct ledger_conf l = ledger_of(&j->conf, s->objects != NULL);

    return element_pool_new(&l);
}

static enum err
open_element(struct joined *k, const struct join_element *s,
             const struct element_conf *c, struct element_report *report,
             struct fault *f)
{
    struct cloud_conf cc = {.limit = s->limit, .memory = s->memory};

    if (!s->objects)
        return element_open(&k->element, c, s->disk, s->index, k->pool, report,
                            f);
    sec_random(&cc.nonce, sizeof(cc.nonce));
    return cloud_open(&k->element, c, &cc, s->objects, s->index, k->pool,
                      report, f);
}

static void
report_recovery(struct join *j, const struct join_element *s,
                const struct element_report *r)
{
    if (r->missing || r->damaged)
        log_critical(j->conf.log, "storage element is damaged",
                     F_STR("se_id", s->element_id),
                     F_U64("missing", r->missing), F_U64("damaged", r->damaged),
                     F_TYPE("storage"));
    if (r->rebuilt)
        log_warning(j->conf.log,
                    "the index was lost or did not fit the files: made anew "
                    "from their attr.json",
                    F_STR("se_id", s->element_id), F_U64("files", r->files),
                    F_U64("bytes", r->bytes));
    if (r->no_alloc)
        log_warning(j->conf.log,
                    "the file system cannot allocate room ahead: another "
                    "process on it may promise the same room",
                    F_STR("se_id", s->element_id));
    if (r->buckets)
        log_info(j->conf.log, "storage element recovered",
                 F_STR("se_id", s->element_id), F_U64("files", r->files),
                 F_U64("published", r->published), F_U64("removed", r->removed),
                 F_U64("settled", r->settled), F_U64("buckets", r->buckets));
}

static enum err
changes_of(void *arg, uint64_t since, size_t max, index_change_fn *fn,
           void *fn_arg, struct fault *f)
{
    return element_changes(arg, since, max, fn, fn_arg, f);
}

static void
set_mode_of(void *arg, enum blob_mode mode)
{
    element_set_mode(arg, mode);
}

/* What was changed over HTTP goes before STORAGE_ELEMENTS: whoever changes the
 * list and sees no effect must learn why. */
static void
report_record(struct join *j, const struct join_element *s)
{
    struct meta_element r;

    if (admin_element_get(j->admin, s->element_id, &r) != ERR_OK)
        return;
    if (r.priority != s->priority)
        log_warning(j->conf.log,
                    "the priority in STORAGE_ELEMENTS counts only when the "
                    "element is new; change it with PATCH",
                    F_STR("se_id", s->element_id), F_I64("listed", s->priority),
                    F_I64("holds", r.priority));
    if (r.mode != (int)s->mode)
        log_warning(j->conf.log,
                    "the element's mode is later than the one in "
                    "STORAGE_ELEMENTS; it stays, since modes go forward only",
                    F_STR("se_id", s->element_id),
                    F_STR("listed", element_mode_text(s->mode)),
                    F_STR("holds", element_mode_text(r.mode)));
}

static enum err
element_attach(struct join *j, const struct join_element *s, struct element *e,
               struct fault *f)
{
    const struct admin_source source = {.index = s->index,
                                        .changes = changes_of,
                                        .set_mode = set_mode_of,
                                        .arg = e};
    struct blob *b = element_blob(e);
    struct blob_capacity holds;
    struct meta_element like = {.uuid = *element_uuid(e),
                                .priority = s->priority,
                                .created_at = j->conf.now,
                                .updated_at = j->conf.now};
    enum err err;

    b->ops->capacity(b, &holds);
    like.mode = (int)holds.mode;
    (void)slice_copy(slice_str(s->element_id), like.element_id,
                     sizeof(like.element_id));
    (void)slice_copy(slice_str(s->element_id), like.name, sizeof(like.name));
    (void)slice_copy(slice_str(j->conf.endpoint), like.endpoint,
                     sizeof(like.endpoint));
    (void)slice_copy(slice_str(j->conf.location), like.location,
                     sizeof(like.location));
    err = admin_attach(j->admin, b, &source, &like, f);
    if (err == ERR_OK)
        report_record(j, s);
    return err;
}

static enum err
element_join(struct join *j, const struct join_element *s,
             const struct uuid *installation, struct fault *f)
{
    struct joined *k = &j->el[j->n];
    struct element_report report = {0};
    struct element_conf c = {
        .element_id = s->element_id,
        .location = j->conf.location,
        .endpoint = j->conf.endpoint,
        .mode = s->mode,
        .keep_mode = j->admin != NULL, /* as Admin's record, record_of() */
        .priority = s->priority,
        .quota = s->quota,
        .relaxed = j->conf.relaxed,
        .installation_id = *installation,
        .registry = j->admin ? admin_registry(j->admin) : NULL,
        .hash = j->conf.ingest.hash,
        .batch_max = j->conf.batch_max,
        .bucket_files = j->conf.bucket_files,
        .now = j->conf.now,
        .metrics = j->conf.metrics,
        .clock = j->conf.clock,
    };
    enum err e = ERR_OK;

    sec_random(&c.seed, sizeof(c.seed));
    k->device = s->device;
    k->in_bucket = s->objects != NULL;
    k->pool = k->in_bucket ? NULL : pool_for(j, s->device);
    if (k->pool == NULL) {
        k->pool = pool_new(j, s);
        k->owns_pool = true;
    }
    if (k->pool == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "element");
    j->n++;
    if (s->fresh)
        e = join_element_make(s, installation, j->conf.ingest.hash, j->conf.now,
                              f);
    if (e == ERR_OK)
        e = open_element(k, s, &c, &report, f);
    if (e == ERR_OK)
        report_recovery(j, s, &report);
    if (e == ERR_OK && j->admin)
        e = element_attach(j, s, k->element, f);
    if (e != ERR_OK && s->place[0])
        (void)fault_in(f, s->place);
    return e;
}

/* ---- all of it ---- */

static enum err
open_gateway(struct join *j, struct fault *f)
{
    struct gateway_conf c = j->conf.far;

    c.loops = j->conf.loops;
    c.n_loops = j->conf.n_loops;
    c.hash = j->conf.ingest.hash;
    c.metrics = j->conf.metrics;
    c.health = j->conf.health;
    c.log = j->conf.log;
    c.clock = j->conf.clock;
    return gateway_open(&j->gateway, &c, f);
}

static enum err
open_ingest(struct join *j, struct fault *f)
{
    struct ingest_conf c = j->conf.ingest;
    enum err e;

    if (j->admin) {
        c.registry = admin_registry(j->admin);
    } else {
        e = open_gateway(j, f);
        if (e != ERR_OK)
            return e;
        gateway_provide(j->gateway, &c);
    }
    c.metrics = j->conf.metrics;
    c.log = j->conf.log;
    c.clock = j->conf.clock;
    return ingest_open(&j->ingest, &c, j->conf.loops, j->conf.n_loops, f);
}

static enum err
open_admin_api(struct join *j, struct fault *f)
{
    struct admin_api_conf c = {.admin = j->admin,
                               .keys = j->conf.auth->keys,
                               .audience = j->conf.audience,
                               .issuer = j->conf.issuer,
                               .token_life = j->conf.token_life,
                               .fetch = j->conf.fetch,
                               .metrics = j->conf.metrics};

    sec_random(&c.seed, sizeof(c.seed));
    return admin_api_open(&j->admin_api, &c, f);
}

static void
elements_of(const struct join *j, struct element *out[ELEMENTS_MAX])
{
    for (unsigned i = 0; i < j->n; i++)
        out[i] = j->el[i].element;
}

static enum err
open_storage_api(struct join *j, struct fault *f)
{
    struct element *elements[ELEMENTS_MAX];
    struct blobs_conf bc = {.hash = j->conf.ingest.hash};

    /* A bucket's service has it for good when it says so. */
    bc.relaxed = j->conf.relaxed && j->n && !j->el[0].in_bucket;
    elements_of(j, elements);
    j->storage = storage_api_open(elements, j->n);
    if (j->storage == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "storage routes");
    if (j->conf.roles != JOIN_STORAGE)
        return ERR_OK;
    assert(j->n == 1);
    sec_random(&bc.seed, sizeof(bc.seed));
    j->blobs = blobs_open(elements[0], &bc);
    if (j->blobs && j->conf.auth->enabled) {
        storage_api_trust(j->storage, j->conf.auth->keys);
        j->trust = trust_open(j->conf.auth->keys, j->conf.log, j->conf.metrics,
                              j->conf.n_loops);
    }
    return j->blobs && (j->trust || !j->conf.auth->enabled)
               ? ERR_OK
               : fault_set(f, ERR_NOMEM, "allocate", "storage routes");
}

static enum err
open_watch(struct join *j, struct fault *f)
{
    struct element *elements[ELEMENTS_MAX];
    struct watch_conf c = {.health = j->conf.health,
                           .metrics = j->conf.metrics,
                           .meta = j->conf.meta,
                           .admin = j->admin ? admin_registry(j->admin) : NULL,
                           .elements = elements,
                           .n = j->n,
                           .alone = j->conf.roles == JOIN_STORAGE,
                           .durability = j->conf.system.durability,
                           .clock = j->conf.clock};

    elements_of(j, elements);
    for (unsigned i = 0; i < j->n && !c.alone; i++)
        c.wants_rw |= j->conf.elements[i].mode == BLOB_RW;
    j->watch = watch_open(&c);
    return j->watch ? ERR_OK : fault_set(f, ERR_NOMEM, "allocate", "watch");
}

static enum err
open_router(struct join *j, struct fault *f)
{
    struct route_table tables[6];
    size_t n = 0;

    if (j->conf.auth->enabled) {
        j->authority =
            authority_open(j->conf.auth, j->conf.token_cache, j->conf.n_loops);
        if (j->authority == NULL)
            return fault_set(f, ERR_NOMEM, "allocate", "authority");
        if (j->gateway)
            gateway_issuer(j->gateway, j->authority);
    }
    if (j->ingest)
        tables[n++] = ingest_routes(j->ingest);
    if (j->gateway)
        tables[n++] = ingest_gateway_routes(j->ingest);
    if (j->admin_api)
        tables[n++] = admin_api_routes(j->admin_api);
    if (j->storage)
        tables[n++] = storage_routes(j->storage);
    if (j->blobs)
        tables[n++] = blobs_routes(j->blobs);
    if (j->trust)
        tables[n++] = trust_routes(j->trust);
    tables[n++] = system_routes(&j->conf.system);
    j->router = router_open(tables, n, j->conf.system.role, j->authority,
                            j->conf.log, j->conf.n_loops);
    if (j->router == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "router");
    router_observe(j->router, j->conf.routed, j->conf.routed_arg);
    return ERR_OK;
}

static enum err
open_roles(struct join *j, struct fault *f)
{
    enum err e = ERR_OK;

    if (j->conf.roles & JOIN_INGEST)
        e = open_ingest(j, f);
    if (e == ERR_OK && j->admin)
        e = open_admin_api(j, f);
    if (e == ERR_OK && j->conf.roles & JOIN_STORAGE)
        e = open_storage_api(j, f);
    if (e == ERR_OK)
        e = open_watch(j, f);
    return e == ERR_OK ? open_router(j, f) : e;
}

/* Their files are listed, and nobody can read them. */
static void
report_lost(struct join *j)
{
    struct admin_lost l[ADMIN_LOST_MAX];
    unsigned n = j->admin ? admin_lost(j->admin, l, ADMIN_LOST_MAX) : 0;

    for (unsigned i = 0; i < n; i++)
        if (l[i].unheard)
            log_warning(j->conf.log,
                        "an element is not in STORAGE_ELEMENTS any more, and "
                        "which files it holds is not known",
                        F_STR("se_id", l[i].element_id));
        else
            log_warning(j->conf.log,
                        "an element is not in STORAGE_ELEMENTS any more: its "
                        "files cannot be read",
                        F_STR("se_id", l[i].element_id),
                        F_U64("files", l[i].files));
}

/* Nothing refuses this start any more: what cannot be taken back comes now. */
static enum err
serve_elements(struct join *j, struct fault *f)
{
    enum err e = j->admin ? admin_attached(j->admin, f) : ERR_OK;

    for (unsigned i = 0; i < j->n && e == ERR_OK; i++) {
        e = element_serve(j->el[i].element, f);
        if (e != ERR_OK && j->conf.elements[i].place[0])
            (void)fault_in(f, j->conf.elements[i].place);
    }
    return e;
}

enum err
join_open(struct join **out, const struct join_conf *c, struct fault *f)
{
    struct join *j = calloc(1, sizeof(*j));
    struct uuid installation = {0};
    enum err e = ERR_OK;

    *out = NULL;
    if (j == NULL)
        return fault_set(f, ERR_NOMEM, "allocate", "join");
    assert(c->n_elements <= ELEMENTS_MAX);
    j->conf = *c;
    if (c->roles & JOIN_ADMIN) {
        e = join_installation(c->meta, true, &installation, f);
        if (e == ERR_OK)
            e = admin_open(&j->admin, c->meta, f);
    }
    for (unsigned i = 0; i < c->n_elements && e == ERR_OK; i++) {
        health_step(c->health, "opening storage elements");
        e = element_join(j, &c->elements[i], &installation, f);
    }
    if (e == ERR_OK && j->admin)
        e = admin_load(j->admin, f);
    if (e == ERR_OK && j->admin && j->n)
        e = admin_lost_find(j->admin, f);
    if (e == ERR_OK && j->admin)
        admin_keys(j->admin, c->auth->keys, c->log, c->now);
    if (e == ERR_OK && j->admin && c->coord)
        e = admin_tell(j->admin, c->coord, c->channel, c->log, f);
    if (e == ERR_OK)
        e = open_roles(j, f);
    if (e == ERR_OK)
        e = serve_elements(j, f);
    if (e == ERR_OK)
        report_lost(j);
    else
        join_close(&j);
    *out = j;
    return e;
}

struct serve_app *
join_app(struct join *j)
{
    return router_app(j->router);
}

void
join_adjust(struct join *j, const struct join_conf *c)
{
    if (j->ingest)
        ingest_adjust(j->ingest, &c->ingest);
    if (j->admin_api)
        admin_api_adjust(j->admin_api, c->token_life);
    for (unsigned i = 0; i < j->n; i++) {
        const struct joined *k = &j->el[i];
        const struct ledger_conf l = ledger_of(c, k->in_bucket);

        if (k->owns_pool)
            element_pool_adjust(k->pool, &l);
        if (k->in_bucket)
            cloud_set_limit(k->element, c->bucket_limit);
    }
}

void
join_reload(struct join *j)
{
    if (j->gateway)
        gateway_reload(j->gateway);
}

void
join_start(struct join *j, struct loop *l)
{
    if (j->admin)
        admin_start(j->admin, l);
    watch_start(j->watch, l);
    if (j->admin_api)
        admin_api_start(j->admin_api, l);
    if (j->gateway)
        gateway_start(j->gateway, l);
    if (j->blobs)
        blobs_start(j->blobs, l);
    for (unsigned i = 0; i < j->n; i++)
        element_start(j->el[i].element, l);
}

void
join_drain(struct join *j)
{
    if (j->storage)
        storage_api_drain(j->storage);
}

void
join_quiesce(struct join *j, struct loop *l)
{
    if (j->ingest)
        ingest_loop_quiesce(j->ingest, l);
}

static void
one_stopped(void *arg)
{
    struct join *j = arg;

    if (--j->stopping == 0)
        j->done(j->done_arg);
}

/* After its routes' own work. */
static void
stop_admin(void *arg)
{
    struct join *j = arg;

    if (j->admin)
        admin_stop(j->admin, one_stopped, j);
    else
        one_stopped(j);
}

/* Elements after whoever uses them. */
static void
stop_elements(void *arg)
{
    struct join *j = arg;

    for (unsigned i = 0; i < j->n; i++)
        element_stop(j->el[i].element, one_stopped, j);
    one_stopped(j);
}

void
join_stop(struct join *j, void (*done)(void *arg), void *arg)
{
    j->done = done;
    j->done_arg = arg;
    j->stopping = j->n + 4;
    if (j->gateway)
        gateway_stop(j->gateway, one_stopped, j);
    else
        one_stopped(j);
    watch_stop(j->watch, one_stopped, j);
    if (j->admin_api)
        admin_api_stop(j->admin_api, stop_admin, j);
    else
        stop_admin(j);
    if (j->blobs)
        blobs_stop(j->blobs, stop_elements, j);
    else
        stop_elements(j);
}

void
join_close(struct join **jp)
{
    struct join *j = *jp;

    *jp = NULL;
    if (j == NULL)
        return;
    router_close(&j->router);
    authority_close(&j->authority);
    admin_api_close(&j->admin_api);
    blobs_close(&j->blobs);
    trust_close(&j->trust);
    storage_api_close(&j->storage);
    watch_close(&j->watch);
    ingest_close(&j->ingest);
    gateway_close(&j->gateway);
    for (unsigned i = 0; i < j->n; i++)
        element_close(&j->el[i].element);
    admin_close(&j->admin);
    for (unsigned i = 0; i < j->n; i++)
        if (j->el[i].owns_pool)
            element_pool_free(&j->el[i].pool);
    free(j);
}
