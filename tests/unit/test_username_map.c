/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/username_map.c and map_pattern.c: which lines are a map, whom they find, and that no
 * line can be made slow or be led around. */
#include <setjmp.h>
#include <stdarg.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "oauth/map_pattern.h"
#include "oauth/username_map.h"

static struct username_map *read_map(const char *text)
{
    struct username_map *m = NULL;
    postern_error err = { 0 };

    if (postern_username_map_parse("roles.map", postern_bytes_str(text), &m, &err) != POSTERN_OK)
        fail_msg("%s: %s", text, err.detail);
    return m;
}

/* "" when no line matches. */
static const char *find(const struct username_map *m, const char *name, int *ret_line)
{
    static char user[2048];
    postern_buf out = POSTERN_BUF_INIT(sizeof user - 1);
    postern_error err = { 0 };
    postern_err e =
        postern_username_map_find(m, postern_bytes_str(name), &out, ret_line, &err);

    memcpy(user, out.ptr == NULL ? (const uint8_t *)"" : out.ptr, out.len);
    user[out.len] = '\0';
    postern_buf_free(&out);
    if (e == POSTERN_OK)
        return user;
    assert_int_equal(e, POSTERN_ERR_NO_MAPPING);
    return "";
}

static void a_name_finds_the_user_of_the_first_line_that_matches(void **state)
{
    static const char text[] = "# who is whom\n"
                               "\n"
                               "alice@example.org   alice # the one we know\n"
                               "\"a b\"\t\"a.b\"\n"
                               "\"quo\"\"te\" quote\n"
                               "/^(.*)-bot$         \\1_bot\n"
                               "/^svc-([a-z]+)@(x|y)\\.example$ svc.\\1.local\n"
                               "alice@example.org   never\n"
                               "\"/^([^@]+)@example\\.org$\" \\1\n"
                               "/^any(one)?$ \"all\"";
    static const struct {
        const char *name, *user;
        int line;
    } cases[] = {
        { "alice@example.org", "alice", 3 },
        { "a b", "a.b", 4 },
        { "quo\"te", "quote", 5 },
        { "build-bot", "build_bot", 6 },
        { "a-bot-bot", "a-bot_bot", 6 },
        { "svc-mail@y.example", "svc.mail.local", 7 },
        { "bob@example.org", "bob", 9 },
        { "any", "all", 10 },
        { "Alice@example.org", "Alice", 9 },
        { "root@example.org", "root", 9 }, /* deny_users is identity.c's */
        { "alice@example.org ", "", 0 },
        { "alice@example.orgx", "", 0 },
        { "xalice", "", 0 },
        { "alice", "", 0 },
        { "-bot", "", 0 }, /* nothing in place of \1 */
        { "build-bot\n", "", 0 },
        { "x\nbuild-bots", "", 0 },
        { "svc-mail@z.example", "", 0 },
        { "svc-MAIL@y.example", "", 0 },
        { "svc-mail@yyexample", "", 0 },
        { "bob@exampleXorg", "", 0 },
        { "a@b@example.org", "", 0 },
        { "anyone1", "", 0 },
        { "/^(.*)-bot$x", "", 0 },
        { "never", "", 0 },
    };
    struct username_map *m = read_map(text);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int line = 0;
        const char *user = find(m, cases[i].name, &line);

        if (strcmp(user, cases[i].user) != 0 || (user[0] != '\0' && line != cases[i].line))
            fail_msg("%s: got \"%s\" by line %d", cases[i].name, user, line);
    }
    postern_username_map_free(m);
}

