/* conf.h - options: what a process was told, and by whom.
 *
 * One table (options.def) lists every option. conf_load() fills a plain struct
 * from four sources, a later one over an earlier one:
 *
 *     built-in default  <  --config FILE  <  environment  <  command line
 *
 * and finds every mistake in all of them, not only the first. A mistake stops
 * the start: the caller prints the report and ends with CONF_EXIT (PRD-187).
 *
 *     struct conf c;
 *     struct conf_report rep;
 *     struct conf_input in = {.role = CONF_SERVER, .argv = argv + 2,
 *                             .argc = argc - 2, .envp = environ,
 *                             .read = read_file};
 *
 *     conf_load(&c, &in, &rep);
 *     if (rep.errors > 0) ... print conf_report_print(), exit(CONF_EXIT)
 *     listen_on(c.app_port);
 *     conf_report_release(&rep);
 *     conf_release(&c);
 *
 * Names (D40). An option NAME is --name on the command line, NAME in a file and
 * in the environment, and ARTSTORE_NAME in both. Under each of these a role may
 * stand in front (STORAGE_APP_PORT, ARTSTORE_STORAGE_APP_PORT): it holds for
 * that role only and goes before the plain name of the same source, so that
 * all roles of an installation can share one file. Options with the flag PREFIX
 * have too general a name for the environment and are ARTSTORE_NAME there.
 *   - Unknown: refused on the command line, in files and under ARTSTORE_, with
 *     the nearest name that exists. (Names that Kubernetes makes for a service
 *     called artstore are told apart and ignored; so are ARTSTORE_TEST_*,
 *     ARTSTORE_BIN and ARTSTORE_BUILD of our tests.)
 *   - Of another role: ignored in files and environment, refused on the command
 *     line.
 *   - Removed (ING-129, D03, D12): ignored with one warning.
 *   - Foreign: a number given as tcp://... is a Kubernetes service link and
 *     ignored with a warning.
 *
 * Values. Booleans: on off true false yes no 1 0 in any case (CNF-007). Sizes:
 * digits and K M G T with or without B or iB, always powers of 1024. Durations:
 * a number, which may have a fraction, and ms s m h d; without a suffix in the
 * unit of the option. An empty value in a file or in the environment means "not
 * given" except for text, where it is the empty text. A secret may lie in a
 * file of its own, named by NAME_FILE, and may not stand on the command line.
 *
 * Nothing here reads a file, a clock or the environment by itself. Memory: the
 * texts of a struct conf and the report are malloc'ed; no memory means an error
 * in the report. A loaded struct conf does not change and may be read by any
 * thread. SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mono.h"
#include "base/slice.h"

#define CONF_EXIT      78 /* EX_CONFIG of sysexits.h */
#define CONF_FILE_MAX  ((size_t)1024 * 1024)
#define CONF_ISSUE_MAX 200   /* further ones are only counted */
#define CONF_TEXT_MAX  16383 /* longest value of any option */

enum conf_role {
    CONF_SERVER, /* all roles in one process */
    CONF_INGESTER,
    CONF_STORAGE,
    CONF_ADMIN,
    CONF_ALERTS,
    CONF_CLIENT, /* put, get, token ... */
    CONF_ROLES
};
#define CONF_ROLE_BIT(role) (1u << (role))

/* The choices of the ENUM rows, in the order of their lists (a test compares
 * them with the rows). */
enum conf_env {
    CONF_ENV_DEVELOPMENT,
    CONF_ENV_TEST,
    CONF_ENV_STAGING,
    CONF_ENV_PRODUCTION
};
enum conf_loop { CONF_LOOP_AUTO, CONF_LOOP_URING, CONF_LOOP_EPOLL };
enum conf_durability { CONF_STRICT, CONF_RELAXED };
enum conf_tls { CONF_TLS_1_3, CONF_TLS_1_2 };
enum conf_retention { CONF_TEMPORARY, CONF_PERMANENT };
enum conf_mode { CONF_EDIT, CONF_RW, CONF_RO, CONF_AR };
enum conf_backend { CONF_LOCAL, CONF_S3 };
enum conf_sandbox { CONF_SANDBOX_OFF, CONF_SANDBOX_AUTO, CONF_SANDBOX_ON };
enum conf_log_level {
    CONF_LOG_DEBUG,
    CONF_LOG_INFO,
    CONF_LOG_WARNING,
    CONF_LOG_ERROR,
    CONF_LOG_CRITICAL
};
enum conf_log_format { CONF_LOG_JSON, CONF_LOG_TEXT };
enum conf_compression { CONF_GZIP, CONF_BROTLI };

