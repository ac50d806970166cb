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
 * lose the last second of them; a stop does not.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ROLE_ADMIN_REGISTRY_H
#define ROLE_ADMIN_REGISTRY_H

#include "port/registry.h"

#define ADMIN_AUDIT_MAX 4096 /* queued; over it an entry is lost and counted */

struct admin;

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
 * rest are as Admin has them, and the mode is set on the element. ERR_CONFLICT:
 * the element_id belongs to another element. ERR_INVAL: see element.h. */
enum err admin_attach(struct admin *a, struct blob *blob,
                      const struct admin_source *source,
                      const struct meta_element *like, struct fault *f);

/* Begins and ends the tick on L. Both on L's thread; DONE is called on L when
 * nothing is under way. */
void admin_start(struct admin *a, struct loop *l);
void admin_stop(struct admin *a, void (*done)(void *arg), void *arg);

/* Immediate: what Admin has recorded. ERR_NOENT is an answer. */
enum err admin_element_get(struct admin *a, const char *element_id,
                           struct meta_element *out);
/* Blocks. Changes mode and priority (ADM-011, ADM-015). ERR_NOENT;
 * ERR_CONFLICT: a mode does not go back; ERR_INVAL. CHANGED gets the record as
 * it is then. */
enum err admin_element_change(struct admin *a, const char *element_id, int mode,
                              int priority, struct wall now,
                              struct meta_element *changed, struct fault *f);

/* Blocks. Accounts, for sec/account. Answers as port/meta.h. */
enum err admin_account_get(struct admin *a, const char *client_id,
                           struct meta_account *out, struct fault *f);
enum err admin_account_put(struct admin *a, const struct meta_account *in,
                           struct fault *f);

/* Blocks. Writes what audit entries are queued. */
enum err admin_audit_flush(struct admin *a, struct fault *f);

#endif
