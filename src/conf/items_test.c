/* items_test.c - the lists of addresses, networks and elements.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/items.h"
#include "conf/conf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_listen(void **state)
{
    static const struct {
        const char *in;
        enum err err;
        int port;
        const char *host;
        const char *why;
    } row[] = {
        {"127.0.0.1:8020", ERR_OK, 8020, "127.0.0.1", "plain"},
        {" localhost:80 ", ERR_OK, 80, "localhost", "a name, blanks around"},
        {":80", ERR_OK, 80, "", "any address"},
        {"*:80", ERR_OK, 80, "", "the same"},
        {"[::1]:0", ERR_OK, 0, "::1", "IPv6, any free port"},
        {"[::]:65535", ERR_OK, 65535, "::", "the last port"},
        {"[fe80::1%eth0]:1", ERR_INVAL, 0, "", "no zones"},
        {"[127.0.0.1]:1", ERR_INVAL, 0, "", "brackets are for IPv6"},
        {"[::1]", ERR_INVAL, 0, "", "no port"},
        {"[::1:80", ERR_INVAL, 0, "", "bracket not closed"},
        {"[]:80", ERR_INVAL, 0, "", "nothing in the brackets"},
        {"::1:80", ERR_INVAL, 0, "", "IPv6 without brackets"},
        {"127.0.0.1", ERR_INVAL, 0, "", "no port"},
        {"127.0.0.1:", ERR_INVAL, 0, "", "an empty port"},
        {"127.0.0.1:65536", ERR_INVAL, 0, "", "one over"},
        {"127.0.0.1:-1", ERR_INVAL, 0, "", "a sign"},
        {"127.0.0.1:80x", ERR_INVAL, 0, "", "a letter"},
        {"a b:80", ERR_INVAL, 0, "", "a blank in a name"},
        {"8020", ERR_INVAL, 0, "", "a port alone"},
        {"", ERR_END, 0, "", "nothing"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct slice rest = slice_str(row[i].in);
        struct conf_listen out = {0};
        const char *why = NULL;
        enum err err = conf_listen_next(&rest, &out, &why);

        if (err != row[i].err || (err == ERR_INVAL) != (why != NULL))
            fail_msg("%s: %s: %s", row[i].in, row[i].why, err_name(err));
        if (err == ERR_OK &&
            (strcmp(out.host, row[i].host) != 0 || out.port != row[i].port))
            fail_msg("%s: %s: %s %d", row[i].in, row[i].why, out.host,
                     out.port);
    }
}

static void
test_peers(void **state)
{
    static const struct {
        const char *in;
        enum err err;
        int port;
        const char *host;
        const char *why;
    } row[] = {
        {"sentinel-1", ERR_OK, 26379, "sentinel-1", "the usual port"},
        {"10.0.0.1:26380", ERR_OK, 26380, "10.0.0.1", "its own"},
        {"[::1]", ERR_OK, 26379, "::1", "IPv6 with the usual port"},
        {"[::1]:1", ERR_OK, 1, "::1", "and with its own"},
        {"::1", ERR_INVAL, 0, "", "IPv6 without brackets"},
        {"a:0", ERR_INVAL, 0, "", "nobody listens on port 0"},
        {"a:", ERR_INVAL, 0, "", "an empty port"},
        {":1", ERR_INVAL, 0, "", "no host"},
        {"*:1", ERR_INVAL, 0, "", "any host is no host to ask"},
        {"", ERR_END, 0, "", "nothing"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct slice rest = slice_str(row[i].in);
        struct conf_listen out = {0};
        const char *why = NULL;
        enum err err = conf_peer_next(&rest, 26379, &out, &why);

        if (err != row[i].err || (err == ERR_INVAL) != (why != NULL) ||
            (err == ERR_OK &&
             (strcmp(out.host, row[i].host) != 0 || out.port != row[i].port)))
            fail_msg("%s: %s: %s", row[i].in, row[i].why, err_name(err));
    }
}

static void
test_list_ends(void **state)
{
    struct slice rest = SLICE("a:1, b:2"), trailing = SLICE("a:1,");
    struct conf_listen out;
    (void)state;

    assert_int_equal(conf_listen_next(&rest, &out, NULL), ERR_OK);
    assert_string_equal(out.host, "a");
    assert_int_equal(conf_listen_next(&rest, &out, NULL), ERR_OK);
    assert_string_equal(out.host, "b");
    assert_int_equal(conf_listen_next(&rest, &out, NULL), ERR_END);
    assert_int_equal(conf_listen_next(&rest, &out, NULL), ERR_END);
    assert_int_equal(conf_listen_next(&trailing, &out, NULL), ERR_INVAL);
}

static void
test_cidr(void **state)
{
    static const struct {
        const char *net;
        const char *addr;
        int has; /* -1: the network is not one */
        const char *why;
    } row[] = {
        {"10.0.0.0/8", "10.255.0.1", 1, "inside"},
        {"10.0.0.0/8", "11.0.0.0", 0, "one behind"},
        {"10.0.0.0/8", "9.255.255.255", 0, "one before"},
        {"192.168.4.0/22", "192.168.7.255", 1, "bits within a byte"},
        {"192.168.4.0/22", "192.168.8.0", 0, "one over"},
        {"127.0.0.1", "127.0.0.1", 1, "one address"},
        {"127.0.0.1", "127.0.0.2", 0, "and no other"},
        {"0.0.0.0/0", "203.0.113.9", 1, "all of IPv4"},
        {"0.0.0.0/0", "2001:db8::1", 0, "and nothing of IPv6"},
        {"::/0", "2001:db8::1", 1, "all of IPv6"},
        {"::/0", "203.0.113.9", 0, "and nothing of IPv4"},
        {"2001:db8::/32", "2001:db8:ffff::", 1, "inside"},
        {"2001:db8::/32", "2001:db9::", 0, "outside"},
        {"2001:db8::/33", "2001:db8:8000::", 0, "bits within a byte"},
        {"::ffff:10.0.0.0/104", "10.1.2.3", 1, "IPv4 spelled as IPv6"},
        {"10.0.0.0/33", "", -1, "too long"},
        {"::/129", "", -1, "too long"},
        {"10.0.0.1/8", "", -1, "bits behind the length"},
        {"2001:db8::1/64", "", -1, "bits behind the length"},
        {"10.0.0/8", "", -1, "three numbers"},
        {"010.0.0.0/8", "", -1, "octal or decimal? refused"},
        {"10.0.0.0/", "", -1, "no length"},
        {"10.0.0.0/-1", "", -1, "a sign"},
        {"proxy.example", "", -1, "a name"},
    };
    uint8_t addr[16];
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        struct slice rest = slice_str(row[i].net);
        struct conf_cidr net;
        enum err err = conf_cidr_next(&rest, &net, NULL);

        if (err != (row[i].has < 0 ? ERR_INVAL : ERR_OK))
            fail_msg("%s: %s: %s", row[i].net, row[i].why, err_name(err));
        if (err != ERR_OK)
            continue;
        assert_true(conf_addr_parse(slice_str(row[i].addr), addr));
        if (conf_cidr_has(&net, addr) != (row[i].has == 1))
            fail_msg("%s %s: %s", row[i].net, row[i].addr, row[i].why);
    }
    assert_true(conf_addr_parse(SLICE("10.9.9.9"), addr));
    assert_true(conf_cidr_list_has("127.0.0.0/8, 10.0.0.0/8", addr));
    assert_false(conf_cidr_list_has("127.0.0.0/8,::1", addr));
    assert_false(conf_cidr_list_has("", addr));
}

