/* s3_request.c - one S3 request: how it is written, and what its answer means.
 *
 * curl 7.88 signs what it is given: the path and the query as they stand in the
 * URL, our headers and Host. So both are written encoded once and the query in
 * the order of its names. Two traps: a header that is to be suppressed
 * ("Expect:") would be signed and not sent, so nothing is suppressed; and dots
 * in keys must stay (CURLOPT_PATH_AS_IS).
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/s3_impl.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define RESULT "CompleteMultipartUploadResult"

#define LEAST_BYTES_PER_MS 16 /* of a body, on the whole */

/* ---- what is sent ---- */

static const char *
part_etag(void *arg, unsigned i)
{
    const struct object_part *p = arg;

    return p[i].etag;
}

static uint64_t
body_size(const struct s3_transfer *t)
{
    uint64_t n = 0;

    if (t->r->op == OBJECT_COMPLETE)
        return t->own.n;
    for (unsigned i = 0; i < t->r->n_body; i++)
        n += t->r->body[i].n;
    return n;
}

static struct slice
body_piece(const struct s3_transfer *t, unsigned i)
{
    if (t->r->op == OBJECT_COMPLETE)
        return i == 0 ? buf_slice(&t->own) : SLICE_NULL;
    return i < t->r->n_body ? t->r->body[i] : SLICE_NULL;
}

static bool
has_body(enum object_op op)
{
    return op == OBJECT_PUT || op == OBJECT_PART || op == OBJECT_COMPLETE;
}

static bool
body_hash(const struct s3_transfer *t, char hex[65])
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    uint8_t sha[32];
    bool ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1;

    for (unsigned i = 0; ok && has_body(t->r->op); i++) {
        struct slice p = body_piece(t, i);

        if (p.p == NULL)
            break;
        ok = EVP_DigestUpdate(c, p.p, p.n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(c, sha, NULL) == 1;
    EVP_MD_CTX_free(c);
    for (unsigned i = 0; ok && i < sizeof(sha); i++)
        snprintf(hex + 2 * i, 3, "%02x", sha[i]);
    return ok;
}

static void
add_param(struct buf *u, const char *name, const char *value)
{
    (void)buf_add_char(u, memchr(u->p, '?', u->n) ? '&' : '?');
    (void)buf_printf(u, "%s=", name);
    (void)s3_encode(u, slice_str(value), false);
}

static void
add_key_param(struct s3_transfer *t, const char *name, const char *key)
{
    char full[2 * OBJECT_KEY_MAX + 2];

    snprintf(full, sizeof(full), "%s%s", t->s3->prefix, key);
    add_param(&t->url, name, full);
}

/* In the order of the names: that is the canonical form. */
static void
add_query(struct s3_transfer *t)
{
    const struct object_req *r = t->r;
    struct buf *u = &t->url;
    char number[16];

    switch (r->op) {
    case OBJECT_LIST:
        add_param(u, "list-type", "2");
        snprintf(number, sizeof(number), "%u", r->max);
        add_param(u, "max-keys", number);
        add_key_param(t, "prefix", r->key);
        if (r->after[0])
            add_key_param(t, "start-after", r->after);
        break;
    case OBJECT_UPLOADS:
        if (r->after[0])
            add_key_param(t, "key-marker", r->after);
        snprintf(number, sizeof(number), "%u", r->max);
        add_param(u, "max-uploads", number);
        add_key_param(t, "prefix", r->key);
        if (r->after[0] && r->after_id[0])
            add_param(u, "upload-id-marker", r->after_id);
        add_param(u, "uploads", "");
        break;
    case OBJECT_BEGIN:
        add_param(u, "uploads", "");
        break;
    case OBJECT_PART:
        snprintf(number, sizeof(number), "%u", r->part);
        add_param(u, "partNumber", number);
        add_param(u, "uploadId", r->upload_id);
        break;
    case OBJECT_COMPLETE:
    case OBJECT_GIVE_UP:
        add_param(u, "uploadId", r->upload_id);
        break;
    default:
        break;
    }
}

static bool
make_url(struct s3_transfer *t)
{
    const struct s3 *s = t->s3;
    const struct object_req *r = t->r;
    struct buf *u = &t->url;

    buf_clear(u);
    (void)buf_printf(u, "%s://%s%s", s->scheme, s->host, s->base);
    if (r->op != OBJECT_LIST && r->op != OBJECT_UPLOADS) {
        (void)s3_encode(u, slice_str(s->prefix), true);
        (void)s3_encode(u, slice_str(r->key), true);
    }
    add_query(t);
    return !u->failed;
}

static bool
add_header(struct s3_transfer *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->headers, line);

    if (more)
        t->headers = more;
    return more != NULL;
}

