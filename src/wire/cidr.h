/* cidr.h - IP addresses and networks as text and back.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_CIDR_H
#define WIRE_CIDR_H

#include "base/slice.h"

#define IP_TEXT   46 /* the longest address with its zero */
#define CIDR_TEXT 50

struct ip {
    uint8_t b[16]; /* network order; IPv4 in the first 4, the rest zero */
    uint8_t n;     /* 4 or 16; 0: none */
};

struct cidr {
    struct ip net; /* bits behind the prefix are zero */
    uint8_t bits;
};

/* 192.0.2.1 (four decimal numbers without leading zeros), or IPv6 as RFC 4291
 * section 2.2 has it, without brackets and zone. An IPv4-mapped address
 * (::ffff:192.0.2.1), which is how an IPv6 socket shows an IPv4 peer, becomes
 * that IPv4 address. */
bool ip_parse(struct slice s, struct ip *out);
/* RFC 5952: lower case, the longest run of zeros is "::". Returns OUT. */
const char *ip_text(const struct ip *a, char out[IP_TEXT]);
/* From 4 or 16 bytes in network order; mapped addresses as above. */
struct ip ip_of(const void *bytes, size_t n);
bool ip_eq(const struct ip *a, const struct ip *b);
/* Only the first BITS bits stay (PRD-013: IPv6 clients are counted by /64). */
struct ip ip_prefix(const struct ip *a, unsigned bits);

/* An address, with or without "/bits". Bits behind the prefix are dropped. */
bool cidr_parse(struct slice s, struct cidr *out);
bool cidr_has(const struct cidr *c, const struct ip *a);
const char *cidr_text(const struct cidr *c, char out[CIDR_TEXT]);

#endif
