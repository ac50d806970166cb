/* near.c - see near.h. SPDX-License-Identifier: Apache-2.0 */
#include "conf/near.h"
#include "base/near.h"

static bool
last_words(struct slice name, const char *option)
{
    struct slice o = slice_str(option);

    if (name.n < 3 || name.n + 1 >= o.n || o.p[o.n - name.n - 1] != '_')
        return false;
    return near_distance(name, slice_skip(o, o.n - name.n), 0) == 0;
}

int
conf_near(struct slice name, enum conf_role role)
{
    const int max = near_slips(name);
    int best = -1, best_cost = 2 * NEAR_FAR;

    for (int id = 0; id < CONF_COUNT; id++) {
        const struct conf_option *o = &conf_option[id];
        const bool mine = o->roles & CONF_ROLE_BIT(role);
        int cost = near_distance(name, slice_str(o->name), max);

        if (cost == NEAR_FAR) {
            if (!last_words(name, o->name))
                continue;
            cost = max + 1;
        }
        cost = 2 * cost + !mine;
        if (cost < best_cost) {
            best = id;
            best_cost = cost;
        }
    }
    return best;
}
