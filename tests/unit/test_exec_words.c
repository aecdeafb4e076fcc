/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/oauth/exec_words.c: what a program is started with is what stands in the file, word by word, and
 * nothing is a shell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <postern-private/exec_words.h>

#include "../support/alloc_fail.h"

/* "[a][b c]", or the complaint. */
static void assert_words(const char *text, const char *want)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    POSTERN_AUTO_BUF shown = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 4);
    size_t count = 0, seen = 0;
    const char *fault = postern_exec_words_split(text, &words, &count);

    assert_false(words.failed);
    if (fault != NULL) {
        assert_string_equal(fault, want);
        return;
    }
    postern_buf_add_str(&shown, "");
    for (size_t at = 0; at < words.len; at += strlen((const char *)words.ptr + at) + 1) {
        postern_buf_addf(&shown, "[%s]", (const char *)words.ptr + at);
        seen++;
    }
    assert_int_equal(seen, count);
    assert_string_equal(shown.len == 0 ? "" : postern_buf_cstr(&shown), want);
}

static void words_stand_between_blanks(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { " \t ", "" },
        { "/bin/cat", "[/bin/cat]" },
        { "  /bin/cat\t -u  x ", "[/bin/cat][-u][x]" },
        { "/b \"a b\" c", "[/b][a b][c]" },
        { "/b \"\" \"\"", "[/b][][]" },
        { "/b \"\\\" \\\\\"", "[/b][\" \\]" },
        { "/b \"\t\"", "[/b][\t]" },
        { "\"/opt/my tools/run\" x", "[/opt/my tools/run][x]" },
        { "/b \xc3\xa4", "[/b][\xc3\xa4]" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_words(cases[i][0], cases[i][1]);
}

/* What a shell would do something with is a byte like any other. */
static void nothing_is_expanded(void **state)
{
    (void)state;
    assert_words("/b $HOME ${agent} $(id) `id` ~ * ? [a] {a,b} a;b a|b a&b >x <y #z 'q r' \\n !1",
                 "[/b][$HOME][${agent}][$(id)][`id`][~][*][?][[a]][{a,b}][a;b][a|b][a&b][>x][<y][#z]['q]"
                 "[r'][\\n][!1]");
    assert_words("/b \"$HOME `id` 'x'\"", "[/b][$HOME `id` 'x']");
}

static void what_could_mean_two_things_is_refused(void **state)
{
    static const char *const cases[][2] = {
        { "/b \"", "has a quotation mark that is not closed" },
        { "/b \"a", "has a quotation mark that is not closed" },
        { "/b \"a\\\"", "has a quotation mark that is not closed" },
        { "/b \"a\\", "has a backslash in quotation marks that stands before neither \" nor \\" },
        { "/b \"a\\n\"", "has a backslash in quotation marks that stands before neither \" nor \\" },
        { "/b \"a\"b", "has no blank behind a quoted word" },
        { "/b \"a\"\"b\"", "has no blank behind a quoted word" },
        { "/b a\"b c\"", "has a quotation mark inside of a word: quote the whole word" },
        { "/b --x=\"y\"", "has a quotation mark inside of a word: quote the whole word" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_words(cases[i][0], cases[i][1]);
}

static void bounds_are_exact(void **state)
{
    char *text = malloc(POSTERN_EXEC_TEXT_MAX + 2);
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(POSTERN_EXEC_TEXT_MAX * 2);
    size_t count = 0;

    (void)state;
    assert_non_null(text);
    memset(text, 'a', POSTERN_EXEC_TEXT_MAX + 1);
    text[POSTERN_EXEC_TEXT_MAX + 1] = '\0';
    assert_string_equal(postern_exec_words_split(text, &words, &count), "is longer than 4096 bytes");
    text[POSTERN_EXEC_TEXT_MAX] = '\0';
    assert_null(postern_exec_words_split(text, &words, &count));
    assert_int_equal(count, 1);
    for (size_t i = 0; i < 2 * POSTERN_EXEC_WORDS_MAX; i++)
        text[i] = i % 2 == 0 ? 'x' : ' ';
    text[2 * POSTERN_EXEC_WORDS_MAX] = '\0';
    assert_null(postern_exec_words_split(text, &words, &count));
    assert_int_equal(count, POSTERN_EXEC_WORDS_MAX);
    memcpy(text + 2 * POSTERN_EXEC_WORDS_MAX, "x", 2);
    assert_string_equal(postern_exec_words_split(text, &words, &count), "has more than 128 words");
    free(text);
}

static void a_program_is_an_absolute_path(void **state)
{
    (void)state;
    assert_null(postern_exec_fault("/bin/cat"));
    assert_null(postern_exec_fault("\"/opt/my tools/run\" ./x"));
    assert_string_equal(postern_exec_fault(""), "names no program");
    assert_string_equal(postern_exec_fault(" "), "names no program");
    assert_string_equal(postern_exec_fault("\"\" x"),
                        "does not begin with the program's absolute path");
    assert_string_equal(postern_exec_fault("cat"),
                        "does not begin with the program's absolute path");
    assert_string_equal(postern_exec_fault("./cat"),
                        "does not begin with the program's absolute path");
    assert_string_equal(postern_exec_fault("/bin/"), "names a folder");
    assert_string_equal(postern_exec_fault("/"), "names a folder");
    assert_string_equal(postern_exec_fault("/b \""), "has a quotation mark that is not closed");
}

static void an_environment_is_names_and_values(void **state)
{
    static const char *const good[] = { "", "A=", "A=1 B=2", "_a9=x=y", "\"A=b c\" B=$A", "A=1 AB=2" };
    static const char *const bad[] = { "A",    "=x",      "1A=x", "A-B=x", "\"A B=x\"",
                                       "A= =", "\"\" A=", "A=1 B" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_null(postern_exec_env_fault(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(postern_exec_env_fault(bad[i]), "holds a word that is not NAME=VALUE");
    assert_string_equal(postern_exec_env_fault("A=1 B=2 A=3"), "names one twice");
    assert_string_equal(postern_exec_env_fault("A=\"1\""),
                        "has a quotation mark inside of a word: quote the whole word");
}

static postern_err judge_once(void *arg, postern_error *err)
{
    const char *fault = ((const char *(*const *)(const char *))arg)[0]("/bin/cat=x y=z");

    if (fault == NULL)
        return POSTERN_OK;
    assert_string_equal(fault, "is more than there is memory for");
    return POSTERN_FAIL(err, NOMEM, "%s", fault);
}

static const char *judge_environment(const char *text)
{
    return postern_exec_env_fault(text + 5); /* "cat=x y=z" */
}

static void without_memory_nothing_is_good(void **state)
{
    const char *(*judges[])(const char *) = { postern_exec_fault, judge_environment };

    (void)state;
    for (size_t i = 0; i < sizeof judges / sizeof judges[0]; i++)
        assert_true(alloc_fail_sweep(judge_once, &judges[i], POSTERN_OK) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stand_between_blanks),
        cmocka_unit_test(nothing_is_expanded),
        cmocka_unit_test(what_could_mean_two_things_is_refused),
        cmocka_unit_test(bounds_are_exact),
        cmocka_unit_test(a_program_is_an_absolute_path),
        cmocka_unit_test(an_environment_is_names_and_values),
        cmocka_unit_test(without_memory_nothing_is_good),
    };

    return cmocka_run_group_tests_name("exec_words", tests, NULL, NULL);
}
