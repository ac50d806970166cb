/* publish.c - see publish.h. SPDX-License-Identifier: Apache-2.0 */
#include "core/publish.h"

void
publish_init(struct publish *p, struct publish_item *items, size_t n)
{
    *p = (struct publish){.items = items, .n = n, .name = PUBLISH_DATA};
    for (size_t i = 0; i < n; i++) {
        struct publish_item *it = &items[i];

        it->err = ERR_OK;
        it->stuck = 0;
        it->names = it->kind == PUBLISH_DELETE
                        ? PUBLISH_DATA | PUBLISH_SIDECAR | PUBLISH_ATTR
                        : 0;
    }
}

static void
enter(struct publish *p, enum publish_phase phase)
{
    assert(phase > p->phase || phase == PUBLISH_PH_END);
    p->phase = phase;
    p->i = 0;
    p->name = PUBLISH_DATA;
}

static bool
any(const struct publish *p, bool (*is)(const struct publish_item *))
{
    for (size_t i = 0; i < p->n; i++)
        if (is(&p->items[i]))
            return true;
    return false;
}

static bool
is_live(const struct publish_item *it)
{
    return it->err == ERR_OK;
}

static bool
is_live_tomb(const struct publish_item *it)
{
    return it->err == ERR_OK && it->kind != PUBLISH_PUT;
}

static bool
is_live_row(const struct publish_item *it)
{
    return it->err == ERR_OK && it->kind != PUBLISH_ABORT;
}

/* Data first, so that an attr.json never stands alone longer than it must. */
static bool
next_name(struct publish *p, enum publish_do what, struct publish_op *op)
{
    for (; p->i < p->n; p->i++, p->name = PUBLISH_DATA) {
        const struct publish_item *it = &p->items[p->i];

        if (it->kind != PUBLISH_PUT || it->err != ERR_OK)
            continue;
        if (p->name == PUBLISH_SIDECAR && !it->sidecar)
            p->name = PUBLISH_ATTR;
        if (p->name > PUBLISH_ATTR)
            continue;
        *op = (struct publish_op){
            .what = what, .item = p->i, .name = (enum publish_name)p->name};
        p->name *= 2;
        return true;
    }
    return false;
}

/* attr.json first: data without it is an orphan that recovery removes. */
static bool
next_unlink(struct publish *p, struct publish_op *op)
{
    for (; p->i < p->n; p->i++) {
        struct publish_item *it = &p->items[p->i];
        unsigned name = it->names & PUBLISH_ATTR      ? PUBLISH_ATTR
                        : it->names & PUBLISH_SIDECAR ? PUBLISH_SIDECAR
                                                      : PUBLISH_DATA;
        bool gone = it->kind == PUBLISH_PUT ? it->err != ERR_OK
                                            : p->synced && it->err == ERR_OK;

        if (it->names == 0 || !gone)
            continue;
        *op = (struct publish_op){.what = PUBLISH_DO_UNLINK,
                                  .item = p->i,
                                  .name = (enum publish_name)name};
        return true;
    }
    return false;
}

static bool
once(struct publish *p, enum publish_do what, bool wanted,
     struct publish_op *op)
{
    if (p->i > 0 || !wanted)
        return false;
    p->i = 1;
    *op = (struct publish_op){.what = what};
    return true;
}

static bool
next_ack(struct publish *p, struct publish_op *op)
{
    if (p->i == p->n)
        return false;
    *op = (struct publish_op){
        .what = PUBLISH_DO_ACK, .item = p->i, .err = p->items[p->i].err};
    /* Rule 1, at the only place where an answer leaves. */
    assert(op->err != ERR_OK || (p->synced && !p->poisoned));
    p->i++;
    return true;
}

/* The next operation of this phase, if it has one left. */
static bool
next_in_phase(struct publish *p, struct publish_op *op)
{
    switch (p->phase) {
    case PUBLISH_PH_WRITE:
        return next_name(p, PUBLISH_DO_WRITE, op);
    case PUBLISH_PH_LINK:
        return next_name(p, PUBLISH_DO_LINK, op);
    case PUBLISH_PH_UNDO:
    case PUBLISH_PH_UNLINK:
        return next_unlink(p, op);
    case PUBLISH_PH_JOURNAL:
        return once(p, PUBLISH_DO_JOURNAL, any(p, is_live), op);
    case PUBLISH_PH_SYNC:
        return once(p, PUBLISH_DO_SYNC, any(p, is_live), op);
    case PUBLISH_PH_POISON:
        return once(p, PUBLISH_DO_POISON, p->poisoned, op);
    case PUBLISH_PH_INDEX:
        return once(p, PUBLISH_DO_INDEX, any(p, is_live_row), op);
    case PUBLISH_PH_ACK:
        return next_ack(p, op);
    case PUBLISH_PH_END:
        break;
    }
    return false;
}

struct publish_op
publish_next(struct publish *p)
{
    assert(!p->out);
    while (p->phase != PUBLISH_PH_END) {
        if (next_in_phase(p, &p->op)) {
            p->out = true;
            return p->op;
        }
        enter(p, p->phase + 1);
    }
    return (struct publish_op){.what = PUBLISH_DO_END};
}

static void
fail_all(struct publish *p, enum err e,
         bool (*which)(const struct publish_item *))
{
    for (size_t i = 0; i < p->n; i++)
        if (which(&p->items[i]))
            p->items[i].err = e;
}

static void
done_unlink(struct publish *p, struct publish_item *it, enum err e)
{
    it->names &= ~(unsigned)p->op.name;
    if (e == ERR_OK || e == ERR_NOENT)
        return;
    it->stuck |= p->op.name;
    if (!p->synced)
        p->stuck = true;
}

/* Puts that the index would not take must not stay as if they were stored. */
static void
done_index(struct publish *p, enum err e)
{
    if (e == ERR_OK)
        return;
    for (size_t i = 0; i < p->n; i++) {
        struct publish_item *it = &p->items[i];

        if (it->kind == PUBLISH_PUT && it->err == ERR_OK)
            it->err = e;
        else if (it->kind == PUBLISH_DELETE && it->err == ERR_OK)
            p->unsettled = true;
    }
}

void
publish_done(struct publish *p, enum err e)
{
    struct publish_item *it = &p->items[p->op.item];

    assert(p->out);
    p->out = false;
    switch (p->op.what) {
    case PUBLISH_DO_WRITE:
        if (e != ERR_OK)
            it->err = e;
        break;
    case PUBLISH_DO_LINK:
        if (e == ERR_OK)
            it->names |= p->op.name;
        else
            it->err = e;
        break;
    case PUBLISH_DO_UNLINK:
        done_unlink(p, it, e);
        break;
    case PUBLISH_DO_JOURNAL:
        if (e != ERR_OK)
            fail_all(p, e, is_live_tomb);
        break;
    case PUBLISH_DO_SYNC:
        p->synced = e == ERR_OK;
        p->poisoned = e != ERR_OK;
        if (e != ERR_OK)
            fail_all(p, e, is_live);
        break;
    case PUBLISH_DO_INDEX:
        done_index(p, e);
        break;
    case PUBLISH_DO_POISON:
    case PUBLISH_DO_ACK:
    case PUBLISH_DO_END:
        break;
    }
}
