/* redis_reply.c - commands as bytes, and what an error answer of a Redis means;
 * see redis_conn.h and redis_fault.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/redis_conn.h"
#include <stdio.h>

#define ARGS_MAX 256

bool
redis_reply_is(const struct redisReply *r, const char *code)
{
    size_t n = strlen(code);

    if (r->type != REDIS_REPLY_ERROR || r->len < n)
        return false;
    if (memcmp(r->str, code, n) == 0 && (r->len == n || r->str[n] == ' '))
        return true;
    /* Redis before 7 wraps what a command in a script says:
     * "ERR Error running script (...): @user_script: 5: -OOM command ..." */
    for (const char *p = r->str; (p = strstr(p, ": -")) != NULL; p += 3)
        if (strncmp(p + 3, code, n) == 0 && p[3 + n] == ' ')
            return true;
    return false;
}

enum err
redis_reply_fault(const char *address, const struct redisReply *r,
                  const char *op, bool secret, struct fault *f)
{
    static const char *const denied[] = {"NOPERM", "WRONGPASS", "NOAUTH"};
    struct slice said = redis_reply_text(r);
    enum err e = redis_reply_is(r, "OOM") ? ERR_NOMEM : ERR_IO;
    char what[sizeof(f->what)];

    for (size_t i = 0; i < countof(denied); i++)
        if (redis_reply_is(r, denied[i]))
            e = ERR_DENIED;
    /* Redis 7 about a command in a script. */
    if (r->type == REDIS_REPLY_ERROR &&
        strstr(r->str, "user executing the script can't"))
        e = ERR_DENIED;
    if (r->type != REDIS_REPLY_ERROR)
        said = SLICE("an answer of another kind");
    else if (secret)
        said = slice_head(said, slice_find(said, ' '));
    (void)snprintf(what, sizeof(what), "%.*s",
                   (int)size_min(said.n, sizeof(what)), said.p);
    (void)fault_set(f, e, op, what);
    return fault_in(f, address);
}

static const char *
hint_of_nobody(const struct redis_moment *m, const struct fault *f)
{
    if (strcmp(f->op, REDIS_LOOK_UP) == 0)
        return m->sentinel ? "that name has no address: see REDIS_SENTINELS"
               : m->told   ? "the Sentinels call the master by a name that "
                             "has no address here"
                           : "that name has no address: see REDIS_HOST, or "
                             "REDIS_URL";
    if (m->sentinel)
        return "does a Sentinel listen there? See REDIS_SENTINELS";
    return m->told ? "the Sentinels say that the master is there"
                   : "does Redis listen there? See REDIS_HOST and REDIS_PORT, "
                     "or REDIS_URL";
}

enum err
redis_fault_hint(struct fault *f, const struct redis_moment *m)
{
    if (f->hint || f->code == ERR_NOMEM || f->code == ERR_CANCELED)
        return f->code;
    if (f->code == ERR_DENIED && m->sentinel)
        f->hint = "see REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD";
    else if (f->code == ERR_DENIED)
        f->hint = "see REDIS_USERNAME, REDIS_PASSWORD and the rights of that "
                  "user";
    else if (m->selecting && !f->sys && f->code != ERR_TIMEOUT)
        f->hint = "see REDIS_DB, or the number in REDIS_URL: has Redis so many "
                  "databases?";
    else if (!m->connected)
        f->hint = hint_of_nobody(m, f);
    else if (f->code == ERR_CORRUPT)
        f->hint = "is it a Redis, and does it speak TLS? See REDIS_TLS";
    else if (!m->spoke && m->tls)
        f->hint = "does Redis speak TLS on that port? See REDIS_TLS and "
                  "rediss://";
    else if (!m->spoke && f->code != ERR_TIMEOUT)
        f->hint = "does it speak TLS there? See REDIS_TLS and rediss://";
    return f->code;
}

/* ---- commands ---- */

bool
redis_command_add(struct buf *to, size_t max, unsigned argc,
                  const struct slice *argv)
{
    const char *p[ARGS_MAX];
    size_t n[ARGS_MAX];
    char *text = NULL;
    bool ok;
    int len;

    assert(argc <= ARGS_MAX);
    for (unsigned i = 0; i < argc; i++) {
        p[i] = argv[i].p ? argv[i].p : "";
        n[i] = argv[i].n;
    }
    len = redisFormatCommandArgv(&text, (int)argc, p, n);
    if (len < 0)
        return false;
    ok = (size_t)len <= max - to->n && buf_add(to, text, (size_t)len);
    to->failed = false;
    redisFreeCommand(text);
    return ok;
}

enum err
redis_conn_auth(struct redis_conn *c, struct redis_call *call,
                const char *username, const char *password)
{
    struct slice argv[3] = {SLICE("AUTH")};
    unsigned n = 1;

    if (username && username[0])
        argv[n++] = slice_str(username);
    argv[n++] = slice_str(password);
    return redis_conn_send(c, call, n, argv);
}
