/* free_port - for tests: a port on loopback that stays free until the server
 * that it is for listens, also while that server is down to be started again.
 *
 * A port that the system names (bind to 0) comes from the range that it also
 * takes the near ends of connections from, so that any connection of this
 * machine may have it by then. This one is from below that range, and claimed
 * until the process ends against other tests (tools/ports.py does the same,
 * with the same claims).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ARTSTORE_IO_FREE_PORT_H
#define ARTSTORE_IO_FREE_PORT_H

#include <stdint.h>

uint16_t free_port(void);

#endif
