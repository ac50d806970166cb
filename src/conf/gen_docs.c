/* gen_docs.c - writes doc/options.md or .env.example to standard output.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"
#include <stdio.h>

int
main(int argc, char **argv)
{
    struct buf out;
    int status = 1;

    buf_init(&out, 4 * MIB);
    if (argc == 2 && strcmp(argv[1], "options.md") == 0)
        conf_doc_md(&out);
    else if (argc == 2 && strcmp(argv[1], ".env.example") == 0)
        conf_env_example(&out);
    else
        fprintf(stderr, "usage: gen_docs options.md|.env.example\n");
    if (out.n > 0 && !out.failed && fwrite(out.p, out.n, 1, stdout) == 1 &&
        fflush(stdout) == 0)
        status = 0;
    buf_release(&out);
    return status;
}
