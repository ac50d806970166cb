/* check.c - see check.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/check.h"
#include "conf/items.h"
#include "conf/value.h"

const char *
conf_check_name(enum conf_check check)
{
    static const char *const name[] = {
        [CONF_C_TEXT] = "a text",
        [CONF_C_ID] = "a name (letters, digits, . - _)",
        [CONF_C_ELEMENT_ID] = "an element id (letters, digits, . - _)",
        [CONF_C_WORDS] = "names",
        [CONF_C_HOST] = "a host name or address",
        [CONF_C_PATH] = "a path",
        [CONF_C_URL] = "a URL (scheme://host:port)",
        [CONF_C_MIME] = "a list of media types",
        [CONF_C_LISTEN] = "a list of ADDRESS:PORT",
        [CONF_C_PEERS] = "a list of HOST or HOST:PORT",
        [CONF_C_CIDR] = "a list of networks (CIDR)",
        [CONF_C_ELEMENTS] = "a list of ID:MODE:PATH[:PRIORITY[:QUOTA]]",
        [CONF_C_SWITCH_OR_PATH] = "on, off or a path with a slash",
    };

    assert(check < countof(name));
    return name[check];
}

static bool
alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

/* Letters, digits and what is in MORE; one character at least. */
static bool
only(struct slice s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!alnum(s.p[i]) && (s.p[i] == '\0' || !strchr(more, s.p[i])))
            return false;
    }
    return s.n > 0;
}

/* CNF-003: these words are parts of keys in the shared store. */
static bool
check_element_id(struct slice s, const char **why)
{
    static const char *const reserved[] = {"edit", "rw", "registry",
                                           "priorities"};

    for (size_t i = 0; i < countof(reserved); i++) {
        if (slice_eq(s, slice_str(reserved[i]))) {
            *why = "this word is reserved";
            return false;
        }
    }
    return only(s, ".-_");
}

static bool
check_url(struct slice s)
{
    size_t colon = slice_find(s, ':');

    return only(slice_head(s, colon), "+.-") &&
           slice_starts(slice_skip(s, colon), SLICE("://")) &&
           s.n > colon + 3 && slice_find(s, ' ') == s.n;
}

/* type/subtype, where * may stand for the subtype (RFC 9110 section 8.3.1). */
static bool
check_mime(struct slice s)
{
    static const char token[] = "!#$%&'*+-.^_`|~";
    size_t slash = slice_find(s, '/');

    return only(slice_head(s, slash), token) &&
           only(slice_skip(s, slash + 1), token);
}

static bool
check_items(enum conf_check check, struct slice s, const char **why)
{
    struct conf_listen listen;
    struct conf_cidr cidr;
    struct conf_element element;
    enum err err = ERR_OK;

    while (err == ERR_OK) {
        if (check == CONF_C_LISTEN)
            err = conf_listen_next(&s, &listen, why);
        else if (check == CONF_C_PEERS)
            err = conf_peer_next(&s, 1, &listen, why);
        else if (check == CONF_C_CIDR)
            err = conf_cidr_next(&s, &cidr, why);
        else
            err = conf_element_next(&s, &element, why);
    }
    return err == ERR_END;
}

static bool
check_one(enum conf_check check, struct slice *s, const char **why)
{
    bool on;

    switch (check) {
    case CONF_C_TEXT:
    case CONF_C_PATH:
        return s->n > 0;
    case CONF_C_ID:
        return only(*s, ".-_");
    case CONF_C_ELEMENT_ID:
        return check_element_id(*s, why);
    case CONF_C_WORDS:
        return only(*s, ".-_,:+");
    case CONF_C_HOST:
        return only(*s, ".-_:%");
    case CONF_C_URL:
        return check_url(*s);
    case CONF_C_MIME:
        return check_mime(*s);
    case CONF_C_SWITCH_OR_PATH:
        if (conf_bool_parse(*s, &on))
            *s = on ? SLICE("on") : SLICE("off");
        else if (slice_find(*s, '/') == s->n)
            return false;
        return true;
    case CONF_C_LISTEN:
    case CONF_C_PEERS:
    case CONF_C_CIDR:
    case CONF_C_ELEMENTS:
        break;
    }
    return check_items(check, *s, why);
}

bool
conf_check_text(const struct conf_option *o, struct slice *s, const char **why)
{
    struct slice rest = *s, item;

    for (size_t i = 0; i < s->n; i++) {
        if ((unsigned char)s->p[i] < 0x20 || s->p[i] == 0x7f) {
            *why = "no control characters";
            return false;
        }
    }
    if (s->n == 0) /* the length limit says whether that is allowed */
        return true;
    if (o->type == CONF_TEXT || o->check >= CONF_C_LISTEN)
        return check_one(o->check, s, why);
    while (slice_cut(&rest, ',', &item)) {
        item = slice_trim(item);
        if (item.n == 0) {
            *why = "an item between two commas is empty";
            return false;
        }
        if (!check_one(o->check, &item, why))
            return false;
    }
    return true;
}
