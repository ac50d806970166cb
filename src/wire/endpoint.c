/* endpoint.c - see endpoint.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/endpoint.h"
#include <stdio.h>

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
element_id_ok(struct slice id)
{
    static const char *const reserved[] = {"edit",       "rw", "registry",
                                           "priorities", ".",  ".."};

    for (size_t i = 0; i < countof(reserved); i++)
        if (slice_eq(id, slice_str(reserved[i])))
            return false;
    return id.n >= 1 && id.n <= ELEMENT_ID_MAX && words_of(id, "._-");
}

bool
element_location_ok(struct slice location)
{
    return location.n <= ELEMENT_ID_MAX && words_of(location, "._-");
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
element_endpoint_ok(struct slice url)
{
    struct slice host, port, path;
    uint64_t number;
    size_t n, colon;

    if (url.n > ELEMENT_ENDPOINT_MAX)
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

static const char *const modes[] = {"edit", "rw", "ro", "ar"};
static const char *const statuses[] = {"ok", "warning", "critical", "full"};

static int
place_of(struct slice s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(s, slice_str(names[i])))
            return (int)i;
    return -1;
}

int
element_mode_of(struct slice s)
{
    return place_of(s, modes, countof(modes));
}

const char *
element_mode_text(int mode)
{
    return mode >= 0 && (size_t)mode < countof(modes) ? modes[mode] : "unknown";
}

int
element_status_of(struct slice s)
{
    return place_of(s, statuses, countof(statuses));
}

const char *
element_status_text(int status)
{
    return status >= 0 && (size_t)status < countof(statuses) ? statuses[status]
                                                             : "unknown";
}

bool
element_url(const char *endpoint, const char *path, char *out, size_t n)
{
    size_t len = strlen(endpoint);
    int k;

    assert(path[0] == '/');
    while (len > 0 && endpoint[len - 1] == '/')
        len--;
    k = snprintf(out, n, "%.*s%s", (int)len, endpoint, path);
    return k > 0 && (size_t)k < n;
}
