/* cloud_debt.c - what should be gone from the bucket and may still be there:
 * the store did not answer, or answered nothing to the request before.
 *
 * While something is owed for a file, no other attempt at it may write: a
 * removal, or a late upload, could meet its bytes. Debts are in memory; a stop
 * with debts is unclean, and the next start finds what they were about.
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/storage/cloud_impl.h"
#include <stdio.h>

/* With c->mu held. */
static struct cloud_debt *
find(struct cloud *c, const struct uuid *id, const char *ref)
{
    for (size_t i = 0; i < c->n_debt; i++)
        if (uuid_eq(&c->debt[i].file_id, id) &&
            strcmp(c->debt[i].ref, ref) == 0)
            return &c->debt[i];
    return NULL;
}

void
cloud_owe(struct cloud *c, const struct uuid *file_id, unsigned what,
          const char *ref)
{
    const char *id = what & (CLOUD_UPLOAD | CLOUD_TOMB) ? ref : "";
    struct cloud_debt *d;

    pthread_mutex_lock(&c->mu);
    d = find(c, file_id, id);
    if (!d && c->n_debt < CLOUD_DEBTS_MAX) {
        d = &c->debt[c->n_debt++];
        *d = (struct cloud_debt){.file_id = *file_id};
        (void)slice_copy(slice_str(id), d->ref, sizeof(d->ref));
    }
    if (d) {
        d->what |= what;
        d->since = cloud_now(c);
    } else {
        c->debts_lost = true;
    }
    pthread_mutex_unlock(&c->mu);
}

/* Removes what D is about; the bits that are left. */
static unsigned
remove_all(struct cloud *c, const struct cloud_debt *d)
{
    static const enum cloud_wrote order[] = {CLOUD_ATTR, CLOUD_SIDE,
                                             CLOUD_DATA};
    struct object_req r = {.op = OBJECT_GIVE_UP};
    char key[OBJECT_KEY_MAX + 1];
    unsigned left = d->what;

    if (left & CLOUD_UPLOAD) {
        (void)slice_copy(slice_str(d->ref), r.upload_id, sizeof(r.upload_id));
        cloud_key(&d->file_id, CLOUD_DATA, r.key);
        (void)objects_call(c->objects, &r);
        if (r.err != ERR_OK && r.err != ERR_NOENT)
            return left;
        left &= ~(unsigned)CLOUD_UPLOAD;
    }
    if (left & CLOUD_TOMB) {
        if (cloud_delete(c, d->ref, NULL) != ERR_OK)
            return left;
        left &= ~(unsigned)CLOUD_TOMB;
    }
    for (size_t i = 0; i < countof(order); i++) {
        if (!(left & order[i]))
            continue;
        if (cloud_delete(c, cloud_key(&d->file_id, order[i], key), NULL) !=
            ERR_OK)
            return left;
        left &= ~(unsigned)order[i];
    }
    return left;
}

/* With c->mu held. */
static void
forget(struct cloud *c, const struct cloud_debt *paid)
{
    struct cloud_debt *d = find(c, &paid->file_id, paid->ref);

    if (d && d->since.ms == paid->since.ms && d->what == paid->what)
        *d = c->debt[--c->n_debt];
}

static bool
is_old(struct cloud *c, const struct cloud_debt *d)
{
    return cloud_now(c).ms - d->since.ms >= CLOUD_DEBT_MS;
}

enum err
cloud_owes(struct cloud *c, const struct uuid *file_id, struct fault *f)
{
    bool owed = false;

    pthread_mutex_lock(&c->mu);
    for (size_t i = 0; i < c->n_debt; i++)
        owed = owed || uuid_eq(&c->debt[i].file_id, file_id);
    pthread_mutex_unlock(&c->mu);
    return owed ? fault_set(f, ERR_AGAIN, "store",
                            "an earlier attempt is still being removed")
                : ERR_OK;
}

void
cloud_pay_all(struct cloud *c)
{
    struct cloud_debt d;
    size_t n, tried = 0;

    for (;;) {
        pthread_mutex_lock(&c->mu);
        n = c->n_debt;
        if (tried < n)
            d = c->debt[tried];
        pthread_mutex_unlock(&c->mu);
        if (tried >= n)
            return;
        tried++;
        if (!is_old(c, &d))
            continue;
        if (remove_all(c, &d) != 0)
            return; /* the store is away: later */
        pthread_mutex_lock(&c->mu);
        forget(c, &d);
        pthread_mutex_unlock(&c->mu);
        tried--;
    }
}
