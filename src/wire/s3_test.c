/* s3_test.c - tests of s3.h. SPDX-License-Identifier: Apache-2.0 */
#include "wire/s3.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS  " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static void
test_encode(void **state)
{
    static const struct {
        const char *in;
        bool path;
        const char *out, *why;
    } row[] = {
        {"azAZ09-._~", false, "azAZ09-._~", "what is never encoded"},
        {"a/b", true, "a/b", "a path keeps its slashes"},
        {"a/b", false, "a%2Fb", "a query does not"},
        {"a b+c", true, "a%20b%2Bc", "a blank is %20, a plus is not a blank"},
        {"\xc3\xa4", false, "%C3%A4", "bytes, in upper case"},
        {"!*'()&=", false, "%21%2A%27%28%29%26%3D", "RFC 3986's reserved"},
    };
    (void)state;

    for (unsigned i = 0; i < countof(row); i++) {
        struct buf b;

        buf_init(&b, 100);
        if (!s3_encode(&b, slice_str(row[i].in), row[i].path) ||
            strcmp(buf_str(&b), row[i].out) != 0)
            fail_msg("%s: %s", row[i].why, buf_str(&b));
        buf_release(&b);
    }
}

struct seen {
    char text[256];
    unsigned stop; /* after so many; 0: never */
    unsigned n;
};

static bool
see(void *arg, const struct s3_entry *e)
{
    struct seen *s = arg;
    size_t n = strlen(s->text);

    snprintf(s->text + n, sizeof(s->text) - n, "%s=%llu%s;", e->key,
             (unsigned long long)e->size, e->upload_id);
    return ++s->n != s->stop;
}

static void
test_list(void **state)
{
    static const struct {
        const char *xml;
        enum err err;
        bool more;
        const char *out, *why;
    } row[] = {
        {XML "<ListBucketResult" NS "><Name>b</Name><Prefix/>"
             "<KeyCount>2</KeyCount><IsTruncated>true</IsTruncated>"
             "<Contents><Key>a</Key><ETag>&quot;x&quot;</ETag><Size>7</Size>"
             "<Owner><ID>Key</ID><Size>9</Size></Owner></Contents>"
             "<Contents><Size>0</Size><Key>b&amp;c&#47;&#x64;</Key></Contents>"
             "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"
             "</ListBucketResult>",
         ERR_OK, true, "a=7;b&c/d=0;", "a page, with all that may stand in it"},
        {"<ListBucketResult><IsTruncated>false</IsTruncated>"
         "</ListBucketResult>\n",
         ERR_OK, false, "", "an empty bucket"},
        {"<x:ListBucketResult xmlns:x='a>b'><x:Contents><x:Key>k</x:Key>"
         "</x:Contents></x:ListBucketResult>",
         ERR_OK, false, "k=0;", "prefixed names, '>' in an attribute"},
        {"<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>2~z"
         "</UploadId></Upload></ListMultipartUploadsResult>",
         ERR_OK, false, "k=02~z;", "uploads"},
        {"<!-- a > b --><ListX><Contents/></ListX>", ERR_CORRUPT, false, "",
         "an entry without a key"},
        {"<Error><Code>NoSuchBucket</Code></Error>", ERR_CORRUPT, false, "",
         "something else"},
        {"<ListBucketResult><Contents><Key>a</Key>", ERR_CORRUPT, false, "",
         "cut short"},
        {"<ListB><Contents><Key>a</Key><Size>x</Size></Contents></ListB>",
         ERR_CORRUPT, false, "", "a size that is none"},
        {"<ListB><Contents><Key>&bad;</Key></Contents></ListB>", ERR_CORRUPT,
         false, "", "an entity that nobody declared"},
        {"<ListB><Contents><Key>&#0;</Key></Contents></ListB>", ERR_CORRUPT,
         false, "", "a zero"},
        {"<!DOCTYPE a [<!ENTITY b \"c\">]><ListB/>", ERR_CORRUPT, false, "",
         "a DOCTYPE"},
        {"<l><l><l><l><l><l><l><l><l><l><l><l><l><l><l><l><l><l>", ERR_CORRUPT,
         false, "", "a well"},
        {"", ERR_CORRUPT, false, "", "nothing"},
        {"plain", ERR_CORRUPT, false, "", "no XML"},
        {"</ListB>", ERR_CORRUPT, false, "", "an end without a start"},
    };
    (void)state;

    for (unsigned i = 0; i < countof(row); i++) {
        struct seen s = {.n = 0};
        bool more;
        enum err e = s3_list_parse(slice_str(row[i].xml), see, &s, &more);

        if (e != row[i].err ||
            (e == ERR_OK &&
             (more != row[i].more || strcmp(s.text, row[i].out) != 0)))
            fail_msg("%s: %s, \"%s\"", row[i].why, err_name(e), s.text);
    }
}