static void a_line_that_is_none_is_named_with_its_column(void **state)
{
    static const struct {
        const char *text, *place, *why;
    } cases[] = {
        { "alice", "1:6", "local user is missing" },
        { "ok ok\n  alice # bob", "2:9", "local user is missing" },
        { "mymap alice bob", "1:13", "two words" },
        { "alice \"bob", "1:7", "without its end" },
        { "\"\" bob", "1:1", "empty" },
        { "alice \"\"", "1:7", "empty" },
        { "a,b c", "1:2", "comma" },
        { "@include x", "1:1", "comma" },
        { "alice /^bob$", "1:7", "not a regular expression" },
        { "alice \"/bob\"", "1:7", "not a regular expression" },
        { "alice +staff", "1:7", "membership" },
        { "alice all", "1:7", "anybody" },
        { "alice \\1", "1:7", "wants a regular expression" },
        { "/^alice$ \\1", "1:10", "wants a regular expression" },
        { "/^(a)$ \\2", "1:8", "backslashes" },
        { "/^(a)$ \\1\\1", "1:8", "backslashes" },
        { "/^(a)$ a\\b", "1:8", "backslashes" },
        { "/alice$ a", "1:2", "begins with ^" },
        { "/^alice a", "1:8", "ends with $" },
        { "/^alice\\$ a", "1:10", "ends with $" },
        { "/ a", "1:2", "begins with ^" },
        { "/^a|b$ a", "1:4", "alternatives" },
        { "/^(.*)\\1$ a", "1:7", "no back-reference" },
        { "/^\\d+$ a", "1:3", "\\d" },
        { "/^\\<a$ a", "1:3", "punctuation" },
        { "/^\\w$ a", "1:3", "punctuation" },
        { "/^(a*)*$ a", "1:7", "not repeated" },
        { "/^(a)+$ a", "1:6", "not repeated" },
        { "/^(a){2}$ a", "1:6", "not repeated" },
        { "/^(?:a)$ a", "1:4", "nothing to repeat" },
        { "/^a*?$ a", "1:5", "nothing to repeat" },
        { "/^*a$ a", "1:3", "nothing to repeat" },
        { "/^(|*)$ a", "1:5", "nothing to repeat" },
        { "/^a{65}$ a", "1:6", "at most 64" },
        { "\"/^a{,2}$\" a", "1:1", "at most 64" },
        { "\"/^a{2,1}$\" a", "1:1", "at most 64" },
        { "/^a{2$ a", "1:6", "at most 64" },
        { "/^(a$ a", "1:5", "( without )" },
        { "/^a)$ a", "1:4", ") without (" },
        { "/^[a$ a", "1:6", "[ without ]" },
        { "/^[\\]]$ a", "1:4", "backslash" },
        { "/^[[.a.]]$ a", "1:4", "collating" },
        { "/^[[:alpha]$ a", "1:4", "without :]" },
        { "/^[[:nonsense:]]$ a", "1:1", "no regular expression" },
        { "/^[z-a]$ a", "1:1", "no regular expression" },
        { "/^a^b$ a", "1:4", "only at the beginning" },
        { "/^a$b$ a", "1:4", "only at the end" },
        { "\"/^a{1,65}$\" a", "1:1", "at most 64" },
        { "\"/^a{1,x}$\" a", "1:1", "at most 64" },
        { "/^[[:a:x$ a", "1:4", "without :]" },
        { "/^a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*q*$ a", "1:36", "more than 16" },
        { "a b\r\n", "1:4", "carriage return" },
        { "a\x01 b\n", "1:2", "control" },
        { "a\xff b\n", "1:2", "UTF-8" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct username_map *m = NULL;
        postern_error err = { 0 };
        char place[64];
        postern_err e = postern_username_map_parse("roles.map", postern_bytes_str(cases[i].text),
                                                   &m, &err);

        (void)snprintf(place, sizeof place, "roles.map:%s: ", cases[i].place);
        if (e != POSTERN_ERR_CONFIG_SYNTAX || strncmp(err.detail, place, strlen(place)) != 0 ||
            strstr(err.detail, cases[i].why) == NULL)
            fail_msg("%s: %s %s", cases[i].text, postern_err_reason(e), err.detail);
        assert_null(m);
    }
}

static void expressions_of_the_common_part_are_taken(void **state)
{
    static const char *const texts[] = {
        "/^a{2}$ x",          "\"/^a{2,}b{0,64}$\" x", "/^[]a]$ x",     "/^[^]a]$ x",
        "/^[[a]$ x",          "/^[[:alpha:]:]$ x", "/^a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*$ x",
        "/^[a-z0-9._-]+$ x",  "/^(a|b)?c$ x",      "/^(|a)$ x",     "/^[[:alpha:]_]$ x",
        "/^\\.\\[\\]\\(\\)\\{\\}\\*\\+\\?\\^\\$\\|\\\\\\/\\-\\@$ x", "/^$ x", "# only this", "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        postern_username_map_free(read_map(texts[i]));
}

static void a_pattern_has_256_bytes_and_ends_where_it_ends(void **state)
{
    static const char *const unfinished[] = { "^a\\", "^[", "^[[", "^a{", "^[^" };
    uint8_t text[POSTERN_MAP_PATTERN_MAX + 1];
    size_t at, groups;

    (void)state;
    memset(text, 'a', sizeof text);
    text[0] = '^';
    text[sizeof text - 2] = '$';
    assert_null(postern_map_pattern_fault((postern_bytes){ text, sizeof text - 1 }, &at, &groups));
    text[sizeof text - 2] = 'a';
    text[sizeof text - 1] = '$';
    assert_string_equal(
        postern_map_pattern_fault((postern_bytes){ text, sizeof text }, &at, &groups),
        "a pattern has at most 256 bytes");
    for (size_t i = 0; i < sizeof unfinished / sizeof *unfinished; i++)
        if (postern_map_pattern_fault(postern_bytes_str(unfinished[i]), &at, &groups) == NULL ||
            at > strlen(unfinished[i]))
            fail_msg("%s: at %zu", unfinished[i], at);
}

static void a_word_of_a_line_has_at_most_1024_bytes(void **state)
{
    char text[1100];
    struct username_map *m = NULL;
    postern_error err = { 0 };
    int line;

    (void)state;
    memset(text, 'a', 1025);
    memcpy(text + 1025, " bob\n", 6);
    assert_int_equal(postern_username_map_parse("m", postern_bytes_str(text), &m, &err),
                     POSTERN_ERR_CONFIG_SYNTAX);
    assert_string_equal(err.detail, "m:1:1: longer than 1024 bytes");
    m = read_map(text + 1);
    text[1025] = '\0';
    assert_string_equal(find(m, text + 1, &line), "bob");
    assert_string_equal(find(m, text, &line), ""); /* longer than any identity */
    assert_string_equal(find(m, "", &line), "");
    postern_username_map_free(m);
}

static void limits_hold_to_the_line(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4 << 20);
    struct username_map *m = NULL;
    postern_error err = { 0 };

    (void)state;
    for (int i = 0; i < POSTERN_MAP_LINES_MAX; i++)
        postern_buf_addf(&text, "name%d user%d\n", i, i);
    m = read_map(postern_buf_cstr(&text));
    postern_username_map_free(m);
    postern_buf_addf(&text, "one more\n");
    assert_int_equal(postern_username_map_parse("m", postern_buf_bytes(&text), &m, &err),
                     POSTERN_ERR_CONFIG_SYNTAX);
    assert_string_equal(err.detail, "m:10001:1: more than 10000 lines");
    postern_buf_reset(&text);
    for (int i = 0; i < POSTERN_MAP_PATTERNS_MAX; i++)
        postern_buf_addf(&text, "/^%d$ user\n", i);
    postern_username_map_free(read_map(postern_buf_cstr(&text)));
    postern_buf_addf(&text, "/^more$ user\n");
    assert_int_equal(postern_username_map_parse("m", postern_buf_bytes(&text), &m, &err),
                     POSTERN_ERR_CONFIG_SYNTAX);
    postern_buf_reset(&text);
    for (size_t i = 0; i <= POSTERN_MAP_FILE_MAX; i++)
        postern_buf_add_byte(&text, '\n');
    assert_int_equal(postern_username_map_parse("m", postern_buf_bytes(&text), &m, &err),
                     POSTERN_ERR_CONFIG_SYNTAX);
    text.len--;
    assert_int_equal(postern_username_map_parse("m", postern_buf_bytes(&text), &m, &err),
                     POSTERN_OK);
    postern_username_map_free(m);
}

static void a_mapped_name_has_at_most_1024_bytes(void **state)
{
    struct username_map *m = read_map("/^(.*)$ x\\1\n");
    char name[1025];
    int line;

    (void)state;
    memset(name, 'a', sizeof name);
    name[1023] = '\0';
    assert_int_equal(strlen(find(m, name, &line)), 1024);
    name[1023] = 'a';
    name[1024] = '\0';
    assert_string_equal(find(m, name, &line), "");
    postern_username_map_free(m);
}

/* The worst that the rules let through: sixteen stars, each a choice, and a name that fits none. */
static void no_name_makes_an_expression_slow(void **state)
{
    static const char *const texts[] = {
        "/^(.*a.*a.*a.*a.*a.*a.*a.*a.*a.*a.*a.*a.*a.*a.*a.*b)$ \\1\n",
        "/^((a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*)(a*))$ \\1\n",
        "\"/^([a-z]*[a-m]*[a]*[a-z]*[a-m]*[a]*[a-z]*[a-m]*[a]*[a-z]*[a-m]*[a]*x{0,64}a{0,64})$\" x\n",
    };
    char name[1025];
    struct timespec begin, end;

    (void)state;
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct username_map *m = read_map(texts[i]);
        int line;

        (void)find(m, name, &line);
        postern_username_map_free(m);
    }
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    /* CPU time of this thread; a hundred times what it takes, and nothing against exponential. */
    assert_true(end.tv_sec - begin.tv_sec < 5);
}

