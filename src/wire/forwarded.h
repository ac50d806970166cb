/* forwarded.h - who the client is when proxies stand between (RFC 7239, and the
 * older X-Forwarded-*; PRD-013).
 *
 * Anybody can send these fields, so they count only as far as they were written
 * by a proxy that is trusted: from the peer backwards, as long as each address
 * is that of a trusted proxy. The first that is not is the client. A proxy sets
 * one of the two forms; if both are there the client has added the other, and
 * neither is believed. SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_FORWARDED_H
#define WIRE_FORWARDED_H

#include "wire/cidr.h"
#include "wire/head.h"

#define FORWARDED_HOPS_MAX \
    16 /* counted from the peer; more are not looked at */

enum forwarded_proto { FORWARDED_PROTO_NONE, FORWARDED_HTTP, FORWARDED_HTTPS };

struct forwarded {
    struct ip client;           /* the peer when nothing better is known */
    enum forwarded_proto proto; /* how the client came to the first proxy */
    struct slice
        host;      /* what it asked for; valid by http_is_host(), or empty */
    unsigned hops; /* proxies between */
};

typedef bool forwarded_trusts(void *arg, const struct ip *a);

void
forwarded_resolve(const struct http_head *h, const struct ip *peer,
                  forwarded_trusts *trusts, void *arg, struct forwarded *out);

/* A node of RFC 7239 section 6 ("192.0.2.1:80", "[::1]:80", unquoted already)
 * or an entry of X-Forwarded-For (there an IPv6 address may be bare): its
 * address. False for "unknown", "_hidden" and noise. */
bool forwarded_node(struct slice s, struct ip *out);

#endif
