/* registry.h - Admin's side of port/registry.h: the catalogue in this process.
 *
 * Elements are attached at the start, each with what Admin must be able to ask
 * of it; attaching catches the catalogue up with the element's change log, or
 * feeds it anew when the log does not reach back. From then on the element's
 * commit jobs feed it (D25). Two batches of an element may finish in either
 * order; the feed position is up to where all of them have come.
 *
 * A feed that failed is made good by a tick on the home loop, once a second,
 * which also writes the queued audit entries in one transaction. So a crash may
 * lose the last second of them; a stop does not. Changes of accounts and keys
 * do not wait for it: an account changes in the transaction of its entry, of a
 * key the entry is on disk before it is acknowledged.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_REGISTRY_H
#define ROLE_ADMIN_REGISTRY_H

#include "port/registry.h"
#include "role/admin/announce.h"
#include "sec/keys.h"

#define ADMIN_AUDIT_MAX 4096 /* queued; over it an entry is lost, counted */
/* Of them for what the token endpoint says: it must not push out the rest. */
#define ADMIN_AUDIT_TOKENS (ADMIN_AUDIT_MAX / 4)
#define ADMIN_ELEMENTS_MAX META_ELEMENTS_MAX
/* What was heard of an element is not believed for longer (ADM-021). */
#define ADMIN_STALE_MS 60000

struct admin;
struct log;

/* What Admin asks of an element in this process besides its blob. */
struct admin_source {
    struct index *index; /* list and totals; must outlive the registry */
    /* Changes after SINCE, complete: none with a lower number comes later.
     * NULL: the index's own, which is complete while nothing is uploaded. */
    enum err (*changes)(void *arg, uint64_t since, size_t max,
                        index_change_fn *fn, void *fn_arg, struct fault *f);
    void (*set_mode)(void *arg, enum blob_mode mode); /* NULL: cannot */
    void *arg;
};

/* META stays the caller's and must outlive it. */
enum err admin_open(struct admin **out, struct meta *meta, struct fault *f);
/* After admin_stop(), or when it was never started. Writes what is queued. */
void admin_close(struct admin **a);

struct registry *admin_registry(struct admin *a);

/* Blocks; before uploads begin. LIKE gives what is recorded of an element that
 * is new to Admin; of a known one only its uuid counts: mode, priority and the
 * rest are as Admin has them, and the mode is set on the element: the later of
 * the two, which is recorded by admin_attached(). ERR_CONFLICT: the element_id
 * belongs to another element. ERR_INVAL: see element.h. */
enum err admin_attach(struct admin *a, struct blob *blob,
                      const struct admin_source *source,
                      const struct meta_element *like, struct fault *f);

/* Blocks; once, when all are attached and nothing refuses the start any more: a
 * mode that is recorded does not go back. */
enum err admin_attached(struct admin *a, struct fault *f);

/* Blocks; before admin_start(). Tokens are signed with KEYS, which move on with
 * the tick, and are known to the other Admins as theirs are here. NULL: there
 * are none. They sign the end of the audit log too; LOG is told when it is not
 * the one that they have signed. */
void admin_keys(struct admin *a, struct keys *keys, struct log *log,
                struct wall now);
/* Before admin_start(): from it on gateways are told of the elements over
 * COORD, which must go on until admin_stop() is done; see announce.h. */
enum err admin_tell(struct admin *a, struct coord *coord, const char *channel,
                    struct log *log, struct fault *f);
/* As announce_await(). False: nobody is told, and there is nothing to wait
 * for. */
bool admin_await_told(struct admin *a, struct announce_wait *w);
/* Begins and ends the tick on L. Both on L's thread; DONE is called on L when
 * nothing is under way. */
void admin_start(struct admin *a, struct loop *l);
void admin_stop(struct admin *a, void (*done)(void *arg), void *arg);

/* ---- elements, here and elsewhere ----
 *
 * An element in another process is known by its endpoint. What it says of
 * itself is brought by those who ask it: how full it is, and its change log. */

