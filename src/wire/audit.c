/* audit.c - see audit.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/audit.h"
#include "base/hex.h"
#include "hash/hash.h"
#include "wire/utf8.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- the sum ---- */

/* A few hundred bytes a row: portable C is fast enough, and is the same on
 * every machine that verifies. */
static const struct hash_kernels *
kernels(void)
{
    const struct hash_cpu none = {0};

    return hash_select(&none, "c");
}

static void
take(struct hash_state *s, const void *p, size_t n)
{
    const struct hash_job job = {s, p, n};

    if (n)
        hash_run(kernels(), &job, 1);
}

static void
take_number(struct hash_state *s, uint64_t v, unsigned bytes)
{
    uint8_t b[8];

    for (unsigned i = 0; i < bytes; i++)
        b[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    take(s, b, bytes);
}

void
audit_hash(const uint8_t prev[AUDIT_HASH], const struct audit_row *r,
           uint8_t out[AUDIT_HASH])
{
    const struct slice text[] = {r->actor,      r->action, r->object,
                                 r->element_id, r->result, r->request_id,
                                 r->source};
    struct hash_digests d;
    struct hash_state s;

    hash_init(&s);
    take(&s, prev, AUDIT_HASH);
    take_number(&s, r->n, 8);
    take_number(&s, (uint64_t)r->at.ms, 8);
    take(&s, r->id.b, sizeof(r->id.b));
    for (size_t i = 0; i < countof(text); i++) {
        take_number(&s, text[i].n, 4);
        take(&s, text[i].p, text[i].n);
    }
    hash_final(kernels(), &s, &d);
    memcpy(out, d.sha256, AUDIT_HASH);
}

char *
audit_clean(char *s)
{
    struct slice rest = slice_str(s);

    while (rest.n) {
        uint32_t code = 0;
        size_t n = utf8_next(rest, &code);
        char *at = s + (rest.p - s);

        if (n == 0 || code < ' ' || (code >= 0x7f && code < 0xa0)) {
            n = n ? n : 1;
            memset(at, '?', n);
        }
        rest = slice_skip(rest, n);
    }
    return s;
}

/* ---- the head ---- */

const char *
audit_head_text(const struct audit_head *h, char out[AUDIT_HEAD_TEXT])
{
    char hex[2 * AUDIT_HASH + 1];

    snprintf(out, AUDIT_HEAD_TEXT, "%" PRIu64 " %" PRIu64 " %s", h->first, h->n,
             hex_encode(h->hash, AUDIT_HASH, hex));
    return out;
}

bool
audit_head_parse(struct slice s, struct audit_head *out)
{
    struct slice first, n;

    *out = (struct audit_head){0};
    return slice_cut(&s, ' ', &first) && slice_cut(&s, ' ', &n) &&
           slice_u64(first, &out->first) && slice_u64(n, &out->n) &&
           out->first >= 1 && out->first <= out->n &&
           hex_decode(s, out->hash, AUDIT_HASH);
}

/* ---- the chain ---- */

void
audit_chain_init(struct audit_chain *c, const struct audit_head *head)
{
    *c = (struct audit_chain){.head = *head};
}

void
audit_chain_from(struct audit_chain *c, const struct audit_head *head,
                 const struct audit_head *from)
{
    *c = (struct audit_chain){.head = *head, .n = from->n};
    memcpy(c->hash, from->hash, AUDIT_HASH);
}

static enum audit_verdict
found(struct audit_chain *c, enum audit_verdict v, uint64_t at)
{
    c->at = at;
    return v;
}

enum audit_verdict
audit_chain_next(struct audit_chain *c, const struct audit_row *r,
                 const uint8_t *hash)
{
    uint8_t want[AUDIT_HASH];

    if (c->head.n == 0) /* a row was sealed, and what it led to is gone */
        return hash ? found(c, AUDIT_CHANGED, r->n) : AUDIT_SOUND;
    if (r->n < c->head.first) {
        /* These have no hash: what has one was in the chain. */
        if (hash || r->n <= c->n)
            return found(c, AUDIT_CHANGED, r->n);
        c->n = r->n;
        c->older++;
        return AUDIT_SOUND;
    }
    if (r->n > c->head.n)
        return AUDIT_SOUND;
    if (c->n + 1 < c->head.first)
        c->n = c->head.first - 1;
    if (r->n <= c->n)
        return found(c, AUDIT_CHANGED, r->n);
    if (r->n != c->n + 1)
        return found(c, AUDIT_MISSING, c->n + 1);
    if (!hash)
        return found(c, AUDIT_UNSEALED, r->n);
    audit_hash(c->hash, r, want);
    if (memcmp(want, hash, AUDIT_HASH) != 0)
        return found(c, AUDIT_CHANGED, r->n);
    memcpy(c->hash, want, AUDIT_HASH);
    c->n = r->n;
    return AUDIT_SOUND;
}

enum audit_verdict
audit_chain_end(struct audit_chain *c)
{
    if (c->head.n == 0)
        return AUDIT_SOUND;
    if (c->n < c->head.n) {
        uint64_t next = c->n + 1 < c->head.first ? c->head.first : c->n + 1;

        return found(c, AUDIT_MISSING, next);
    }
    return memcmp(c->hash, c->head.hash, AUDIT_HASH) == 0
               ? AUDIT_SOUND
               : found(c, AUDIT_CHANGED, c->head.n);
}
