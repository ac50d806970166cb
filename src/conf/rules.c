/* rules.c - see rules.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/rules.h"
#include "conf/items.h"
#include "conf/report.h"
#include "conf/value.h"

/* LESS < MORE, or LESS <= MORE; with ZERO_FREE a 0 on either side means "not
 * set" and is free. Both sides are of one type and unit. */
static const struct {
    int less;
    int more;
    bool strict;
    bool zero_free;
} order[] = {
    /* ING-249 */
    {CONF_CAPACITY_MONITOR_LEADER_RENEWAL_INTERVAL,
     CONF_CAPACITY_MONITOR_LEADER_TTL, true, false},
    {CONF_CAPACITY_MONITOR_BASE_INTERVAL, CONF_CAPACITY_MONITOR_MAX_INTERVAL,
     false, false},
    /* ING-114, D07 */
    {CONF_CAPACITY_WARNING_PERCENT, CONF_CAPACITY_CRITICAL_PERCENT, false,
     false},
    {CONF_CAPACITY_CRITICAL_PERCENT, CONF_CAPACITY_FULL_PERCENT, false, false},
    {CONF_CAPACITY_FULL_FREE_BYTES, CONF_CAPACITY_CRITICAL_FREE_BYTES, false,
     true},
    {CONF_CAPACITY_CRITICAL_FREE_BYTES, CONF_CAPACITY_WARNING_FREE_BYTES, false,
     true},
    {CONF_HEALTH_DISK_CRITICAL_PERCENT, CONF_HEALTH_DISK_WARNING_PERCENT, false,
     false},
    {CONF_DB_POOL_MIN, CONF_DB_POOL_MAX, false, false},
    {CONF_UPLOAD_REPLAY_WINDOW, CONF_REPLAY_BUDGET, false, true},
};

/* "NAME=value" of option ID. */
static const char *
with_value(const struct conf *c, int id, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "%s=", conf_option[id].name);
    conf_value_text(c, id, out);
    return buf_str(out);
}

static void
check_order(const struct conf *c, struct conf_report *rep)
{
    struct buf a, b;

    buf_init(&a, 256);
    buf_init(&b, 256);
    for (size_t i = 0; i < countof(order); i++) {
        const int64_t less = conf_value_load(c, order[i].less).n;
        const int64_t more = conf_value_load(c, order[i].more).n;
        const unsigned roles =
            conf_option[order[i].less].roles & conf_option[order[i].more].roles;

        if (!(roles & CONF_ROLE_BIT(c->role)) || less < more ||
            (less == more && !order[i].strict) ||
            (order[i].zero_free && (less == 0 || more == 0)))
            continue;
        conf_report_add(rep, CONF_ERROR, order[i].less, "%s: must be %s %s",
                        with_value(c, order[i].less, &a),
                        order[i].strict ? "less than" : "at most",
                        with_value(c, order[i].more, &b));
    }
    buf_release(&a);
    buf_release(&b);
}

static void
check_pair(const struct conf *c, struct conf_report *rep, int have, int need)
{
    if (conf_value_load(c, have).text.n > 0 &&
        conf_value_load(c, need).text.n == 0)
        conf_report_add(rep, CONF_ERROR, need, "%s is needed where %s is given",
                        conf_option[need].name, conf_option[have].name);
}

/* Two elements with one id or one folder would write over each other. Without
 * mode edit the server would start, and be degraded. */
static void
check_elements(const struct conf *c, struct conf_report *rep)
{
    struct slice rest = slice_str(c->storage_elements), later;
    struct conf_element a, b;
    bool edit = rest.n == 0;

    while (conf_element_next(&rest, &a, NULL) == ERR_OK) {
        edit |= a.mode == CONF_EDIT;
        later = rest;
        while (conf_element_next(&later, &b, NULL) == ERR_OK) {
            if (strcmp(a.id, b.id) == 0)
                conf_report_add(rep, CONF_ERROR, CONF_STORAGE_ELEMENTS,
                                "STORAGE_ELEMENTS: %s stands there twice",
                                a.id);
            else if (strcmp(a.path, b.path) == 0)
                conf_report_add(rep, CONF_ERROR, CONF_STORAGE_ELEMENTS,
                                "STORAGE_ELEMENTS: %s and %s have one folder",
                                a.id, b.id);
        }
    }
    if (!edit)
        conf_report_add(rep, CONF_WARNING, CONF_STORAGE_ELEMENTS,
                        "STORAGE_ELEMENTS: none is of mode edit, so that "
                        "TEMPORARY files are refused");
}