/* One element as Admin knows it. */
struct admin_view {
    struct meta_element record;
    struct blob_capacity cap; /* of one elsewhere: as last heard */
    struct wall heard;        /* when; {0}: never. Here: now */
    bool here;                /* in this process */
};

/* Immediate. ERR_NOENT is an answer. NOW is a local element's `heard`. */
enum err admin_view(struct admin *a, const char *element_id, struct wall now,
                    struct admin_view *out);

struct admin_name {
    char element_id[65];
    int priority;
};
/* Immediate. Copies at most MAX, by element_id; returns how many there are. */
unsigned admin_names(struct admin *a, struct admin_name *out, unsigned max);

/* Immediate: what Admin has recorded. ERR_NOENT is an answer. */
enum err admin_element_get(struct admin *a, const char *element_id,
                           struct meta_element *out);

/* What is to be otherwise; what is not set stays. */
struct admin_change {
    bool has_mode, has_priority;
    int mode;
    int priority;
    const char *endpoint; /* NULL: stays. So the next two */
    const char *location;
    const char *name;
};
/* Blocks (ADM-011, ADM-015). ERR_NOENT; ERR_CONFLICT: a mode does not go back;
 * ERR_INVAL: *F names the field; ERR_EXISTS: another has that endpoint;
 * ERR_UNSUPPORTED: an element of this process says itself where it is. CHANGED
 * gets the record as it is then. */
enum err
admin_element_change(struct admin *a, const char *element_id,
                     const struct admin_change *change, struct wall now,
                     struct meta_element *changed, struct fault *f);

/* Blocks, after all are attached: takes up what is recorded of elements
 * elsewhere. */
enum err admin_load(struct admin *a, struct fault *f);
/* Blocks; once, after admin_load(), where there are elements in this process:
 * which are recorded as such and were not attached, though they hold files or
 * nothing is known of their files. They may be removed. */
enum err admin_lost_find(struct admin *a, struct fault *f);
#define ADMIN_LOST_MAX 64
struct admin_lost {
    struct uuid uuid;
    char element_id[65];
    uint64_t files;
    bool unheard; /* nothing is known of its files */
};
/* Immediate. Copies at most MAX; returns how many there are. */
unsigned admin_lost(struct admin *a, struct admin_lost *out, unsigned max);
/* Blocks. Registers an element elsewhere (ADM-008). A nil uuid: not known yet;
 * the first that it says is taken. ERR_EXISTS: another has the id, uuid or
 * address, F->op is the field and F->what who has it; ERR_INVAL: *F names the
 * field; ERR_TOOBIG. */
enum err admin_element_add(struct admin *a, const struct meta_element *e,
                           struct fault *f);
/* Immediate: ERR_EXISTS as above, or ERR_OK. */
enum err admin_element_taken(struct admin *a, const struct meta_element *e,
                             struct fault *f);
/* Blocks. ERR_NOENT; ERR_UNSUPPORTED: it is in this process; ERR_BUSY: it holds
 * files, and FORCE is not set (ADM-014). */
enum err admin_element_remove(struct admin *a, const char *element_id,
                              bool force, struct fault *f);

/* Blocks (it may have to be recorded who answers there). C is what the element
 * has said. ERR_NOENT; ERR_CONFLICT: another element than before (D31). Of an
 * element in this process nothing is believed from others: ERR_OK. */
struct capacity;
enum err
admin_capacity_set(struct admin *a, const char *element_id,
                   const struct capacity *c, struct wall now, struct fault *f);

/* ---- change logs of elements elsewhere (D25) ----
 *
 * All three block. ERR_NOENT; ERR_CONFLICT: another element than before (D31),
 * or as told. POSITION is up to where the catalogue has had its log. */

/* All that the log of the element has after SINCE up to NEXT: C, in order.
 * Pages that came before do nothing. ERR_CONFLICT: SINCE is ahead of *POSITION,
 * from where to go on; only publishes may come early, since a delete that meets
 * no file would be lost. ERR_BUSY: it is being fed anew. */
