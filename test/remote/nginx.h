/* nginx.h - for tests: a real nginx in front of an element, under a path
 * prefix. SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_REMOTE_NGINX_H
#define TEST_REMOTE_NGINX_H

#include <stdbool.h>
#include <stddef.h>

bool nginx_here(void);

/* As remote_conf.front and unfront; ARG: a bool *, proxy_request_buffering. */
void nginx_start(void *arg, unsigned port, char *url, size_t cap);
void nginx_stop(void *arg);

#endif
