/* list.h - intrusive doubly linked list with a sentinel head.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/base.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void
list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool
list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void
list_insert_before(struct list *at, struct list *item)
{
    item->prev = at->prev;
    item->next = at;
    at->prev->next = item;
    at->prev = item;
}

static inline void
list_push(struct list *head, struct list *item) /* at the end */
{
    list_insert_before(head, item);
}

static inline void
list_push_front(struct list *head, struct list *item)
{
    list_insert_before(head->next, item);
}

/* Leaves ITEM pointing at itself, so that a second removal is harmless. */
static inline void
list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    item->next = item->prev = item;
}

/* The first item, taken off; NULL when there is none. */
static inline struct list *
list_pop(struct list *head)
{
    struct list *item = head->next;

    if (item == head)
        return NULL;
    list_remove(item);
    return item;
}

#define LIST_FOREACH(it, head) \
    for (struct list *it = (head)->next; it != (head); it = it->next)
#define LIST_FOREACH_SAFE(it, nx, head)                                \
    for (struct list *it = (head)->next, *nx = it->next; it != (head); \
         it = nx, nx = it->next)

#endif
