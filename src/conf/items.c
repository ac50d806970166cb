/* items.c - see items.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/items.h"
#include "conf/conf.h"
#include "conf/value.h"
#include <arpa/inet.h>

/* Takes the next item off *REST. An empty list has no items; an empty item,
 * also one behind the last comma, is a mistake. */
static enum err
next_item(struct slice *rest, struct slice *item, const char **why)
{
    if (rest->n == 0) {
        *rest = SLICE_NULL;
        return ERR_END;
    }
    slice_cut(rest, ',', item);
    *item = slice_trim(*item);
    if (item->n > 0 && (rest->p == NULL || rest->n > 0))
        return ERR_OK;
    *why = "an item between two commas is empty";
    return ERR_INVAL;
}

bool
conf_addr_parse(struct slice s, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0,    0,
                                       0, 0, 0, 0, 0xff, 0xff};
    char text[INET6_ADDRSTRLEN];

    if (!slice_copy(s, text, sizeof(text)))
        return false;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    memcpy(out, mapped, sizeof(mapped));
    return inet_pton(AF_INET, text, out + 12) == 1;
}

static bool
is_mapped(const uint8_t addr[16])
{
    for (int i = 0; i < 10; i++) {
        if (addr[i] != 0)
            return false;
    }
    return addr[10] == 0xff && addr[11] == 0xff;
}

static bool
parse_host(struct slice s, char *out, size_t cap)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'))
            return false;
    }
    return slice_copy(s, out, cap);
}

/* HOST with or without :PORT, [V6] with or without; *PORT begins with the
 * colon, or is empty. */
static enum err
split_item(struct slice item, struct conf_listen *out, struct slice *port,
           const char **why)
{
    uint8_t addr[16];
    struct slice host;
    size_t end;

    if (item.p[0] == '[') {
        end = slice_find(item, ']');
        host = slice_skip(slice_head(item, end), 1);
        *port = slice_skip(item, end + 1);
        *why = "what stands in brackets is not an IPv6 address";
        if (slice_find(host, ':') == host.n || !conf_addr_parse(host, addr) ||
            !slice_copy(host, out->host, sizeof(out->host)))
            return ERR_INVAL;
        return ERR_OK;
    }
    end = slice_find(item, ':');
    host = slice_head(item, end);
    *port = slice_skip(item, end);
    if (slice_eq(host, SLICE("*")))
        host = SLICE("");
    *why = "the address is not one";
    return parse_host(host, out->host, sizeof(out->host)) ? ERR_OK : ERR_INVAL;
}

static bool
parse_port(struct slice port, uint16_t *out)
{
    uint64_t n;

    if (port.n < 2 || port.p[0] != ':' || !slice_u64(slice_skip(port, 1), &n) ||
        n > 65535)
        return false;
    *out = (uint16_t)n;
    return true;
}

static enum err
next_address(struct slice *rest, struct conf_listen *out, struct slice *port,
             const char **why)
{
    struct slice item;
    enum err err = next_item(rest, &item, why);

    return err == ERR_OK ? split_item(item, out, port, why) : err;
}

enum err
conf_listen_next(struct slice *rest, struct conf_listen *out, const char **why)
{
    const char *unused = NULL;
    struct slice port;
    enum err err;

    why = why ? why : &unused;
    err = next_address(rest, out, &port, why);
    if (err != ERR_OK)
        return err;
    *why = "each address needs a port, 0 to 65535; IPv6 goes into brackets";
    if (!parse_port(port, &out->port))
        return ERR_INVAL;
    *why = NULL;
    return ERR_OK;
}

enum err
conf_peer_next(struct slice *rest, uint16_t usual, struct conf_listen *out,
               const char **why)
{
    const char *unused = NULL;
    struct slice port;
    enum err err;

    why = why ? why : &unused;
    err = next_address(rest, out, &port, why);
    if (err != ERR_OK)
        return err;
    *why = "each is HOST or HOST:PORT, 1 to 65535; IPv6 goes into brackets";
    out->port = usual;
    if (out->host[0] == 0 ||
        (port.n && (!parse_port(port, &out->port) || out->port == 0)))
        return ERR_INVAL;
    *why = NULL;
    return ERR_OK;
}