static bool
make_headers(struct s3_transfer *t)
{
    char hex[65], line[128];
    bool ok;

    curl_slist_free_all(t->headers);
    t->headers = NULL;
    if (!body_hash(t, hex))
        return false;
    snprintf(line, sizeof(line), "x-amz-content-sha256: %s", hex);
    ok = add_header(t, line);
    if (t->s3->signer->token_header)
        ok = ok && add_header(t, t->s3->signer->token_header);
    if (t->r->op == OBJECT_PUT || t->r->op == OBJECT_BEGIN)
        ok = ok && add_header(t, "Content-Type: application/octet-stream");
    if (t->r->op == OBJECT_COMPLETE)
        ok = ok && add_header(t, "Content-Type: application/xml");
    if (t->r->op == OBJECT_GET) {
        snprintf(line, sizeof(line), "Range: bytes=%llu-%llu",
                 (unsigned long long)t->r->off,
                 (unsigned long long)(t->r->off + t->r->n - 1));
        ok = ok && add_header(t, line);
    }
    return ok;
}

static size_t
on_read(char *p, size_t size, size_t n, void *arg)
{
    struct s3_transfer *t = arg;
    size_t room = size * n, did = 0;

    while (did < room) {
        struct slice s = body_piece(t, t->piece);
        size_t k;

        if (s.p == NULL)
            break;
        if (t->at == s.n) {
            t->piece++;
            t->at = 0;
            continue;
        }
        k = size_min(room - did, s.n - t->at);
        memcpy(p + did, s.p + t->at, k);
        t->at += k;
        did += k;
    }
    return did;
}

/* curl sends the body again by itself when a kept connection is found dead. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
    struct s3_transfer *t = arg;

    if (origin != SEEK_SET || offset != 0)
        return CURL_SEEKFUNC_CANTSEEK;
    t->piece = 0;
    t->at = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t
on_write(char *p, size_t size, size_t n, void *arg)
{
    struct s3_transfer *t = arg;
    long status = 0;

    n *= size;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->r->op == OBJECT_GET && status >= 200 && status < 300) {
        if (n > t->r->n - t->got)
            return 0; /* more than was asked for */
        memcpy((char *)t->r->into + t->got, p, n);
        t->got += n;
        return n;
    }
    return buf_add(&t->answer, p, n) ? n : 0;
}

static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
    struct s3_transfer *t = arg;
    struct slice line = {p, size * n}, name, rest = line;
    uint64_t v;

    if (!slice_cut(&rest, ':', &name) || rest.p == NULL)
        return line.n;
    while (rest.n && (rest.p[rest.n - 1] == '\r' || rest.p[rest.n - 1] == '\n'))
        rest.n--;
    rest = slice_trim(rest);
    if (slice_eq_nocase(name, SLICE("etag")))
        (void)slice_copy(rest, t->etag, sizeof(t->etag));
    else if (slice_eq_nocase(name, SLICE("retry-after")) && slice_u64(rest, &v))
        t->retry_after = (int64_t)u64_min(v, 60) * 1000;
    else if (slice_eq_nocase(name, SLICE("content-length")) &&
             t->total == UINT64_MAX && slice_u64(rest, &v))
        t->total = v;
    else if (slice_eq_nocase(name, SLICE("content-range")) &&
             slice_find(rest, '/') < rest.n &&
             slice_u64(slice_skip(rest, slice_find(rest, '/') + 1), &v))
        t->total = v;
    return line.n;
}

static void
set_method(struct s3_transfer *t)
{
    CURL *e = t->easy;

    switch (t->r->op) {
    case OBJECT_PUT:
    case OBJECT_PART:
        curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(e, CURLOPT_READDATA, t);
        curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(e, CURLOPT_SEEKDATA, t);
        curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_size(t));
        break;
    case OBJECT_BEGIN:
    case OBJECT_COMPLETE:
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, buf_str(&t->own));
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->own.n);
        break;
    case OBJECT_HEAD:
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        break;
    case OBJECT_DELETE:
    case OBJECT_GIVE_UP:
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "DELETE");
        break;
    default:
        break;
    }
}

static void
set_limits(struct s3_transfer *t)
{
    const struct s3 *s = t->s3;
    long ms = (long)(s->timeout.ns / 1000000);
    long quiet = ms < 1000 ? 1 : ms / 1000;
    CURL *e = t->easy;

    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(s->connect_timeout.ns / 1000000));
    /* A complete has to put many parts together before it answers. */
    if (t->r->op == OBJECT_COMPLETE)
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, 10 * ms);
    else if (!has_body(t->r->op) && t->r->op != OBJECT_GET)
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, ms);
    else {
        uint64_t n = t->r->op == OBJECT_GET ? t->r->n : body_size(t);

        /* And a store that drips does not keep us either. */
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS,
                         ms + (long)(n / LEAST_BYTES_PER_MS));
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, quiet);
    }
}

