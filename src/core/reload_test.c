/* reload_test.c - tests of reload.h: lists side by side, stories told as the
 * machine tells them, and random days in which nothing may go wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core/reload.h"
#include "base/buf.h"
#include "core/select.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* A list written as "id=priority id=priority ...": endpoints are "http://id",
 * or with '@' behind the priority "http://id.new"; a letter behind it is the
 * mode: e, w. Owned by the test; `alive` finds what is dropped twice. */
struct list {
    struct reload_list l;
    struct reload_element e[8];
    char text[8][2][24];
    bool alive;
};

static struct list *
list(const char *text)
{
    struct list *t = calloc(1, sizeof(*t));
    char copy[200], *save = NULL;

    assert_non_null(t);
    t->alive = true;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *w = strtok_r(copy, " ", &save); w;
         w = strtok_r(NULL, " ", &save)) {
        size_t i = t->l.n++;
        char *eq = strchr(w, '='), *rest;

        assert_true(i < 8 && eq);
        *eq = '\0';
        t->e[i] =
            (struct reload_element){.element_id = t->text[i][0],
                                    .endpoint = t->text[i][1],
                                    .mode = RELOAD_MODE_NONE,
                                    .priority = (int)strtol(eq + 1, &rest, 10)};
        snprintf(t->text[i][0], 24, "%s", w);
        snprintf(t->text[i][1], 24, "http://%s%s", w,
                 strchr(rest, '@') ? ".new" : "");
        if (strchr(rest, 'e'))
            t->e[i].mode = SELECT_EDIT;
        if (strchr(rest, 'w'))
            t->e[i].mode = SELECT_RW;
    }
    t->l.e = t->e;
    return t;
}

static struct list *
versioned(const char *text, uint64_t generation, uint64_t version)
{
    struct list *t = list(text);

    t->l.versioned = true;
    t->l.stated = t->l.n == 0;
    t->l.generation = generation;
    t->l.version = version;
    return t;
}

static struct list *
of(const struct reload_list *l)
{
    return container_of((struct reload_list *)(uintptr_t)l, struct list, l);
}

static void
dropped(const struct reload_list *l)
{
    assert_true(of(l)->alive);
    of(l)->alive = false;
    free(of(l));
}

/* ---- REL-023, REL-149, REL-150 ---- */

static void
test_diff(void **state)
{
    static const struct {
        const char *why, *before, *after, *want;
    } row[] = {
        {"nothing", "", "", ""},
        {"the same", "a=1 b=2", "a=1 b=2", ""},
        {"added at the end", "a=1", "a=1 b=2", "+b "},
        {"added at the front", "b=1", "a=1 b=1", "+a "},
        {"removed", "a=1 b=2", "a=1", "-b "},
        {"all removed: a case of its own (REL-036)", "a=1 b=2", "", "-a -b "},
        {"priority 100 to 50", "a=100", "a=50", "~a:2 "},
        {"endpoint", "a=1", "a=1@", "~a:1 "},
        {"both", "a=1", "a=2@", "~a:3 "},
        {"mode edit to rw (CNF-038)", "a=1e", "a=1w", "~a:4 "},
        {"the source does not say the mode", "a=1e", "a=1", ""},
        {"now it says", "a=1", "a=1e", "~a:4 "},
        {"added, removed, updated at once", "a=1 b=2 d=4", "a=9 c=3 d=4 e=5",
         "~a:2 -b +c +e "},
        {"nothing in common", "a=1 c=1", "b=1 d=1", "-a +b -c +d "},
        {"a prefix of a name is another name", "se-1=1", "se-10=1",
         "-se-1 +se-10 "},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct list *a = list(row[i].before), *b = list(row[i].after);
        struct reload_diff d = {&a->l, &b->l, 0, 0};
        struct reload_change c;
        struct buf out;

        buf_init(&out, KIB);
        while (reload_diff_next(&d, &c)) {
            assert_true((c.before == NULL) == (c.type == RELOAD_ADDED));
            assert_true((c.after == NULL) == (c.type == RELOAD_REMOVED));
            buf_printf(&out, "%c%s", "+-~"[c.type],
                       (c.before ? c.before : c.after) -> element_id);
            if (c.type == RELOAD_UPDATED)
                buf_printf(&out, ":%u", c.what);
            buf_add_char(&out, ' ');
        }
        if (strcmp(buf_str(&out), row[i].want) != 0)
            fail_msg("%s: got \"%s\"", row[i].why, buf_str(&out));
        buf_release(&out);
        free(a);
        free(b);
    }
}