static void
test_elements(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        struct conf_element out;
        const char *why;
    } row[] = {
        {"se-01:edit:d/se-01",
         true,
         {"se-01", CONF_EDIT, "d/se-01", 100, 0},
         "the short form"},
        {"a:rw:/p:5", true, {"a", CONF_RW, "/p", 5, 0}, "a priority"},
        {"a:RO:/p:5:500G", true, {"a", CONF_RO, "/p", 5, 500 * GIB}, "a quota"},
        {"a:ar:/p::1K", true, {"a", CONF_AR, "/p", 100, 1024}, "a quota alone"},
        {"a:rw:/p:1000000", true, {"a", CONF_RW, "/p", 1000000, 0}, "most"},
        {"a:rw:/p:1000001", false, {.id = ""}, "one over"},
        {"a:rw:/p:-1", false, {.id = ""}, "a sign"},
        {"a:rw:/p:1:x", false, {.id = ""}, "no size"},
        {"a:rw:/p:1:", false, {.id = ""}, "an empty quota"},
        {"a:rw:/p:1:1:1", false, {.id = ""}, "a field too many"},
        {"a:rw:", false, {.id = ""}, "an empty path"},
        {"a:rw", false, {.id = ""}, "no path"},
        {"a", false, {.id = ""}, "no mode"},
        {"a:wr:/p", false, {.id = ""}, "no such mode"},
        {":rw:/p", false, {.id = ""}, "no id"},
        {"edit:rw:/p", false, {.id = ""}, "CNF-003"},
        {"a/b:rw:/p", false, {.id = ""}, "CNF-003"},
    };
    (void)state;

    for (size_t i = 0; i < countof(row); i++) {
        const struct conf_element *want = &row[i].out;
        struct slice rest = slice_str(row[i].in);
        struct conf_element out;
        const char *why = NULL;
        enum err err = conf_element_next(&rest, &out, &why);

        if ((err == ERR_OK) != row[i].ok || (why == NULL) != row[i].ok)
            fail_msg("%s: %s: %s", row[i].in, row[i].why, why ? why : "");
        if (err == ERR_OK &&
            (strcmp(out.id, want->id) != 0 || out.mode != want->mode ||
             strcmp(out.path, want->path) != 0 ||
             out.priority != want->priority || out.quota != want->quota))
            fail_msg("%s: %s", row[i].in, row[i].why);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen),    cmocka_unit_test(test_peers),
        cmocka_unit_test(test_list_ends), cmocka_unit_test(test_cidr),
        cmocka_unit_test(test_elements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
