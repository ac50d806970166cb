/* seal.c - the end of the audit log is signed, every few seconds when it has
 * moved on.
 *
 * Whoever may write to the database can do all sums of the chain anew. So the
 * head is not signed as it stands: Admin remembers the head that it has signed
 * last, in memory and in the file audit.seal beside its keys, and signs a later
 * one only when the rows from there on lead to it. Then neither a log that is
 * shorter than that, nor one that was written anew, is ever signed; and what
 * `audit verify` is told to look for is not in the database at all. What can
 * still be done unseen is in doc/audit.md.
 *
 * On the tick's worker; only the text is read by others, under the lock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "obs/log.h"
#include "role/admin/impl.h"

#define EVERY     dur_s(5)
#define FILE_NAME "audit.seal"
#define PAGES     16 /* of META_AUDIT_PAGE rows a turn: an old log takes some */

bool
admin_seal_due(const struct admin *a)
{
    return a->keys && !a->seal.blocked &&
           mono_reached(a->home->now, a->seal.due);
}

void
admin_seal_again(struct admin *a)
{
    a->seal.due = mono_add(a->home->now, EVERY);
}

void
admin_seal_open(struct admin *a, struct log *log)
{
    struct admin_seal *s = &a->seal;
    struct fault f = {0};
    struct buf b;
    enum err e;

    s->log = log;
    buf_init(&b, 16 * KIB);
    e = keys_kept(a->keys, FILE_NAME, &b, &f);
    if (e == ERR_OK && !seal_parse(slice_trim(buf_slice(&b)), &s->last))
        e = fault_set(&f, ERR_CORRUPT, "read the seal in", FILE_NAME);
    if (e == ERR_OK)
        (void)slice_copy(slice_trim(buf_slice(&b)), s->text, sizeof(s->text));
    else if (e != ERR_NOENT && e != ERR_UNSUPPORTED)
        /* Who signed without knowing what was signed would sign anything. */
        s->blocked = a->stats.audit_broken = true;
    if (s->blocked)
        log_error(log,
                  "what was signed of the audit log is not known, so that it "
                  "is not signed any more",
                  F_FAULT(&f));
    buf_release(&b);
}

/* ---- going from the last seal to the head ---- */

static bool
see_row(void *arg, const struct meta_audit *r)
{
    struct admin_seal *s = arg;
    const struct audit_row row = {.n = r->n,
                                  .at = r->at,
                                  .id = r->id,
                                  .actor = slice_str(r->actor),
                                  .action = slice_str(r->action),
                                  .object = slice_str(r->object),
                                  .element_id = slice_str(r->element_id),
                                  .result = slice_str(r->result),
                                  .request_id = slice_str(r->request_id),
                                  .source = slice_str(r->source)};

    if (r->n == s->last.head.n) { /* what came before it is not at hand */
        s->met =
            r->sealed && memcmp(r->hash, s->last.head.hash, AUDIT_HASH) == 0;
        s->verdict = s->met ? AUDIT_SOUND : AUDIT_CHANGED;
        s->chain.at = r->n;
    } else {
        s->verdict =
            audit_chain_next(&s->chain, &row, r->sealed ? r->hash : NULL);
    }
    if (s->verdict == AUDIT_SOUND &&
        (strcmp(r->action, META_AUDIT_ASIDE) == 0 ||
         strcmp(r->action, META_AUDIT_HEAD) == 0))
        s->repairs++;
    return s->verdict == AUDIT_SOUND;
}

static void
begin(struct admin_seal *s, const struct audit_head *head)
{
    s->walking = true;
    s->met = s->last.head.n == 0;
    s->verdict = AUDIT_SOUND;
    if (s->met) {
        audit_chain_init(&s->chain, head);
        s->cursor = 0;
    } else {
        audit_chain_from(&s->chain, head, &s->last.head);
        s->cursor = s->last.head.n - 1;
    }
    if (head->n < s->last.head.n) {
        s->verdict = AUDIT_MISSING;
        s->chain.at = head->n + 1;
    }
}

