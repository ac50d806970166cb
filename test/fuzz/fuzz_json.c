/* fuzz_json.c - JSON bodies: what is read comes out again the same, and any
 * bytes can be written as a string.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"
#include "wire/problem.h"
#include "wire/utf8.h"

static void
check_same(const json_t *a, struct slice text)
{
    static const struct json_limits wide = {1 << 20, 64, 100000, true};
    struct json_error e = {0};
    json_t *b = json_read_limited(text, &wide, &e);

    assert(b && json_equal(a, b));
    json_decref(b);
}

static void
try_read(struct slice s)
{
    struct json_error e = {0};
    json_t *j = json_read(s, &e);
    struct buf b;

    assert((j == NULL) == (e.text[0] != 0));
    if (j) {
        buf_init(&b, 16 * s.n + 64); /* 1e1 comes out as 10.0 */
        assert(json_out_value(&b, j));
        check_same(j, buf_slice(&b));
        buf_release(&b);
        json_get_str(j, "a", JSON_OPTIONAL, &e);
        json_get_int(j, "b", JSON_REQUIRED, 0, 10, 0, &e);
        json_get_bool(j, "c", JSON_OPTIONAL, false, &e);
        json_get_obj(j, "d", JSON_OPTIONAL, &e);
        json_get_list(j, "e", JSON_REQUIRED, &e);
        json_decref(j);
    }
}

static void
try_write(struct slice s)
{
    struct problem p = {400, "x", s, s, SLICE_NULL};
    struct json_error e = {0};
    struct buf b;
    json_t *j;

    if (slice_find(s, 0) < s.n) /* which the library does not read */
        return;
    buf_init(&b, 24 * s.n + 1000); /* three times six for each byte */
    assert(problem_body(&b, &p, PROBLEM_RFC9457));
    assert(utf8_valid(buf_slice(&b)));
    j = json_read_limited(buf_slice(&b),
                          &(struct json_limits){1 << 20, 2, 10, false}, &e);
    assert(j);
    if (utf8_valid(s)) {
        struct slice back = json_get_str(j, "message", JSON_REQUIRED, &e);

        assert(slice_eq(back, s));
    }
    json_decref(j);
    buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice s = slice_of(data, n);

    if (n > 10000)
        return 0;
    try_read(s);
    try_write(s);
    return 0;
}
