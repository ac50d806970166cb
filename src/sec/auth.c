/* auth.c - see auth.h. SPDX-License-Identifier: Apache-2.0 */
#include "sec/auth.h"
#include "sec/token.h"
#include <stdio.h>
#include <time.h>

bool
auth_open(struct auth *a, const struct auth_conf *conf, size_t entries,
          uint64_t seed)
{
    struct metrics *m = conf->metrics;

    *a = (struct auth){.conf = conf};
    for (unsigned i = 0; i < TOKEN_WHY_COUNT; i++)
        a->outcome[i] =
            metric_series(m, M_AUTH_CHECKS, token_why_name((enum token_why)i));
    a->cached = metric_series(m, M_AUTH_CHECKS, "ok_cached");
    a->disabled = metric_series(m, M_AUTH_CHECKS, "disabled");
    a->hits = metric_series(m, M_CACHE_HITS, "memory", "tokens");
    a->misses = metric_series(m, M_CACHE_MISSES, "memory", "tokens");
    a->items = metric_series(m, M_CACHE_ITEMS, "memory", "tokens");
    a->bytes = metric_series(m, M_CACHE_BYTES, "memory", "tokens");
    a->evicted =
        metric_series(m, M_CACHE_EVICTIONS, "memory", "tokens", "capacity");
    a->cache = token_cache_open(entries, seed);
    return a->cache != NULL;
}

void
auth_close(struct auth *a)
{
    token_cache_close(&a->cache);
}

enum token_why
auth_bearer(struct slice header, struct slice *token)
{
    static const char scheme[] = "bearer";
    size_t n = sizeof(scheme) - 1;

    *token = SLICE_NULL;
    header = slice_trim(header);
    if (header.n < n ||
        !slice_eq_nocase(slice_head(header, n), SLICE("bearer")))
        return TOKEN_MISSING; /* another scheme is no bearer token */
    if (header.n == n)
        return TOKEN_MISSING;
    if (header.p[n] != ' ')
        return TOKEN_MALFORMED;
    *token = slice_trim(slice_skip(header, n));
    if (slice_find(*token, ' ') != token->n) {
        *token = SLICE_NULL;
        return TOKEN_MALFORMED;
    }
    return token->n ? TOKEN_OK : TOKEN_MISSING;
}

static void
finish(struct auth *a, unsigned need, struct series ok, struct auth_result *out)
{
    if (out->why == TOKEN_OK && !scope_grants(out->claims.scopes, need))
        out->why = SCOPE_MISSING;
    metric_inc(a->conf->metrics,
               out->why == TOKEN_OK ? ok : a->outcome[out->why]);
}

bool
auth_try(struct auth *a, struct slice header, unsigned need, struct wall now,
         struct auth_result *out)
{
    struct metrics *m = a->conf->metrics;
    const struct claims *known;
    enum token_why why;

    out->token = SLICE_NULL;
    out->claims = (struct claims){0};
    if (!a->conf->enabled) {
        out->why = TOKEN_OK;
        out->claims.scopes = SCOPE_ALL;
        memcpy(out->claims.sub, "anonymous", 10);
        memcpy(out->claims.username, "anonymous", 10);
        metric_inc(m, a->disabled);
        return true;
    }
    out->why = auth_bearer(header, &out->token);
    if (out->why != TOKEN_OK) {
        finish(a, need, a->outcome[TOKEN_OK], out);
        return true;
    }
    if (!token_cache_get(a->cache, out->token, keys_generation(a->conf->keys),
                         now, &why, &known)) {
        metric_inc(m, a->misses);
        return false;
    }
    metric_inc(m, a->hits);
    out->why = why;
    if (known)
        out->claims = *known;
    finish(a, need, a->cached, out);
    return true;
}

static int64_t
mono_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void
auth_verify(const struct auth_conf *conf, struct auth_job *job)
{
    struct keyset *ks = keys_get(conf->keys);
    int64_t began = mono_ns();

    job->generation = ks->generation;
    job->why =
        token_verify(ks, &conf->token, job->token, job->now, &job->claims);
    job->took.ns = mono_ns() - began;
    keyset_unref(&ks);
}

/* The cache is this loop's; the gauges are sums over all loops. */
static void
remember(struct auth *a, const struct auth_job *job, struct wall now)
{
    struct metrics *m = a->conf->metrics;
    struct token_cache_stats *was = &a->told, is;

    token_cache_put(a->cache, job->token, job->generation,
                    a->conf->token.leeway, now, job->why, &job->claims);
    token_cache_stats(a->cache, &is);
    metric_move(m, a->items, (int64_t)is.entries - (int64_t)was->entries);
    metric_move(m, a->bytes, (int64_t)is.bytes - (int64_t)was->bytes);
    metric_add(m, a->evicted, is.evicted - was->evicted);
    *was = is;
}

void
auth_done(struct auth *a, const struct auth_job *job, unsigned need,
          struct wall now, struct auth_result *out)
{
    struct metrics *m = a->conf->metrics;

    out->token = job->token;
    out->why = job->why;
    out->claims = job->claims;
    metric_observe(m, metric_plain(m, M_AUTH_VERIFY), job->took.ns);
    remember(a, job, now);
    finish(a, need, a->outcome[TOKEN_OK], out);
}

void
auth_refusal(enum token_why why, unsigned need, struct auth_refusal *out)
{
    char scopes[SCOPE_TEXT];
    bool known = why == SCOPE_MISSING;

    assert(why != TOKEN_OK);
    *out = (struct auth_refusal){
        .status = known ? 403 : 401,
        .error = known ? "forbidden" : "unauthorized",
        .reason = token_why_name(why),
        .message = token_why_text(why),
    };
    if (why == TOKEN_KEYS_ABSENT) { /* ours, not the token's fault */
        out->status = 503;
        out->error = "unavailable";
        return;
    }
    /* Who sent nothing is told only the way, not an error (RFC 6750 3.1). */
    if (why == TOKEN_MISSING)
        snprintf(out->www_authenticate, sizeof(out->www_authenticate),
                 "Bearer realm=\"artstore\"");
    else if (known)
        snprintf(out->www_authenticate, sizeof(out->www_authenticate),
                 "Bearer realm=\"artstore\", error=\"insufficient_scope\", "
                 "error_description=\"%s\", scope=\"%s\"",
                 out->message, scope_text(need, scopes));
    else
        snprintf(out->www_authenticate, sizeof(out->www_authenticate),
                 "Bearer realm=\"artstore\", error=\"invalid_token\", "
                 "error_description=\"%s\"",
                 out->message);
}