/* True: at the end, with s->verdict. */
static bool
walk(struct admin *a, struct fault *f, enum err *e)
{
    struct admin_seal *s = &a->seal;
    struct meta_audit_query q = {.ascending = true, .limit = META_AUDIT_PAGE};

    for (int i = 0; i < PAGES && s->verdict == AUDIT_SOUND; i++) {
        uint64_t next;

        q.after = s->cursor;
        *e = a->meta->ops->audit_list(a->meta, &q, see_row, s, &next, f);
        if (*e)
            return false;
        if (next == 0 || s->chain.n >= s->chain.head.n)
            break;
        s->cursor = next;
        if (i + 1 == PAGES && s->verdict == AUDIT_SOUND)
            return false;
    }
    if (s->verdict == AUDIT_SOUND && !s->met) {
        s->verdict = AUDIT_MISSING;
        s->chain.at = s->last.head.n;
    }
    if (s->verdict == AUDIT_SOUND)
        s->verdict = audit_chain_end(&s->chain);
    return true;
}

/* ---- the seal ---- */

static enum err
put(struct admin *a, struct wall now, const struct keyset *ks, struct fault *f)
{
    struct admin_seal *s = &a->seal;
    const struct seal seal = {s->chain.head, now};
    struct buf b;
    enum err e;

    buf_init(&b, sizeof(s->text) - 1);
    e = seal_make(ks, &seal, &b, f);
    if (!e)
        e = keys_keep(a->keys, FILE_NAME, buf_slice(&b), f);
    if (!e) {
        s->last = seal;
        (void)slice_copy(slice_str(ks->key[ks->signer].kid), s->kid,
                         sizeof(s->kid));
        (void)pthread_mutex_lock(&a->lock);
        (void)slice_copy(buf_slice(&b), s->text, sizeof(s->text));
        a->stats.audit_sealed = seal.head.n;
        (void)pthread_mutex_unlock(&a->lock);
    }
    buf_release(&b);
    return e;
}

static void
tell(struct admin *a, bool broken)
{
    struct admin_seal *s = &a->seal;

    (void)pthread_mutex_lock(&a->lock);
    a->stats.audit_broken = broken;
    a->stats.audit_repairs = s->repairs;
    (void)pthread_mutex_unlock(&a->lock);
    if (broken && !s->told)
        log_error(s->log,
                  "the audit log is not the one that was signed: somebody has "
                  "changed it, or it is an older copy; see doc/audit.md",
                  F_U64("row", s->chain.at), F_U64("signed", s->last.head.n));
    s->told = broken;
}

static enum err
turn(struct admin *a, struct wall now, const struct keyset *ks, struct fault *f)
{
    struct admin_seal *s = &a->seal;
    struct audit_head head;
    enum err e = ERR_OK;

    if (!s->walking) {
        e = a->meta->ops->audit_head(a->meta, &head, f);
        if (e || (head.n == 0 && s->last.head.n == 0))
            return e;
        if (memcmp(&head, &s->last.head, sizeof(head)) == 0 &&
            strcmp(s->kid, ks->key[ks->signer].kid) == 0) {
            tell(a, false);
            return ERR_OK;
        }
        begin(s, &head);
    }
    if (!walk(a, f, &e)) {
        s->walking = !e;
        return e;
    }
    s->walking = false;
    tell(a, s->verdict != AUDIT_SOUND);
    return s->verdict == AUDIT_SOUND ? put(a, now, ks, f) : ERR_OK;
}

void
admin_seal_turn(struct admin *a, struct wall now)
{
    struct keyset *ks = keys_get(a->keys);
    struct fault f = {0};

    /* What fails is tried again; the old seal holds until then. */
    if (!a->seal.blocked && ks->signer >= 0 && keys_owner(a->keys)[0] &&
        turn(a, now, ks, &f) && !a->seal.failed) {
        log_error(a->seal.log, "the audit log cannot be signed", F_FAULT(&f));
        a->seal.failed = true;
    } else if (!f.code) {
        a->seal.failed = false;
    }
    keyset_unref(&ks);
}

void
admin_seal_text(struct admin *a, char out[ADMIN_SEAL_TEXT])
{
    (void)pthread_mutex_lock(&a->lock);
    memcpy(out, a->seal.text, ADMIN_SEAL_TEXT);
    (void)pthread_mutex_unlock(&a->lock);
}
