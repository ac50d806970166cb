/* schemas.c - the bodies that routes name in their docs, member by member, as
 * the JSON schemas of /openapi.json. SPDX-License-Identifier: Apache-2.0 */
#include "role/common/openapi.h"
#include <string.h>

/* TYPE is one of JSON's, or uuid, date-time; a name with a capital is another
 * schema; [TYPE] is a list of them, and "?" behind it allows null. */
struct member {
    const char *schema;
    const char *name;
    const char *type;
    bool required;
};

static const struct member members[] = {
    {"Error", "error", "string", true},
    {"Error", "message", "string", true},
    {"Error", "request_id", "string", false},
    {"Error", "details", "object", false},

    {"File", "file_id", "uuid", true},
    {"File", "storage_element_id", "string", true},
    {"File", "storage_filename", "string", true},
    {"File", "size_bytes", "integer", true},
    {"File", "md5_hash", "string", true},
    {"File", "sha256_hash", "string", true},
    {"File", "uploaded_at", "date-time", true},
    {"File", "original_filename", "string", false},
    {"File", "content_type", "string", false},
    {"File", "retention_policy", "Retention", false},
    {"File", "expires_at", "date-time?", false},
    {"File", "uploaded_by", "string", false},
    {"File", "metadata", "object", false},

    {"FileList", "files", "[File]", true},
    {"FileList", "next_cursor", "string?", true},

    {"Account", "client_id", "string", true},
    {"Account", "name", "string", true},
    {"Account", "scope", "string", true},
    {"Account", "disabled", "boolean", true},
    {"Account", "created_at", "date-time", true},
    {"Account", "updated_at", "date-time", true},
    {"Account", "old_secret_until", "date-time?", true},

    {"AccountList", "accounts", "[Account]", true},
    {"AccountList", "next_cursor", "string?", true},

    {"AccountSecret", "client_id", "string", true},
    {"AccountSecret", "client_secret", "string", true},
    {"AccountSecret", "name", "string", false},
    {"AccountSecret", "scope", "string", false},
    {"AccountSecret", "old_secret_until", "date-time?", false},

    {"AuditEntry", "n", "integer", false},
    {"AuditEntry", "at", "date-time", true},
    {"AuditEntry", "id", "uuid?", true},
    {"AuditEntry", "actor", "string", true},
    {"AuditEntry", "action", "string", true},
    {"AuditEntry", "object", "string", false},
    {"AuditEntry", "element_id", "string", false},
    {"AuditEntry", "result", "string", true},
    {"AuditEntry", "request_id", "string", false},
    {"AuditEntry", "source", "string", false},
    {"AuditEntry", "hash", "string?", false},

    {"AuditPage", "entries", "[AuditEntry]", true},
    {"AuditPage", "next_cursor", "string?", true},
    {"AuditPage", "head", "object?", true},
    {"AuditPage", "seal", "string?", true},

    {"Key", "kid", "string", true},
    {"Key", "state", "string", true},
    {"Key", "signs_from", "date-time?", true},
    {"Key", "verifies_until", "date-time?", true},

    {"KeyList", "keys", "[Key]", true},
    {"KeyList", "documents_owed", "boolean", true},
    {"KeyList", "removed", "object?", false},

    {"Permission", "allowed", "boolean", true},
    {"Permission", "reason", "string", true},

    {"Selection", "size", "integer", false},
    {"Selection", "retention_policy", "Retention", false},
    {"Selection", "choice", "string?", true},
    {"Selection", "elements", "[object]", true},
    {"Selection", "source", "string", false},

    {"Reload", "source", "string", true},
    {"Reload", "se_count", "integer", true},
    {"Reload", "added", "integer", true},
    {"Reload", "removed", "integer", true},
    {"Reload", "updated", "integer", true},
    {"Reload", "duration_ms", "integer", true},

    {"Numbers", "total", "integer", true},
    {"Numbers", "used", "integer", true},
    {"Numbers", "available", "integer", true},
    {"Numbers", "percent_used", "number", true},
    {"Numbers", "reserved", "integer", false},
    {"Numbers", "inodes_total", "integer", false},
    {"Numbers", "inodes_available", "integer", false},

    {"Capacity", "storage_id", "string", false},
    {"Capacity", "element_uuid", "uuid", false},
    {"Capacity", "mode", "string", false},
    {"Capacity", "total", "integer", true},
    {"Capacity", "used", "integer", true},
    {"Capacity", "available", "integer", true},
    {"Capacity", "percent_used", "number", true},
    {"Capacity", "status", "string", false},
    {"Capacity", "health", "string", false},
    {"Capacity", "writable", "boolean", false},
    {"Capacity", "backend", "string", false},
    {"Capacity", "pool_id", "string", false},
    {"Capacity", "location", "string", false},
    {"Capacity", "files", "integer", false},
    {"Capacity", "bytes", "integer", false},
    {"Capacity", "boot", "integer", false},
    {"Capacity", "seq", "integer", false},
    {"Capacity", "last_update", "date-time?", false},
    {"Capacity", "now", "date-time", true},
    {"Capacity", "capacity", "Numbers", true},
    {"Capacity", "stale", "boolean", false},
    {"Capacity", "heard_at", "date-time?", false},
    {"Capacity", "elements", "[Capacity]", false},

    {"Change", "seq", "integer", true},
    {"Change", "op", "string", true},
    {"Change", "at", "date-time", true},
    {"Change", "file_id", "uuid", true},
    {"Change", "epoch", "integer", true},
    {"Change", "file", "StoredFile", false},

    {"StoredFile", "file_id", "uuid", true},
    {"StoredFile", "original_filename", "string", true},
    {"StoredFile", "storage_filename", "string", true},
    {"StoredFile", "content_type", "string", true},
    {"StoredFile", "content_encoding", "string", true},
    {"StoredFile", "uploaded_by", "string", true},
    {"StoredFile", "size_bytes", "integer", true},
    {"StoredFile", "md5_hash", "string", true},
    {"StoredFile", "sha256_hash", "string", true},
    {"StoredFile", "uploaded_at", "date-time?", true},
    {"StoredFile", "expires_at", "date-time?", true},
    {"StoredFile", "retention_policy", "Retention", true},
    {"StoredFile", "metadata", "string", false},
    {"StoredFile", "storage_element_id", "string", true},
    {"StoredFile", "element_uuid", "uuid", true},
    {"StoredFile", "format", "integer", true},
    {"StoredFile", "epoch", "integer", true},
    {"StoredFile", "seq", "integer", true},
    {"StoredFile", "state", "string", true},
    {"StoredFile", "stored_size", "integer", true},
    {"StoredFile", "stored_crc32c", "string", true},

    {"Changes", "element_id", "string", true},
    {"Changes", "element_uuid", "uuid", true},
    {"Changes", "boot", "integer", true},
    {"Changes", "first_seq", "integer", true},
    {"Changes", "seq", "integer", true},
    {"Changes", "since", "integer", true},
    {"Changes", "next", "integer", true},
    {"Changes", "more", "boolean", true},
    {"Changes", "changes", "[Change]", true},

    {"Position", "position", "integer", true},
    {"Position", "anew", "boolean", true},
    {"FeedTicket", "ticket", "uuid", true},
    {"FileRecord", "file", "StoredFile", true},
    {"StoredFiles", "files", "[StoredFile]", true},
    {"StoredFiles", "next_cursor", "string?", true},

    {"Verified", "file_id", "uuid", true},
    {"Verified", "storage_element_id", "string", true},
    {"Verified", "status", "string", true},
    {"Verified", "verified", "boolean", true},
    {"Verified", "size_bytes", "integer", true},
    {"Verified", "md5_hash", "string", true},
    {"Verified", "sha256_hash", "string", true},
    {"Verified", "reason", "string", false},

    {"StorageElement", "element_id", "string", true},
    {"StorageElement", "uuid", "uuid?", true},
    {"StorageElement", "mode", "string", true},
    {"StorageElement", "listed_mode", "string", false},
    {"StorageElement", "reported_mode", "string", false},
    {"StorageElement", "pool_id", "string", false},
    {"StorageElement", "priority", "integer", true},
    {"StorageElement", "endpoint", "string", false},
    {"StorageElement", "location", "string", false},
    {"StorageElement", "capacity_total", "integer", true},
    {"StorageElement", "capacity_used", "integer", true},
    {"StorageElement", "capacity_free", "integer", true},
    {"StorageElement", "capacity_percent", "number", true},
    {"StorageElement", "capacity_status", "string", true},
    {"StorageElement", "health_status", "string", true},
    {"StorageElement", "writable", "boolean", true},
    {"StorageElement", "remote", "boolean", false},
    {"StorageElement", "stale", "boolean", false},
    {"StorageElement", "heard_at", "date-time?", false},
    {"StorageElement", "files", "integer", false},
    {"StorageElement", "bytes", "integer", false},
    {"StorageElement", "last_updated", "date-time?", false},
    {"StorageElement", "created_at", "date-time?", false},
    {"StorageElement", "updated_at", "date-time?", false},

    {"StorageElements", "storage_elements", "[StorageElement]", true},

    {"Token", "access_token", "string", true},
    {"Token", "token_type", "string", true},
    {"Token", "expires_in", "integer", true},
    {"Token", "scope", "string", false},

    {"Jwks", "keys", "[object]", true},
    {"Jwks", "version", "integer", false},

    {"KeyDocuments", "version", "integer", true},
    {"KeyDocuments", "set", "string", true},
    {"KeyDocuments", "documents", "[object]", true},

    {"TrustedKeys", "version", "integer", true},
    {"TrustedKeys", "taken", "boolean", true},

    {"Health", "status", "string", true},
    {"Health", "aggregate", "string", true},
    {"Health", "timestamp", "date-time", true},
    {"Health", "uptime_seconds", "number", false},
    {"Health", "version", "string", false},
    {"Health", "message", "string", false},
    {"Health", "components", "[object]", true},
    {"Health", "checks", "object", false},

    {"Version", "name", "string", true},
    {"Version", "version", "string", true},
    {"Version", "role", "string", true},
    {"Version", "durability", "string", true},
};

