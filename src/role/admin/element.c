/* element.c - see element.h. SPDX-License-Identifier: Apache-2.0 */
#include "role/admin/element.h"
#include "wire/endpoint.h"

static const char *const modes[] = {
    [BLOB_EDIT] = "edit",
    [BLOB_RW] = "rw",
    [BLOB_RO] = "ro",
    [BLOB_AR] = "ar",
};
static const char *const statuses[] = {
    [BLOB_OK] = "ok",
    [BLOB_WARNING] = "warning",
    [BLOB_CRITICAL] = "critical",
    [BLOB_FULL] = "full",
};

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

const char *
admin_mode_name(int mode)
{
    return mode >= 0 && (size_t)mode < countof(modes) ? modes[mode] : "unknown";
}

bool
admin_mode_parse(struct slice s, enum blob_mode *out)
{
    for (size_t i = 0; i < countof(modes); i++)
        if (slice_eq(s, slice_str(modes[i]))) {
            *out = (enum blob_mode)i;
            return true;
        }
    return false;
}

bool
admin_mode_may(enum blob_mode from, enum blob_mode to)
{
    return to >= from;
}

const char *
admin_status_name(enum blob_status s)
{
    return (size_t)s < countof(statuses) ? statuses[s] : "unknown";
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
