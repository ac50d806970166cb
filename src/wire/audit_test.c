/* audit_test.c - the chain of the audit log: the sum against one that was done
 * with another program, and every way to tamper with rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/audit_json.h"
#include "base/base.h"
#include "base/hex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define ROWS  6
#define HEX16 "0123456789abcdef"
#define HEX64 HEX16 HEX16 HEX16 HEX16

struct kept {
    struct audit_row row;
    uint8_t hash[AUDIT_HASH];
    bool sealed;
    bool gone;
};

static struct audit_row
row(uint64_t n)
{
    struct audit_row r = {.n = n,
                          .at = {1700000000000 + (int64_t)n},
                          .actor = SLICE("alice"),
                          .action = SLICE("file.delete"),
                          .object = n % 2 ? SLICE("one") : SLICE("two"),
                          .element_id = SLICE("se-01"),
                          .result = SLICE("ok"),
                          .request_id = SLICE("r"),
                          .source = SLICE("gw")};

    memset(r.id.b, (int)n, sizeof(r.id.b));
    return r;
}

/* Rows FIRST ... ROWS are chained, those before are older. */
static void
make(struct kept *k, struct audit_head *head, uint64_t first)
{
    const uint8_t zero[AUDIT_HASH] = {0};
    const uint8_t *prev = zero;

    *head = (struct audit_head){.first = first, .n = ROWS};
    for (uint64_t n = 1; n <= ROWS; n++) {
        struct kept *x = &k[n - 1];

        *x = (struct kept){.row = row(n), .sealed = n >= first};
        if (x->sealed) {
            audit_hash(prev, &x->row, x->hash);
            prev = x->hash;
        }
    }
    memcpy(head->hash, prev, AUDIT_HASH);
}

static enum audit_verdict
walk(const struct kept *k, const struct audit_head *head, uint64_t *at)
{
    struct audit_chain c;
    enum audit_verdict v = AUDIT_SOUND;

    audit_chain_init(&c, head);
    for (size_t i = 0; i < ROWS && v == AUDIT_SOUND; i++)
        if (!k[i].gone)
            v = audit_chain_next(&c, &k[i].row, k[i].sealed ? k[i].hash : NULL);
    if (v == AUDIT_SOUND)
        v = audit_chain_end(&c);
    *at = c.at;
    return v;
}

/* Python: hashlib.sha256(bytes(32) + struct.pack(">QQ", 1, 1700000000001) +
 * b"\1" * 16 + b"".join(struct.pack(">I", len(t)) + t for t in (b"alice",
 * b"file.delete", b"one", b"se-01", b"ok", b"r", b"gw"))) */
static void
test_known(void **state)
{
    const uint8_t zero[AUDIT_HASH] = {0};
    struct audit_row r = row(1);
    uint8_t hash[AUDIT_HASH];
    char hex[2 * AUDIT_HASH + 1];
    (void)state;

    audit_hash(zero, &r, hash);
    assert_string_equal(hex_encode(hash, AUDIT_HASH, hex),
                        "25bfd87592818571cd57f7e668be9371"
                        "b6a801b8e33620962065f1d4b80e3561");
}

/* What belongs to one field and what to the next is part of the sum. */
static void
test_borders(void **state)
{
    const uint8_t zero[AUDIT_HASH] = {0};
    struct audit_row a = row(1), b = row(1);
    uint8_t ha[AUDIT_HASH], hb[AUDIT_HASH];
    (void)state;

    a.actor = SLICE("ab");
    a.action = SLICE("c");
    b.actor = SLICE("a");
    b.action = SLICE("bc");
    audit_hash(zero, &a, ha);
    audit_hash(zero, &b, hb);
    assert_memory_not_equal(ha, hb, AUDIT_HASH);
}

static void
swap(struct kept *a, struct kept *b)
{
    struct kept t = *a;

    *a = *b;
    *b = t;
}

static void
test_tamper(void **state)
{
    struct kept k[ROWS];
    struct audit_head head, none = {0};
    uint64_t at;
    (void)state;

    make(k, &head, 1);
    assert_int_equal(walk(k, &head, &at), AUDIT_SOUND);
    make(k, &head, 3);
    assert_int_equal(walk(k, &head, &at), AUDIT_SOUND);
    for (size_t i = 0; i < ROWS; i++)
        k[i].gone = true;
    assert_int_equal(walk(k, &none, &at), AUDIT_SOUND); /* nothing yet */

    for (size_t i = 0; i < ROWS; i++) { /* each row in turn */
        make(k, &head, 1);
        k[i].row.result = SLICE("no");
        assert_int_equal(walk(k, &head, &at), AUDIT_CHANGED);
        assert_int_equal(at, i + 1);

        make(k, &head, 1);
        k[i].row.at.ms++;
        assert_int_equal(walk(k, &head, &at), AUDIT_CHANGED);
        assert_int_equal(at, i + 1);

        make(k, &head, 1);
        k[i].row.id.b[7] ^= 1;
        assert_int_equal(walk(k, &head, &at), AUDIT_CHANGED);
        assert_int_equal(at, i + 1);

        make(k, &head, 1);
        k[i].gone = true; /* also the last: the head tells */
        assert_int_equal(walk(k, &head, &at), AUDIT_MISSING);
        assert_int_equal(at, i + 1);

        make(k, &head, 1);
        k[i].sealed = false;
        assert_int_equal(walk(k, &head, &at), AUDIT_UNSEALED);
        assert_int_equal(at, i + 1);
    }
    /* Two rows change places, with their numbers and without. */
    make(k, &head, 1);
    swap(&k[2], &k[3]);
    assert_int_equal(walk(k, &head, &at), AUDIT_MISSING);
    assert_int_equal(at, 3);
    k[2].row.n = 3;
    k[3].row.n = 4;
    assert_int_equal(walk(k, &head, &at), AUDIT_CHANGED);
    assert_int_equal(at, 3);
    /* The chain is made to look as if it began later. */
    make(k, &head, 1);
    k[0].sealed = k[1].sealed = false;
    assert_int_equal(walk(k, &head, &at), AUDIT_UNSEALED);
    assert_int_equal(at, 1);
    /* As if there had never been a chain. */
    make(k, &head, 1);
    assert_int_equal(walk(k, &none, &at), AUDIT_CHANGED);
    for (size_t i = 0; i < ROWS; i++)
        k[i].sealed = false;
    assert_int_equal(walk(k, &none, &at), AUDIT_SOUND);
}