static void
test_list_ok(void **state)
{
    struct list *t = list("a=1 b=1");
    (void)state;

    assert_true(reload_list_ok(&t->l));
    t->e[1].element_id = "a";
    assert_false(reload_list_ok(&t->l)); /* twice */
    t->e[1].element_id = "B";
    assert_false(reload_list_ok(&t->l)); /* order is that of bytes */
    free(t);
}

/* ---- stories ---- */

struct world {
    struct reload r;
    struct reload_conf conf;
    int64_t ms;
    struct list *mine; /* in use */
    uint64_t ticket;   /* of the reading that was last asked for */
    struct buf trace;  /* since the last look */
};

static const char *const served[] = {"started", "joined", "fresh", "later",
                                     "ignored"};

static void
step(struct world *w, struct reload_event ev)
{
    struct reload_out out;

    ev.now.ns = w->ms * 1000000;
    reload_step(&w->r, &ev, &out);
    if (ev.type == RELOAD_EV_TRIGGER)
        buf_printf(&w->trace, "%s ", served[out.served]);
    if (out.install) {
        assert_true(out.install == w->r.current);
        if (out.replaced) {
            assert_true(of(out.replaced) == w->mine);
            dropped(out.replaced);
        }
        w->mine = of(out.install);
        buf_printf(&w->trace, "install+%u-%u~%u ", out.change[0], out.change[1],
                   out.change[2]);
    }
    for (unsigned i = 0; i < out.n_drop; i++)
        dropped(out.drop[i]);
    if (out.ended)
        buf_printf(&w->trace, "%s:%s:%s ", reload_cause_name(out.cause),
                   reload_source_name(out.source, out.cause == RELOAD_BY_LAZY),
                   reload_status_name(out.status));
    if (out.fetch) {
        w->ticket = out.ticket;
        buf_printf(&w->trace, "ask-%s ", reload_source_name(out.fetch, false));
    }
}

static void
world_init(struct world *w, const struct reload_conf *conf)
{
    *w = (struct world){.conf = *conf, .ms = 1000};
    reload_init(&w->r, conf, 7);
    buf_init(&w->trace, 4 * KIB);
}

static void
world_end(struct world *w)
{
    step(w, (struct reload_event){.type = RELOAD_EV_STOP});
    assert_int_equal(reload_deadline(&w->r).ns, INT64_MAX);
    free(w->mine);
    buf_release(&w->trace);
}

static void
expect(struct world *w, const char *want)
{
    if (strcmp(buf_str(&w->trace), want) != 0)
        fail_msg("at %" PRId64 " ms: got \"%s\", want \"%s\"", w->ms,
                 buf_str(&w->trace), want);
    buf_clear(&w->trace);
}

/* Time goes on to MS, with all that is due until then. */
static void
until(struct world *w, int64_t ms)
{
    for (int i = 0; i < 1000; i++) {
        int64_t due = reload_deadline(&w->r).ns;

        if (due == INT64_MAX || due > ms * 1000000)
            break;
        if (due > w->ms * 1000000)
            w->ms = (due + 999999) / 1000000;
        step(w, (struct reload_event){.type = RELOAD_EV_TIME});
    }
    w->ms = ms;
}

static void
start(struct world *w)
{
    step(w, (struct reload_event){.type = RELOAD_EV_START});
}

static void
trigger(struct world *w, enum reload_reason reason)
{
    step(w, (struct reload_event){.type = RELOAD_EV_TRIGGER,
                                  .reason = reason,
                                  .element_id = "se-01"});
}

static void
answer(struct world *w, struct list *l)
{
    step(w, (struct reload_event){.type = RELOAD_EV_FETCHED,
                                  .ticket = w->ticket,
                                  .result = l ? RELOAD_GOT : RELOAD_NO_ANSWER,
                                  .list = l ? &l->l : NULL});
}

