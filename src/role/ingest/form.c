/* form.c - an upload whose body is multipart/form-data (RFC 7578).
 *
 * Everything around the file is scanned in a 16 KiB side buffer. Inside the
 * file's part the body is received straight into the intake's memory and
 * scanned there, so that only the first read and what is held back at a
 * boundary's possible beginning are ever copied:
 *
 *   SIDE    read to side, scan; the file's bytes are copied to the intake
 *   DIRECT  read to the intake's room, scan in place; the fill grows by what is
 *           certainly data, and what may be a boundary is scanned again with
 *           the bytes that follow it
 *
 * When a block ends in such held bytes they go back to the side buffer: the
 * block must be full before it can be written, and whether it is, the next
 * bytes tell. Fields that say where the file goes come before it (D38).
 * SPDX-License-Identifier: Apache-2.0 */
#include "role/ingest/upload.h"
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 32 /* fields of one upload form, the file among them */

static void form_read(struct exchange *x, int64_t n);

bool
form_open(struct upload *u, struct slice content_type)
{
    struct form *f = malloc(sizeof(*f));

    if (f == NULL) {
        refuse(&u->refusal, 503, "overloaded",
               "The server has no memory to spare");
        return false;
    }
    memset(f, 0, offsetof(struct form, side));
    if (!multipart_init_type(&f->scan, content_type, PARTS_MAX)) {
        free(f);
        return false;
    }
    buf_init(&f->value, ATTR_METADATA_MAX + 1);
    u->form = f;
    return true;
}

void
form_close(struct upload *u)
{
    if (u->form == NULL)
        return;
    buf_release(&u->form->value);
    free(u->form);
    u->form = NULL;
}

/* ---- parts ---- */

static bool
file_begins(struct upload *u, const struct multipart_part *part)
{
    struct form *f = u->form;

    if (f->file_seen) {
        refuse(&u->refusal, 400, "too_many_files",
               "The form holds more than one file; one request takes one "
               "file, so send the others in requests of their own");
        return false;
    }
    f->file_seen = f->in_file = true;
    for (uint32_t i = 0; i < part->nfields; i++)
        if (!params_digest_field(&u->params, part->field[i].name,
                                 part->field[i].value, &u->refusal))
            return false;
    return params_part(&u->params, part->filename, part->content_type,
                       &u->refusal);
}

static bool
part_begins(struct upload *u, const struct multipart_part *part)
{
    struct form *f = u->form;

    if (part->filename.p || slice_eq(part->name, SLICE("file")))
        return file_begins(u, part);
    buf_clear(&f->value);
    f->field[0] = '\0'; /* of whatever length, it is passed over */
    if (!params_known(part->name))
        return params_foreign(part->name, &u->refusal);
    (void)slice_copy(part->name, f->field, sizeof(f->field));
    return true;
}

static bool
part_ends(struct upload *u)
{
    struct form *f = u->form;

    if (f->in_file) {
        f->in_file = false;
        f->file_over = true;
        return true;
    }
    if (f->value.failed && f->field[0] != '\0') {
        refuse(&u->refusal, 400, "field_too_long",
               "The form field %s is longer than %u bytes", f->field,
               (unsigned)ATTR_METADATA_MAX);
        return false;
    }
    if (f->field[0] == '\0')
        return true;
    return params_set(&u->params, slice_str(f->field), buf_slice(&f->value),
                      &u->refusal);
}

/* ---- the file's bytes out of the side buffer ---- */

enum give { GIVE_ALL, GIVE_WAIT, GIVE_REFUSED };

/* Copies as much of D to the intake as it has room for now. */
static enum give
file_give(struct upload *u, struct slice d, size_t *taken)
{
    void *p;
    size_t n;

    *taken = 0;
    while (d.n) {
        if (!intake_room(&u->intake, &p, &n))
            return GIVE_WAIT;
        n = size_min(n, d.n);
        memcpy(p, d.p, n);
        intake_took(&u->intake, n);
        *taken += n;
        d = slice_skip(d, n);
        if (u->intake.size > u->g->conf.file_max) {
            (void)upload_too_big(u, u->intake.size);
            return GIVE_REFUSED;
        }
    }
    return GIVE_ALL;
}