static void letters_are_ascii_whatever_the_host_speaks(void **state)
{
    struct username_map *m;
    int line;

    (void)state;
    if (setlocale(LC_ALL, "C.UTF-8") == NULL)
        skip();
    m = read_map("/^[a-z]+$ x\n");
    assert_string_equal(find(m, "abc", &line), "x");
    assert_string_equal(find(m, "aBc", &line), "");
    assert_string_equal(find(m, "\xc3\xa4", &line), "");
    (void)setlocale(LC_ALL, "C");
    postern_username_map_free(m);
}

static void a_dump_means_the_same_and_keeps_the_lines_numbers(void **state)
{
    struct username_map *m = read_map("# x\n\nalice \"a\"\"b\"\n/^(.*)-bot$ \\1_bot # y\n");
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4096);
    POSTERN_AUTO_BUF again = POSTERN_BUF_INIT(4096);
    struct username_map *copy = NULL;
    postern_error err = { 0 };
    int line;

    (void)state;
    postern_username_map_dump(m, &text);
    assert_string_equal(postern_buf_cstr(&text), "# line 3\n\"alice\" \"a\"\"b\"\n"
                                                 "# line 4\n\"/^(.*)-bot$\" \"\\1_bot\"\n");
    assert_int_equal(
        postern_username_map_parse_dump("roles.map", postern_buf_bytes(&text), &copy, &err),
        POSTERN_OK);
    postern_username_map_dump(copy, &again);
    assert_string_equal(postern_buf_cstr(&again), postern_buf_cstr(&text));
    assert_string_equal(find(copy, "x-bot", &line), "x_bot");
    assert_int_equal(line, 4);
    postern_username_map_free(copy);
    postern_username_map_free(m);
}

