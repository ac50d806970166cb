/* fuzz_conf.c - any bytes as a file of options, as an environment, or as a
 * command line: the first byte says which, and which role reads them.
 *
 * Beyond not crashing: messages are one line each, and what is printed loads
 * again to the same values.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"
#include <stdlib.h>

#define WORDS_MAX 64

static enum err
read_bytes(void *ctx, const char *path, struct buf *out, struct fault *f)
{
    const struct slice *bytes = ctx;

    (void)path;
    (void)f;
    buf_add_slice(out, *bytes);
    return ERR_OK;
}

/* TEXT ends in zero; its lines become WORD. */
static size_t
lines(char *text, const char **word)
{
    size_t n = 0;

    for (char *next; text != NULL && n < WORDS_MAX; text = next) {
        next = strchr(text, '\n');
        if (next != NULL)
            *next++ = '\0';
        word[n++] = text;
    }
    word[n] = NULL;
    return n;
}

static void
check_report(const struct conf_report *rep)
{
    for (size_t i = 0; i < rep->n; i++) {
        for (const char *p = rep->issue[i].text; *p != '\0'; p++)
            assert((unsigned char)*p >= 0x20 && *p != 0x7f);
    }
}

/* Prints C, loads what was printed, and compares. */
static void
check_again(const struct conf *c)
{
    static const char *const argv[] = {"--config", "x"};
    struct conf_input in = {
        .role = c->role, .argv = argv, .argc = 2, .read = read_bytes};
    struct conf_report rep;
    struct conf again;
    struct buf out, a, b;
    struct slice bytes;

    buf_init(&out, CONF_FILE_MAX);
    buf_init(&a, CONF_TEXT_MAX);
    buf_init(&b, CONF_TEXT_MAX);
    conf_print(c, true, &out);
    assert(!out.failed);
    bytes = buf_slice(&out);
    in.ctx = &bytes;
    conf_load(&again, &in, &rep);
    assert(rep.errors == 0);
    for (int id = 0; id < CONF_COUNT; id++) {
        buf_clear(&a);
        buf_clear(&b);
        assert(conf_value_text(c, id, &a) && conf_value_text(&again, id, &b));
        assert(id == CONF_CONFIG || conf_option[id].flags & CONF_F_SECRET ||
               slice_eq(buf_slice(&a), buf_slice(&b)));
    }
    buf_release(&out);
    buf_release(&a);
    buf_release(&b);
    conf_report_release(&rep);
    conf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const file_argv[] = {"--config", "x"};
    struct conf_input in = {.read = read_bytes};
    const char *word[WORDS_MAX + 1];
    struct conf_report rep;
    struct slice bytes;
    struct conf c;
    char *text;

    if (n == 0 || n > 4096)
        return 0;
    in.role = (enum conf_role)(data[0] % CONF_ROLES);
    bytes = slice_of(data + 1, n - 1);
    in.ctx = &bytes;
    text = malloc(n);
    assert(text != NULL);
    memcpy(text, data + 1, n - 1);
    text[n - 1] = '\0';
    switch (data[0] / 8 % 4) {
    case 0:
        in.envp = word;
        lines(text, word);
        break;
    case 1:
        in.argv = word;
        in.argc = lines(text, word);
        in.rest_allowed = data[0] & 0x80;
        break;
    default:
        in.argv = file_argv;
        in.argc = 2;
        break;
    }
    conf_load(&c, &in, &rep);
    check_report(&rep);
    if (rep.errors == 0)
        check_again(&c);
    conf_report_release(&rep);
    conf_release(&c);
    free(text);
    return 0;
}