bool
s3_prepare(struct s3_transfer *t)
{
    struct s3 *s = t->s3;
    const struct s3_signer *k = s->signer;
    CURL *e = t->easy;

    buf_clear(&t->answer);
    buf_clear(&t->own);
    t->piece = 0;
    t->at = t->got = 0;
    t->total = UINT64_MAX;
    t->retry_after = 0;
    t->etag[0] = t->error[0] = '\0';
    if (t->r->op == OBJECT_COMPLETE &&
        !s3_complete_format(&t->own, part_etag, (void *)(uintptr_t)t->r->parts,
                            t->r->n_parts))
        return false;
    if (!make_url(t) || !make_headers(t))
        return false;
    curl_easy_reset(e); /* keeps its connections */
    set_method(t);
    set_limits(t);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    if (s->ca_file[0])
        curl_easy_setopt(e, CURLOPT_CAINFO, s->ca_file);
    return curl_easy_setopt(e, CURLOPT_AWS_SIGV4, s->sigv4) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_USERNAME, k->access_key) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PASSWORD, k->secret_key) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_URL, buf_str(&t->url)) == CURLE_OK;
}

/* ---- what comes back ---- */

static enum err
err_of_status(long status, const char *code)
{
    static const struct {
        const char *code;
        enum err err;
    } known[] = {
        {"QuotaExceeded", ERR_NOSPC},
        {"InsufficientStorage", ERR_NOSPC},
        {"SlowDown", ERR_AGAIN},
        {"BadDigest", ERR_CORRUPT},
        {"XAmzContentSHA256Mismatch", ERR_CORRUPT},
        {"InternalError", ERR_IO},
        {"RequestTimeout", ERR_TIMEOUT},
        {"OperationAborted", ERR_AGAIN},
    };

    for (size_t i = 0; i < countof(known); i++)
        if (strcmp(code, known[i].code) == 0)
            return known[i].err;
    if (status == 404)
        return ERR_NOENT;
    if (status == 401 || status == 403)
        return ERR_DENIED;
    if (status == 429 || status == 503)
        return ERR_AGAIN;
    if (status == 408 || status == 504)
        return ERR_TIMEOUT;
    if (status == 409 || status == 412)
        return ERR_CONFLICT;
    if (status == 413)
        return ERR_TOOBIG;
    if (status == 507)
        return ERR_NOSPC;
    return status >= 500 ? ERR_IO : ERR_INVAL;
}

static const char *
hint_of(long status, const char *code)
{
    static const struct {
        const char *code, *hint;
    } known[] = {
        {"SignatureDoesNotMatch", "are S3_SECRET_KEY and S3_REGION right?"},
        {"InvalidAccessKeyId", "is S3_ACCESS_KEY right?"},
        {"RequestTimeTooSkewed", "the clocks differ: set this host's"},
        {"ExpiredToken", "S3_SESSION_TOKEN has expired"},
        {"NoSuchBucket", "make the bucket, or correct S3_BUCKET"},
        {"AuthorizationHeaderMalformed", "is S3_REGION that of the bucket?"},
        {"PermanentRedirect", "is S3_ENDPOINT that of the bucket's region?"},
    };

    for (size_t i = 0; i < countof(known); i++)
        if (strcmp(code, known[i].code) == 0)
            return known[i].hint;
    return status >= 300 && status < 400
               ? "redirects are not followed: is S3_ENDPOINT right?"
               : NULL;
}

static enum err
fail(struct s3_transfer *t, enum err err, const char *why)
{
    struct object_req *r = t->r;
    char what[200];

    snprintf(what, sizeof(what), "%.110s: %.80s",
             r->key[0] ? r->key : t->s3->objects.place, why);
    r->err = fault_set(&r->fault, err, object_op_name(r->op), what);
    return err;
}

