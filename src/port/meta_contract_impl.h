/* meta_contract_impl.h - what the parts of meta_contract.h share: a catalogue,
 * and files of two elements that it is fed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_META_CONTRACT_IMPL_H
#define PORT_META_CONTRACT_IMPL_H

#include "port/index_contract.h"
#include "port/meta_contract.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Each runs its part; the number of failures. */
int meta_contract_list(const struct meta_contract *c);
int meta_contract_element(const struct meta_contract *c);
int meta_contract_account(const struct meta_contract *c);
int meta_contract_audit(const struct meta_contract *c);

static const struct meta_contract *contract; /* which this part runs now */

static const struct uuid se1 = {{0xe1}};
static const struct uuid se2 = {{0xe2}};

static inline struct meta *
fresh(void)
{
    return contract->open(contract->arg);
}

static inline void
ok(enum err e, const struct fault *f)
{
    if (e)
        fail_msg("%s: %s: %s", contract->name, f->op, f->what);
}

static inline void
feed(struct meta *m, const struct uuid *element, const struct index_change *c,
     size_t n)
{
    struct fault f = {0};

    ok(m->ops->feed(m, element, element == &se1 ? "se-01" : "se-02", c, n,
                    n ? c[n - 1].seq : 0, &f),
       &f);
}

static inline void
put(struct meta *m, const struct uuid *element, uint64_t i, uint64_t seq)
{
    struct index_change c;

    index_sample_change(&c, i, seq);
    feed(m, element, &c, 1);
}

/* On which element FILE is, or NULL. */
static inline const char *
where(struct meta *m, uint64_t i)
{
    static struct meta_file file;
    struct index_row row;
    struct fault f = {0};
    enum err e;

    index_sample(&row, i);
    e = m->ops->file_get(m, &row.attr.file_id, &file, &f);
    if (e == ERR_NOENT) {
        assert_int_equal(f.code, ERR_OK);
        return NULL;
    }
    ok(e, &f);
    meta_file_release(&file);
    return file.attr.element_id;
}

#endif