struct admin_page {
    struct uuid element_uuid;
    uint64_t since;
    uint64_t next;
    const struct index_change *c;
    size_t n;
    struct wall now;
};
enum err
admin_push(struct admin *a, const char *element_id, const struct admin_page *p,
           uint64_t *position, struct fault *f);

enum err admin_position(struct admin *a, const char *element_id,
                        uint64_t *position, bool *anew, struct fault *f);

#define ADMIN_ANEW_LEASE_MS 30000

/* Feeding anew, when the log does not reach back: forgets all its copies and
 * gives its TICKET the right to tell them. ERR_BUSY while another's was used
 * within ADMIN_ANEW_LEASE_MS: two who cannot agree who leads would take it from
 * each other for ever. */
enum err admin_anew(struct admin *a, const char *element_id,
                    const struct uuid *element_uuid, struct wall now,
                    const struct uuid *ticket, struct fault *f);
/* Rows of the element, then with LAST set the number at which its log stood
 * before the first row was read. ERR_CONFLICT: not the ticket of now. */
struct admin_rows {
    struct uuid ticket;
    const struct file_attr *row;
    size_t n;
    bool last;
    uint64_t position; /* with LAST */
    struct wall now;
};
enum err admin_anew_rows(struct admin *a, const char *element_id,
                         const struct admin_rows *rows, struct fault *f);

/* Blocks: who has uploaded a file. ERR_NOENT is an answer. */
enum err admin_file_owner(struct admin *a, const struct uuid *file_id,
                          char owner[128], struct fault *f);

/* Blocks. Accounts, for sec/account. Answers as port/meta.h. */
enum err admin_account_get(struct admin *a, const char *client_id,
                           struct meta_account *out, struct fault *f);
enum err admin_account_put(struct admin *a, const struct meta_account *in,
                           struct fault *f);
/* ENTRY is in the audit log when it is done, and it is not done when ENTRY
 * cannot be written there. */
enum err admin_account_add(struct admin *a, const struct meta_account *in,
                           const struct meta_audit *entry, struct fault *f);
enum err admin_account_change(struct admin *a, const char *client_id,
                              meta_account_change_fn *fn, void *arg,
                              const struct meta_audit *entry, struct fault *f);
enum err admin_account_del(struct admin *a, const char *client_id,
                           const struct meta_audit *entry, struct fault *f);
enum err admin_account_list(struct admin *a, const char *after, unsigned max,
                            meta_account_fn *fn, void *arg, struct fault *f);

/* Immediate, on any thread: what the token endpoint has answered to somebody at
 * ADDRESS. REFUSED: what comes more than once a minute is counted (refusals.h).
 */
void admin_audit_token(struct admin *a, const struct meta_audit *entry,
                       bool refused, const char *address, struct mono now);
/* Blocks. Writes what audit entries are queued. */
enum err admin_audit_flush(struct admin *a, struct fault *f);
/* Blocks. Of a change that must not be acknowledged without its trace: it is on
 * disk afterwards, or queued if that failed. */
void admin_audit_now(struct admin *a, const struct meta_audit *entry);
/* Immediate: the end of the log as it was signed last (sec/seal.h); "": it was
 * not. What is listed afterwards must have it. */
#define ADMIN_SEAL_TEXT 2048
void admin_seal_text(struct admin *a, char out[ADMIN_SEAL_TEXT]);
/* Blocks: entries that a gateway has brought, each with its id. */
enum err admin_audit_take(struct admin *a, const struct meta_audit *entries,
                          size_t n, struct fault *f);
/* Blocks: a page, and the head of the chain behind it. */
enum err admin_audit_list(struct admin *a, const struct meta_audit_query *q,
                          meta_audit_fn *fn, void *arg, uint64_t *next,
                          struct audit_head *head, struct fault *f);

#endif
