/* remote_test.c - port/blob.h over HTTP: the contract on an element behind a
 * server of its own, on both kinds of loop, in the clear and encrypted, and
 * behind nginx with a path prefix, which spools the bodies of requests or does
 * not. SPDX-License-Identifier: Apache-2.0 */
#include "base/sanitized.h"
#include "port/blob_contract.h"
#include "nginx.h"
#include "remote_world.h"
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct remote_world *world;

static struct blob *
c_open(void *arg, struct loop_mem *l)
{
    (void)l;
    world = remote_world_open(arg);
    return remote_world_blob(world);
}

static struct blob *
c_reopen(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    remote_world_restart(world);
    return remote_world_blob(world);
}

static void
c_close(void *arg, struct blob *b)
{
    (void)arg;
    (void)b;
    remote_world_close(&world);
}

static void
c_mode(void *arg, struct blob *b, enum blob_mode mode)
{
    (void)arg;
    (void)b;
    element_set_mode(remote_world_core(world), mode);
}

static void
c_damage(void *arg, struct blob *b, const char *name, uint64_t off)
{
    char path[640];
    uint8_t c;
    glob_t g;
    int fd;
    (void)arg;
    (void)b;

    snprintf(path, sizeof(path), "%s/data/*/*/*/*/%s", remote_world_path(world),
             name);
    assert_int_equal(glob(path, 0, NULL, &g), 0);
    fd = open(g.gl_pathv[0], O_RDWR | O_CLOEXEC);
    globfree(&g);
    assert_true(fd != -1 && pread(fd, &c, 1, (off_t)off) == 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, (off_t)off), 1);
    (void)close(fd);
}

static int
contract(const char *name, struct remote_conf *conf)
{
    const struct blob_contract c = {.name = name,
                                    .open = c_open,
                                    .reopen = c_reopen,
                                    .close = c_close,
                                    .set_mode = c_mode,
                                    .damage = c_damage,
                                    .arg = conf};

    return blob_contract_run(&c);
}

/* Races are between threads of ours: each loop once, with and without TLS, is
 * what ThreadSanitizer is shown, at ten times the cost of a plain run. */
#define EVERY (!SANITIZED_THREAD)

int
main(void)
{
    struct remote_conf uring = {.loop = "uring"};
    struct remote_conf epoll = {.loop = "epoll", .segment_max = BLOCK_SIZE * 7};
    struct remote_conf tls = {.loop = "uring", .tls = true};
    struct remote_conf tls_epoll = {.loop = "epoll", .tls = true};
    bool spools = true, passes = false;
    struct remote_conf spooled = {.loop = "auto",
                                  .front = nginx_start,
                                  .unfront = nginx_stop,
                                  .arg = &spools};
    struct remote_conf passed = {.loop = "auto",
                                 .front = nginx_start,
                                 .unfront = nginx_stop,
                                 .arg = &passes};
    int failed;

    cmocka_set_test_filter(getenv("TEST_FILTER"));
    remote_base_make();
    failed = contract("blob over HTTP (uring)", &uring);
    failed += contract("blob over HTTPS (epoll)", &tls_epoll);
    if (EVERY) {
        failed += contract("blob over HTTP (epoll, short segments)", &epoll);
        failed += contract("blob over HTTPS (uring)", &tls);
    }
    if (!EVERY) {
        print_message("not behind nginx with ThreadSanitizer\n");
    } else if (nginx_here()) {
        failed += contract("blob behind nginx, which spools", &spooled);
        failed += contract("blob behind nginx, which passes on", &passed);
    } else {
        print_message("nginx is not here: not tested behind it\n");
    }
    remote_base_remove();
    return failed;
}
