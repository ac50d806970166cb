/* load_args.c - see load_args.h. SPDX-License-Identifier: Apache-2.0 */
#include "load_args.h"
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct load_opt opt = {.conns = 1, .path = "/", .seconds = 5};

static uint64_t
number(const char *text)
{
    char *end;
    uint64_t v = strtoull(text, &end, 10);

    if (*text == '\0' || *end != '\0')
        errx(2, "%s is no number", text);
    return v;
}

void
load_args(int argc, char **argv)
{
    static const char *const modes[] = {"get", "put",  "post",
                                        "tus", "hold", "slow"};
    static const struct option known[] = {
        {"port", 1, NULL, 'p'},    {"mode", 1, NULL, 'm'},
        {"path", 1, NULL, 'a'},    {"conns", 1, NULL, 'c'},
        {"size", 1, NULL, 's'},    {"count", 1, NULL, 'n'},
        {"seconds", 1, NULL, 't'}, {"chunked", 0, NULL, 'k'},
        {"header", 1, NULL, 'h'},  {"paths", 1, NULL, 'f'},
        {"collect", 1, NULL, 'o'}, {NULL, 0, NULL, 0}};
    size_t n = 0;
    int o;

    while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (o) {
        case 'p':
            opt.port = (int)number(optarg);
            break;
        case 'a':
            opt.path = optarg;
            break;
        case 'c':
            opt.conns = (int)number(optarg);
            break;
        case 's':
            opt.size = number(optarg);
            break;
        case 'n':
            opt.count = number(optarg);
            break;
        case 't':
            opt.seconds = strtod(optarg, NULL);
            break;
        case 'k':
            opt.chunked = true;
            break;
        case 'f':
            opt.paths_name = optarg;
            break;
        case 'o':
            opt.collect_name = optarg;
            break;
        case 'h':
            n += (size_t)snprintf(opt.headers + n, sizeof(opt.headers) - n,
                                  "%s\r\n", optarg);
            if (n >= sizeof(opt.headers))
                errx(2, "too many headers");
            break;
        case 'm':
            opt.mode = SLOW + 1;
            for (int i = 0; i <= SLOW; i++)
                if (strcmp(optarg, modes[i]) == 0)
                    opt.mode = (enum mode)i;
            if (opt.mode > SLOW)
                errx(2, "unknown mode %s", optarg);
            break;
        default:
            errx(2, "see the head of load.c");
        }
    }
    if (opt.port <= 0 || opt.conns <= 0 || optind != argc)
        errx(2, "see the head of load.c");
}
