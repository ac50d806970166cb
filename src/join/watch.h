/* watch.h - what storage elements and catalogue tell of themselves: their
 * health checks (D11, ING-096, ING-097, PRD-175) and their gauges.
 *
 *   storage_elements   every second, from the elements' own snapshots
 *       unhealthy   no element takes uploads (ING-096)
 *       degraded    one is out of order, or critically full; or one with files
 *                   was left out of STORAGE_ELEMENTS; or none of mode
 *                   edit takes uploads while one of mode rw does; or the other
 *                   way round, where STORAGE_ELEMENTS lists one of mode rw
 *       A full element is degraded and not more: who would then free it, if
 *       readiness took the server away from its clients?
 *   The one of `artstore storage` is judged by its own mode: whether uploads
 *   find a place elsewhere is the gateways' affair.
 *       unhealthy   it is out of order
 *       degraded    critically full, in a mode that takes uploads
 *   database           a query every five seconds, on a worker
 *   audit              every second: degraded when the audit log is not the one
 *                      that was signed. What is stored and given is not its
 *                      affair, so it never is more than that.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef JOIN_WATCH_H
#define JOIN_WATCH_H

#include "obs/health.h"
#include "port/meta.h"
#include "port/registry.h"
#include "role/storage/element.h"

struct watch;
struct metrics;

struct watch_conf {
    struct health *health;
    struct metrics *metrics;         /* may be NULL */
    struct meta *meta;               /* NULL: there is no catalogue here */
    struct registry *admin;          /* who signs the audit log; may be NULL */
    struct element *const *elements; /* copied */
    unsigned n;
    bool alone;                 /* the one of `artstore storage` */
    bool wants_rw;              /* PERMANENT files are meant to be taken */
    const char *durability;     /* "strict", "relaxed" */
    struct mono (*clock)(void); /* of worker threads; NULL: nothing is timed */
};

/* All that CONF names must outlive it. Blocks for the first query. NULL: no
 * memory. */
struct watch *watch_open(const struct watch_conf *conf);
void watch_close(struct watch **w);

/* Begins and ends the checks on L; both on L's thread, DONE there. The first
 * check of the elements is done at once. */
void watch_start(struct watch *w, struct loop *l);
void watch_stop(struct watch *w, void (*done)(void *arg), void *arg);

/* The verdict on CONF's elements by their snapshots CAP and what the registry
 * says (NULL: none is here); TEXT gets a few words (WATCH_TEXT bytes). For
 * tests, too. */
#define WATCH_TEXT 224
enum health_status
watch_judge(const struct watch_conf *conf, const struct blob_capacity *cap,
            const struct registry_stats *known, char text[WATCH_TEXT]);

#endif
