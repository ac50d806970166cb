/* redact.c - see redact.h. One pass: at each place where a word may begin, the
 * rules are tried in turn; a rule answers how far its secret reaches.
 * SPDX-License-Identifier: Apache-2.0 */
#include "obs/redact.h"
#include "obs/line.h"

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool
is_alnum(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9');
}

/* Characters of a base64, base64url or percent-encoded credential. */
static bool
is_credential(char c)
{
    return is_alnum(c) || (c && strchr("-_.~+/=%", c));
}

static bool
has_word(struct slice s, const char *word)
{
    for (size_t i = 0; word[i]; i++)
        if (i >= s.n || lower(s.p[i]) != word[i])
            return false;
    return true;
}

bool
redact_is_secret_name(struct slice name)
{
    static const char *const part[] = {
        "password",   "passwd",      "secret",        "token",      "api_key",
        "apikey",     "api-key",     "authorization", "cookie",     "signature",
        "credential", "private_key", "privatekey",    "access_key",
    };
    /* They hold a "token" that is not one. */
    static const char *const harmless[] = {"token_type", "token_url",
                                           "token_endpoint", "token_scope"};

    for (size_t i = 0; i < countof(harmless); i++)
        if (name.n == strlen(harmless[i]) && has_word(name, harmless[i]))
            return false;
    for (size_t at = 0; at < name.n; at++)
        for (size_t i = 0; i < countof(part); i++)
            if (has_word(slice_skip(name, at), part[i]))
                return true;
    return false;
}

/* Each rule looks at S from AT on and, when it knows a secret there, sets the
 * part to be masked. */
struct span {
    size_t from;
    size_t to;
};

static size_t
run_end(struct slice s, size_t at, bool (*in)(char))
{
    while (at < s.n && in(s.p[at]))
        at++;
    return at;
}

static bool
rule_scheme(struct slice s, size_t at, struct span *out)
{
    static const char *const scheme[] = {"bearer ", "basic ", "negotiate "};

    for (size_t i = 0; i < countof(scheme); i++) {
        if (!has_word(slice_skip(s, at), scheme[i]))
            continue;
        out->from = at + strlen(scheme[i]);
        while (out->from < s.n && s.p[out->from] == ' ')
            out->from++;
        out->to = run_end(s, out->from, is_credential);
        /* "Bearer token is missing" is prose: no credential is that short. */
        return out->to - out->from >= 8;
    }
    return false;
}

static bool
rule_shape(struct slice s, size_t at, struct span *out)
{
    struct slice rest = slice_skip(s, at);
    bool jwt = slice_starts(rest, SLICE("eyJ")); /* base64 of {" */

    /* Only then run ahead: a.a.a.a must not cost the square of its length. */
    if (jwt || slice_starts(rest, SLICE("artsec_"))) {
        *out = (struct span){at, run_end(s, at, is_credential)};
        return !jwt || out->to - at >= 16;
    }
    if (!slice_starts(rest, SLICE("-----BEGIN ")))
        return false;
    *out = (struct span){at, s.n}; /* a key is masked to the end of the text */
    for (size_t i = 0; i + 11 <= rest.n && i < 64; i++)
        if (slice_starts(slice_skip(rest, i), SLICE("PRIVATE KEY")))
            return true;
    return false;
}

static bool
is_name(char c)
{
    return is_alnum(c) || c == '_' || c == '-';
}

static bool
is_value(char c)
{
    return c != '&' && c != ' ' && c != ',' && c != ';' && c != '"' &&
           c != '\'' && c != '}' && c != '\n' && c != '\r' && c != '\t';
}

static bool
rule_pair(struct slice s, size_t at, struct span *out)
{
    size_t end = run_end(s, at, is_name), i = end;
    struct slice name = slice_head(slice_skip(s, at), end - at);
    char quote = 0;
    bool colon;

    if (i < s.n && (s.p[i] == '"' || s.p[i] == '\''))
        i++;
    if (i >= s.n || (s.p[i] != '=' && s.p[i] != ':') ||
        !redact_is_secret_name(name))
        return false;
    colon = s.p[i++] == ':';
    while (colon && i < s.n && s.p[i] == ' ')
        i++;
    if (i < s.n && (s.p[i] == '"' || s.p[i] == '\''))
        quote = s.p[i++];
    out->from = i;
    if (quote) {
        for (; i < s.n && s.p[i] != quote; i++)
            if (s.p[i] == '\\' && i + 1 < s.n)
                i++;
        out->to = i;
    } else {
        out->to = run_end(s, i, is_value);
        /* A header's value has blanks in it: Authorization, Cookie. */
        if (colon && (has_word(name, "authorization") ||
                      has_word(name, "cookie") || has_word(name, "set-cookie")))
            while (out->to < s.n && s.p[out->to] != '\n' &&
                   s.p[out->to] != '\r')
                out->to++;
    }
    return out->to > out->from;
}

/* user:secret@ behind ://, which ends before the first slash. */
static bool
rule_url(struct slice s, size_t at, struct span *out)
{
    size_t colon = 0, i;

    if (!slice_starts(slice_skip(s, at), SLICE("://")))
        return false;
    for (i = at + 3; i < s.n && is_value(s.p[i]) && s.p[i] != '/'; i++) {
        if (s.p[i] == ':' && !colon)
            colon = i;
        if (s.p[i] == '@' && colon) {
            *out = (struct span){colon + 1, i};
            return i > colon + 1;
        }
    }
    return false;
}

static bool
secret_at(struct slice s, size_t at, struct span *out)
{
    bool begins = at == 0 || !is_alnum(s.p[at - 1]);

    if (s.p[at] == ':')
        return rule_url(s, at, out);
    if (!begins || (at > 0 && is_name(s.p[at - 1]) && s.p[at] != '-'))
        return false;
    return rule_shape(s, at, out) || rule_scheme(s, at, out) ||
           rule_pair(s, at, out);
}

struct slice
redact_text(struct slice in, char *out, size_t cap)
{
    size_t done = 0;
    struct line l;

    line_init(&l, out, cap);
    for (size_t i = 0; i < in.n; i++) {
        struct span sp;

        if (!secret_at(in, i, &sp))
            continue;
        line_add(&l, in.p + done, size_min(sp.from - done, cap - l.n));
        line_str(&l, REDACTED);
        done = sp.to;
        i = sp.to ? sp.to - 1 : 0;
    }
    if (done == 0)
        return in;
    line_add(&l, in.p + done, size_min(in.n - done, cap - l.n));
    return line_slice(&l);
}

struct slice
redact_header(struct slice name, struct slice value, char *out, size_t cap)
{
    struct slice scheme;
    struct line l;

    if (!redact_is_secret_name(name))
        return redact_text(value, out, cap);
    line_init(&l, out, cap);
    scheme = slice_head(value, slice_find(value, ' '));
    if (scheme.n < value.n && scheme.n <= 16 &&
        slice_ends(name, SLICE("uthorization"))) {
        line_add(&l, scheme.p, scheme.n);
        line_char(&l, ' ');
    }
    line_str(&l, REDACTED);
    return line_slice(&l);
}