/* Somebody who may write does all the sums anew: only the noted head tells. */
static void
test_forged(void **state)
{
    const uint8_t zero[AUDIT_HASH] = {0};
    struct kept k[ROWS];
    struct audit_head head;
    uint64_t at;
    (void)state;

    make(k, &head, 1);
    k[1].row.actor = SLICE("mallory");
    for (size_t i = 1; i < ROWS; i++)
        audit_hash(i ? k[i - 1].hash : zero, &k[i].row, k[i].hash);
    assert_int_equal(walk(k, &head, &at), AUDIT_CHANGED);
    assert_int_equal(at, ROWS);
}

static void
test_head(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        {"", "nothing"},
        {"1 2", "no hash"},
        {"0 1 " HEX64, "rows count from 1"},
        {"3 2 " HEX64, "it ends before it begins"},
        {"1 2 " HEX64 "0", "the hash is too long"},
        {"1 x " HEX64, "no number"},
    };
    struct audit_head h = {.first = 7, .n = UINT64_MAX}, got;
    char text[AUDIT_HEAD_TEXT];
    (void)state;

    memset(h.hash, 0xa5, sizeof(h.hash));
    assert_true(audit_head_parse(slice_str(audit_head_text(&h, text)), &got));
    assert_memory_equal(&h, &got, sizeof(h));
    for (size_t i = 0; i < countof(bad); i++)
        if (audit_head_parse(slice_str(bad[i].text), &got))
            fail_msg("%s: %s", bad[i].text, bad[i].why);
}

static void
test_clean(void **state)
{
    static const struct {
        const char *in, *out, *why;
    } rows[] = {
        {"plain", "plain", "stays"},
        {"caf\xc3\xa9", "caf\xc3\xa9", "UTF-8 stays"},
        {"caf\xc3", "caf?", "cut in the middle of a letter"},
        {"\xff\xfe", "??", "never UTF-8"},
        {"a\nb\x1b[31m", "a?b?[31m", "lines and colours of a terminal"},
        {"\xc2\x9b"
         "31m",
         "??31m", "the same in one character (C1)"},
        {"\xed\xa0\x80", "???", "half of a surrogate pair"},
    };
    char s[32];
    (void)state;

    for (size_t i = 0; i < countof(rows); i++) {
        snprintf(s, sizeof(s), "%s", rows[i].in);
        if (strcmp(audit_clean(s), rows[i].out) != 0)
            fail_msg("%s: %s", rows[i].why, s);
    }
}

/* What is written is read the same, hashes and all. */
static void
test_json(void **state)
{
    struct audit_row in = row(7), out;
    struct audit_head head = {.first = 2, .n = 7}, got;
    uint8_t hash[AUDIT_HASH], read[AUDIT_HASH];
    struct json_error e = {0};
    struct json_writer w;
    struct buf b;
    bool sealed;
    json_t *j;
    (void)state;

    memset(hash, 0x5a, sizeof(hash));
    memset(head.hash, 0x5a, sizeof(hash));
    for (int with = 0; with < 2; with++) {
        buf_init(&b, 4 * KIB);
        json_begin(&w, &b);
        audit_put_row(&w, &in, with ? hash : NULL);
        j = json_read(buf_slice(&b), &e);
        assert_true(audit_get_row(j, &out, read, &sealed, &e));
        assert_int_equal(sealed, with);
        if (with)
            assert_memory_equal(hash, read, sizeof(hash));
        audit_hash(hash, &in, hash);
        audit_hash(with ? read : hash, &out, read);
        json_decref(j);
        assert_int_equal(out.n, 7);
        assert_int_equal(out.at.ms, in.at.ms);
        assert_true(uuid_eq(&out.id, &in.id));
        buf_release(&b);
        memset(hash, 0x5a, sizeof(hash));
    }
    for (int with = 0; with < 2; with++) {
        const struct audit_head none = {0};

        buf_init(&b, 4 * KIB);
        json_begin(&w, &b);
        json_put_object(&w, NULL);
        audit_put_head(&w, with ? &head : &none);
        json_end_object(&w);
        j = json_read(buf_slice(&b), &e);
        assert_true(audit_get_head(j, &got, &e));
        assert_memory_equal(&got, with ? &head : &none, sizeof(got));
        json_decref(j);
        buf_release(&b);
    }
    assert_string_equal(e.text, "");
    j = json_read(SLICE("{\"n\": 0}"), &e);
    assert_false(audit_get_row(j, &out, read, &sealed, &e));
    json_decref(j);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),  cmocka_unit_test(test_borders),
        cmocka_unit_test(test_tamper), cmocka_unit_test(test_forged),
        cmocka_unit_test(test_head),   cmocka_unit_test(test_clean),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
