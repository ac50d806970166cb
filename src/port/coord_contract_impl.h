/* coord_contract_impl.h - between the files of coord_contract.h only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_COORD_CONTRACT_IMPL_H
#define PORT_COORD_CONTRACT_IMPL_H

#include "port/coord_contract.h"

extern const struct coord_contract *contract; /* that runs */
extern const struct coord_world *contract_world;

enum err contract_op(struct coord_request *r); /* to its end */
void contract_pass(int64_t ms);
int contract_set_up(void **state);
int contract_tear_down(void **state);

struct coord_request contract_lease(enum coord_op o, const char *owner,
                                    int64_t ttl_ms, uint64_t epoch);

/* tests */
void contract_text(void **state);
void contract_all(void **state);
void contract_random(void **state);

#endif
