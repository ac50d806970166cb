/* http.c - see http.h. SPDX-License-Identifier: Apache-2.0 */
#include "cli/http.h"
#include "cli/clock.h"
#include "cli/local_token.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "sec/scope.h"
#include <stdlib.h>
#include <string.h>

#define CONNECT_SECONDS 15
#define SEND_BUFFER     (256L * 1024)

static void
percent_encode(struct buf *b, const char *s)
{
    for (; *s; s++) {
        const uint8_t c = (uint8_t)*s;

        /* RFC 3986 section 2.3, unreserved */
        if ((c >= '0' && c <= '9') ||
            ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
            (c && strchr("-._~", c)))
            buf_add_char(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

void
query_add(struct buf *path, const char *key, const char *value)
{
    if (!value)
        return;
    buf_add_char(path, slice_find(buf_slice(path), '?') == path->n ? '?' : '&');
    buf_printf(path, "%s=", key);
    percent_encode(path, value);
}

bool
http_open(struct http *h, struct place *place, uint64_t timeout_s)
{
    *h = (struct http){.place = place, .timeout_s = timeout_s};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return false;
    h->multi = curl_multi_init();
    return h->multi != NULL;
}

void
http_close(struct http *h)
{
    assert(h->active == 0);
    if (h->multi)
        curl_multi_cleanup(h->multi);
    h->multi = NULL;
}

static size_t
on_read(char *p, size_t one, size_t n, void *arg)
{
    struct http_req *r = arg;
    size_t got = r->source->read(r->source->owner, p, one * n);

    if (got == HTTP_NOT_NOW)
        return CURL_READFUNC_PAUSE;
    if (got == HTTP_STOP) {
        r->called_off = true;
        return CURL_READFUNC_ABORT;
    }
    r->sent += got;
    r->sent_all = got == 0 || r->sent == r->source->size;
    return got;
}

/* libcurl repeats a request by itself when a kept connection turns out to be
 * dead. That is right only as long as the server cannot have acted on it: a
 * POST is not idempotent, and an upload that was handed over whole may be
 * stored (D27: a pooled client never repeats such a request by itself). */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
    struct http_req *r = arg;

    if (offset != 0 || origin != SEEK_SET || r->sent_all ||
        !r->source->rewind || !r->source->rewind(r->source->owner))
        return CURL_SEEKFUNC_FAIL;
    r->sent = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t
on_write(char *p, size_t one, size_t n, void *arg)
{
    struct http_req *r = arg;
    long status = 0;

    n *= one;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    r->status = status;
    if (r->sink && status >= 200 && status < 300) {
        if (r->sink(r->owner, p, n))
            return n;
        r->called_off = true;
        return CURL_WRITEFUNC_ERROR;
    }
    return buf_add(&r->reply, p, n) ? n : CURL_WRITEFUNC_ERROR;
}

static bool
header(struct http_req *r, const char *name, const char *value)
{
    struct curl_slist *more;
    struct buf b;

    buf_init(&b, 16 * KIB);
    buf_printf(&b, "%s: %s", name, value);
    more = b.failed ? NULL : curl_slist_append(r->headers, buf_str(&b));
    if (b.p)
        explicit_bzero(b.p, b.n); /* it may be the token */
    buf_release(&b);
    if (more)
        r->headers = more;
    return more != NULL;
}

static bool
is_loopback(const char *url)
{
    const char *host = strstr(url, "://") + 3;

    return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
           strncmp(host, "localhost", 9) == 0;
}

static bool
set_headers(struct http *h, struct http_req *r)
{
    char bearer[sizeof(h->place->token) + 16];
    bool ok = header(r, "Accept", "application/json");

    if (!r->anonymous && h->place->token[0]) {
        snprintf(bearer, sizeof(bearer), "Bearer %s", h->place->token);
        ok = ok && header(r, "Authorization", bearer);
        explicit_bzero(bearer, sizeof(bearer));
    }
    if (r->content_type)
        ok = ok && header(r, "Content-Type", r->content_type);
    if (r->range)
        ok = ok && header(r, "Range", r->range);
    if (r->if_range)
        ok = ok && header(r, "If-Range", r->if_range);
    if (r->source && r->source->size == HTTP_UNKNOWN)
        ok = ok && header(r, "Transfer-Encoding", "chunked");
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
    return ok;
}

static void
set_body(struct http_req *r)
{
    CURL *e = r->easy;

    if (r->source) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(e, CURLOPT_READDATA, r);
        curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(e, CURLOPT_SEEKDATA, r);
        curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
        if (r->source->size != HTTP_UNKNOWN)
            curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t)r->source->size);
    } else if (r->body.p) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body.p);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    }
    if (strcmp(r->method, "HEAD") == 0)
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, r->method);
}

