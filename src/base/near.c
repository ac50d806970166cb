/* near.c - see near.h. Distance by rows (Wagner and Fischer 1974), with swaps
 * of neighbours as in Damerau's optimal string alignment.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/near.h"

#define NEAR_MAX 64 /* longer than any name of ours; a test compares */

static char
fold(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c == '-' ? '_' : c;
}

static int
min3(int a, int b, int c)
{
    int m = a < b ? a : b;

    return m < c ? m : c;
}

int
near_distance(struct slice a, struct slice b, int max)
{
    int row[3][NEAR_MAX + 1];
    const size_t apart = a.n > b.n ? a.n - b.n : b.n - a.n;

    if (a.n > NEAR_MAX || b.n > NEAR_MAX || apart > (size_t)max)
        return NEAR_FAR;
    for (size_t j = 0; j <= b.n; j++)
        row[0][j] = (int)j;
    for (size_t i = 1; i <= a.n; i++) {
        int *now = row[i % 3], *last = row[(i - 1) % 3];
        const int *before = row[(i + 1) % 3];

        now[0] = (int)i;
        for (size_t j = 1; j <= b.n; j++) {
            const char x = fold(a.p[i - 1]), y = fold(b.p[j - 1]);

            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == fold(b.p[j - 2]) &&
                y == fold(a.p[i - 2]) && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return row[a.n % 3][b.n] <= max ? row[a.n % 3][b.n] : NEAR_FAR;
}
