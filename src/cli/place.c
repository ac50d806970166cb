/* place.c - see place.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/place.h"
#include "cli/progress.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define JSON_FILE_MAX    (64 * KIB)
#define TOKEN_PATH       "/api/v1/auth/token"
#define DEFAULT_DATA_DIR "artstore-data" /* conf/options.def, DATA_DIR */

bool
url_check(const char *url, char out[PLACE_URL_MAX])
{
    struct slice s = slice_str(url), rest;

    if (slice_starts(s, SLICE("http://")))
        rest = slice_skip(s, 7);
    else if (slice_starts(s, SLICE("https://")))
        rest = slice_skip(s, 8);
    else
        return false;
    while (rest.n && rest.p[rest.n - 1] == '/') {
        rest.n--;
        s.n--;
    }
    if (rest.n == 0 || rest.p[0] == '/' || rest.p[0] == ':')
        return false;
    for (size_t i = 0; i < rest.n; i++)
        if ((uint8_t)rest.p[i] <= ' ' || strchr("@?#\\\"<>\x7f", rest.p[i]))
            return false;
    return slice_copy(s, out, PLACE_URL_MAX);
}

/* The object in the file PATH, or NULL: then *WHY is a word of explanation,
 * and errno is ENOENT when there is simply no such file. */
static json_t *
load(const char *path, const char **why)
{
    char text[JSON_FILE_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    json_t *root = NULL;
    ssize_t n;

    *why = "is not there";
    if (fd == -1) {
        if (errno != ENOENT && errno != ENOTDIR)
            *why = strerror(errno);
        return NULL;
    }
    n = read(fd, text, sizeof(text));
    if (n > 0 && (size_t)n < sizeof(text))
        root = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        root = NULL;
        *why = "is not a JSON object";
    }
    explicit_bzero(text, sizeof(text));
    close(fd);
    return root;
}

/* A text member, when it is there and fits. */
static bool
take(const json_t *o, const char *key, char *dst, size_t cap)
{
    const char *v = json_string_value(json_object_get(o, key));

    return v && *v && slice_copy(slice_str(v), dst, cap);
}

static void
looked(struct place *p, const char *where, const char *why)
{
    buf_printf(&p->looked, "%s%s %s", p->looked.n ? "\n" : "", where, why);
}

static void
warn_if_open(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        say("others can read the secret in %s; chmod 600 it", path);
}

static bool
is_ours(const char *folder)
{
    struct stat st;

    return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid();
}

/* {"url", "pid", "issuer", "audience"} of a server that runs, or ran, on the
 * data folder. */
static void
read_server_json(struct place *p)
{
    char path[600], url[PLACE_URL_MAX];
    const char *why;
    json_t *o;
    json_int_t pid;

    snprintf(path, sizeof(path), "%s/server.json", p->data_dir);
    o = load(path, &why);
    if (take(o, "url", url, sizeof(url)) && url_check(url, p->data_url)) {
        pid = json_integer_value(json_object_get(o, "pid"));
        if (pid > 0 && kill((pid_t)pid, 0) == -1 && errno == ESRCH)
            p->dead_pid = (long)pid;
    }
    take(o, "issuer", p->issuer, sizeof(p->issuer));
    take(o, "audience", p->audience, sizeof(p->audience));
    json_decref(o);
}

static bool
take_client(struct place *p, const json_t *o)
{
    if (take(o, "client_id", p->client_id, sizeof(p->client_id)) &&
        take(o, "client_secret", p->client_secret, sizeof(p->client_secret))) {
        take(o, "token_url", p->token_url, sizeof(p->token_url));
        return true;
    }
    p->client_id[0] = '\0';
    return false;
}

static void
read_credentials_json(struct place *p)
{
    char path[600];
    const char *why;
    json_t *o;

    snprintf(path, sizeof(path), "%s/credentials.json", p->data_dir);
    o = load(path, &why);
    if (!o)
        looked(p, path, why);
    else if (!take_client(p, o))
        looked(p, path, "has no client_id and client_secret");
    else
        warn_if_open(path);
    p->client_of_data_dir = p->client_id[0] != '\0';
    json_decref(o);
}

/* The credentials part of config.json O at PATH (O NULL: WHY). */
static void
use_config(struct place *p, const json_t *o, const char *path, const char *why)
{
    if (!o)
        looked(p, path, why);
    else if (take(o, "token", p->token, sizeof(p->token)) || take_client(p, o))
        warn_if_open(path);
    else
        looked(p, path, "has no token, nor client_id and client_secret");
}

static const char *
given(const char *option, const char *variable)
{
    const char *v = option ? option : getenv(variable);

    return v && *v ? v : NULL;
}

static bool
config_path(char *path, size_t cap)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

    if (xdg && xdg[0] == '/')
        return snprintf(path, cap, "%s/artstore/config.json", xdg) < (int)cap;
    return home && *home &&
           snprintf(path, cap, "%s/.config/artstore/config.json", home) <
               (int)cap;
}

/* Token or client of the command line or environment. */
static bool
given_credentials(struct place *p, const struct cli_common *c,
                  struct failure *f)
{
    const char *token = given(c->token, "ARTSTORE_TOKEN");
    const char *id = given(c->client_id, "ARTSTORE_CLIENT_ID");
    const char *secret = given(c->client_secret, "ARTSTORE_CLIENT_SECRET");