/* What an element in a bucket cannot do without. */
static void
check_bucket(const struct conf *c, struct conf_report *rep)
{
    static const int needed[] = {CONF_S3_ENDPOINT, CONF_S3_BUCKET,
                                 CONF_S3_ACCESS_KEY, CONF_S3_SECRET_KEY};
    const struct slice at = slice_str(c->s3_endpoint);
    const size_t n = strlen(c->s3_prefix);

    for (size_t i = 0; i < countof(needed); i++)
        if (conf_value_load(c, needed[i]).text.n == 0)
            conf_report_add(rep, CONF_ERROR, needed[i],
                            "%s is needed where STORAGE_BACKEND=s3",
                            conf_option[needed[i]].name);
    if (at.n && !slice_starts(at, SLICE("http://")) &&
        !slice_starts(at, SLICE("https://")))
        conf_report_add(rep, CONF_ERROR, CONF_S3_ENDPOINT,
                        "S3_ENDPOINT=%s: must begin with http:// or https://",
                        c->s3_endpoint);
    if (n && (c->s3_prefix[n - 1] != '/' || c->s3_prefix[0] == '/'))
        conf_report_add(rep, CONF_ERROR, CONF_S3_PREFIX,
                        "S3_PREFIX=%s: must end in a slash, and not begin "
                        "with one",
                        c->s3_prefix);
}

/* Those that keep the catalogue. */
#define DATABASE_ROLES (CONF_ROLE_BIT(CONF_SERVER) | CONF_ROLE_BIT(CONF_ADMIN))

/* A name only by its whole: localhost.example.org is somebody else. */
static bool
is_loopback(struct slice host)
{
    static const struct slice name[] = {SLICE("localhost"), SLICE("[::1]")};
    struct slice rest = slice_head(host, slice_find(host, '/'));

    for (size_t i = 0; i < countof(name); i++) {
        struct slice behind;

        if (!slice_starts(rest, name[i]))
            continue;
        behind = slice_skip(rest, name[i].n);
        return behind.n == 0 || behind.p[0] == ':';
    }
    if (!slice_starts(rest, SLICE("127.")))
        return false;
    rest = slice_head(rest, slice_find(rest, ':'));
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] != '.' && (rest.p[i] < '0' || rest.p[i] > '9'))
            return false;
    return true;
}

bool
conf_admin_in_clear(const struct conf *c)
{
    const char *own = c->service_account_admin_module_url;
    struct slice url = slice_str(own[0] ? own : c->auth_admin_module_url);

    return (conf_option[CONF_AUTH_ADMIN_MODULE_URL].roles &
            CONF_ROLE_BIT(c->role)) &&
           c->auth_enabled &&
           slice_eq_nocase(slice_head(url, 7), SLICE("http://")) &&
           !is_loopback(slice_skip(url, 7));
}

bool
conf_account_missing(const struct conf *c)
{
    return (conf_option[CONF_SERVICE_ACCOUNT_CLIENT_ID].roles &
            CONF_ROLE_BIT(c->role)) &&
           c->auth_enabled && c->service_account_client_id[0] == '\0';
}

bool
conf_database_url_fits(const char *url)
{
    size_t scheme = strcspn(url, ":") + 3;

    if (strncmp(url, "postgresql://", 13) != 0 &&
        strncmp(url, "postgres://", 11) != 0)
        return false;
    /* As libpq reads it (conninfo_uri_parse_options): user and password end at
     * the first @ if no slash comes before it. Behind that nothing but a
     * parameter may have another. */
    url += scheme;
    url += strcspn(url, "@/");
    if (*url)
        url++;
    return url[strcspn(url, "@?")] != '@';
}

/* Who names a certificate means TLS, and must not get plain text. */
static void
check_redis_tls(const struct conf *c, struct conf_report *rep)
{
    const struct {
        enum conf_id id;
        const char *value;
    } only[] = {{CONF_REDIS_TLS_CA_FILE, c->redis_tls_ca_file},
                {CONF_REDIS_TLS_CERT_FILE, c->redis_tls_cert_file},
                {CONF_REDIS_TLS_KEY_FILE, c->redis_tls_key_file},
                {CONF_REDIS_TLS_SERVER_NAME, c->redis_tls_server_name}};

    if (c->redis_tls || slice_starts(slice_str(c->redis_url), SLICE("rediss:")))
        return;
    for (size_t i = 0; i < countof(only); i++)
        if (only[i].value[0])
            conf_report_add(rep, CONF_ERROR, only[i].id,
                            "%s is of no use without REDIS_TLS=on or a "
                            "REDIS_URL of rediss://",
                            conf_option[only[i].id].name);
}

