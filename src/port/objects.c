/* objects.c - see objects.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/objects.h"

const char *
object_op_name(enum object_op op)
{
    static const char *const name[] = {
        [OBJECT_PUT] = "put",         [OBJECT_GET] = "get",
        [OBJECT_HEAD] = "head",       [OBJECT_DELETE] = "delete",
        [OBJECT_LIST] = "list",       [OBJECT_BEGIN] = "begin upload",
        [OBJECT_PART] = "put part",   [OBJECT_COMPLETE] = "complete upload",
        [OBJECT_GIVE_UP] = "give up", [OBJECT_UPLOADS] = "list uploads",
    };

    return (unsigned)op < countof(name) ? name[op] : "?";
}