enum err
conf_cidr_next(struct slice *rest, struct conf_cidr *out, const char **why)
{
    const char *unused = NULL;
    struct slice item;
    uint64_t len = 128;
    size_t slash;
    bool v4;
    enum err err;

    why = why ? why : &unused;
    err = next_item(rest, &item, why);
    if (err != ERR_OK)
        return err;
    slash = slice_find(item, '/');
    *why = "a network is ADDRESS or ADDRESS/BITS";
    if (!conf_addr_parse(slice_head(item, slash), out->addr))
        return ERR_INVAL;
    v4 = slice_find(slice_head(item, slash), ':') == slash;
    if (slash < item.n) {
        if (!slice_u64(slice_skip(item, slash + 1), &len) ||
            len > (v4 ? 32 : 128))
            return ERR_INVAL;
        len += v4 ? 96 : 0;
    }
    out->len = (uint8_t)len;
    /* 10.1.2.3/8 is more often a slip than a wish: say it, do not guess. */
    *why = "bits are set behind the length of the network";
    for (size_t bit = out->len; bit < 128; bit++) {
        if (out->addr[bit / 8] & (0x80 >> bit % 8))
            return ERR_INVAL;
    }
    *why = NULL;
    return ERR_OK;
}

bool
conf_cidr_has(const struct conf_cidr *net, const uint8_t addr[16])
{
    size_t bytes = net->len / 8, bits = net->len % 8;

    /* ::/0 means every IPv6 address, not every IPv4 one as well. */
    if (net->len < 96 && is_mapped(addr))
        return false;
    if (memcmp(net->addr, addr, bytes) != 0)
        return false;
    return bits == 0 || ((net->addr[bytes] ^ addr[bytes]) >> (8 - bits)) == 0;
}

bool
conf_cidr_list_has(const char *list, const uint8_t addr[16])
{
    struct slice rest = slice_str(list);
    struct conf_cidr net;

    while (conf_cidr_next(&rest, &net, NULL) == ERR_OK) {
        if (conf_cidr_has(&net, addr))
            return true;
    }
    return false;
}

/* The field up to the next colon, parsed as option ID is. */
static bool
take_field(struct slice *rest, int id, struct conf_value *v)
{
    const char *unused;
    struct slice part;

    return slice_cut(rest, ':', &part) &&
           conf_value_parse(&conf_option[id], part, v, &unused);
}

enum err
conf_element_next(struct slice *rest, struct conf_element *out,
                  const char **why)
{
    const char *unused = NULL;
    struct slice item, part;
    struct conf_value v;
    uint64_t n;
    enum err err;

    why = why ? why : &unused;
    err = next_item(rest, &item, why);
    if (err != ERR_OK)
        return err;
    *out = (struct conf_element){.priority = 100}; /* ADM-012 */
    *why = "the id must be letters, digits, . - _, at most 64";
    if (!take_field(&item, CONF_STORAGE_ELEMENT_ID, &v) ||
        !slice_copy(v.text, out->id, sizeof(out->id)))
        return ERR_INVAL;
    *why = "the mode is edit, rw, ro or ar";
    if (!take_field(&item, CONF_STORAGE_MODE, &v))
        return ERR_INVAL;
    out->mode = (int)v.n;
    *why = "the path is missing or too long";
    if (!slice_cut(&item, ':', &part) || part.n == 0 ||
        !slice_copy(part, out->path, sizeof(out->path)))
        return ERR_INVAL;
    *why = "the priority is a whole number up to 1000000";
    if (slice_cut(&item, ':', &part) && part.n > 0) {
        if (!slice_u64(part, &n) || n > 1000000)
            return ERR_INVAL;
        out->priority = (int64_t)n;
    }
    *why = "the quota is a size, such as 500G";
    if (item.p != NULL) {
        if (!take_field(&item, CONF_STORAGE_QUOTA_BYTES, &v))
            return ERR_INVAL;
        out->quota = (uint64_t)v.n;
    }
    *why = "an element is ID:MODE:PATH[:PRIORITY[:QUOTA]]";
    if (item.p != NULL)
        return ERR_INVAL;
    *why = NULL;
    return ERR_OK;
}