static void
message(struct world *w, struct list *l)
{
    step(w, (struct reload_event){.type = RELOAD_EV_MESSAGE,
                                  .list = l ? &l->l : NULL});
}

/* Started, with "a=1 b=2", version 5 of generation 1, at 1 s. */
static void
running(struct world *w, const struct reload_conf *conf)
{
    world_init(w, conf);
    start(w);
    answer(w, versioned("a=1 b=2", 1, 5));
    expect(w, "ask-redis install+2-0~0 startup:redis:success ");
}

/* REL-008, REL-017, REL-022, REL-043, REL-047...REL-053. */
static void
test_clock(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    int64_t due;
    (void)state;

    running(&w, &conf);
    assert_int_equal(w.r.counts.change[RELOAD_ADDED], 0); /* not a change */
    due = (reload_deadline(&w.r).ns + 999999) / 1000000;
    /* Within 60 s of the last, and only ever earlier (REL-059). */
    assert_true(due > 1000 + 48000 - 1 && due <= 1000 + 54000);
    until(&w, due - 1);
    expect(&w, "");
    until(&w, due);
    expect(&w, "ask-redis ");
    answer(&w, versioned("a=1 b=2", 1, 5));
    expect(&w, "periodic_reload:redis:success "); /* nothing new: kept */
    assert_true(w.mine->alive);

    until(&w, due + 54000);
    answer(&w, NULL); /* Redis is down */
    expect(&w, "ask-redis ask-admin_module ");
    answer(&w, list("a=1 b=2 c=3"));
    expect(&w, "install+1-0~0 periodic_reload:admin_module:success ");
    until(&w, due + 108000);
    answer(&w, list("")); /* Redis is up and knows nothing (REL-017) */
    answer(&w, NULL);     /* Admin is down: the list stays (REL-049) */
    expect(&w, "ask-redis ask-admin_module periodic_reload:none:failed ");
    assert_int_equal(w.r.counts.endpoints, 3);
    assert_int_equal(w.r.counts.reload[RELOAD_NOWHERE][1], 1);
    assert_int_equal(w.r.counts.reload[RELOAD_REDIS][0], 2);
    assert_int_equal(w.r.counts.reload[RELOAD_ADMIN][0], 1);
    assert_int_equal(w.r.counts.change[RELOAD_ADDED], 1);
    world_end(&w);
}

/* CNF-036: 2, 4, 8 ... s, capped by the interval; REL-022 at the start. */
static void
test_backoff(void **state)
{
    static const int64_t wait[] = {2, 4, 8, 16, 32, 60, 60};
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    (void)state;

    conf.periodic = false; /* the start asks again all the same */
    world_init(&w, &conf);
    start(&w);
    for (size_t i = 0; i < countof(wait); i++) {
        int64_t t;

        answer(&w, NULL);
        answer(&w, NULL);
        expect(&w, "ask-redis ask-admin_module startup:none:failed ");
        t = w.ms + wait[i] * 1000;
        assert_int_equal(reload_deadline(&w.r).ns / 1000000, t);
        until(&w, t);
    }
    assert_int_equal(w.r.counts.endpoints, 0); /* REL-118 */
    answer(&w, list("a=1"));
    expect(&w, "ask-redis install+1-0~0 startup:redis:success ");
    assert_int_equal(reload_deadline(&w.r).ns, INT64_MAX); /* REL-044 */
    until(&w, w.ms + 2000);
    trigger(&w, RELOAD_NO_ROOM); /* REL-066: lazy is always on */
    expect(&w, "started ask-redis ");
    world_end(&w);
}