static bool
set_options(struct http *h, struct http_req *r, const char *url)
{
    CURL *e = r->easy;
    bool ok = curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK;

    curl_easy_setopt(e, CURLOPT_PRIVATE, r);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, SEND_BUFFER);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "artstore/" ARTSTORE_VERSION);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    /* Several uploads are several connections; and HTTP/2 ends at a proxy. */
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    if (!r->patient) {
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)h->timeout_s);
    }
    if (is_loopback(url)) /* no proxy leads to this machine */
        curl_easy_setopt(e, CURLOPT_PROXY, "");
    if (h->place->cacert[0]) /* and nobody else: Debian's curl has a folder */
        ok =
            ok &&
            curl_easy_setopt(e, CURLOPT_CAINFO, h->place->cacert) == CURLE_OK &&
            curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK;
    set_body(r);
    return ok && set_headers(h, r);
}

/* Also for the token endpoint, whose URL is not below the server's. */
static bool
start(struct http *h, struct http_req *r, const char *url, struct failure *f)
{
    r->http = h;
    r->done = r->called_off = r->sent_all = false;
    r->status = 0;
    r->sent = 0;
    r->error[0] = '\0';
    buf_init(&r->reply, HTTP_BODY_MAX);
    r->easy = curl_easy_init();
    if (r->easy && set_options(h, r, url) &&
        curl_multi_add_handle(h->multi, r->easy) == CURLM_OK) {
        h->active++;
        return true;
    }
    failure_set(f, CLI_FAILED, "client", "the request could not be prepared");
    curl_easy_cleanup(r->easy);
    r->easy = NULL;
    curl_slist_free_all(r->headers);
    r->headers = NULL;
    return false;
}

bool
http_start(struct http *h, struct http_req *r, struct failure *f)
{
    struct buf url;
    bool ok;

    r->where = h->place->url;
    buf_init(&url, 64 * KIB);
    buf_printf(&url, "%s%s", r->where, r->path);
    if (url.failed)
        failure_set(f, CLI_USAGE, "too_long",
                    "the request line is too long; use less metadata");
    ok = !url.failed && start(h, r, buf_str(&url), f);
    buf_release(&url);
    return ok;
}

static void
complete(struct http *h, CURL *easy, CURLcode code)
{
    struct http_req *r = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)(void *)&r);
    assert(r && r->easy == easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &r->status);
    r->exit = code == CURLE_OK ? CLI_OK : CLI_CONNECT;
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        snprintf(r->error + strlen(r->error),
                 sizeof(r->error) - strlen(r->error), " (certificate)");
    if (code != CURLE_OK && r->error[0] == '\0')
        snprintf(r->error, sizeof(r->error), "%s", curl_easy_strerror(code));
    /* An answer that came early and refuses (507 before the body was read)
     * counts as one even when the rest of the body could not be sent. */
    if (code == CURLE_SEND_ERROR && r->status >= 300)
        r->exit = CLI_OK;
    h->reached |= r->exit == CLI_OK || r->sent > 0;
    r->done = true;
    curl_multi_remove_handle(h->multi, easy);
    h->active--;
}

void
http_turn(struct http *h, int wait_ms, int fd)
{
    struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
    int running, left;
    CURLMsg *m;

    curl_multi_perform(h->multi, &running);
    while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
        if (m->msg == CURLMSG_DONE) {
            complete(h, m->easy_handle, m->data.result);
            wait_ms = 0;
        }
    }
    if (wait_ms > 0)
        curl_multi_poll(h->multi, &extra, fd == -1 ? 0 : 1, wait_ms, NULL);
}

