/* commands.c - the table of client commands: what there is, in one place.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

const struct cli_command client_commands[] = {
    {
        .name = "put",
        .summary = "store files, folders or standard input",
        .usage = "[OPTION]... FILE|FOLDER|-...",
        .run = cmd_put,
        .opts = put_opts,
        .connects = true,
        .word = CLI_WORD_FILE,
        .about =
            "Prints a line for each stored file: its id, the storage element, "
            "the size and the name. Folders are sent with all files below "
            "them; the path of each is kept as metadata `path`. Links inside "
            "folders are not followed.\n\n"
            "The SHA-256 of what is sent is computed on the way and compared "
            "with what the server says it has stored. When the server answers "
            "503 or 429, or the connection breaks before the whole file was "
            "sent, the file is sent again, --retries times at most. When it "
            "breaks after that, the file may have been stored; the message "
            "says so.",
        .example = "artstore put report.pdf\n"
                   "artstore put --retention permanent --metadata year=2025 "
                   "archive/\n"
                   "tar c src | artstore put --name src.tar -",
    },
    {
        .name = "get",
        .summary = "fetch files, resume and verify them",
        .usage = "[OPTION]... ID...",
        .run = cmd_get,
        .opts = get_opts,
        .connects = true,
        .about =
            "The bytes go to NAME.part, which gets its name only when size "
            "and SHA-256 are those that the server promised. An interrupted "
            "download continues where it ended: by itself when the connection "
            "breaks, or when the same command is given again. The name "
            "comes from the server and never leads out of the folder. An "
            "existing file is not replaced without --force.",
        .example = "artstore get 01941f2a-7c1e-7d4b-8e11-3f1c2b3a4d5e\n"
                   "artstore get -o - ID | tar t",
    },
    {
        .name = "ls",
        .summary = "list stored files",
        .usage = "[OPTION]...",
        .run = cmd_ls,
        .opts = ls_opts,
        .connects = true,
        .about = "All conditions must hold. Times are RFC 3339 in UTC, dates, "
                 "or ages like 15m, 2h, 7d.",
        .example = "artstore ls --name '*.pdf' --since 7d\n"
                   "artstore ls --all --json | jq -r .file_id",
    },
    {
        .name = "stat",
        .summary = "show what is known of files",
        .usage = "[OPTION]... ID...",
        .run = cmd_stat,
        .connects = true,
    },
    {
        .name = "rm",
        .summary = "delete files",
        .usage = "[OPTION]... ID...",
        .run = cmd_rm,
        .connects = true,
        .about = "Only files on elements in mode edit can be deleted: those "
                 "with retention temporary.",
    },
    {
        .name = "storage verify",
        .summary = "read stored files whole and compare their digests",
        .usage = "[OPTION]... ID...",
        .run = cmd_storage_verify,
        .connects = true,
        .about = "The element reads from its device, not from memory. Large "
                 "files take long: --timeout bounds the wait. Exit status 6 "
                 "when a file is damaged.",
    },
    {
        .name = "se ls",
        .summary = "list the storage elements and how full they are",
        .usage = "[OPTION]...",
        .run = cmd_se_ls,
        .connects = true,
        .about = "ROOM is what uploads may still take of the file system (or "
                 "quota): less than is free, because room is kept for deletes "
                 "(STORAGE_HEADROOM_BYTES) and for uploads under way. FILL is "
                 "all the rest, used by whomever or kept, and so more than "
                 "df(1) says.",
    },
    {
        .name = "se why",
        .summary = "why each element would or would not take a file",
        .usage = "[OPTION]... SIZE",
        .run = cmd_se_why,
        .opts = se_why_opts,
        .connects = true,
        .about = "SIZE is in bytes, or like 10M, 1.5GiB. Exit code 5 when no "
                 "element would take it. An upload of unknown length, such as "
                 "a pipe of more than 1 MiB, needs 64M.",
        .example = "artstore se why 10M --retention permanent",
    },
    {
        .name = "status",
        .summary = "health of the server, what is full, what is sick",
        .usage = "[OPTION]...",
        .run = cmd_status,
        .connects = true,
        .about = "Exit code 8 when the server says that it has failed, 0 when "
                 "it is well or degraded. Needs no credentials; with them the "
                 "elements are shown too.",
    },
    {
        .name = "account create",
        .summary = "make a service account and show its secret",
        .usage = "--scope SCOPES [OPTION]... ID",
        .run = cmd_account_create,
        .opts = account_create_opts,
        .connects = true,
        .about = "The secret is made by the server and shown this one time; "
                 "only its hash is kept. With --json the output has the form "
                 "of credentials.json and config.json.",
        .example = "artstore account create ci --scope \"read write\" --json "
                   "> ci.json\n"
                   "artstore account create gw-dc2 --scope \"read gateway\"",
    },
    {
        .name = "account ls",
        .summary = "list the service accounts",
        .usage = "[OPTION]...",
        .run = cmd_account_ls,
        .connects = true,
    },
    {
        .name = "account disable",
        .summary = "give a service account no more tokens",
        .usage = "[OPTION]... ID",
        .run = cmd_account_disable,
        .connects = true,
        .about = "Tokens that it has go on until they end, TOKEN_TTL after "
                 "they were given.",
    },
    {
        .name = "account enable",
        .summary = "take a disabled service account into use again",
        .usage = "[OPTION]... ID",
        .run = cmd_account_enable,
        .connects = true,
    },
    {
        .name = "account rotate-secret",
        .summary = "give a service account another secret",
        .usage = "[OPTION]... ID",
        .run = cmd_account_rotate,
        .opts = account_rotate_opts,
        .connects = true,
        .about = "The secret before is taken for another day (--keep), so "
                 "that those who use it can change over one after the other.",
        .example = "artstore account rotate-secret ci --keep 3600\n"
                   "artstore account rotate-secret ci --at-once",
    },
    {
        .name = "account rm",
        .summary = "remove a service account",
        .usage = "[OPTION]... ID",
        .run = cmd_account_rm,
        .connects = true,
        .about = "The accounts that the first start has made can only be "
                 "disabled.",
    },
    {
        .name = "audit ls",
        .summary = "who did what: tokens, changes, deletions",
        .usage = "[OPTION]...",
        .run = cmd_audit_ls,
        .opts = audit_ls_opts,
        .connects = true,
        .about = "The newest first. All conditions must hold.",
        .example = "artstore audit ls --action token.issue --since 1h\n"
                   "artstore audit ls --all --oldest --json > audit.jsonl",
    },
    {
        .name = "audit verify",
        .summary = "whether rows of the audit log were changed or removed",
        .usage = "[OPTION]...",
        .run = cmd_audit_verify,
        .opts = audit_verify_opts,
        .connects = true,
        .about =
            "Each row is sealed with the hash of the one before it; all "
            "sums are done anew here. Exit status 6 when a row was changed, "
            "removed, put in or moved, and the first such row is named.\n\n"
            "Who can write to the database could do all sums anew too. Note "
            "the last line somewhere else, and give it the next time as "
            "--anchor: then that would be seen.",
        .example = "artstore audit verify | tail -1 >> /mnt/elsewhere/anchors\n"
                   "artstore audit verify --anchor "
                   "\"$(tail -1 /mnt/elsewhere/anchors)\"",
    },
    {
        .name = "keys ls",
        .summary = "list the keys that sign tokens",
        .usage = "[OPTION]...",
        .run = cmd_keys_ls,
        .connects = true,
    },
    {
        .name = "keys rotate",
        .summary = "make the next key, which signs soon",
        .usage = "[OPTION]...",
        .run = cmd_keys_rotate,
        .opts = keys_rotate_opts,
        .connects = true,
        .about =
            "The new key is published at once and signs when all who verify "
            "have heard of it; the key before verifies until the last token "
            "that it may have signed has ended, and is then removed. The "
            "server sees to all that by itself, also when it is restarted in "
            "between.",
        .example = "artstore keys rotate\n"
                   "artstore keys rotate --lead 0 --keep 0   # it was stolen",
    },
    {
        .name = "token",
        .summary = "print a bearer token",
        .usage = "[OPTION]...",
        .run = cmd_token,
        .opts = token_opts,
        .connects = true,
        .about = "With --data-dir the token is signed with the server's own "
                 "key, without asking it, whether it runs or not. Otherwise "
                 "the server is asked with the client credentials.",
        .example = "curl -H \"Authorization: Bearer $(artstore token "
                   "--data-dir D)\" ...",
    },
    {
        .name = "version",
        .summary = "print the version",
        .usage = "[OPTION]...",
        .run = cmd_version,
        .opts = version_opts,
        .connects = true,
    },
    {
        .name = "completion",
        .summary = "print a completion script for a shell",
        .usage = "bash|zsh|fish",
        .run = cmd_completion,
        .word = CLI_WORD_SHELL,
        .example = "artstore completion bash > "
                   "~/.local/share/bash-completion/completions/artstore\n"
                   "artstore completion zsh > ~/.zfunc/_artstore\n"
                   "artstore completion fish > "
                   "~/.config/fish/completions/artstore.fish",
    },
    {
        .name = "man",
        .summary = "print the manual page, as roff",
        .usage = "",
        .run = cmd_man,
        .example = "artstore man | man -l -",
    },
    {
        .name = "help",
        .summary = "explain a command or a topic",
        .usage = "[COMMAND|TOPIC]",
        .run = cmd_help,
        .word = CLI_WORD_COMMAND,
    },
    {0},
};

const struct cli_note cli_environment[] = {
    {"ARTSTORE_URL", "The server, as --url."},
    {"ARTSTORE_TOKEN", "Bearer token, as --token."},
    {"ARTSTORE_CLIENT_ID, ARTSTORE_CLIENT_SECRET",
     "Client credentials, as --client-id and --client-secret."},
    {"ARTSTORE_TOKEN_URL", "Where tokens are issued, as --token-url."},
    {"DATA_DIR", "Data folder of a server on this machine, as --data-dir."},
    {"ARTSTORE_CACERT", "Trusted certificates, as --cacert."},
    {"https_proxy, no_proxy",
     "As curl(1) understands them; never for a server on this machine."},
    {"NO_COLOR", "When it is set, no colours."},
    {0},
};

const struct cli_note cli_files[] = {
    {"~/.config/artstore/config.json",
     "A JSON object with any of url, token, client_id, client_secret, "
     "token_url, cacert, data_dir. Under $XDG_CONFIG_HOME where that is set."},
    {"DIR/server.json",
     "Written into its data folder by a running server: url and pid."},
    {"DIR/credentials.json",
     "The first service account of a server: client_id, client_secret."},
    {"NAME.part", "What has come so far of NAME; see get."},
    {0},
};

const char cli_places[] =
    "The server is the first of: --url, ARTSTORE_URL, server.json in the data "
    "folder, url in config.json, http://127.0.0.1:8020.\n\n"
    "The credentials are the first of: --token, ARTSTORE_TOKEN; --client-id "
    "with --client-secret, or ARTSTORE_CLIENT_ID with ARTSTORE_CLIENT_SECRET; "
    "credentials.json in the data folder; token, or client_id with "
    "client_secret, in config.json. A token is got with id and secret at "
    "--token-url, ARTSTORE_TOKEN_URL, token_url in config.json, or the "
    "server; with those of a data folder, at the server that runs there.\n\n"
    "The data folder is --data-dir, DATA_DIR, or data_dir in config.json; "
    "without a config.json also artstore-data in the current folder, when it "
    "is yours.";

#define AT(member) offsetof(struct cli_common, member)

const struct cli_opt cli_common_opts[] = {
    {.name = "url",
     .kind = OPT_TEXT,
     .at = AT(url),
     .value = "URL",
     .help = "The server, like http://127.0.0.1:8020."},
    {.name = "token",
     .kind = OPT_SECRET,
     .at = AT(token),
     .value = "TOKEN",
     .help = "Bearer token. Better given as ARTSTORE_TOKEN: a command line "
             "can be seen by others for a moment."},
    {.name = "client-id",
     .kind = OPT_TEXT,
     .at = AT(client_id),
     .value = "ID",
     .help = "Client credentials, to get a token with."},
    {.name = "client-secret",
     .kind = OPT_SECRET,
     .at = AT(client_secret),
     .value = "SECRET",
     .help = "Better given as ARTSTORE_CLIENT_SECRET."},
    {.name = "token-url",
     .kind = OPT_TEXT,
     .at = AT(token_url),
     .value = "URL",
     .help = "Where a token is got with them, when not at --url: in a cluster "
             "Admin's address; with a path, that of another issuer."},
    {.name = "data-dir",
     .kind = OPT_TEXT,
     .at = AT(data_dir),
     .value = "DIR",
     .help = "Data folder of a server on this machine: its address and "
             "credentials are read from there."},
    {.name = "cacert",
     .kind = OPT_TEXT,
     .at = AT(cacert),
     .value = "FILE",
     .help = "Certificates (PEM) to trust instead of the system's."},
    {.name = "timeout",
     .kind = OPT_UINT,
     .at = AT(timeout),
     .value = "SECONDS",
     .min = 1,
     .max = 86400,
     .help = "Give up when no byte has moved for so long (120). There is no "
             "limit on the whole."},
    {.name = "json",
     .kind = OPT_FLAG,
     .at = AT(json),
     .help = "Print JSON, one object a line."},
    {.name = "quiet",
     .letter = 'q',
     .kind = OPT_FLAG,
     .at = AT(quiet),
     .help = "No progress bar and no remarks."},
    {.name = "help",
     .letter = 'h',
     .kind = OPT_FLAG,
     .at = AT(help),
     .help = "Explain this command."},
    {0},
};

const struct cli_opt cli_help_opts[] = {
    {.name = "help",
     .letter = 'h',
     .kind = OPT_FLAG,
     .at = AT(help),
     .help = "Explain this command."},
    {0},
};
