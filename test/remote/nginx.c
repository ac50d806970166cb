/* nginx.c - see nginx.h. SPDX-License-Identifier: Apache-2.0 */
#include "nginx.h"
#include "io/free_port.h"
#include "base/base.h"
#include "remote_world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static const char *const places[] = {"/usr/sbin/nginx", "/usr/bin/nginx",
                                     "/usr/local/sbin/nginx"};
static pid_t pid;

static const char *
nginx_path(void)
{
    for (size_t i = 0; i < countof(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

bool
nginx_here(void)
{
    return nginx_path() != NULL;
}

/* One process, which needs no other user and is easy to end. */
static void
write_conf(const char *dir, unsigned from, unsigned to, bool buffering)
{
    char path[400];
    FILE *f;

    snprintf(path, sizeof(path), "%s/nginx.conf", dir);
    f = fopen(path, "we");
    assert_non_null(f);
    fprintf(f,
            "daemon off; master_process off; pid %s/pid;\n"
            "error_log %s/error.log warn;\n"
            "events { worker_connections 256; }\n"
            "http {\n"
            "  access_log off;\n"
            "  client_body_temp_path %s/body;\n"
            "  proxy_temp_path %s/proxy;\n"
            "  fastcgi_temp_path %s/f; uwsgi_temp_path %s/u;\n"
            "  scgi_temp_path %s/s;\n"
            "  upstream element { server 127.0.0.1:%u; keepalive 16; }\n"
            "  server {\n"
            "    listen 127.0.0.1:%u;\n"
            "    client_max_body_size 0; client_body_buffer_size 256k;\n"
            "    location /dc1/se-01/ {\n"
            "      proxy_pass http://element/;\n"
            "      proxy_http_version 1.1;\n"
            "      proxy_set_header Connection \"\";\n"
            "      proxy_request_buffering %s;\n"
            "      proxy_buffering off;\n"
            "    }\n"
            "  }\n"
            "}\n",
            dir, dir, dir, dir, dir, dir, dir, to, from,
            buffering ? "on" : "off");
    fclose(f);
}

static bool
listens(unsigned port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes;

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sa.sin_port = htons((uint16_t)port);
    yes = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
    (void)close(fd);
    return yes;
}

void
nginx_start(void *arg, unsigned port, char *url, size_t cap)
{
    unsigned from = free_port();
    static unsigned count;
    char dir[320], conf[360];

    snprintf(dir, sizeof(dir), "%s/nginx%u", remote_base(), ++count);
    assert_int_equal(mkdir(dir, 0700), 0);
    write_conf(dir, from, port, *(bool *)arg);
    snprintf(conf, sizeof(conf), "%s/nginx.conf", dir);
    pid = fork();
    assert_true(pid != -1);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl(nginx_path(), "nginx", "-p", dir, "-c", conf, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 5000 && !listens(from); i++)
        remote_sleep_ms(2);
    assert_true(listens(from));
    snprintf(url, cap, "http://127.0.0.1:%u/dc1/se-01", from);
}

void
nginx_stop(void *arg)
{
    int status;
    (void)arg;

    (void)kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
    }
}