/* ---- scanning the side buffer ---- */

enum scan { SCAN_MORE, SCAN_WAIT, SCAN_REFUSED, SCAN_END };

static bool
place_due(const struct upload *u)
{
    return u->form->in_file && u->blob == NULL;
}

static enum scan
scan_event(struct upload *u, struct multipart_event *ev)
{
    struct form *f = u->form;
    size_t taken;

    switch (ev->kind) {
    case MULTIPART_PART:
        if (!part_begins(u, &ev->part)) {
            upload_refuse(u);
            return SCAN_REFUSED;
        }
        if (place_due(u) && !upload_place(u))
            return u->waiting ? SCAN_WAIT : SCAN_REFUSED;
        break;
    case MULTIPART_DATA:
        if (!f->in_file) {
            (void)buf_add_slice(&f->value, ev->data);
            break;
        }
        /* What finds no room now stays in the side buffer; the scanner has
         * passed it, so it is remembered as bytes that are data for certain. */
        switch (file_give(u, ev->data, &taken)) {
        case GIVE_ALL:
            break;
        case GIVE_WAIT:
            f->data_left = ev->data.n - taken;
            f->data_at = (size_t)(ev->data.p - (const char *)f->side) + taken;
            return SCAN_WAIT;
        default:
            return SCAN_REFUSED;
        }
        break;
    case MULTIPART_PART_END:
        if (!part_ends(u)) {
            upload_refuse(u);
            return SCAN_REFUSED;
        }
        break;
    case MULTIPART_END:
        f->finished = true;
        break;
    case MULTIPART_ERROR:
        refuse(&u->refusal, 400, "invalid_multipart", "%s (%s)",
               multipart_error_text(f->scan.error),
               multipart_error_code(f->scan.error));
        upload_refuse(u);
        return SCAN_REFUSED;
    case MULTIPART_MORE:
        break;
    }
    return SCAN_MORE;
}

/* Data that waited for room. */
static enum scan
scan_left(struct upload *u)
{
    struct form *f = u->form;
    size_t taken;
    enum give g;

    if (f->data_left == 0)
        return SCAN_MORE;
    g = file_give(u, slice_of(f->side + f->data_at, f->data_left), &taken);
    f->data_at += taken;
    f->data_left -= taken;
    return g == GIVE_ALL    ? SCAN_MORE
           : g == GIVE_WAIT ? SCAN_WAIT
                            : SCAN_REFUSED;
}

static enum scan
scan_side(struct upload *u)
{
    struct form *f = u->form;
    struct multipart_event ev;
    enum scan r = scan_left(u);

    while (r == SCAN_MORE && f->pos < f->n) {
        enum multipart_kind kind = multipart_next(
            &f->scan, (char *)f->side + f->pos, f->n - f->pos, &ev);

        f->pos += ev.used;
        r = scan_event(u, &ev);
        if (kind == MULTIPART_MORE)
            break;
    }
    return r;
}

/* ---- reading ---- */

static void
read_side(struct upload *u)
{
    struct form *f = u->form;

    if (f->pos) {
        memmove(f->side, f->side + f->pos, f->n - f->pos);
        f->n -= f->pos;
        f->pos = 0;
    }
    if (f->n == FORM_SIDE) { /* the scanner holds back 8 KiB at most */
        refuse(&u->refusal, 400, "invalid_multipart",
               "What surrounds the file in the form is too long");
        upload_refuse(u);
        return;
    }
    f->direct = false;
    u->at = f->side + f->n;
    exchange_read(u->call->x, u->at, FORM_SIDE - f->n, false, form_read);
}

/* Inside the file with nothing but held bytes on the side: they move in front
 * of the intake's room. True when the read has begun. */