    if (token &&
        !slice_copy(slice_trim(slice_str(token)), p->token, sizeof(p->token))) {
        failure_set(f, CLI_USAGE, "token", "the token is too long");
        return false;
    }
    /* A token with a line end would be a header of its own. */
    for (const char *q = p->token; *q; q++)
        if (*q <= ' ' || *q > '~') {
            failure_set(f, CLI_USAGE, "token",
                        "the token holds characters that no token has");
            return false;
        }
    if (!token)
        looked(p, "--token and ARTSTORE_TOKEN", "are not set");
    if (!p->token[0] && id && secret &&
        (!slice_copy(slice_str(id), p->client_id, sizeof(p->client_id)) ||
         !slice_copy(slice_str(secret), p->client_secret,
                     sizeof(p->client_secret)))) {
        failure_set(f, CLI_USAGE, "client",
                    "the client id or its secret is too long");
        return false;
    }
    if (!id || !secret)
        looked(p,
               "--client-id with --client-secret, and ARTSTORE_CLIENT_ID "
               "with ARTSTORE_CLIENT_SECRET,",
               !id && !secret ? "are not set" : "are not both set");
    return true;
}

/* The address from --url, ARTSTORE_URL, server.json, config.json. */
static bool
find_url(struct place *p, const struct cli_common *c, const json_t *config,
         const char *config_file, struct failure *f)
{
    const char *url = given(c->url, "ARTSTORE_URL");
    char text[PLACE_URL_MAX];

    if (url) {
        snprintf(p->url_from, sizeof(p->url_from), "%s",
                 c->url ? "--url" : "ARTSTORE_URL");
    } else if (p->data_url[0]) {
        snprintf(p->url_from, sizeof(p->url_from), "%s/server.json",
                 p->data_dir);
        url = p->data_url;
    } else if (take(config, "url", text, sizeof(text))) {
        snprintf(p->url_from, sizeof(p->url_from), "%s", config_file);
        url = text;
    } else {
        snprintf(p->url_from, sizeof(p->url_from), "the default");
        url = PLACE_DEFAULT_URL;
    }
    if (url_check(url, p->url))
        return true;
    failure_set(f, CLI_USAGE, "url",
                "the address from %s must be like http://host:8020 or "
                "https://host, without a user or a query",
                p->url_from);
    return false;
}

/* Credentials are spent where they come from: those of a data folder at the
 * server that runs on it, others where that was said, or at the server. An
 * address without a path is one of ours. */
static bool
find_token_url(struct place *p, const struct cli_common *c, struct failure *f)
{
    const bool local = p->client_of_data_dir && p->data_url[0];
    const char *given_url = given(c->token_url, "ARTSTORE_TOKEN_URL");
    const char *from = "token_url of the credentials", *base = p->url;
    char text[PLACE_URL_MAX + sizeof(TOKEN_PATH)], other[PLACE_URL_MAX];

    if (given_url)
        from = c->token_url ? "--token-url" : "ARTSTORE_TOKEN_URL";
    else if (p->token_url[0])
        given_url = p->token_url;
    if (local) {
        base = p->data_url;
    } else if (given_url) {
        if (!url_check(given_url, other)) {
            failure_set(f, CLI_USAGE, "url",
                        "%s must be like http://admin:8000, without a user or "
                        "a query",
                        from);
            return false;
        }
        base = other;
    }
    snprintf(text, sizeof(text), "%s%s", base,
             base == other && strchr(strstr(other, "://") + 3, '/')
                 ? ""
                 : TOKEN_PATH);
    if (slice_copy(slice_str(text), p->token_url, sizeof(p->token_url)))
        return true;
    failure_set(f, CLI_USAGE, "url", "the address is too long");
    return false;
}

static bool
has_credentials(const struct place *p)
{
    return p->token[0] || p->client_id[0];
}

bool
place_find(struct place *p, const struct cli_common *c, struct failure *f)
{
    const char *dir = given(c->data_dir, "DATA_DIR");
    const char *cacert = given(c->cacert, "ARTSTORE_CACERT");
    const char *why = "has no place: HOME is not set";
    char path[600] = "config.json";
    json_t *config = NULL;
    bool ok = false;

    *p = (struct place){0};
    buf_init(&p->looked, 4 * KIB);
    if (config_path(path, sizeof(path)))
        config = load(path, &why);
    if (dir && !slice_copy(slice_str(dir), p->data_dir, sizeof(p->data_dir))) {
        failure_set(f, CLI_USAGE, "data_dir", "--data-dir is too long");
        goto out;
    }
    if (!dir && !take(config, "data_dir", p->data_dir, sizeof(p->data_dir)) &&
        !config && is_ours(DEFAULT_DATA_DIR))
        strcpy(p->data_dir, DEFAULT_DATA_DIR);
    if (!cacert || !slice_copy(slice_str(cacert), p->cacert, sizeof(p->cacert)))
        take(config, "cacert", p->cacert, sizeof(p->cacert));
    if (!given_credentials(p, c, f))
        goto out;
    if (p->data_dir[0])
        read_server_json(p);
    if (!p->data_dir[0])
        looked(p, "--data-dir and DATA_DIR",
               "are not set, and there is no " DEFAULT_DATA_DIR " here");
    else if (!has_credentials(p))
        read_credentials_json(p);
    if (!has_credentials(p))
        use_config(p, config, path, why);
    ok = find_url(p, c, config, path, f) && find_token_url(p, c, f);
out:
    json_decref(config);
    return ok;
}

void
place_release(struct place *p)
{
    buf_release(&p->looked);
    explicit_bzero(p, sizeof(*p));
}

enum cli_exit
place_no_credentials(const struct place *p, struct failure *f)
{
    failure_set(f, CLI_AUTH, "no_credentials",
                "no credentials were found for %s; looked at", p->url);
    snprintf(f->details, sizeof(f->details), "%s", buf_str(&p->looked));
    failure_remedy(f, "on the server's machine: --data-dir with its data "
                      "folder; elsewhere: put the output of `artstore token "
                      "--data-dir D` into ARTSTORE_TOKEN");
    return f->exit;
}
