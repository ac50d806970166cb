/* meta_db.c - see meta_impl.h: the table of operations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "io/meta_impl.h"
#include <stdlib.h>

const struct db_schema *const meta_schema[META_PARTS] = {
    [META_CATALOGUE] = &catalogue_schema,
    [META_ADMIN] = &admin_schema,
};

static void
m_close(struct meta *m)
{
    struct meta_db *s = meta_self(m);

    db_close(&s->catalogue);
    db_close(&s->admin);
    free(s);
}

static const struct meta_ops ops = {
    .feed = catalogue_feed,
    .feed_position = catalogue_feed_position,
    .feed_files = catalogue_feed_files,
    .feed_reset = catalogue_feed_reset,
    .file_get = catalogue_get,
    .file_list = catalogue_list,
    .file_count = catalogue_count,
    .element_put = meta_admin_element_put,
    .element_add = meta_admin_element_add,
    .element_swap = meta_admin_element_swap,
    .element_list = meta_admin_element_list,
    .account_get = meta_account_get,
    .account_put = meta_account_put,
    .account_add = meta_account_add,
    .account_change = meta_account_change,
    .account_del = meta_account_del,
    .account_list = meta_account_list,
    .audit_add = meta_audit_add,
    .audit_list = meta_audit_list,
    .audit_head = meta_audit_head,
    .setting_get = meta_admin_setting_get,
    .setting_put = meta_admin_setting_put,
    .setting_list = meta_admin_setting_list,
    .setting_del = meta_admin_setting_del,
    .reset_files = catalogue_reset,
    .close = m_close,
};

enum err
meta_db_new(struct meta **out, struct db *catalogue, struct db *admin,
            struct fault *f)
{
    struct meta_db *s = malloc(sizeof(*s));

    *out = NULL;
    if (!s) {
        db_close(&catalogue);
        db_close(&admin);
        return fault_set(f, ERR_NOMEM, "catalogue open", "memory");
    }
    *s = (struct meta_db){{&ops}, catalogue, admin};
    *out = &s->meta;
    return ERR_OK;
}
