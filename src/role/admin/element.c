/* element.c - see element.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/element.h"

static const char *const modes[] = {
    [BLOB_EDIT] = "edit",
    [BLOB_RW] = "rw",
    [BLOB_RO] = "ro",
    [BLOB_AR] = "ar",
};
static const char *const statuses[] = {
    [BLOB_OK] = "ok",
    [BLOB_WARNING] = "warning",
    [BLOB_CRITICAL] = "critical",
    [BLOB_FULL] = "full",
};

static bool
is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

static bool
words_of(struct slice s, const char *others)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_word(s.p[i]) && (!s.p[i] || !strchr(others, s.p[i])))
            return false;
    return true;
}

bool
admin_id_ok(struct slice id)
{
    static const char *const reserved[] = {"edit",       "rw", "registry",
                                           "priorities", ".",  ".."};

    for (size_t i = 0; i < countof(reserved); i++)
        if (slice_eq(id, slice_str(reserved[i])))
            return false;
    return id.n >= 1 && id.n <= 64 && words_of(id, "._-");
}

bool
admin_location_ok(struct slice location)
{
    return location.n <= 64 && words_of(location, "._-");
}

/* A name or an IPv4 address, or an IPv6 address in brackets. */
static bool
host_ok(struct slice host)
{
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        return words_of(slice_of(host.p + 1, host.n - 2), ":.");
    return host.n >= 1 && host.n <= 253 && host.p[0] != '.' &&
           host.p[0] != '-' && words_of(host, ".-_");
}

bool
admin_url_ok(struct slice url)
{
    struct slice host, port, path;
    uint64_t number;
    size_t n, colon;

    if (url.n > 255)
        return false;
    if (slice_starts(url, SLICE("http://")))
        host = slice_skip(url, 7);
    else if (slice_starts(url, SLICE("https://")))
        host = slice_skip(url, 8);
    else
        return false;
    n = slice_find(host, '/');
    path = slice_skip(host, n);
    host = slice_head(host, n);
    colon = host.n;
    while (colon > 0 && host.p[colon - 1] != ':' && host.p[colon - 1] != ']')
        colon--;
    if (colon > 0 && host.p[colon - 1] == ':') {
        port = slice_skip(host, colon);
        host = slice_head(host, colon - 1);
        if (port.n > 5 || !slice_u64(port, &number) || number < 1 ||
            number > 65535)
            return false;
    }
    return host_ok(host) && words_of(path, "/._~-%+:@!$&'()*,;=");
}

const char *
admin_mode_name(int mode)
{
    return mode >= 0 && (size_t)mode < countof(modes) ? modes[mode] : "unknown";
}

bool
admin_mode_parse(struct slice s, enum blob_mode *out)
{
    for (size_t i = 0; i < countof(modes); i++)
        if (slice_eq(s, slice_str(modes[i]))) {
            *out = (enum blob_mode)i;
            return true;
        }
    return false;
}

bool
admin_mode_may(enum blob_mode from, enum blob_mode to)
{
    return to >= from;
}

const char *
admin_status_name(enum blob_status s)
{
    return (size_t)s < countof(statuses) ? statuses[s] : "unknown";
}

const char *
admin_element_invalid(const struct meta_element *e)
{
    if (!admin_id_ok(slice_str(e->element_id)))
        return "element_id";
    if (e->endpoint[0] && !admin_url_ok(slice_str(e->endpoint)))
        return "api_url";
    if (e->mode < BLOB_EDIT || e->mode > BLOB_AR)
        return "mode";
    if (e->priority < 0 || e->priority > ADMIN_PRIORITY_MAX)
        return "priority";
    if (!admin_location_ok(slice_str(e->location)))
        return "location";
    return NULL;
}
