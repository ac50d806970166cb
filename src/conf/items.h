/* items.h - walkers over the lists that options carry: addresses to listen on,
 * networks, elements.
 *
 * Each takes the next item off *REST (start with slice_str(c.listen)) and
 * returns ERR_OK, ERR_END when nothing is left, or ERR_INVAL with a reason in
 * *WHY (a constant text; WHY may be NULL) for an item that is not well-formed.
 * After conf_load() without errors ERR_INVAL does not happen. Pure; any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_ITEMS_H
#define CONF_ITEMS_H

#include "base/err.h"
#include "base/slice.h"

struct conf_listen {
    char
        host[256]; /* name, IPv4 or IPv6 address without brackets; "" for any */
    uint16_t port; /* 0: any free one */
};

struct conf_cidr {
    uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d; bits beyond LEN are zero */
    uint8_t len;      /* 0..128; an IPv4 /8 is 104 */
};

struct conf_element {
    char id[65];
    int mode; /* enum conf_mode */
    char path[1024];
    int64_t priority; /* lower is filled first; 100 where none is given */
    uint64_t quota;   /* bytes; 0: none */
};

enum err
conf_listen_next(struct slice *rest, struct conf_listen *out, const char **why);
/* HOST or HOST:PORT; without one the port is USUAL. */
enum err conf_peer_next(struct slice *rest, uint16_t usual,
                        struct conf_listen *out, const char **why);
enum err
conf_cidr_next(struct slice *rest, struct conf_cidr *out, const char **why);
enum err conf_element_next(struct slice *rest, struct conf_element *out,
                           const char **why);

/* An address in text (IPv4, IPv6, or IPv4 in IPv6) as 16 bytes. */
bool conf_addr_parse(struct slice s, uint8_t out[16]);
bool conf_cidr_has(const struct conf_cidr *net, const uint8_t addr[16]);
/* ADDR is in one of the networks of LIST. */
bool conf_cidr_list_has(const char *list, const uint8_t addr[16]);

#endif