void
http_continue(struct http_req *r)
{
    if (r->easy && !r->done)
        curl_easy_pause(r->easy, CURLPAUSE_CONT);
}

void
http_finish(struct http_req *r)
{
    if (r->easy) {
        if (!r->done) {
            curl_multi_remove_handle(r->http->multi, r->easy);
            r->http->active--;
        }
        curl_easy_cleanup(r->easy);
        r->easy = NULL;
        buf_release(&r->reply);
    }
    for (struct curl_slist *s = r->headers; s; s = s->next)
        explicit_bzero(s->data, strlen(s->data));
    curl_slist_free_all(r->headers);
    r->headers = NULL;
}

const char *
http_header(const struct http_req *r, const char *name)
{
    struct curl_header *head;

    if (!r->easy || curl_easy_header(r->easy, name, 0, CURLH_HEADER, -1,
                                     &head) != CURLHE_OK)
        return NULL;
    return head->value;
}

uint64_t
http_length(const struct http_req *r)
{
    const char *text = http_header(r, "Content-Length");
    uint64_t n;

    return text && slice_u64(slice_str(text), &n) ? n : HTTP_UNKNOWN;
}

static void
remedy_connect(struct http_req *r, struct failure *f)
{
    const struct place *p = r->http->place;

    if (strstr(r->error, "certificate"))
        failure_remedy(f, "if the server's certificate is your own, give its "
                          "issuer with --cacert");
    else if (p->dead_pid && strcmp(p->url, p->data_url) == 0)
        failure_remedy(f,
                       "process %ld, which %s names, is gone: start the "
                       "server (`artstore server --data-dir %s`)",
                       p->dead_pid, p->url_from, p->data_dir);
    else
        failure_remedy(f,
                       "is the server running? The address is from %s; "
                       "--url or ARTSTORE_URL gives another",
                       p->url_from);
}

enum cli_exit
http_judge(struct http_req *r, struct failure *f)
{
    assert(r->done);
    if (r->exit != CLI_OK) {
        failure_set(f, r->exit, "connection", "%s: %s", r->where, r->error);
        remedy_connect(r, f);
        return f->exit;
    }
    if (r->status >= 200 && r->status < 300)
        return CLI_OK;
    (void)failure_from_reply(f, r->status, buf_slice(&r->reply),
                             http_header(r, "X-Request-ID"),
                             http_header(r, "Server"));
    if (r->path)
        failure_elsewhere(f, r->path);
    if (strcmp(r->http->place->url_from, "--url") == 0)
        failure_there(f, r->http->place->url);
    return f->exit;
}

static enum cli_exit
wait_done(struct http *h, struct http_req *r, struct failure *f)
{
    while (!r->done) {
        http_turn(h, 200, -1);
        if (h->tick)
            h->tick(h->tick_arg);
        if (interrupted())
            return failure_set(f, CLI_INTERRUPTED, "interrupted",
                               "interrupted");
    }
    return http_judge(r, f);
}

/* What the token endpoint said, into the place. */
static enum cli_exit
keep_token(struct http *h, struct slice body, struct failure *f)
{
    json_t *o = json_loadb(body.p ? body.p : "", body.n, 0, NULL);
    const char *t = json_string_value(json_object_get(o, "access_token"));
    json_int_t ttl = json_integer_value(json_object_get(o, "expires_in"));
    bool ok =
        t && *t &&
        slice_copy(slice_str(t), h->place->token, sizeof(h->place->token));

    for (const char *q = h->place->token; *q; q++)
        ok = ok && *q > ' ' && *q <= '~';
    json_decref(o);
    if (!ok) {
        h->place->token[0] = '\0';
        return failure_set(f, CLI_AUTH, "token",
                           "the token endpoint answered without a token");
    }
    if (ttl <= 0 || ttl > 86400 * 365)
        ttl = 300;
    h->token_fetched = true;
    h->token_until = mono_add(mono_now(), dur_s(ttl * 4 / 5));
    return CLI_OK;
}