/* ---- the table as data ---- */

enum conf_type {
    CONF_BOOL, /* bool */
    CONF_INT,  /* int64_t */
    CONF_SIZE, /* uint64_t, in the unit of the row */
    CONF_DUR,  /* struct dur */
    CONF_ENUM, /* int */
    CONF_TEXT, /* const char *, never NULL */
    CONF_LIST  /* the same; see conf/items.h for the walkers */
};

enum conf_unit {
    CONF_U_NONE,
    CONF_U_BYTES,
    CONF_U_BPS,
    CONF_U_MIB,
    CONF_U_MS,
    CONF_U_S,
    CONF_U_HOURS,
    CONF_U_DAYS,
    CONF_U_PERCENT,
    CONF_U_POINTS,
    CONF_U_FILES,
    CONF_U_ELEMENTS,
    CONF_U_ATTEMPTS,
    CONF_U_REQUESTS
};

enum conf_check {              /* how a TEXT or an item of a LIST must look */
                  CONF_C_TEXT, /* UTF-8 or not, but no control characters */
                  CONF_C_ID,   /* letters, digits, dot, hyphen, underscore */
                  CONF_C_ELEMENT_ID, /* the same, and not reserved (CNF-003) */
                  CONF_C_WORDS,      /* an ID, also with , : and + */
                  CONF_C_HOST,       /* name or address, without a port */
                  CONF_C_PATH,
                  CONF_C_URL, /* scheme://something */
                  CONF_C_MIME,
                  CONF_C_LISTEN,
                  CONF_C_PEERS,
                  CONF_C_CIDR,
                  CONF_C_ELEMENTS,
                  CONF_C_SWITCH_OR_PATH
};

enum conf_flag {
    CONF_F_RELOAD = 1,
    CONF_F_SECRET = 2,
    CONF_F_PLANNED = 4,
    CONF_F_PREFIX = 8
};

enum conf_id {
#define OPT(name, ...) CONF_##name,
#include "conf/options.def"
#undef OPT
    CONF_COUNT
};

struct conf_option {
    const char *name; /* APP_PORT */
    enum conf_type type;
    enum conf_unit unit;
    int64_t min; /* value; ms for DUR; bytes of text for TEXT and LIST */
    int64_t max;
    const char *choices;  /* ENUM: "a|b"; else NULL */
    const char *initial;  /* default as text */
    const char *per_role; /* "storage=8010 admin=8000" */
    enum conf_check check;
    unsigned roles; /* of CONF_ROLE_BIT */
    unsigned flags; /* of enum conf_flag */
    int group;
    const char *help;
    size_t offset; /* of the field in struct conf */
};

extern const struct conf_option conf_option[CONF_COUNT];

const char *conf_role_name(enum conf_role role); /* "server" */
/* False: there is no such role. */
bool conf_role_parse(struct slice s, enum conf_role *role);

/* NAME as in the table, in any case and with - for _; -1: there is none. */
int conf_option_find(struct slice name);
/* The default of option ID in ROLE, as text. */
struct slice conf_option_default(int id, enum conf_role role);
/* "--app-port" into OUT of CAP bytes; returns OUT. */
const char *conf_option_flag(int id, char *out, size_t cap);

/* ---- the values ---- */

enum conf_layer { CONF_BY_DEFAULT, CONF_BY_FILE, CONF_BY_ENV, CONF_BY_ARGV };

struct conf_source {
    enum conf_layer layer;
    uint8_t rank;     /* the loader's: which name of one layer goes first */
    uint32_t line;    /* of the file */
    const char *file; /* NULL unless BY_FILE; lives as long as the conf */
};

struct conf_text; /* a text that a struct conf owns */

#define CONF_CTYPE_BOOL bool
#define CONF_CTYPE_INT  int64_t
#define CONF_CTYPE_SIZE uint64_t
#define CONF_CTYPE_DUR  struct dur
#define CONF_CTYPE_ENUM int
#define CONF_CTYPE_TEXT const char *
#define CONF_CTYPE_LIST const char *

/* The fields stand in the order of the table.
 * NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct conf {
    enum conf_role role;
    struct conf_text *texts;
    struct conf_source source[CONF_COUNT];
#define OPT(name, field, type, ...) CONF_CTYPE_##type field;
#include "conf/options.def"
#undef OPT
};

/* ---- what was found ---- */

