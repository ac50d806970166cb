/* cloud_s3_test.c - the element in a bucket on a real S3 server (radosgw.py).
 *
 *   contract     port/blob.h's, as for every element
 *   killed       the server dies in the middle of uploads and deletes, again
 *                and again: nothing acknowledged is lost, nothing is half there
 *   large MIB    one file of that size, length unknown and then known, with the
 *                memory that it took: no more than the parts' budget
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/sanitized.h"
#include "port/blob_contract.h"
#include "world.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define OK(call) assert_int_equal((call), ERR_OK)
#define B        ((uint64_t)BLOCK_SIZE)

static struct world w;

/* ---- the contract ---- */

static struct blob *
c_open(void *arg, struct loop_mem *l)
{
    (void)arg;
    world_init(&w, S3_RETRIES);
    l->pump = w.loop.pump; /* the stories are told on L */
    l->pump_arg = &w;
    return w.story.blob;
}

static struct blob *
c_reopen(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    world_close(&w);
    OK(world_open(&w));
    assert_int_equal(w.report.buckets, 0); /* a clean stop */
    return w.story.blob;
}

static void
c_close(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    world_release(&w);
}

static void
c_mode(void *arg, struct blob *b, enum blob_mode mode)
{
    (void)arg;
    (void)b;
    element_set_mode(w.element, mode);
}

struct find {
    const char *name;
    struct uuid id;
    uint64_t size;
};

static bool
see_name(void *arg, const struct index_row *row)
{
    struct find *f = arg;

    if (strcmp(row->attr.storage_filename, f->name) != 0)
        return true;
    f->id = row->attr.file_id;
    f->size = row->attr.stored_size;
    return false;
}

static void
c_damage(void *arg, struct blob *b, const char *name, uint64_t off)
{
    struct object_req *r = calloc(1, sizeof(*r));
    struct find f = {.name = name};
    char id[UUID_TEXT];
    struct uuid nil = {{0}};
    struct slice body;
    (void)arg;
    (void)b;

    OK(w.index->ops->list(w.index, &nil, SIZE_MAX / 2, see_name, &f, NULL));
    r->into = malloc((size_t)f.size);
    r->n = (size_t)f.size;
    r->op = OBJECT_GET;
    snprintf(r->key, sizeof(r->key), "data/2023/11/14/%s",
             uuid_text(&f.id, id));
    OK(objects_call(w.objects, r));
    ((uint8_t *)r->into)[off] ^= 1;
    body = slice_of(r->into, (size_t)f.size);
    r->op = OBJECT_PUT;
    r->body = &body;
    r->n_body = 1;
    OK(objects_call(w.objects, r));
    free(r->into);
    free(r);
}

static int
contract(void)
{
    const struct blob_contract c = {.name = "blob: radosgw",
                                    .open = c_open,
                                    .reopen = c_reopen,
                                    .close = c_close,
                                    .set_mode = c_mode,
                                    .damage = c_damage};

    return blob_contract_run(&c);
}

/* ---- the server dies ---- */

#define ROUNDS 6
#define FILES  8

static const uint64_t size_of[FILES] = {100,    5 * B,   9 * B,  70 * B,
                                        30 * B, 100 * B, 20 * B, 40 * B};

enum fate { ABSENT, THERE, MAYBE };

static unsigned after_ms;

static void *
killer(void *arg)
{
    char pid[32] = "";
    FILE *f = fopen(getenv("S3_PID_FILE"), "r");
    struct timespec t = {.tv_sec = after_ms / 1000,
                         .tv_nsec = (after_ms % 1000) * 1000000L};
    (void)arg;

    assert(f && fgets(pid, sizeof(pid), f) && atoi(pid) > 1);
    (void)fclose(f);
    nanosleep(&t, NULL);
    assert(kill(atoi(pid), SIGKILL) == 0);
    return NULL;
}

static void
check_fates(unsigned first, const enum fate fate[FILES])
{
    for (unsigned i = 0; i < FILES; i++) {
        enum err e = story_check(&w.story, first + i, size_of[i], true);

        if ((fate[i] == THERE && e != ERR_OK) ||
            (fate[i] == ABSENT && e != ERR_NOENT) ||
            (e != ERR_OK && e != ERR_NOENT))
            fail_msg("after %u ms: file %u, told %d, is %s (%s)", after_ms, i,
                     fate[i], err_name(e), w.story.fault.what);
    }
}

