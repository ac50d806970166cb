/* pg_fault.c - see pg_fault.h. SPDX-License-Identifier: Apache-2.0 */
#include "io/pg_fault.h"
#include <stdio.h>
#include <string.h>

#define LINE_MAX_ 160

/* By the first characters of the code; the longest that fits goes first. A
 * running call never answers ERR_NOENT for a fault: that is an answer about a
 * row. What may be over in a moment is ERR_AGAIN. */
static const struct {
    const char *code;
    enum err err;
    enum pg_state state;
    const char *class;
    const char *hint;
} known[] = {
    {"08", ERR_AGAIN, PG_LOST, "connection", NULL},
    /* "cached plan must not change result type": the tables were changed under
     * us, and a new connection prepares anew. */
    {"0A000", ERR_UNSUPPORTED, PG_LOST, "other", NULL},
    {"22", ERR_INVAL, PG_FINE, "other", NULL},
    {"23", ERR_CONFLICT, PG_FINE, "constraint", NULL},
    {"25006", ERR_READONLY, PG_FINE, "other",
     "the server is a replica: DATABASE_URL must name the primary"},
    {"25P03", ERR_TIMEOUT, PG_LOST, "timeout", NULL},
    {"26000", ERR_UNSUPPORTED, PG_LOST, "other",
     "a pooler between must keep sessions, not transactions"},
    {"28", ERR_DENIED, PG_LOST, "connection",
     "check user and password in DATABASE_URL, and the server's pg_hba.conf"},
    {"3D000", ERR_IO, PG_LOST, "connection",
     "make the database first: createdb -O USER NAME"},
    {"40001", ERR_AGAIN, PG_COLLIDED, "serialization", NULL},
    {"40P01", ERR_AGAIN, PG_COLLIDED, "serialization", NULL},
    {"42501", ERR_DENIED, PG_FINE, "other",
     "the user of DATABASE_URL needs rights on the tables, and for "
     "`artstore migrate schema` on the schema"},
    {"42883", ERR_UNSUPPORTED, PG_FINE, "other",
     "run `artstore migrate schema`"},
    {"42703", ERR_UNSUPPORTED, PG_FINE, "other",
     "run `artstore migrate schema`"},
    {"42P01", ERR_UNSUPPORTED, PG_FINE, "other",
     "run `artstore migrate schema`"},
    {"53100", ERR_NOSPC, PG_FINE, "other", NULL},
    {"53200", ERR_NOMEM, PG_FINE, "other", NULL},
    {"53300", ERR_BUSY, PG_LOST, "connection",
     "lower DB_POOL_MAX or raise the server's max_connections"},
    {"54", ERR_TOOBIG, PG_FINE, "other", NULL},
    {"55P03", ERR_BUSY, PG_FINE, "timeout", NULL},
    {"57014", ERR_TIMEOUT, PG_FINE, "timeout", NULL},
    {"57P01", ERR_AGAIN, PG_LOST, "connection", NULL},
    {"57P02", ERR_AGAIN, PG_LOST, "connection", NULL},
    {"57P03", ERR_AGAIN, PG_LOST, "connection",
     "the server is starting or ending: try again"},
    {"57P05", ERR_AGAIN, PG_LOST, "connection", NULL},
    {"58", ERR_IO, PG_FINE, "other", NULL},
    {"XX001", ERR_CORRUPT, PG_FINE, "other", NULL},
    {"XX002", ERR_CORRUPT, PG_FINE, "other", NULL},
};

/* -1: none of these. */
static int
find(const char *code)
{
    int best = -1;

    for (int i = 0; code && i < (int)countof(known); i++)
        if (strncmp(code, known[i].code, strlen(known[i].code)) == 0 &&
            (best < 0 || strlen(known[i].code) > strlen(known[best].code)))
            best = i;
    return best;
}

enum err
pg_err_of(const char *code)
{
    int i = find(code);

    return i < 0 ? ERR_IO : known[i].err;
}

enum pg_state
pg_state_of(const char *code)
{
    int i = find(code);

    return i < 0 ? PG_FINE : known[i].state;
}

const char *
pg_class_of(const char *code)
{
    int i = find(code);

    return i < 0 ? "other" : known[i].class;
}

