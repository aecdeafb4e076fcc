/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/issuer/words.c: lists of scopes and resources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "issuer/words.h"

static void words_are_counted_and_found_whole(void **state)
{
    (void)state;
    assert_int_equal(words_count(""), 0);
    assert_int_equal(words_count("  "), 0);
    assert_int_equal(words_count("a bb  c"), 3);
    assert_true(words_has("mail.read mail.write", POSTERN_BYTES_LIT("mail.write")));
    assert_false(words_has("mail.read mail.write", POSTERN_BYTES_LIT("mail")));
    assert_false(words_has("mail.read mail.write", POSTERN_BYTES_LIT("Mail.read")));
    assert_false(words_has("mail.read", POSTERN_BYTES_NONE));
}

static void appending_stops_at_the_room(void **state)
{
    char list[8] = "";

    (void)state;
    assert_true(words_append(list, sizeof list, POSTERN_BYTES_LIT("abc")));
    assert_false(words_append(list, sizeof list, POSTERN_BYTES_LIT("defg")));
    assert_string_equal(list, "abc");
    assert_true(words_append(list, sizeof list, POSTERN_BYTES_LIT("def")));
    assert_string_equal(list, "abc def");
    assert_false(words_append(list, sizeof list, POSTERN_BYTES_NONE));
    assert_string_equal(list, "abc def");
}

static void scopes_keep_to_their_grammar(void **state)
{
    (void)state;
    assert_true(word_is_scope(POSTERN_BYTES_LIT("mail.read")));
    assert_true(word_is_scope(POSTERN_BYTES_LIT("!#[]~")));
    assert_false(word_is_scope(POSTERN_BYTES_NONE));
    assert_false(word_is_scope(POSTERN_BYTES_LIT("a\"b")));
    assert_false(word_is_scope(POSTERN_BYTES_LIT("a\\b")));
    assert_false(word_is_scope(POSTERN_BYTES_LIT("a\tb")));
    assert_false(word_is_scope(POSTERN_BYTES_LIT("a\x7f")));
    assert_false(word_is_scope(POSTERN_BYTES_LIT("\xc3\xa9")));
}

static void resources_are_absolute_uris_without_fragment(void **state)
{
    static const char *const good[] = { "https://mail.example.org/imap", "urn:example:ldap", "x-y.z+1:a" };
    static const char *const bad[] = { "", "https", ":x", "https:", "//mail/imap", "/imap", "1a:b",
                                       "https://m/imap#", "https://m/a b", "https://m/\x7f",
                                       "ht_tp:x", "https://m/\xc3\xa9" };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!word_is_resource(postern_bytes_str(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (word_is_resource(postern_bytes_str(bad[i])))
            fail_msg("accepted: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_counted_and_found_whole),
        cmocka_unit_test(appending_stops_at_the_room),
        cmocka_unit_test(scopes_keep_to_their_grammar),
        cmocka_unit_test(resources_are_absolute_uris_without_fragment),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