enum conf_level {
    CONF_NOTICE,  /* worth telling whoever checks a configuration */
    CONF_WARNING, /* the start goes on; logged once */
    CONF_ERROR
};

struct conf_issue {
    enum conf_level level;
    int option;     /* enum conf_id, or -1 */
    char text[480]; /* one line, no secret, no control character */
};

struct conf_report {
    struct conf_issue *issue;
    size_t n;
    size_t errors; /* counts include those that found no room in ISSUE */
    size_t warnings;
    size_t notices;
    bool help;         /* --help or -h was given */
    bool print_config; /* --print-config was given */
    size_t rest;       /* where the arguments that are not options begin */
};

struct conf_input {
    enum conf_role role;
    const char *const *argv; /* behind the subcommand; may be NULL */
    size_t argc;
    bool rest_allowed;       /* the subcommand takes further arguments: the
                              * first that does not begin with -- (or what
                              * follows a single --) begins the rest */
    const char *const *envp; /* NAME=value, ends in NULL; may be NULL */
    /* Appends the whole file PATH to OUT (at most CONF_FILE_MAX). May be NULL:
     * then no file can be given. */
    enum err (*read)(void *ctx, const char *path, struct buf *out,
                     struct fault *f);
    void *ctx;
    /* Of conf_check() only; may be NULL. Says in REP (conf_report_add()) what
     * is wrong with the files that C names. */
    void (*look)(const struct conf *c, struct conf_report *rep);
};

/* Fills *C and *REP; both are to be released in any case. ERR_OK, or ERR_INVAL
 * when there is an error in REP: *C then holds what could be read, with the
 * defaults for the rest. */
enum err
conf_load(struct conf *c, const struct conf_input *in, struct conf_report *rep);
void conf_release(struct conf *c);
void conf_report_release(struct conf_report *rep);
/* OPTION: enum conf_id, or -1. Control characters become ?, so that a value
 * cannot forge a line; what is too long is cut. */
void conf_report_add(struct conf_report *rep, enum conf_level level, int option,
                     const char *fmt, ...) PRINTF_LIKE(4, 5);

/* ---- telling people ---- */

/* The value of option ID as it would be written in a file (without quotes),
 * *** for a secret that is set. False, and nothing added: OUT is full. */
bool conf_value_text(const struct conf *c, int id, struct buf *out);
/* "environment", "artstore.env:12" ... */
bool conf_source_text(const struct conf *c, int id, struct buf *out);

/* All options of the role as NAME=value lines that could be read again, each
 * with its source behind it; secrets that are set are masked and stand in a
 * comment. ALL false: only those that were given. */
void conf_print(const struct conf *c, bool all, struct buf *out);

/* "error: ..." lines of level LEAST and above. */
void conf_report_print(const struct conf_report *rep, enum conf_level least,
                       struct buf *out);

/* The options part of `artstore ROLE --help`, grouped. */
void conf_help(enum conf_role role, struct buf *out);
/* doc/options.md and .env.example, byte for byte. */
void conf_doc_md(struct buf *out);
void conf_env_example(struct buf *out);

/* Is Admin asked over http, and not on this machine? Who stands in between can
 * give keys of his own, by which tokens are then believed. */
bool conf_admin_in_clear(const struct conf *c);

/* Is there no service account where elements and Admin want a token, as far as
 * AUTH_ENABLED of this process tells? */
bool conf_account_missing(const struct conf *c);

/* postgresql://..., with the signs of a password written so that libpq finds
 * its end: of u:p@ss/w@h it would call ss a host and w@h a database, and name
 * both in its faults. */
bool conf_database_url_fits(const char *url);

/* `artstore check-config`: loads, and writes mistakes, warnings, notices and
 * the values that were given (all values with ALL). Returns the exit status: 0,
 * or CONF_EXIT. */
int conf_check(const struct conf_input *in, bool all, struct buf *out);

/* After a reload: says in REP (notices) which options differ between OLD and
 * FRESH and take effect, and (warnings) which need a restart. Returns the
 * number of the latter. PLANNED ones are not spoken of. */
size_t conf_compare(const struct conf *old, const struct conf *fresh,
                    struct conf_report *rep);
/* Takes FRESH's values of the options with RELOAD, and where they come from.
 * Texts stay FRESH's, which must live until the next such call. */
void conf_adopt(struct conf *c, const struct conf *fresh);

#endif
