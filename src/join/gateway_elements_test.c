/* gateway_elements_test.c - whoever is not well counts, wherever in the list it
 * stands (ING-096). SPDX-License-Identifier: Apache-2.0 */
#include "join/gateway_elements.h"
#include "obs/health.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define MANY 10000

struct fake {
    struct blob blob;
    const char *health;
    struct mono alone_until;
};

static struct fake fake[MANY];
static unsigned n_fakes, held;

static void
fake_capacity(struct blob *b, struct blob_capacity *out)
{
    const struct fake *f = container_of(b, struct fake, blob);

    *out = (struct blob_capacity){.total = 1, .alone_until = f->alone_until};
    (void)snprintf(out->health, sizeof(out->health), "%s", f->health);
}

static void
fake_hold(struct blob *b)
{
    (void)b;
    held++;
}

static void
fake_drop(struct blob *b)
{
    (void)b;
    held--;
}

static unsigned
fake_elements(struct registry *g, struct registry_element *out, unsigned max)
{
    (void)g;
    for (unsigned i = 0; i < n_fakes && i < max; i++)
        out[i].blob = blob_hold(&fake[i].blob);
    return n_fakes;
}

static void
look(unsigned n, struct gateway_sick *sick, struct buf *detail)
{
    static const struct registry_ops ops = {.elements = fake_elements};
    struct registry g = {.ops = &ops};

    n_fakes = n;
    buf_clear(detail);
    gateway_elements(&g, (struct mono){1000}, detail, sick);
    assert_int_equal(held, 0);
    assert_in_range(detail->n, 1, HEALTH_DETAIL_MAX);
}

static int
set_up(void **state)
{
    static const struct blob_ops ops = {
        .capacity = fake_capacity, .hold = fake_hold, .drop = fake_drop};
    (void)state;

    for (unsigned i = 0; i < MANY; i++) {
        fake[i] = (struct fake){.blob.ops = &ops, .health = "healthy"};
        (void)snprintf(fake[i].blob.element_id, sizeof(fake[i].blob.element_id),
                       "se-%04u", i);
    }
    return 0;
}

static void
test_sick(void **state)
{
    static const struct {
        const char *health;
        int64_t alone;
        unsigned sick;
        const char *why;
    } rows[] = {
        {"healthy", 0, 0, "it is well"},
        {"healthy", 1000, 0, "it was left alone until now"},
        {"healthy", 1001, 1, "it is left alone"},
        {"degraded: no limit", 0, 0, "it serves"},
        {"degraded: no limit", 1001, 0, "it calls itself degraded"},
        {"unhealthy: disk", 0, 1, "it says so"},
        {"nonsense", 0, 1, "whatever it says"},
        {"", 0, 0, "it was not heard of"},
    };
    static const unsigned at[] = {0, 63, 64, 299};
    struct gateway_sick s;
    struct buf detail;
    (void)state;

    buf_init(&detail, HEALTH_DETAIL_MAX);
    for (size_t i = 0; i < countof(rows) * countof(at); i++) {
        struct fake *f = &fake[at[i % countof(at)]];

        f->health = rows[i / countof(at)].health;
        f->alone_until.ns = rows[i / countof(at)].alone;
        look(300, &s, &detail);
        if (s.n != rows[i / countof(at)].sick)
            fail_msg("%s: %u at %u", rows[i / countof(at)].why, s.n,
                     at[i % countof(at)]);
        f->health = "healthy";
        f->alone_until.ns = 0;
    }
    buf_release(&detail);
}

/* The first is named, the others are counted; the list has as many elements as
 * there is room for. */
static void
test_text(void **state)
{
    struct gateway_sick s;
    struct buf detail;
    (void)state;

    buf_init(&detail, HEALTH_DETAIL_MAX);
    look(MANY, &s, &detail);
    assert_string_equal(s.text, "");
    assert_true(
        slice_starts(buf_slice(&detail), SLICE("{\"total\":10000,\"items\":["
                                               "{\"element_id\":\"se-0000\"")));
    assert_int_equal(detail.p[detail.n - 1], '}');
    fake[9000].health = "unhealthy: disk";
    look(MANY, &s, &detail);
    assert_string_equal(s.text, "; se-9000 is unhealthy: disk");
    fake[9999].health = "unhealthy: net";
    look(MANY, &s, &detail);
    assert_string_equal(
        s.text, "; se-9000 is unhealthy: disk; 1 more is not well either");
    for (unsigned i = 0; i < MANY; i++)
        fake[i].health = "unhealthy: all";
    look(MANY, &s, &detail);
    assert_int_equal(s.n, MANY);
    assert_string_equal(
        s.text, "; se-0000 is unhealthy: all; 9999 more are not well either");
    buf_release(&detail);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_sick, set_up),
        cmocka_unit_test_setup(test_text, set_up),
    };

    return cmocka_run_group_tests_name("gateway_elements", tests, NULL, NULL);
}