enum cli_exit
http_fetch_token(struct http *h, const char *scope, uint64_t ttl,
                 struct failure *f)
{
    struct http_req r = {.method = "POST",
                         .content_type = "application/x-www-form-urlencoded",
                         .anonymous = true};
    enum cli_exit e = CLI_FAILED;
    struct buf form;
    char text[24];

    if (!h->place->client_id[0])
        return place_no_credentials(h->place, f);
    buf_init(&form, 8 * KIB);
    /* RFC 6749 section 4.4.2, the client in the body (section 2.3.1) */
    buf_add_str(&form, "?");
    query_add(&form, "grant_type", "client_credentials");
    query_add(&form, "client_id", h->place->client_id);
    query_add(&form, "client_secret", h->place->client_secret);
    query_add(&form, "scope", scope);
    if (ttl) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)ttl);
        query_add(&form, "ttl", text);
    }
    r.body = slice_skip(buf_slice(&form), 2); /* without "?&" */
    r.where = h->place->token_url;
    if (start(h, &r, r.where, f))
        e = wait_done(h, &r, f);
    if (e == CLI_OK) {
        e = keep_token(h, buf_slice(&r.reply), f);
    } else if (f->status == 404) {
        failure_remedy(f,
                       "no tokens are issued at %s; in a cluster Admin does "
                       "it: --token-url or ARTSTORE_TOKEN_URL is its address",
                       h->place->token_url);
    } else if (strcmp(f->code, "invalid_client") == 0) {
        f->exit = e = CLI_AUTH;
        failure_remedy(f,
                       strstr(f->message, "disabled")
                           ? "`artstore account enable` brings it back; "
                             "asked was %s"
                           : "are client id and secret those of this server? "
                             "They were sent to %s",
                       h->place->token_url);
    }
    if (r.reply.p)
        explicit_bzero(r.reply.p, r.reply.n);
    http_finish(&r);
    if (form.p)
        explicit_bzero(form.p, form.n);
    buf_release(&form);
    return e;
}

/* With the server's own key, where we may read it: one request less, and it
 * works from the first second of a server. */
static bool
sign_token(struct http *h)
{
    struct failure ignored;
    struct buf b;
    bool ok;

    buf_init(&b, sizeof(h->place->token) - 1);
    ok = local_token(h->place, SCOPE_ALL, LOCAL_TOKEN_LIFE_S, &b, &ignored) ==
             CLI_OK &&
         slice_copy(buf_slice(&b), h->place->token, sizeof(h->place->token));
    if (b.p)
        explicit_bzero(b.p, b.n);
    buf_release(&b);
    h->token_fetched = ok;
    h->token_until = mono_add(mono_now(), dur_s(LOCAL_TOKEN_LIFE_S * 4 / 5));
    return ok;
}

enum cli_exit
http_authorize(struct http *h, struct failure *f)
{
    if (h->place->token[0] &&
        !(h->token_fetched && mono_reached(mono_now(), h->token_until)))
        return CLI_OK;
    if (local_token_possible(h->place) && sign_token(h))
        return CLI_OK;
    return http_fetch_token(h, NULL, 0, f);
}

enum cli_exit
http_call(struct http *h, struct http_req *r, struct failure *f)
{
    enum cli_exit e;

    for (int again = 0;; again++) {
        if (!r->anonymous && (e = http_authorize(h, f)) != CLI_OK)
            return e;
        if (!http_start(h, r, f))
            return f->exit;
        e = wait_done(h, r, f);
        if (e != CLI_AUTH || f->status != 401 || !h->token_fetched || again)
            return e;
        h->token_until = (struct mono){0};
        http_finish(r);
    }
}

json_t *
http_get_json(struct http *h, const char *path, struct failure *f)
{
    struct http_req r = {.method = "GET", .path = path};
    json_t *o = NULL;

    if (http_call(h, &r, f) == CLI_OK) {
        o = json_loadb(buf_str(&r.reply), r.reply.n, 0, NULL);
        if (!json_is_object(o)) {
            json_decref(o);
            o = NULL;
            failure_set(f, CLI_FAILED, "answer",
                        "%s%s answered something that is not a JSON object",
                        h->place->url, path);
            failure_remedy(f, "is this an artstore server?");
        }
    }
    http_finish(&r);
    return o;
}