/* REL-060...REL-078. */
static void
test_lazy(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    (void)state;

    running(&w, &conf);
    until(&w, 5000);
    trigger(&w, RELOAD_NO_ROOM);
    expect(&w, "started ask-redis ");
    for (int i = 0; i < 99; i++) /* a burst costs one reading (REL-078) */
        trigger(&w, i % 2 ? RELOAD_NO_ROOM : RELOAD_CONNECTION);
    buf_clear(&w.trace);
    answer(&w, versioned("a=1 b=2 c=3", 1, 6));
    expect(&w, "install+1-0~0 lazy_reload:lazy_redis:success ");
    assert_int_equal(w.r.counts.lazy[RELOAD_NO_ROOM][RELOAD_SUCCESS], 50);
    assert_int_equal(w.r.counts.lazy[RELOAD_CONNECTION][RELOAD_SUCCESS], 50);
    assert_int_equal(w.r.counts.reload[RELOAD_REDIS][0], 1); /* REL-077 */

    until(&w, 5500); /* within the gap: go on with what is there */
    trigger(&w, RELOAD_NOT_FOUND);
    trigger(&w, RELOAD_NOT_FOUND);
    expect(&w, "fresh fresh ");
    until(&w, 5999);
    expect(&w, "");
    until(&w, 6000); /* then one reading for both */
    expect(&w, "ask-redis ");
    answer(&w, NULL);
    answer(&w, NULL);
    expect(&w, "ask-admin_module lazy_reload:none:failed ");
    assert_int_equal(w.r.counts.lazy[RELOAD_NOT_FOUND][RELOAD_FAILED], 2);
    trigger(&w, RELOAD_NOT_FOUND); /* all sources down: not at once again */
    expect(&w, "later ");
    until(&w, 7999);
    expect(&w, "");
    until(&w, 8000);
    expect(&w, "ask-redis ");
    step(&w, (struct reload_event){.type = RELOAD_EV_FETCHED,
                                   .ticket = w.ticket,
                                   .result = RELOAD_BROKEN});
    expect(&w, "lazy_reload:unknown:error "); /* REL-074 */
    assert_int_equal(w.r.counts.lazy[RELOAD_NOT_FOUND][RELOAD_ERROR], 1);
    world_end(&w);
}

/* A reading by the clock that a trigger joins counts in both. */
static void
test_joined(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    uint64_t first;
    int64_t due;
    (void)state;

    running(&w, &conf);
    due = (reload_deadline(&w.r).ns + 999999) / 1000000;
    until(&w, due);
    first = w.ticket;
    trigger(&w, RELOAD_NO_ROOM);
    expect(&w, "ask-redis joined ");
    until(&w, due + 5001); /* Redis is silent for 5 s: Admin (REL-049) */
    expect(&w, "ask-admin_module ");
    step(&w, (struct reload_event){.type = RELOAD_EV_FETCHED,
                                   .ticket = first,
                                   .result = RELOAD_GOT,
                                   .list = &list("z=1")->l});
    expect(&w, ""); /* it wakes up: too late, nobody wants it */
    assert_int_equal(w.r.counts.thrown_late, 1);
    answer(&w, list("a=1 b=3"));
    expect(&w, "install+0-0~1 periodic_reload:admin_module:success ");
    assert_int_equal(w.r.counts.lazy[RELOAD_NO_ROOM][RELOAD_SUCCESS], 1);
    assert_int_equal(w.r.counts.reload[RELOAD_ADMIN][0], 1);
    world_end(&w);
}

/* REL-065: what is read for the operator was read after he asked. */
static void
test_manual(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    (void)state;

    running(&w, &conf);
    trigger(&w, RELOAD_MANUAL); /* no gap for him */
    trigger(&w, RELOAD_MANUAL);
    expect(&w, "started ask-redis joined ");
    answer(&w, versioned("a=1 b=2", 1, 5));
    expect(&w, "manual:redis:success ");
    until(&w, w.ms); /* at once again */
    expect(&w, "ask-redis ");
    answer(&w, versioned("a=1 b=7", 1, 6));
    expect(&w, "install+0-0~1 manual:redis:success ");
    assert_int_equal(w.r.counts.lazy[RELOAD_MANUAL][RELOAD_SUCCESS], 2);
    until(&w, w.ms);
    expect(&w, "");
    world_end(&w);
}

