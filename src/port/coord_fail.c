/* coord_fail.c - see coord_fail.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/coord_fail.h"
#include "base/base.h"

static struct coord_fail *
self(struct coord *c)
{
    return container_of(c, struct coord_fail, coord);
}

static void
failed(struct loop *l, struct task *t)
{
    struct coord_request *r = container_of(t, struct coord_request, task);

    (void)l;
    r->done(r);
}

/* It was carried out, and its answer is lost. */
static void
answer_lost(struct coord_request *r)
{
    struct coord_fail *w = r->driver;

    r->done = r->passed;
    r->life = 0;
    r->err = fail_fault(&w->fail, coord_op_name(r->op), &r->fault);
    r->done(r);
}

static void
f_submit(struct coord *c, struct coord_request *r)
{
    struct coord_fail *w = self(c);

    bool passes = w->only && (w->only >> r->op & 1) == 0;

    if (passes || !fail_now(&w->fail)) {
        coord_submit(w->inner, r);
    } else if (w->fail.after) {
        r->passed = r->done;
        r->driver = w;
        r->done = answer_lost;
        coord_submit(w->inner, r);
    } else {
        r->life = 0;
        r->unsent = true;
        r->err = fail_fault(&w->fail, coord_op_name(r->op), &r->fault);
        r->task.run = failed;
        loop_post(r->loop, &r->task);
    }
}

static enum err
f_subscribe(struct coord *c, struct coord_sub *s)
{
    struct coord_fail *w = self(c);

    FAIL_READ(&w->fail, "subscribe", NULL, coord_subscribe(w->inner, s));
}

static void
f_unsubscribe(struct coord *c, struct coord_sub *s)
{
    coord_unsubscribe(self(c)->inner, s);
}

static void
f_close(struct coord *c)
{
    struct coord_fail *w = self(c);

    w->inner->ops->close(w->inner);
    w->inner = NULL;
}

void
coord_fail_init(struct coord_fail *w, struct coord *inner)
{
    static const struct coord_ops ops = {
        .submit = f_submit,
        .subscribe = f_subscribe,
        .unsubscribe = f_unsubscribe,
        .close = f_close,
    };

    *w = (struct coord_fail){.coord = {&ops}, .inner = inner};
}
