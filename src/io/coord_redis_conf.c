/* coord_redis_conf.c - the options REDIS_* as the driver's configuration.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"
#include "base/hex.h"
#include "io/coord_redis.h"

/* The parts of a URL, each with a zero behind it in ROOM. */
struct url {
    struct coord_redis_text *room;
    size_t used;
    bool ok;
};

/* S with its %XX resolved. */
static const char *
keep(struct url *u, struct slice s)
{
    char *to = u->room->text + u->used;

    if (s.n + 1 > sizeof(u->room->text) - u->used) {
        u->ok = false;
        return "";
    }
    for (size_t i = 0; i < s.n; i++) {
        uint8_t byte = (uint8_t)s.p[i];

        if (s.p[i] == '%') {
            u->ok = u->ok && s.n - i > 2 &&
                    hex_decode(slice_of(s.p + i + 1, 2), &byte, 1) && byte != 0;
            i += 2;
        }
        u->room->text[u->used++] = (char)byte;
    }
    u->room->text[u->used++] = 0;
    return to;
}

static bool
number(struct slice s, uint64_t max, uint64_t *out)
{
    return slice_u64(s, out) && *out <= max;
}

/* [user]:password@, or nothing. */
static void
take_user(struct url *u, struct slice *rest, struct coord_redis_conf *out)
{
    size_t at = slice_find(*rest, '@'), colon;
    struct slice who = slice_head(*rest, at);

    if (at == rest->n)
        return;
    *rest = slice_skip(*rest, at + 1);
    colon = slice_find(who, ':');
    u->ok = u->ok && colon < who.n; /* a user without a password is a slip */
    out->username = keep(u, slice_head(who, colon));
    out->password = keep(u, slice_skip(who, colon + 1));
}

static void
take_host(struct url *u, struct slice rest, struct coord_redis_conf *out)
{
    struct slice host, port, db;
    size_t slash = slice_find(rest, '/'), end;
    uint64_t n = 6379, d = 0;

    assert(rest.p);
    db = slice_skip(rest, slash + 1);
    rest = slice_head(rest, slash);
    if (slice_starts(rest, SLICE("["))) {
        end = slice_find(rest, ']');
        host = slice_skip(slice_head(rest, end), 1);
        port = slice_skip(rest, end + 1);
    } else {
        end = slice_find(rest, ':');
        host = slice_head(rest, end);
        port = slice_skip(rest, end);
    }
    u->ok = u->ok && host.n > 0 && host.n < 256 &&
            (port.n == 0 || (port.p[0] == ':' &&
                             number(slice_skip(port, 1), 65535, &n) && n)) &&
            (db.n == 0 || number(db, 1024, &d));
    out->host = keep(u, host);
    out->port = (uint16_t)n;
    out->db = (unsigned)d;
}

/* The text of it is a secret: no fault repeats it. */
static enum err
from_url(struct coord_redis_conf *out, struct coord_redis_text *room,
         struct slice text, struct fault *f)
{
    static const char scheme[] = "redis://";
    struct url u = {.room = room, .ok = true};
    struct slice rest = slice_skip(text, sizeof(scheme) - 1);

    if (slice_starts(text, SLICE("rediss://"))) {
        out->tls = true;
        rest = slice_skip(text, sizeof("rediss://") - 1);
    } else {
        u.ok = slice_starts(text, slice_str(scheme));
    }
    if (u.ok) {
        take_user(&u, &rest, out);
        take_host(&u, rest, out);
    }
    if (u.ok)
        return ERR_OK;
    (void)fault_set(f, ERR_INVAL, "parse", "REDIS_URL");
    return fault_hint(f, "it is redis://[[user]:password@]host[:port][/db], "
                         "or rediss:// for TLS");
}

enum err
coord_redis_from_conf(struct coord_redis_conf *out,
                      struct coord_redis_text *room, const struct conf *c,
                      struct fault *f)
{
    *out = (struct coord_redis_conf){
        .host = c->redis_host,
        .port = (uint16_t)c->redis_port,
        .db = (unsigned)c->redis_db,
        .username = c->redis_username,
        .password = c->redis_password,
        .tls = c->redis_tls,
        .tls_ca_file = c->redis_tls_ca_file,
        .tls_cert_file = c->redis_tls_cert_file,
        .tls_key_file = c->redis_tls_key_file,
        .tls_name = c->redis_tls_server_name,
        .sentinels = c->redis_sentinels,
        .master = c->redis_sentinel_master,
        .sentinel_username = c->redis_sentinel_username,
        .sentinel_password = c->redis_sentinel_password,
        .connections_max = (unsigned)c->redis_max_connections,
        .connect_timeout = c->redis_connect_timeout_ms,
        .timeout = c->redis_operation_timeout_ms,
    };
    if (c->redis_url[0])
        return from_url(out, room, slice_str(c->redis_url), f);
    return out->host[0] || out->sentinels[0] ? ERR_OK : ERR_NOENT;
}
