/* main.c - `artstore`: one binary, many commands (D01).
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"
#include <locale.h>
#include <signal.h>

int
main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    /* A peer or a pipe that goes away is an error of a call. */
    signal(SIGPIPE, SIG_IGN);
    return cli_end(cli_dispatch(argc, argv));
}