static void
check_service_account(const struct conf *c, struct conf_report *rep)
{
    const int id = CONF_SERVICE_ACCOUNT_CLIENT_ID;

    check_pair(c, rep, id, CONF_SERVICE_ACCOUNT_CLIENT_SECRET);
    check_pair(c, rep, CONF_SERVICE_ACCOUNT_CLIENT_SECRET, id);
    if (conf_account_missing(c) && !c->service_account_client_secret[0])
        conf_report_add(rep, CONF_WARNING, id,
                        "SERVICE_ACCOUNT_CLIENT_ID is empty: no token is "
                        "sent, and elements and Admin that want one "
                        "(AUTH_ENABLED=on) refuse");
}

static void
check_others(const struct conf *c, struct conf_report *rep)
{
    const unsigned me = CONF_ROLE_BIT(c->role);

    check_pair(c, rep, CONF_TLS_CERT_FILE, CONF_TLS_KEY_FILE);
    check_pair(c, rep, CONF_TLS_KEY_FILE, CONF_TLS_CERT_FILE);
    check_pair(c, rep, CONF_CLIENT_SECRET, CONF_CLIENT_ID);
    check_service_account(c, rep);
    check_pair(c, rep, CONF_REDIS_SENTINELS, CONF_REDIS_SENTINEL_MASTER);
    check_pair(c, rep, CONF_REDIS_SENTINEL_MASTER, CONF_REDIS_SENTINELS);
    check_pair(c, rep, CONF_REDIS_USERNAME, CONF_REDIS_PASSWORD);
    check_pair(c, rep, CONF_REDIS_TLS_CERT_FILE, CONF_REDIS_TLS_KEY_FILE);
    check_pair(c, rep, CONF_REDIS_TLS_KEY_FILE, CONF_REDIS_TLS_CERT_FILE);
    check_redis_tls(c, rep);
    if (c->app_env == CONF_ENV_PRODUCTION && !c->auth_enabled) /* PRD-232 */
        conf_report_add(rep, CONF_ERROR, CONF_AUTH_ENABLED,
                        "AUTH_ENABLED=off: must be on with "
                        "APP_ENV=production");
    if ((conf_option[CONF_COMPRESSION_LEVEL].roles & me) && /* ING-225 */
        c->compression_algorithm == CONF_GZIP &&
        (c->compression_level < 1 || c->compression_level > 9))
        conf_report_add(rep, CONF_ERROR, CONF_COMPRESSION_LEVEL,
                        "COMPRESSION_LEVEL=%lld: must be from 1 to 9 with "
                        "COMPRESSION_ALGORITHM=gzip",
                        (long long)c->compression_level);
    if ((conf_option[CONF_STORAGE_BACKEND].roles & me) &&
        c->storage_backend == CONF_S3)
        check_bucket(c, rep);
    if (c->auth_admin_require_tls && conf_admin_in_clear(c))
        conf_report_add(rep, CONF_ERROR, CONF_AUTH_ADMIN_REQUIRE_TLS,
                        "AUTH_ADMIN_REQUIRE_TLS=on: Admin's address must be "
                        "https");
    if (conf_option[CONF_STORAGE_ELEMENTS].roles & me)
        check_elements(c, rep);
    /* Not with its value, which holds a password. */
    if (c->database_url[0] && (me & DATABASE_ROLES) &&
        !conf_database_url_fits(c->database_url))
        conf_report_add(rep, CONF_ERROR, CONF_DATABASE_URL,
                        "DATABASE_URL: must be postgresql://USER:PASSWORD@"
                        "HOST:5432/DATABASE; in a password @ is written %%40, "
                        "/ %%2F and %% %%25");
}

static void
tell_planned(const struct conf *c, struct conf_report *rep)
{
    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];
        struct conf_value initial;
        const char *why;

        if (!(o->flags & CONF_F_PLANNED) ||
            c->source[id].layer == CONF_BY_DEFAULT)
            continue;
        conf_value_parse(o, conf_option_default(id, c->role), &initial, &why);
        if (!conf_value_same(o, initial, conf_value_load(c, id)))
            conf_report_add(rep, CONF_NOTICE, id,
                            "%s is accepted, this version does not use it",
                            o->name);
    }
}

void
conf_rules(struct conf *c, struct conf_report *rep)
{
    if (c->app_debug && c->source[CONF_LOG_LEVEL].layer == CONF_BY_DEFAULT)
        c->log_level = CONF_LOG_DEBUG;
    check_order(c, rep);
    check_others(c, rep);
    tell_planned(c, rep);
}