/* A line's number is told to people; one that cannot be is the dump's own. */
static void an_origin_that_is_no_number_is_none(void **state)
{
    static const struct {
        const char *origin;
        int line;
    } cases[] = {
        { "# line 7", 7 },      { "# line 7x", 2 },          { "# line ", 2 },
        { "# line -7", 2 },     { "# line 99999999999", 2 }, { "# lime 7", 2 },
        { "# line 7 or so", 2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct username_map *m = NULL;
        char text[64];
        int line = 0;

        (void)snprintf(text, sizeof text, "%s\nalice bob\n", cases[i].origin);
        assert_int_equal(postern_username_map_parse_dump("m", postern_bytes_str(text), &m, NULL),
                         POSTERN_OK);
        assert_string_equal(find(m, "alice", &line), "bob");
        if (line != cases[i].line)
            fail_msg("%s: %d", cases[i].origin, line);
        postern_username_map_free(m);
    }
}

static postern_err parse_once(void *arg, postern_error *err)
{
    struct username_map *m = NULL;
    postern_err e = postern_username_map_parse("m", postern_bytes_str(arg), &m, err);

    postern_username_map_free(m);
    return e;
}

static postern_err find_once(void *arg, postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);
    int line;

    return postern_username_map_find(arg, postern_bytes_str("x-bot"), &out, &line, err);
}

static void every_failing_allocation_says_so(void **state)
{
    char text[] = "alice bob\n/^(.*)-bot$ \\1_bot\n";
    struct username_map *m = read_map(text);

    (void)state;
    assert_true(alloc_fail_sweep(parse_once, text, POSTERN_OK) >= 3);
    assert_true(alloc_fail_sweep(find_once, m, POSTERN_OK) >= 1);
    postern_username_map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_finds_the_user_of_the_first_line_that_matches),
        cmocka_unit_test(a_line_that_is_none_is_named_with_its_column),
        cmocka_unit_test(expressions_of_the_common_part_are_taken),
        cmocka_unit_test(a_pattern_has_256_bytes_and_ends_where_it_ends),
        cmocka_unit_test(a_word_of_a_line_has_at_most_1024_bytes),
        cmocka_unit_test(an_origin_that_is_no_number_is_none),
        cmocka_unit_test(limits_hold_to_the_line),
        cmocka_unit_test(a_mapped_name_has_at_most_1024_bytes),
        cmocka_unit_test(no_name_makes_an_expression_slow),
        cmocka_unit_test(letters_are_ascii_whatever_the_host_speaks),
        cmocka_unit_test(a_dump_means_the_same_and_keeps_the_lines_numbers),
        cmocka_unit_test(every_failing_allocation_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