static void
wait_for_server(void)
{
    struct object_req r = {.op = OBJECT_HEAD, .key = "superblock"};

    while (objects_call(w.objects, &r) != ERR_OK)
        usleep(200000);
}

static void
one_round(unsigned round)
{
    enum fate fate[FILES];
    unsigned first = 100 * round, told = 0;
    pthread_t t;

    after_ms = 20 + 130 * round;
    assert_int_equal(pthread_create(&t, NULL, killer, NULL), 0);
    for (unsigned i = 0; i < FILES; i++) {
        unsigned n = first + i;
        enum err e = i % 2 ? story_upload(&w.story, n, size_of[i], i & 2, NULL)
                           : story_put(&w.story, n, size_of[i], NULL);

        fate[i] = e == ERR_OK ? THERE : MAYBE;
        told += e == ERR_OK;
        if (i >= 4 && fate[i - 4] == THERE) {
            e = story_delete(&w.story, n - 4);
            fate[i - 4] = e == ERR_OK ? ABSENT : MAYBE;
        }
    }
    pthread_join(t, NULL);
    print_message("killed after %u ms: %u of %u acknowledged\n", after_ms, told,
                  FILES);
    wait_for_server();
    check_fates(first, fate);
    world_close(&w);
    OK(world_open(&w));
    check_fates(first, fate);
    assert_int_equal(w.report.missing + w.report.damaged, 0);
}

static void
rounds(unsigned retries)
{
    world_init(&w, retries);
    for (unsigned i = 0; i < ROUNDS; i++)
        one_round(i);
    world_close(&w);
    print_message("%u files left\n", world_audit(&w));
    world_release(&w);
}

/* Repetitions bridge the time until it is back. */
static void
test_bridged(void **state)
{
    (void)state;
    rounds(S3_RETRIES);
}

/* Every failure is the caller's. */
static void
test_told(void **state)
{
    (void)state;
    rounds(0);
}

static int
killed(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bridged),
                                       cmocka_unit_test(test_told)};

    return cmocka_run_group_tests_name("killed", tests, NULL, NULL);
}

/* ---- a large file ---- */

static uint64_t large_size;

static uint64_t
rss_kb(const char *what)
{
    char line[256];
    uint64_t kb = 0;
    FILE *f = fopen("/proc/self/status", "r");

    assert(f);
    while (fgets(line, sizeof(line), f))
        if (strncmp(line, what, strlen(what)) == 0)
            kb = strtoull(line + strlen(what), NULL, 10);
    (void)fclose(f);
    return kb;
}

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
one_large(unsigned i, bool known)
{
    uint64_t budget = 64 * KIB, most = 64 * KIB + budget; /* KiB of KiB */
    double t = seconds(), up, down;

    OK(story_upload(&w.story, i, large_size, known, NULL));
    up = seconds() - t;
    t = seconds();
    OK(story_check(&w.story, i, large_size, true));
    down = seconds() - t;
    print_message("%llu MiB, length %s: up %.1f s, down %.1f s; at most %llu "
                  "MiB of memory\n",
                  (unsigned long long)(large_size / MIB),
                  known ? "known" : "unknown", up, down,
                  (unsigned long long)(rss_kb("VmHWM:") / KIB));
    if (!SANITIZED_ADDRESS) /* which keeps for a while what is freed */
        assert_true(rss_kb("VmHWM:") <= most + 768);
}

static void
test_large(void **state)
{
    (void)state;

    world_init(&w, S3_RETRIES);
    one_large(1, false);
    if (large_size <= GIB) /* the server's disk is not for two of the others */
        one_large(2, true);
    world_release(&w);
}

static int
large(uint64_t mib)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_large)};

    large_size = mib * MIB;
    return cmocka_run_group_tests_name("large", tests, NULL, NULL);
}

int
main(int argc, char **argv)
{
    if (!world_there())
        return 77;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "contract") == 0)
        return contract();
    if (argc == 2 && strcmp(argv[1], "killed") == 0)
        return killed();
    if (argc == 3 && strcmp(argv[1], "large") == 0)
        return large(strtoull(argv[2], NULL, 10));
    fprintf(stderr, "cloud_s3_test contract|killed|large MIB\n");
    return 2;
}
