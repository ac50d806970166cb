/* replay.c - runs a fuzz target once per file of its corpus, without libFuzzer.
 *
 * Usage: fuzz_NAME FILE|FOLDER...  A folder stands for the files in it, in the
 * order of their names. Prints how many inputs ran; exits 1 if there was none,
 * because a corpus that cannot be found must not look like one that passes.
 * Inputs lie in allocations of exactly their size, so that AddressSanitizer
 * sees the first byte read beyond one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { INPUT_MAX = 16 << 20 };

static int
run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    uint8_t *data = NULL;
    size_t n;

    if (f == NULL || fstat(fileno(f), &st) != 0)
        err(1, "%s", path);
    if (st.st_size > INPUT_MAX)
        errx(1, "%s: larger than any seed should be", path);
    n = (size_t)st.st_size;
    data = malloc(n > 0 ? n : 1);
    if (data == NULL || fread(data, 1, n, f) != n)
        err(1, "%s", path);
    fclose(f);
    (void)LLVMFuzzerTestOneInput(data, n);
    free(data);
    return 1;
}

static int
run_folder(const char *path)
{
    struct dirent **entry = NULL;
    int n = scandir(path, &entry, NULL, alphasort), ran = 0;

    if (n < 0)
        err(1, "%s", path);
    for (int i = 0; i < n; i++) {
        char file[PATH_MAX];

        if (entry[i]->d_name[0] != '.') {
            snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name);
            ran += run_file(file);
        }
        free(entry[i]);
    }
    free(entry);
    return ran;
}

int
main(int argc, char **argv)
{
    int ran = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) != 0)
            err(1, "%s", argv[i]);
        ran += S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
    }
    printf("%d inputs\n", ran);
    return ran > 0 ? 0 : 1;
}