/* REL-172: once for each element and minute. */
static void
test_health(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    char id[16];
    unsigned taken = 0;
    (void)state;

    conf.interval = dur_s(600);
    running(&w, &conf);
    until(&w, 5000);
    trigger(&w, RELOAD_HEALTH);
    answer(&w, versioned("a=1 b=2", 1, 5));
    until(&w, 10000);
    trigger(&w, RELOAD_HEALTH);
    expect(&w, "started ask-redis lazy_reload:lazy_redis:success ignored ");
    until(&w, 65000);
    trigger(&w, RELOAD_HEALTH);
    expect(&w, "started ask-redis ");
    /* Everything sick at once: a bounded number is remembered. */
    for (int i = 0; i < 1000; i++) {
        struct reload_event ev = {.type = RELOAD_EV_TRIGGER,
                                  .reason = RELOAD_HEALTH,
                                  .element_id = id};

        snprintf(id, sizeof(id), "x-%d", i);
        buf_clear(&w.trace);
        step(&w, ev);
        taken += strcmp(buf_str(&w.trace), "joined ") == 0;
    }
    assert_int_equal(taken, RELOAD_HEALTH_MAX - 1);
    buf_clear(&w.trace);
    world_end(&w);
}

/* REL-081...REL-093, REL-174. */
static void
test_messages(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    (void)state;

    running(&w, &conf);
    until(&w, 2000);
    message(&w, versioned("a=1 b=2 c=3", 1, 5)); /* the first: at once */
    until(&w, 2000);
    expect(&w, "install+1-0~0 pubsub:pubsub:success ");
    until(&w, 2002);
    message(&w, versioned("a=1 b=2 c=5", 1, 6));
    until(&w, 2005);
    message(&w, versioned("a=1 b=2 c=4", 1, 8));
    message(&w, versioned("a=1 b=2 c=9", 1, 7)); /* overtaken on the way */
    until(&w, 2009);
    expect(&w, "");
    until(&w, 2010); /* one for the rest of the burst, the newest */
    expect(&w, "install+0-0~1 pubsub:pubsub:success ");
    assert_int_equal(w.mine->e[2].priority, 4);
    until(&w, 3000);
    message(&w, versioned("a=1", 1, 7)); /* older than ours */
    message(&w, versioned("a=1", 0, 99));
    until(&w, 3100);
    expect(&w, "");
    assert_int_equal(w.r.counts.thrown_older, 3);
    message(&w, versioned("a=2 b=2 c=4", 1, 8)); /* equal: applied */
    until(&w, 3200);
    expect(&w, "install+0-0~1 pubsub:pubsub:success ");
    message(&w, versioned("a=1 b=1", 2, 1)); /* a restored Admin (D37) */
    until(&w, 3300);
    expect(&w, "install+0-1~2 pubsub:pubsub:success ");
    message(&w, list("a=1 b=1 d=1")); /* without a version: applied */
    until(&w, 3400);
    expect(&w, "install+1-0~0 pubsub:pubsub:success ");
    message(&w, versioned("a=1", 1, 1000)); /* and the mark stays */
    message(&w, NULL);                      /* not JSON (REL-086) */
    message(&w, list(""));                  /* REL-037 */
    until(&w, 3500);
    expect(&w, "pubsub:pubsub:failed pubsub:pubsub:failed ");
    assert_int_equal(w.r.counts.reload[RELOAD_PUBSUB][0], 5);
    assert_int_equal(w.r.counts.reload[RELOAD_PUBSUB][1], 2);
    message(&w, list("q=1"));
    world_end(&w); /* which drops what was gathered: LeakSanitizer looks */
}

/* REL-089: what was missed while nobody listened is read. */
static void
test_subscribed(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    (void)state;

    running(&w, &conf);
    step(&w, (struct reload_event){.type = RELOAD_EV_SUBSCRIBED});
    expect(&w, "ask-redis ");
    step(&w, (struct reload_event){.type = RELOAD_EV_SUBSCRIBED});
    answer(&w, versioned("a=1 b=2", 1, 5));
    until(&w, w.ms);
    expect(&w, "subscription:redis:success ask-redis ");
    world_end(&w);
}

