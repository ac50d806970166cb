/* upload.h - one upload; between upload.c and form.c only.
 *
 *   BEGIN -params-> (move to the gathering loop) -> PLACE -> RECEIVE
 *     PLACE -no element known-> Admin is asked -> PLACE, once
 *     RECEIVE -all bytes-> END -hashed, written-> COMMIT -durable-> TELL
 *     TELL -Admin knows, or is not there-> 201
 *     any -refusal-> ABORT -nothing in flight-> the refusal's answer
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_INGEST_UPLOAD_H
#define ROLE_INGEST_UPLOAD_H

#include "role/ingest/impl.h"
#include "wire/multipart.h"

#define FORM_SIDE ((size_t)16 * 1024)

enum upload_state {
    UPLOAD_BEGIN,
    UPLOAD_RECEIVE,
    UPLOAD_END,
    UPLOAD_COMMIT,
    UPLOAD_TELL,
    UPLOAD_ABORT,
    UPLOAD_DONE,
};

/* The form around the file. SIDE holds what was received and is not yet used
 * while it is not the file's data. */
struct form {
    struct multipart scan;
    bool in_file;   /* inside the file's part */
    bool file_seen; /* its part has begun */
    bool file_over; /* its part has ended */
    bool finished;  /* the closing boundary was there */
    bool direct;    /* the next read goes into the intake's own memory */
    size_t held;    /* bytes behind the intake's fill that may be a boundary */
    size_t pos, n;  /* SIDE[pos..n) */
    size_t data_at, data_left; /* of SIDE: the file's, waiting for room */
    char field[64]; /* the field that is being read; "" a foreign one */
    struct buf value;
    uint8_t *at; /* where the direct read goes */
    size_t at_n;
    uint8_t side[FORM_SIDE];
};

struct upload {
    struct call *call;
    struct ingest *g;
    struct ingest_loop *il;
    enum upload_state state;
    struct params params;
    struct file_attr attr;
    struct place place;
    struct blob *blob; /* held */
    unsigned attempt;  /* number of it; each element asked is one */
    unsigned failures; /* of them, refusals apart (D28) */
    bool unsure;       /* an element may have it, and gives it back */
    bool relaxed;      /* the element has not synced it (D10) */
    struct intake intake;
    struct form *form; /* NULL: the raw body is the file */
    struct blob_put put;
    struct block *blocks[BLOB_PUT_BLOCKS]; /* of put */
    struct blob_publish publish;
    struct refusal refusal;
    struct buf details;
    int64_t read_error; /* of the exchange, for exchange_fail() */
    uint64_t held;      /* of g->held, in whole blocks */
    uint64_t known;     /* size of the file at most, or BLOB_SIZE_UNKNOWN */
    uint8_t *at;        /* where the read in flight goes */
    bool exact;         /* known is exact */
    bool large;         /* counted in il->large */
    bool asked;         /* Admin, where to put it */
    bool waiting;       /* for that answer */
    struct monitor_wait wait;
    struct registry_push push;
    struct index_change stored;
};

/* Chooses the element and makes the intake ready. False: refused already, or
 * u->waiting, and then the body goes on later by itself. */
bool upload_place(struct upload *u);
/* All bytes are in. */
void upload_received(struct upload *u);
/* Gives up with u->refusal set. */
void upload_refuse(struct upload *u);
void upload_read_failed(struct upload *u, int64_t n);
/* At the end of a read: can its bytes be used? False: refused already. */
bool upload_goes_on(struct upload *u);
/* The file is longer than allowed? Then refused, and true. */
bool upload_too_big(struct upload *u, uint64_t size);

/* form.c: begins, and goes on after INTAKE_READY. */
bool form_open(struct upload *u, struct slice content_type);
void form_step(struct upload *u);
void form_close(struct upload *u);

#endif
