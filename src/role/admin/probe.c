/* probe.c - see probe.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/probe.h"
#include "role/admin/api_impl.h"
#include "sec/token.h"
#include <stdio.h>

#define PATIENCE_S 5

/* A token of our own, for this one question. */
static void
put_token(void *arg, struct buf *out)
{
    struct probe *p = arg;
    const struct admin_api_conf *c = &p->api->conf;
    struct token_spec spec = {.sub = "artstore-admin",
                              .username = "artstore-admin",
                              .audience = c->audience,
                              .issuer = c->issuer,
                              .kind = TOKEN_SERVICE_ACCOUNT,
                              .scopes = SCOPE_READ,
                              .now = p->ask.loop->wall,
                              .life = dur_s(60)};
    struct keyset *ks;

    if (!c->keys)
        return;
    ks = keys_get(c->keys);
    buf_add_str(out, "Authorization: Bearer ");
    (void)token_issue(ks, &spec, out, NULL);
    buf_add_str(out, "\r\n");
    keyset_unref(&ks);
}

static void
finish(struct probe *p)
{
    fetch_peer_close(&p->peer);
    p->done(p);
}

static void
fail(struct probe *p, enum err e, const char *why)
{
    p->err = e;
    (void)snprintf(p->why, sizeof(p->why), "%s", why);
}

static void
capacity_done(struct ask *a)
{
    struct probe *p = container_of(a, struct probe, ask);
    struct capacity_error e = {{0}};

    if (!a->err) {
        p->answered = capacity_read(&p->capacity, buf_slice(&a->answer),
                                    p->element_id, &e);
        if (!p->answered)
            fail(p, ERR_CONFLICT, e.text);
    } else if (a->status == 404) {
        fail(p, ERR_NOENT, "there is no element of this id there");
    } else if (a->status != 401 && a->status != 403) {
        fail(p, a->err, err_text(a->err));
    }
    ask_release(a);
    finish(p);
}

static void
begin(struct probe *p, struct loop *l, const char *target,
      const struct ask_auth *auth, void (*done)(struct ask *a))
{
    ask_init(&p->ask, l, p->peer, CAPACITY_TEXT_MAX);
    p->ask.method = HTTP_GET;
    p->ask.again = true;
    p->ask.auth = auth;
    p->ask.patience = dur_s(PATIENCE_S);
    p->ask.done = done;
    buf_add_str(&p->ask.target, target);
    ask_send(&p->ask);
}

/* Without the address, which the caller names. */
static void
nobody(struct probe *p, struct fault f)
{
    char text[FAULT_TEXT];

    f.what[0] = '\0';
    fail(p, f.code, fault_text(&f, text, sizeof(text)));
}

static void
live_done(struct ask *a)
{
    struct probe *p = container_of(a, struct probe, ask);
    struct loop *l = a->loop;
    char target[128];

    if (a->err) {
        if (a->status)
            fail(p, a->err, "its health answers with an error");
        else
            nobody(p, a->fault);
        ask_release(a);
        finish(p);
        return;
    }
    ask_release(a);
    /* Ids need no escapes. */
    (void)snprintf(target, sizeof(target), "/api/v1/capacity?element_id=%s",
                   p->element_id);
    p->auth = (struct ask_auth){.fields = put_token, .arg = p};
    begin(p, l, target, &p->auth, capacity_done);
}

static void
not_opened(struct loop *l, struct task *t)
{
    (void)l;
    finish(container_of(t, struct probe, task));
}

void
probe_begin(struct probe *p, struct admin_api *api, struct loop *l,
            const char *url, const char *element_id,
            void (*done)(struct probe *p))
{
    struct fault f = {0};

    *p = (struct probe){.url = url, .done = done, .api = api};
    (void)slice_copy(slice_str(element_id), p->element_id,
                     sizeof(p->element_id));
    if (fetch_peer_open(api->conf.fetch, url, &p->peer, &f)) {
        fail(p, f.code, f.what);
        p->task.run = not_opened;
        loop_post(l, &p->task);
        return;
    }
    begin(p, l, "/health/live", NULL, live_done);
}