void
pg_name_of(const PGconn *c, char out[PG_NAME_MAX])
{
    const char *host = PQhost(c), *port = PQport(c), *db = PQdb(c);

    if (!host || !*host)
        host = PQhostaddr(c);
    if (!host || !*host)
        host = "the local socket";
    if (!db || !*db)
        db = "database";
    if (host[0] == '/' || !port || !*port)
        (void)snprintf(out, PG_NAME_MAX, "%.40s at %.50s", db, host);
    else
        (void)snprintf(out, PG_NAME_MAX, "%.40s at %.40s:%.6s", db, host, port);
}

/* The first line of TEXT without a severity in front, and without SECRET. */
static void
line_of(const char *text, const char *secret, char out[LINE_MAX_])
{
    size_t n = strcspn(text, "\n"), k = secret ? strlen(secret) : 0, w = 0;

    for (size_t i = 0; i < n && w + 4 < LINE_MAX_;) {
        if (k >= 3 && strncmp(text + i, secret, k) == 0) {
            memcpy(out + w, "***", 3);
            w += 3;
            i += k;
            continue;
        }
        out[w++] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
        i++;
    }
    out[w] = '\0';
}

enum err
pg_fault_result(const char *name, const PGresult *r, const char *op,
                struct fault *f)
{
    const char *code = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    /* Not the detail, which holds values. */
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    int i = find(code);
    char line[LINE_MAX_], what[PG_NAME_MAX + LINE_MAX_ + 16];

    line_of(text ? text : "no answer", NULL, line);
    (void)snprintf(what, sizeof(what), "%s: %s (%s)", name, line,
                   code ? code : "no code");
    (void)fault_set(f, pg_err_of(code), op, what);
    if (i >= 0 && known[i].hint)
        (void)fault_hint(f, known[i].hint);
    return pg_err_of(code);
}

/* The SQLSTATE in a message of verbosity VERBOSE, "...: 3D000: ..."; the words
 * around it may be in any language. */
static bool
code_in(const char *text, char code[6])
{
    for (const char *p = strstr(text, ": "); p; p = strstr(p + 1, ": ")) {
        const char *q = p + 2 + strspn(p + 2, " ");
        size_t n = strspn(q, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

        if (n == 5 && q[5] == ':' && strcspn(q, "0123456789") < 5) {
            memcpy(code, q, 5);
            code[5] = '\0';
            return true;
        }
    }
    return false;
}

/* What libpq says itself, without a code; in English, since the program asks
 * for no other language. */
static const struct {
    const char *part;
    enum err err;
    const char *hint;
} spoken[] = {
    {"read-only", ERR_READONLY,
     "the server is a replica, or set to be read only: DATABASE_URL must name "
     "the primary"},
    {"sslmode value", ERR_INVAL,
     "sslmode in DATABASE_URL is one of disable, allow, prefer, require, "
     "verify-ca, verify-full"},
    {"does not support SSL", ERR_UNSUPPORTED,
     "turn TLS on there (ssl = on), or take another sslmode in DATABASE_URL"},
    {"certificate", ERR_DENIED,
     "sslrootcert in DATABASE_URL names the certificates to trust, and "
     "sslmode=verify-full wants the host's name in the server's"},
    {"", ERR_AGAIN,
     "does PostgreSQL run there, and may this machine reach it? DATABASE_URL "
     "names host and port"},
};

enum err
pg_fault_connect(PGconn *c, struct fault *f)
{
    const char *text = PQerrorMessage(c);
    char line[LINE_MAX_], code[6] = "", name[PG_NAME_MAX];
    char what[PG_NAME_MAX + LINE_MAX_ + 16];
    int i = code_in(text, code) ? find(code) : -1;
    enum err e = i < 0 ? ERR_IO : known[i].err;
    const char *hint = i < 0 ? NULL : known[i].hint;

    for (size_t k = 0; !code[0] && !hint && k < countof(spoken); k++)
        if (strstr(text, spoken[k].part)) {
            e = spoken[k].err;
            hint = spoken[k].hint;
        }
    pg_name_of(c, name);
    line_of(text, PQpass(c), line);
    (void)snprintf(what, sizeof(what), "%s: %s", name, line);
    (void)fault_set(f, e, "connect to PostgreSQL", what);
    if (hint)
        (void)fault_hint(f, hint);
    return e;
}

enum err
pg_fault_lost(const char *name, PGconn *c, const char *op, struct fault *f)
{
    char line[LINE_MAX_], what[PG_NAME_MAX + LINE_MAX_ + 16];

    line_of(PQerrorMessage(c), PQpass(c), line);
    (void)snprintf(what, sizeof(what), "%s: connection lost%s%s", name,
                   line[0] ? ": " : "", line);
    return fault_set(f, ERR_AGAIN, op, what);
}
