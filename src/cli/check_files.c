/* check_files.c - see check_files.h. What is opened is closed again at once.
 * DATA_DIR and the folders of elements are not looked at: the first start makes
 * some of them, and another user than the one who asks may own them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_files.h"
#include "cli/clock.h"
#include "cli/cpu.h"
#include "hash/hash.h"
#include "io/coord_redis.h"
#include "io/redis_tls.h"
#include "io/tls.h"
#include "sec/keys.h"

static void
tell(struct conf_report *rep, int option, enum err e, const struct fault *f)
{
    char text[FAULT_TEXT];

    if (e != ERR_OK)
        conf_report_add(rep, CONF_ERROR, option, "%s: %s",
                        conf_option[option].name,
                        fault_text(f, text, sizeof(text)));
}

static bool
has(const struct conf *c, int option)
{
    return conf_option[option].roles & CONF_ROLE_BIT(c->role);
}

static void
check_hash(const struct conf *c, struct conf_report *rep)
{
    const struct hash_cpu cpu = cpu_read();

    if (hash_select(&cpu, c->hash) == NULL)
        conf_report_add(rep, CONF_ERROR, CONF_HASH,
                        "HASH=%s: there are auto, c, avx2, avx512, sha-ni, "
                        "avx2+sha-ni and avx512+sha-ni, as far as the "
                        "processor can run them",
                        c->hash);
}

static void
check_certificate(const struct conf *c, struct conf_report *rep)
{
    const struct tls_conf tc = {.cert_file = c->tls_cert_file,
                                .key_file = c->tls_key_file,
                                .allow_tls12 = true};
    struct tls_context *t = NULL;
    char text[FAULT_TEXT];
    struct fault f = {0};

    if (!c->tls_cert_file[0] || !c->tls_key_file[0])
        return; /* half of a pair is told already */
    if (tls_context_open(&t, &tc, &f) != ERR_OK) /* names the one of the two */
        conf_report_add(rep, CONF_ERROR, CONF_TLS_CERT_FILE, "%s",
                        fault_text(&f, text, sizeof(text)));
    tls_context_close(&t);
}

static void
check_trust(const struct conf *c, int option, const char *file,
            struct conf_report *rep)
{
    struct tls_client *t = NULL;
    struct fault f = {0};

    if (!has(c, option) || !file[0])
        return;
    tell(rep, option, tls_client_open(&t, file, true, &f), &f);
    tls_client_close(&t);
}

/* An element has no other keys. A gateway asks Admin, others have their own,
 * and a file that is named must be one all the same. */
static void
check_key(const struct conf *c, struct conf_report *rep)
{
    const int option = CONF_AUTH_PUBLIC_KEY_PATH;
    const bool named = c->source[option].layer != CONF_BY_DEFAULT;
    const struct keys_conf kc = {
        .public_path = c->auth_public_key_path,
        .public_required = true,
        .now = wall_now(),
    };
    struct keys *k = NULL;
    struct fault f = {0};
    enum err e;

    if (!has(c, option) || !c->auth_enabled || !c->auth_public_key_path[0] ||
        (!named && c->role != CONF_STORAGE))
        return;
    e = keys_open(&k, &kc, &f);
    if (e != ERR_OK && (c->role == CONF_STORAGE || c->role == CONF_INGESTER))
        (void)fault_hint(&f, "it is the public key of Admin, whose tokens are "
                             "believed: PEM, or what /.well-known/jwks.json "
                             "answers");
    tell(rep, option, e, &f);
    keys_close(&k);
}

static void
check_redis(const struct conf *c, struct conf_report *rep)
{
    struct coord_redis_text room;
    struct coord_redis_conf where;
    struct tls_client *t = NULL;
    struct fault f = {0};
    enum err e;

    if (c->role != CONF_ADMIN &&
        (c->role != CONF_INGESTER || !c->capacity_monitor_enabled))
        return; /* nobody else has one */
    e = coord_redis_from_conf(&where, &room, c, &f);
    if (e == ERR_NOENT)
        return;
    if (e != ERR_OK) {
        tell(rep, CONF_REDIS_URL, e, &f);
        return;
    }
    where.tls_cert_file = ""; /* after the other, so that both are told */
    e = redis_trust_open(&t, &where, &f);
    tell(rep, CONF_REDIS_TLS_CA_FILE, e, &f);
    if (t && c->redis_tls_cert_file[0] && c->redis_tls_key_file[0])
        tell(rep, CONF_REDIS_TLS_CERT_FILE,
             tls_client_present(t, c->redis_tls_cert_file,
                                c->redis_tls_key_file, &f),
             &f);
    tls_client_close(&t);
}

void
check_files(const struct conf *c, struct conf_report *rep)
{
    check_hash(c, rep);
    check_certificate(c, rep);
    check_key(c, rep);
    check_redis(c, rep);
    check_trust(c, CONF_STORAGE_ELEMENT_CA_FILE, c->storage_element_ca_file,
                rep);
    if (c->storage_backend == CONF_S3)
        check_trust(c, CONF_S3_CA_FILE, c->s3_ca_file, rep);
}