/* REL-027: what was asked for earlier never overwrites what came later. */
static void
test_order(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    (void)state;

    running(&w, &conf);
    trigger(&w, RELOAD_MANUAL);
    message(&w, versioned("a=1 b=2 c=3", 1, 6));
    until(&w, w.ms + 10);
    expect(&w, "started ask-redis install+1-0~0 pubsub:pubsub:success ");
    answer(&w, versioned("a=1 b=2", 1, 5)); /* read before the message */
    expect(&w, "ask-admin_module ");
    answer(&w, list("a=1 b=2")); /* cannot tell: asked once more */
    expect(&w, "ask-admin_module ");
    answer(&w, list("a=1 b=2 c=3"));
    expect(&w, "manual:admin_module:success ");

    /* Both sources went back in time: refused, and said so. */
    trigger(&w, RELOAD_MANUAL);
    answer(&w, versioned("a=9", 1, 2));
    answer(&w, versioned("a=9", 1, 3));
    expect(&w, "started ask-redis ask-admin_module manual:none:failed ");
    assert_int_equal(w.mine->l.n, 3);
    /* A message that waits is overtaken by a newer reading. */
    until(&w, 20000);
    message(&w, versioned("a=1", 1, 7));
    trigger(&w, RELOAD_MANUAL);
    answer(&w, versioned("a=1 b=2 c=3 d=4", 1, 9));
    until(&w, 20100);
    expect(&w, "started ask-redis install+1-0~0 manual:redis:success ");
    assert_int_equal(w.mine->l.n, 4);
    world_end(&w);
}

/* CNF-037. */
static void
test_empty(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    (void)state;

    running(&w, &conf);
    trigger(&w, RELOAD_MANUAL);
    answer(&w, versioned("", 1, 6));
    answer(&w, list(""));
    expect(&w, "started ask-redis ask-admin_module manual:none:failed ");
    assert_int_equal(w.r.counts.endpoints, 2);
    assert_int_equal(w.r.counts.thrown_empty, 2);
    world_end(&w);

    conf.allow_empty = true;
    running(&w, &conf);
    trigger(&w, RELOAD_MANUAL);
    answer(&w, list("")); /* nothing found is not "there is none" */
    answer(&w, list(""));
    expect(&w, "started ask-redis ask-admin_module manual:none:failed ");
    trigger(&w, RELOAD_MANUAL);
    answer(&w, versioned("", 1, 4)); /* an old "none" */
    answer(&w, list(""));
    expect(&w, "started ask-redis ask-admin_module manual:none:failed ");
    trigger(&w, RELOAD_MANUAL);
    answer(&w, versioned("", 1, 6));
    answer(&w, NULL); /* nobody confirms it */
    expect(&w, "started ask-redis ask-admin_module manual:none:failed ");
    trigger(&w, RELOAD_MANUAL);
    answer(&w, versioned("", 1, 6));
    answer(&w, list(""));
    expect(&w, "started ask-redis ask-admin_module install+0-2~0 "
               "manual:admin_module:success ");
    assert_int_equal(w.r.counts.endpoints, 0);
    world_end(&w);
}

/* No source at all, and only one of them. */
static void
test_sources(void **state)
{
    struct world w;
    struct reload_conf conf = RELOAD_CONF_DEFAULT;
    (void)state;

    conf.redis = false; /* CAP-017 */
    world_init(&w, &conf);
    start(&w);
    answer(&w, list("a=1"));
    expect(&w, "ask-admin_module install+1-0~0 startup:admin_module:success ");
    conf.admin = false;
    reload_configure(&w.r, &conf, (struct mono){w.ms * 1000000});
    trigger(&w, RELOAD_MANUAL);
    expect(&w, "started manual:none:failed ");
    world_end(&w);

    conf.redis = true;
    world_init(&w, &conf);
    start(&w);
    answer(&w, NULL);
    expect(&w, "ask-redis startup:none:failed ");
    world_end(&w);
    start(&w); /* after the stop: nothing */
}

/* ---- random days ---- */

/* What the sources hold goes up in version; answers are delayed, lost, late,
 * or of an older replica. */
struct day {
    struct world w;
    struct prng p;
    uint64_t version;
    uint64_t open[64]; /* tickets not answered yet, also given up ones */
    unsigned n_open;
};

static struct list *
source_list(struct day *d, uint64_t version)
{
    char text[80];
    unsigned n = 1 + (unsigned)(version % 4);
    size_t at = 0;

    for (unsigned i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "e%u=%u ", i,
                               (unsigned)(version % 97));
    return prng_below(&d->p, 20) ? versioned(text, 1, version) : list("");
}

