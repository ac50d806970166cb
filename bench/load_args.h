/* load_args.h - the command line of load.c; its words are explained there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOAD_ARGS_H
#define BENCH_LOAD_ARGS_H

#include <stdbool.h>
#include <stdint.h>

enum mode { GET, PUT, POST, TUS, HOLD, SLOW };

struct load_opt {
    int port, conns;
    enum mode mode;
    const char *path, *collect_name, *paths_name;
    uint64_t size, count;
    double seconds;
    bool chunked;
    char headers[2048];
};

extern struct load_opt opt;

/* Fills opt; ends the program where the line is not valid. */
void load_args(int argc, char **argv);

#endif
