/* admin_world.c - see admin_world.h. SPDX-License-Identifier: Apache-2.0 */
#include "admin_world.h"
#include "io/meta_sqlite.h"
#include "wire/changes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

void
admin_world_ok(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s: %s: %s", err_name(e), f->op, f->what);
}

/* ---- requests over port/fetch ---- */

struct visit {
    struct exchange_mem x;
    struct fetch_mem_call *call;
    struct task task;
    struct buf text;
};

static void
visit_look(struct loop *l, struct task *t)
{
    struct visit *v = container_of(t, struct visit, task);

    if (!v->x.ended) {
        loop_post(l, t);
        return;
    }
    fetch_mem_answer(v->call, v->x.status, buf_slice(&v->x.body));
    exchange_mem_release(&v->x);
    buf_release(&v->text);
    free(v);
}

static void
note_auth(struct admin_world *w, struct slice fields)
{
    struct slice line, rest = fields;

    w->last_auth[0] = 0;
    while (slice_cut(&rest, '\n', &line))
        if (slice_starts(line, SLICE("Authorization: ")))
            (void)slice_copy(slice_head(slice_skip(line, 15), 200),
                             w->last_auth, sizeof(w->last_auth));
}

static void
to_admin(struct admin_world *w, struct fetch_mem_call *c)
{
    struct visit *v = calloc(1, sizeof(*v));
    struct serve_app *app = router_app(w->router);

    assert_non_null(v);
    buf_init(&v->text, MIB);
    buf_printf(&v->text, "%s %.*s HTTP/1.1\r\nHost: h\r\n",
               http_method_name(c->method), SLICE_ARG(c->target));
    buf_add_slice(&v->text, c->fields);
    buf_printf(&v->text, "Content-Length: %zu\r\n\r\n", c->body.n);
    v->call = c;
    exchange_mem_init(&v->x, c->loop, buf_str(&v->text));
    exchange_mem_body(&v->x, buf_slice(&c->body));
    v->task.run = visit_look;
    app->begin(app, &v->x.exchange);
    loop_post(c->loop, &v->task);
}

static void
answer(void *arg, struct fetch_mem_call *c)
{
    struct admin_world *w = arg;
    static const char refusal[] = "{\"error\":\"told_to\",\"message\":\"no\"}";

    if (strcmp(c->url, ADMIN_URL) == 0) {
        w->asked++;
        note_auth(w, c->fields);
        if (w->status)
            fetch_mem_answer(c, (int)w->status, SLICE(refusal));
        else
            to_admin(w, c);
    } else if (w->elsewhere) {
        w->elsewhere(w->arg, c);
    } else {
        fetch_mem_answer(c, 404, SLICE("{}"));
    }
}

/* ---- the process ---- */

static void
open_admin(struct admin_world *w)
{
    struct admin_api_conf ac = {.audience = "artstore",
                                .issuer = "http://issuer",
                                .token_life = dur_s(900),
                                .fetch = &w->fetch.fetch,
                                .seed = 7};
    struct route_table table;
    struct fault f = {0};

    admin_world_ok(admin_open(&w->admin, &w->meta.meta, &f), &f);
    admin_world_ok(admin_load(w->admin, &f), &f);
    ac.admin = w->admin;
    ac.keys = w->keys;
    admin_world_ok(admin_api_open(&w->api, &ac, &f), &f);
    table = admin_api_routes(w->api);
    w->router = router_open(&table, 1, "admin", NULL, NULL, 1);
    assert_non_null(w->router);
}

static void
close_admin(struct admin_world *w)
{
    router_close(&w->router);
    admin_api_close(&w->api);
    admin_close(&w->admin);
}

/* Making a key takes a tenth of a second and more, each time; so the first one
 * of the process is given to the worlds that follow. */