/* The connection failed, or nothing came in time. */
static bool
judge_transport(struct s3_transfer *t, CURLcode code)
{
    enum err err = ERR_IO;

    if (code == CURLE_WRITE_ERROR) {
        (void)fail(t, ERR_CORRUPT, "the answer is too long");
        return false;
    }
    if (code == CURLE_OPERATION_TIMEDOUT)
        err = ERR_TIMEOUT;
    else if (code == CURLE_OUT_OF_MEMORY)
        err = ERR_NOMEM;
    else if (code == CURLE_PEER_FAILED_VERIFICATION ||
             code == CURLE_SSL_CACERT_BADFILE)
        err = ERR_DENIED;
    if (code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST &&
        err != ERR_DENIED)
        t->r->unsure = true;
    (void)fail(t, err, t->error[0] ? t->error : curl_easy_strerror(code));
    if (err == ERR_DENIED)
        (void)fault_hint(&t->r->fault, "name its certificate in S3_CA_FILE");
    return err != ERR_DENIED;
}

static bool
judge_status(struct s3_transfer *t, long status, const char *code)
{
    enum err err = err_of_status(status, code);
    char why[100];

    snprintf(why, sizeof(why), "%ld %s", status, code);
    (void)fail(t, err, why);
    (void)fault_hint(&t->r->fault, hint_of(status, code));
    if (status >= 500)
        t->r->unsure = true;
    return err == ERR_IO || err == ERR_AGAIN || err == ERR_TIMEOUT ||
           err == ERR_CORRUPT;
}

struct rows {
    struct object_req *r;
    const char *prefix;
    bool bad;
};

static bool
add_row(void *arg, const struct s3_entry *e)
{
    struct rows *w = arg;
    struct object_req *r = w->r;
    struct object_entry *row = &r->rows[r->n_rows];
    size_t n = strlen(w->prefix);

    if (r->n_rows == r->max) { /* more than was asked for: another page */
        r->more = true;
        return false;
    }
    w->bad = strncmp(e->key, w->prefix, n) != 0 ||
             !slice_copy(slice_str(e->key + n), row->key, sizeof(row->key)) ||
             !slice_copy(slice_str(e->upload_id), row->upload_id,
                         sizeof(row->upload_id));
    row->size = e->size;
    r->n_rows++;
    return !w->bad;
}

static bool
etag_ok(const char *e)
{
    if (!e[0])
        return false;
    for (; *e; e++)
        if (*e <= ' ' || *e > '~' || *e == '<' || *e == '&' || *e == '>')
            return false;
    return true;
}

static enum err
take_rows(struct s3_transfer *t)
{
    struct object_req *r = t->r;
    struct rows w = {.r = r, .prefix = t->s3->prefix};
    bool more = false;
    enum err err;

    r->n_rows = 0;
    r->more = false;
    err = s3_list_parse(buf_slice(&t->answer), add_row, &w, &more);
    r->more = r->more || more;
    if (err == ERR_OK && w.bad)
        err = ERR_CORRUPT;
    return err == ERR_OK ? ERR_OK : fail(t, err, "not a listing");
}

/* A successful answer. */
static enum err
take_answer(struct s3_transfer *t)
{
    struct object_req *r = t->r;

    switch (r->op) {
    case OBJECT_GET:
        r->n = t->got;
        /* fall through */
    case OBJECT_HEAD:
        r->size = t->total;
        return t->total == UINT64_MAX ? fail(t, ERR_CORRUPT, "no length")
                                      : ERR_OK;
    case OBJECT_LIST:
    case OBJECT_UPLOADS:
        return take_rows(t);
    case OBJECT_BEGIN:
        return s3_text_parse(buf_slice(&t->answer), "UploadId", r->upload_id,
                             sizeof(r->upload_id))
                   ? ERR_OK
                   : fail(t, ERR_CORRUPT, "no upload id");
    case OBJECT_PART:
        if (!etag_ok(t->etag))
            return fail(t, ERR_CORRUPT, "no ETag");
        memcpy(r->etag, t->etag, sizeof(r->etag));
        return ERR_OK;
    case OBJECT_COMPLETE: /* 200 is sent before the work is done */
        if (memmem(t->answer.p, t->answer.n, RESULT, strlen(RESULT)))
            return ERR_OK;
        r->unsure = true;
        return fail(t, ERR_IO, "no result of the whole");
    default:
        return ERR_OK;
    }
}

bool
s3_judge(struct s3_transfer *t, CURLcode code)
{
    struct object_req *r = t->r;
    char word[S3_CODE_MAX] = "";
    long status = 0;

    if (code != CURLE_OK)
        return judge_transport(t, code);
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300 || r->op == OBJECT_COMPLETE)
        s3_error_parse(buf_slice(&t->answer), word);
    if (status == 404 && r->op == OBJECT_DELETE &&
        strcmp(word, "NoSuchBucket") != 0) {
        r->err = ERR_OK;
        return false;
    }
    if (status >= 300 || word[0])
        return judge_status(t, word[0] && status < 300 ? 500 : status, word);
    r->err = take_answer(t);
    return false;
}