static bool
read_direct(struct upload *u)
{
    struct form *f = u->form;
    size_t held = f->n - f->pos, n;
    void *p;

    if (!intake_room(&u->intake, &p, &n))
        return true; /* later: INTAKE_READY comes back here */
    if (n <= held)
        return false;
    memcpy(p, f->side + f->pos, held);
    f->pos = f->n = 0;
    f->held = held;
    f->at = p;
    f->at_n = n;
    f->direct = true;
    u->at = f->at + held;
    exchange_read(u->call->x, u->at, n - held, true, form_read);
    return true;
}

/* The next event of F->at[*USED..TOTAL) behind the file; what a field holds is
 * kept on the way. */
static enum multipart_kind
next_behind(struct form *f, size_t *used, size_t total,
            struct multipart_event *ev)
{
    enum multipart_kind kind;

    do {
        kind =
            multipart_next(&f->scan, (char *)f->at + *used, total - *used, ev);
        *used += ev->used;
        if (kind == MULTIPART_DATA)
            (void)buf_add_slice(&f->value, ev->data);
    } while (kind == MULTIPART_DATA);
    return kind;
}

/* N bytes came behind the held ones, straight into the intake's room. */
static void
took_direct(struct upload *u, size_t n)
{
    struct form *f = u->form;
    struct multipart_event ev;
    size_t total = f->held + n, used = 0, data = 0;
    enum multipart_kind kind;

    do {
        kind =
            multipart_next(&f->scan, (char *)f->at + used, total - used, &ev);
        if (kind == MULTIPART_DATA) {
            assert(ev.data.p == (const char *)f->at + data);
            data += ev.data.n;
        }
        used += ev.used;
    } while (kind == MULTIPART_DATA && used < total);
    if (data)
        intake_took(&u->intake, data);
    if (upload_too_big(u, u->intake.size))
        return;
    /* What follows the file is scanned where it lies, too: behind the fill of
     * memory that is not full and so stays the intake's. */
    while (kind != MULTIPART_DATA && kind != MULTIPART_MORE) {
        if (scan_event(u, &ev) == SCAN_REFUSED)
            return;
        kind = next_behind(f, &used, total, &ev);
    }
    /* What is left is a possible boundary, or the head of a part. */
    assert(total - used <= FORM_SIDE);
    memcpy(f->side, f->at + used, total - used);
    f->pos = 0;
    f->n = total - used;
    form_step(u);
}

static void
form_over(struct upload *u)
{
    struct form *f = u->form;

    if (!multipart_finish(&f->scan)) {
        refuse(&u->refusal, 400, "invalid_multipart", "%s (%s)",
               multipart_error_text(f->scan.error),
               multipart_error_code(f->scan.error));
        upload_refuse(u);
    } else if (!f->file_over) {
        refuse(&u->refusal, 400, "missing_file",
               "The form has no file; send it in a field called \"file\", as "
               "in: curl -F file=@report.pdf");
        upload_refuse(u);
    } else {
        upload_received(u);
    }
}

static void
form_read(struct exchange *x, int64_t n)
{
    struct upload *u = ((struct call *)x->role)->state;
    struct form *f = u->form;

    u->at = NULL;
    if (!upload_goes_on(u))
        return;
    if (n < 0) {
        upload_read_failed(u, n);
    } else if (n == 0) {
        form_over(u);
    } else if (f->direct) {
        took_direct(u, (size_t)n);
    } else {
        f->n += (size_t)n;
        form_step(u);
    }
}

void
form_step(struct upload *u)
{
    struct form *f = u->form;

    switch (scan_side(u)) {
    case SCAN_MORE:
        break;
    default:
        return; /* INTAKE_READY comes back here, or it is refused */
    }
    if (f->in_file && f->n - f->pos < MULTIPART_BOUNDARY_MAX + 10 &&
        read_direct(u))
        return;
    read_side(u);
}