/* The same bytes, cut anywhere, are an answer or none, and never a crash. */
static void
test_cut(void **state)
{
    static const char xml[] =
        XML "<ListBucketResult" NS "><Contents><Key>a&amp;b</Key><Size>1"
            "</Size></Contents></ListBucketResult>";
    (void)state;

    for (size_t n = 0; n < sizeof(xml) - 1; n++) {
        struct seen s = {.n = 0};
        bool more;
        char *copy = malloc(n + 1); /* for the sanitizer: no byte behind */

        memcpy(copy, xml, n);
        assert_int_not_equal(s3_list_parse(slice_of(copy, n), see, &s, &more),
                             ERR_OK);
        free(copy);
    }
}

static void
test_stop(void **state)
{
    struct seen s = {.stop = 1};
    bool more;
    (void)state;

    assert_int_equal(
        s3_list_parse(SLICE("<ListB><Contents><Key>a</Key></Contents>"
                            "<Contents><Key>b</Key></Contents></ListB>"),
                      see, &s, &more),
        ERR_OK);
    assert_int_equal(s.n, 1);
}

static void
test_error(void **state)
{
    char code[S3_CODE_MAX], id[16];
    (void)state;

    s3_error_parse(SLICE(XML "<Error><Code>SlowDown</Code><Message>m"
                             "</Message></Error>"),
                   code);
    assert_string_equal(code, "SlowDown");
    s3_error_parse(SLICE("<CompleteMultipartUploadResult><Code>x</Code>"
                         "</CompleteMultipartUploadResult>"),
                   code);
    assert_string_equal(code, "");
    s3_error_parse(SLICE(""), code);
    assert_string_equal(code, "");
    assert_true(s3_text_parse(SLICE("<R><Bucket>b</Bucket><UploadId>2~abc"
                                    "</UploadId></R>"),
                              "UploadId", id, sizeof(id)));
    assert_string_equal(id, "2~abc");
    assert_false(s3_text_parse(SLICE("<R><UploadId>0123456789abcdefg"
                                     "</UploadId></R>"),
                               "UploadId", id, sizeof(id))); /* too long */
}

static const char *
etag(void *arg, unsigned i)
{
    const char *const *e = arg;

    return e[i];
}

static void
test_complete(void **state)
{
    const char *const tags[] = {"\"a\"", "\"b\""};
    struct buf b;
    (void)state;

    buf_init(&b, KIB);
    assert_true(s3_complete_format(&b, etag, (void *)(uintptr_t)tags, 2));
    assert_string_equal(
        buf_str(&b), "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
                     "<ETag>\"a\"</ETag></Part><Part><PartNumber>2</PartNumber>"
                     "<ETag>\"b\"</ETag></Part></CompleteMultipartUpload>");
    buf_release(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode), cmocka_unit_test(test_list),
        cmocka_unit_test(test_cut),    cmocka_unit_test(test_stop),
        cmocka_unit_test(test_error),  cmocka_unit_test(test_complete),
    };

    return cmocka_run_group_tests_name("s3", tests, NULL, NULL);
}
