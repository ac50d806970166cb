/* map_test.c - tests of map.h. SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include "base/prng.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct word {
    struct map_item item;
    uint64_t key;
    bool in;
};

static struct word *
find(const struct map *m, uint64_t key)
{
    struct map_item *it = map_first(m, map_hash(m->seed, &key, sizeof(key)));

    for (; it; it = map_next(it)) {
        struct word *w = container_of(it, struct word, item);

        if (w->key == key)
            return w;
    }
    return NULL;
}

static void
run_random(size_t slots_max)
{
    static struct word w[500];
    struct map m;
    struct prng r;
    size_t n = 0;

    prng_init(&r, slots_max);
    assert_true(map_init(&m, slots_max, 99));
    for (size_t i = 0; i < countof(w); i++)
        w[i] = (struct word){.key = i * 8};
    for (int step = 0; step < 20000; step++) {
        struct word *x = &w[prng_below(&r, countof(w))];

        if (x->in) {
            map_remove(&m, &x->item);
            n--;
        } else {
            map_add(&m, &x->item, map_hash(m.seed, &x->key, sizeof(x->key)));
            n++;
        }
        x->in = !x->in;
        assert_ptr_equal(find(&m, x->key), x->in ? x : NULL);
        assert_int_equal(m.n, n);
    }
    for (size_t i = 0; i < countof(w); i++)
        assert_ptr_equal(find(&m, w[i].key), w[i].in ? &w[i] : NULL);
    assert_true(m.mask + 1 <= m.max);
    map_release(&m);
}

static void
test_random(void **state)
{
    (void)state;
    run_random(1);    /* one chain */
    run_random(100);  /* a ceiling below the items: becomes 128 */
    run_random(4096); /* never reaches its ceiling */
}

static void
test_equal_hashes(void **state)
{
    struct map_item a, b, c;
    struct map m;
    size_t seen = 0;
    (void)state;

    assert_true(map_init(&m, 16, 0));
    map_add(&m, &a, 3);
    map_add(&m, &b, 3);
    map_add(&m, &c, 19); /* the same slot, another hash */
    for (struct map_item *it = map_first(&m, 3); it; it = map_next(it)) {
        assert_true(it == &a || it == &b);
        seen++;
    }
    assert_int_equal(seen, 2);
    map_release(&m);
}

static void
test_hash(void **state)
{
    uint8_t p[64] = {0};
    uint64_t h = map_hash(1, p, 40);
    (void)state;

    assert_int_equal(h, map_hash(1, p, 40));
    assert_true(h != map_hash(2, p, 40)); /* the seed counts */
    assert_true(h != map_hash(1, p, 41)); /* so does the length */
    assert_true(map_hash(1, p, 0) != map_hash(1, p, 1));
    for (size_t bit = 0; bit < 40 * 8; bit++) { /* and each bit */
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_true(h != map_hash(1, p, 40));
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_equal_hashes),
        cmocka_unit_test(test_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