static void
day_event(struct day *d)
{
    struct reload_event ev = {0};
    uint64_t past = prng_below(&d->p, 3);
    unsigned k;

    switch (prng_below(&d->p, 8)) {
    case 0:
        d->version++;
        break;
    case 1:
        ev.type = RELOAD_EV_MESSAGE;
        ev.list =
            prng_below(&d->p, 9) ? &source_list(d, d->version - past)->l : NULL;
        step(&d->w, ev);
        break;
    case 2:
        trigger(&d->w, (enum reload_reason)prng_below(&d->p, RELOAD_REASONS));
        break;
    case 3:
        ev.type = RELOAD_EV_SUBSCRIBED;
        step(&d->w, ev);
        break;
    default:
        if (d->n_open == 0)
            break;
        k = (unsigned)prng_below(&d->p, d->n_open);
        ev.type = RELOAD_EV_FETCHED;
        ev.ticket = d->open[k];
        ev.result = (enum reload_result)prng_below(&d->p, 3);
        if (ev.result == RELOAD_GOT)
            ev.list = &source_list(d, d->version - past)->l;
        d->open[k] = d->open[--d->n_open];
        step(&d->w, ev);
        break;
    }
}

static void
test_random(void **state)
{
    (void)state;

    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct reload_conf conf = RELOAD_CONF_DEFAULT;
        struct day d = {.version = 10};
        uint64_t seen = 0, version = 0, triggers = 0, counted = 0;

        prng_init(&d.p, seed);
        world_init(&d.w, &conf);
        start(&d.w);
        for (int i = 0; i < 1500; i++) {
            until(&d.w, d.w.ms + (int64_t)prng_below(&d.p, 400));
            day_event(&d);
            if (d.w.ticket != seen && d.n_open < 64)
                d.open[d.n_open++] = seen = d.w.ticket;
            if (d.w.r.current) { /* never back, never empty */
                assert_true(d.w.r.current->n > 0 && d.w.mine->alive);
                assert_true(d.w.r.current->version >= version);
                version = d.w.r.current->version;
            }
            for (const char *p = buf_str(&d.w.trace); *p; p++)
                triggers += (strncmp(p, "started", 7) == 0) +
                            (strncmp(p, "joined", 6) == 0) +
                            (strncmp(p, "fresh", 5) == 0) +
                            (strncmp(p, "later", 5) == 0);
            buf_clear(&d.w.trace);
        }
        /* The sources are well from now on: the list is theirs within an
         * interval, and each trigger has been counted once. */
        for (int64_t stop = d.w.ms + 70000; d.w.ms < stop;) {
            seen = d.w.ticket;
            until(&d.w, d.w.ms + 10);
            if (d.w.r.fetching != RELOAD_NOWHERE) {
                struct list *l = versioned("z=1", 1, d.version + 1);

                answer(&d.w, l);
            }
        }
        if (!d.w.mine || strcmp(d.w.mine->e[0].element_id, "z") != 0)
            fail_msg("seed %" PRIu64 ": the list is not up to date", seed);
        for (int i = 0; i < RELOAD_REASONS; i++)
            for (int j = 0; j < RELOAD_STATUSES; j++)
                counted += d.w.r.counts.lazy[i][j];
        assert_int_equal(counted, triggers);
        world_end(&d.w);
    }
}

static void
test_names(void **state)
{
    (void)state;

    assert_string_equal(reload_source_name(RELOAD_ADMIN, false),
                        "admin_module");
    assert_string_equal(reload_source_name(RELOAD_ADMIN, true),
                        "lazy_admin_module");
    assert_string_equal(reload_source_name(RELOAD_PUBSUB, true), "pubsub");
    assert_string_equal(reload_reason_name(RELOAD_HEALTH), "health_check");
    assert_string_equal(reload_change_name(RELOAD_UPDATED), "updated");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff),     cmocka_unit_test(test_list_ok),
        cmocka_unit_test(test_clock),    cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_lazy),     cmocka_unit_test(test_joined),
        cmocka_unit_test(test_manual),   cmocka_unit_test(test_health),
        cmocka_unit_test(test_messages), cmocka_unit_test(test_subscribed),
        cmocka_unit_test(test_order),    cmocka_unit_test(test_empty),
        cmocka_unit_test(test_sources),  cmocka_unit_test(test_random),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
