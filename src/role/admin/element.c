/* element.c - see element.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/element.h"
#include "wire/endpoint.h"

bool
admin_id_ok(struct slice id)
{
    return element_id_ok(id);
}

bool
admin_location_ok(struct slice location)
{
    return element_location_ok(location);
}

bool
admin_url_ok(struct slice url)
{
    return element_endpoint_ok(url);
}

bool
admin_mode_may(enum blob_mode from, enum blob_mode to)
{
    return to >= from;
}

const char *
admin_element_invalid(const struct meta_element *e)
{
    if (!admin_id_ok(slice_str(e->element_id)))
        return "element_id";
    if (e->endpoint[0] && !admin_url_ok(slice_str(e->endpoint)))
        return "api_url";
    if (e->mode < BLOB_EDIT || e->mode > BLOB_AR)
        return "mode";
    if (e->priority < 0 || e->priority > ADMIN_PRIORITY_MAX)
        return "priority";
    if (!admin_location_ok(slice_str(e->location)))
        return "location";
    return NULL;
}
