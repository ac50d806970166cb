/* free_port.c - see free_port.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/free_port.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST 10000
#define TRIES 1000

static unsigned
below(void)
{
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    unsigned low = 0;

    if (!f)
        return 32768;
    if (fscanf(f, "%u", &low) != 1)
        low = 32768;
    (void)fclose(f);
    return low < FIRST + TRIES ? FIRST + TRIES : low;
}

/* An abstract socket of the port's name, which the process holds. */
static bool
claim(unsigned port)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "artstore-port-%u",
                     port);
    socklen_t len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) + (socklen_t)n;

    assert(fd != -1);
    if (bind(fd, (struct sockaddr *)&a, len) == 0)
        return true;
    (void)close(fd);
    return false;
}

static bool
is_free(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    bool yes;

    assert(fd != -1);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    yes = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    (void)close(fd);
    return yes;
}

uint16_t
free_port(void)
{
    unsigned range = below() - FIRST, r;

    for (int i = 0; i < TRIES; i++) {
        assert(getrandom(&r, sizeof(r), 0) == sizeof(r));
        r = FIRST + r % range;
        if (claim(r) && is_free(r))
            return (uint16_t)r;
    }
    assert(!"a free port");
    return 0;
}