static void
open_keys(struct admin_world *w)
{
    static char pem[8 * KIB];
    static size_t n;
    struct keys_conf kc = {.create = true, .bits = 2048};
    struct fault f = {0};
    char dir[80], path[100];
    FILE *file;

    (void)snprintf(dir, sizeof(dir), "%s/keys", w->dir);
    (void)snprintf(path, sizeof(path), "%s/key-0001.pem", dir);
    kc.dir = dir;
    if (n) {
        assert_int_equal(mkdir(dir, 0700), 0);
        assert_non_null(file = fopen(path, "wx"));
        assert_int_equal(fchmod(fileno(file), 0600), 0);
        assert_int_equal(fwrite(pem, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
    }
    admin_world_ok(keys_open(&w->keys, &kc, &f), &f);
    if (!n) {
        assert_non_null(file = fopen(path, "r"));
        n = fread(pem, 1, sizeof(pem), file);
        assert_in_range(n, 1, sizeof(pem) - 1);
        assert_int_equal(fclose(file), 0);
    }
}

void
admin_world_open(struct admin_world *w)
{
    struct meta *m;
    struct fault f = {0};

    memset(w, 0, sizeof(*w));
    (void)snprintf(w->dir, sizeof(w->dir), "/tmp/admin_world.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    loop_mem_init(&w->loop);
    w->loop.loop.wall.ms = 1700000000000;
    fetch_mem_init(&w->fetch, answer, w);
    admin_world_ok(meta_sqlite_open(&m, NULL, &f), &f);
    meta_fail_init(&w->meta, m);
    open_keys(w);
    open_admin(w);
}

void
admin_world_restart(struct admin_world *w)
{
    close_admin(w);
    open_admin(w);
}

void
admin_world_close(struct admin_world *w)
{
    char command[96];

    close_admin(w);
    keys_close(&w->keys);
    w->meta.meta.ops->close(&w->meta.meta);
    assert_int_equal(w->fetch.calls, 0);
    assert_int_equal(w->fetch.peers, 0);
    loop_mem_release(&w->loop);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
    assert_int_equal(system(command), 0);
}

/* ---- asking as text ---- */

json_t *
admin_world_ask(struct admin_world *w, const char *method, const char *path,
                struct slice body, int status)
{
    struct serve_app *app = router_app(w->router);
    struct json_error e = {0};
    struct exchange_mem x;
    char text[2048];
    json_t *j = NULL;

    (void)snprintf(text, sizeof(text),
                   "%s %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
                   method, path, body.n);
    exchange_mem_init(&x, &w->loop.loop, text);
    exchange_mem_body(&x, body);
    app->begin(app, &x.exchange);
    loop_mem_settle(&w->loop);
    assert_true(x.ended);
    if (x.status != status)
        fail_msg("%s %s: %d %s", method, path, x.status, buf_str(&x.body));
    if (x.body.n &&
        !(j = json_read_limited(
              buf_slice(&x.body),
              &(struct json_limits){64 * MIB, 8, 100000, false}, &e)))
        fail_msg("%s %s: %s", method, path, e.text);
    exchange_mem_release(&x);
    return j;
}

const char *
json_text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));

    return s ? s : "";
}

int64_t
json_int_of(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

/* ---- changes ---- */

size_t
admin_world_changes(struct index_change *out, uint64_t since, const char *rows)
{
    struct slice rest = slice_str(rows), word;
    size_t n = 0;

    while (slice_cut(&rest, ' ', &word)) {
        struct index_change *c = &out[n];

        since++;
        if (word.n < 2)
            continue;
        assert_true(n < 16);
        index_sample_change(c, (uint64_t)(word.p[1] - '0'), since);
        if (word.p[0] != 'p') {
            const struct file_attr a = {.file_id = c->row.attr.file_id};

            c->op = word.p[0] == 'd' ? INDEX_DELETE : INDEX_EXPIRE;
            c->row.attr = a;
        }
        n++;
    }
    return n;
}

void
admin_world_page(struct buf *b, const struct uuid *uuid, uint64_t since,
                 const char *rows)
{
    struct changes_head h = {.element_uuid = *uuid, .since = since};
    struct index_change c[16];
    size_t n = admin_world_changes(c, since, rows);
    struct json_writer w;

    h.next = since;
    for (struct slice rest = slice_str(rows), word;
         slice_cut(&rest, ' ', &word);)
        h.next += word.n > 0;
    buf_clear(b);
    json_begin(&w, b);
    json_put_object(&w, NULL);
    json_put_list(&w, "changes");
    for (size_t i = 0; i < n; i++)
        changes_put_row(&w, &(struct change){c[i].seq, (enum change_op)c[i].op,
                                             c[i].at, c[i].row.attr});
    json_end_list(&w);
    changes_put_head(&w, &h);
    json_end_object(&w);
    assert_false(b->failed);
}

const char *
admin_world_files(struct admin_world *w)
{
    static char out[32];
    struct meta *m = w->meta.inner;
    size_t n = 0;

    out[0] = 0;
    for (uint64_t i = 1; i <= 9; i++) {
        struct index_row row;
        struct meta_file file;
        struct fault f = {0};
        enum err e;

        index_sample(&row, i);
        e = m->ops->file_get(m, &row.attr.file_id, &file, &f);
        if (e == ERR_NOENT)
            continue;
        admin_world_ok(e, &f);
        meta_file_release(&file);
        n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%d", n ? " " : "",
                              (int)i);
    }
    return out;
}