static void
put_type(struct json_writer *w, struct slice type, bool null)
{
    char ref[64] = "#/components/schemas/", plain[32] = "";

    (void)slice_copy(type, plain, sizeof(plain));
    if (type.p[0] >= 'A' && type.p[0] <= 'Z') {
        strncat(ref, plain, sizeof(ref) - strlen(ref) - 1);
        json_put_text(w, "$ref", ref);
        return;
    }
    if (slice_eq(type, SLICE("uuid")) || slice_eq(type, SLICE("date-time"))) {
        json_put_text(w, "format", plain);
        memcpy(plain, "string", sizeof("string"));
    }
    if (!null) {
        json_put_text(w, "type", plain);
        return;
    }
    json_put_list(w, "type");
    json_put_text(w, NULL, plain);
    json_put_text(w, NULL, "null");
    json_end_list(w);
}

static void
put_member(struct json_writer *w, const struct member *m)
{
    struct slice type = slice_str(m->type);
    bool null = slice_ends(type, SLICE("?"));

    if (null)
        type = slice_head(type, type.n - 1);
    json_put_object(w, m->name);
    if (type.p[0] == '[') {
        json_put_text(w, "type", "array");
        json_put_object(w, "items");
        put_type(w, slice_of(type.p + 1, type.n - 2), false);
        json_end_object(w);
    } else {
        put_type(w, type, null);
    }
    json_end_object(w);
}

/* The rows of one schema stand together. */
static size_t
put_schema(struct json_writer *w, size_t i)
{
    const char *name = members[i].schema;
    size_t end = i;

    while (end < countof(members) && strcmp(members[end].schema, name) == 0)
        end++;
    json_put_object(w, name);
    json_put_text(w, "type", "object");
    json_put_list(w, "required");
    for (size_t k = i; k < end; k++)
        if (members[k].required)
            json_put_text(w, NULL, members[k].name);
    json_end_list(w);
    json_put_object(w, "properties");
    for (size_t k = i; k < end; k++)
        put_member(w, &members[k]);
    json_end_object(w);
    json_end_object(w);
    return end;
}

void
openapi_schemas(struct json_writer *w, const char *key)
{
    json_put_object(w, key);
    for (size_t i = 0; i < countof(members);)
        i = put_schema(w, i);
    json_put_raw(w, "Retention",
                 SLICE("{\"type\":\"string\",\"enum\":[\"TEMPORARY\","
                       "\"PERMANENT\"]}"));
    json_put_raw(w, "Object", SLICE("{\"type\":\"object\"}"));
    json_end_object(w);
}
