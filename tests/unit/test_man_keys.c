/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doc/man/postern.conf.5 lists the settings as the table has them: with place, type, range and
 * default.  After a change of the table, `tests/unit/test_man_keys --print` writes the new list;
 * put it between the two marks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <postern/config.h>

#define BEGIN ".\\\" begin of the table: tests/unit/test_man_keys --print writes it\n"
#define END   ".\\\" end of the table\n"

static char page[262144];

static const char *read_page(void)
{
    const char *top = getenv("top_srcdir");
    char path[512];
    FILE *in;

    if (snprintf(path, sizeof path, "%s/doc/man/postern.conf.5", top == NULL ? "." : top) < 0)
        return NULL;
    in = fopen(path, "r");
    if (in == NULL)
        return NULL;
    page[fread(page, 1, sizeof page - 1, in)] = '\0';
    fclose(in);
    return page;
}

static void the_page_holds_the_table(void **state)
{
    POSTERN_AUTO_BUF table = POSTERN_BUF_INIT(1 << 17);
    const char *begin = read_page(), *end;

    (void)state;
    assert_non_null(begin);
    postern_config_describe_keys(&table);
    assert_false(table.failed);
    begin = strstr(begin, BEGIN);
    assert_non_null(begin);
    begin += strlen(BEGIN);
    end = strstr(begin, END);
    assert_non_null(end);
    page[end - page] = '\0';
    assert_string_equal(begin, postern_buf_cstr(&table));
}

static int print_table(void)
{
    POSTERN_AUTO_BUF table = POSTERN_BUF_INIT(1 << 17);

    postern_config_describe_keys(&table);
    return table.failed || fwrite(table.ptr, 1, table.len, stdout) != table.len;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_page_holds_the_table) };

    if (argc == 2 && strcmp(argv[1], "--print") == 0)
        return print_table();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
