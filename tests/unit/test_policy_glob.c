/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/glob.c by way of pattern.c: what a pattern says of texts of any length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/pattern.h"

#define ROUNDS   60000
#define TEXT_MAX 300

static const struct pattern_names names = { .agent = "ab", .user = "b\xC3\xA9" };

static struct pattern pattern_of(const char *text, char room[POSTERN_POLICY_TEXT_MAX])
{
    struct pattern p;

    if (postern_pattern_read(postern_bytes_str(text), room, &p) != NULL)
        fail_msg("no pattern: %s", text);
    return p;
}

static enum pattern_match match(const char *text, postern_bytes with, const struct pattern_names *n)
{
    char room[POSTERN_POLICY_TEXT_MAX];
    struct pattern p = pattern_of(text, room);

    return postern_pattern_match(&p, with, n);
}

/* ---- the same by definition ---- */

static size_t char_end(postern_bytes text, size_t i)
{
    for (i++; i < text.len && (text.ptr[i] & 0xC0) == 0x80; i++)
        ;
    return i;
}

/* Places of the text that all before `op` may end at; now all before and `op`. */
static void go_on(uint8_t op, postern_bytes text, bool is_at[TEXT_MAX + 2])
{
    bool to[TEXT_MAX + 2] = { false };

    for (size_t i = 0; i <= text.len; i++) {
        if (!is_at[i])
            continue;
        if (op == PATTERN_STAR) {
            to[i] = true;
            for (size_t k = i; k < text.len; to[k] = true)
                k = char_end(text, k);
        } else if (i < text.len && op == PATTERN_ANY) {
            to[char_end(text, i)] = true;
        } else if (i < text.len && op == text.ptr[i]) {
            to[i + 1] = true;
        }
    }
    memcpy(is_at, to, sizeof to);
}

static bool is_match(const struct pattern *p, postern_bytes text)
{
    bool is_at[TEXT_MAX + 2] = { true };

    for (size_t i = 0; i < p->len; i++) {
        const char *name = p->ops[i] == PATTERN_AGENT  ? names.agent
                           : p->ops[i] == PATTERN_USER ? names.user
                                                       : NULL;

        if (name == NULL)
            go_on((uint8_t)p->ops[i], text, is_at);
        for (; name != NULL && *name != '\0'; name++)
            go_on((uint8_t)*name, text, is_at);
    }
    return is_at[text.len];
}

/* The same in each run. */
static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Whole characters, and few different ones, so that much nearly fits. */
static void draw_pattern(uint64_t *seed, char text[POSTERN_POLICY_TEXT_MAX])
{
    static const char *const parts[] = { "*",    "*", "*",  "*",        "?",        "a",      "a",
                                         "aaaa", "b", "ab", "\xC3\xA9", "${agent}", "${user}" };
    size_t count = 1 + draw(seed) % 12;

    text[0] = '\0';
    if (draw(seed) % 4 == 0)
        (void)snprintf(
            text, POSTERN_POLICY_TEXT_MAX, "*%.*s", (int)(draw(seed) % 140),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    for (size_t i = 0; i < count; i++)
        strcat(text, parts[draw(seed) % (sizeof parts / sizeof *parts)]);
}

/* Bytes that continue a character stand anywhere, and many behind one another. */
static postern_bytes draw_text(uint64_t *seed, uint8_t room[TEXT_MAX])
{
    static const uint8_t all[] = { 'a', 'a', 'a', 'b', 0xC3, 0xA9 };
    size_t len = draw(seed) % TEXT_MAX, kinds = 1 + draw(seed) % sizeof all;

    for (size_t i = 0; i < len; i++)
        room[i] = all[draw(seed) % 16 == 0 ? draw(seed) % sizeof all : draw(seed) % kinds];
    return (postern_bytes){ room, len };
}

static void patterns_say_what_they_mean_of_texts_of_any_length(void **state)
{
    uint64_t seed = 88172645463325252u;
    char text[POSTERN_POLICY_TEXT_MAX], room[POSTERN_POLICY_TEXT_MAX];
    size_t matches = 0, long_matches = 0;
    uint8_t bytes[TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        struct pattern p;
        postern_bytes with;
        bool is_so;

        draw_pattern(&seed, text);
        p = pattern_of(text, room);
        with = draw_text(&seed, bytes);
        is_so = is_match(&p, with);
        if (postern_pattern_match(&p, with, &names) != (is_so ? PATTERN_YES : PATTERN_NO))
            fail_msg("%s and %zu bytes in round %zu: not %d", text, with.len, i, is_so);
        matches += is_so;
        long_matches += is_so && with.len > 100 && p.kind == PATTERN_GLOB;
    }
    assert_in_range(matches, ROUNDS / 20, ROUNDS / 2);
    assert_in_range(long_matches, ROUNDS / 20, ROUNDS / 2);
}

/* ---- by value ---- */

static postern_bytes fill(uint8_t *room, size_t len, const char *end)
{
    memset(room, 'a', len);
    memcpy(room + len - strlen(end), end, strlen(end));
    return (postern_bytes){ room, len };
}

static void a_long_text_is_searched_to_its_end(void **state)
{
    static const struct {
        const char *pattern, *end;
        enum pattern_match want;
    } cases[] = {
        { "*b", "b", PATTERN_YES },
        { "*b", "ba", PATTERN_NO },
        { "*b*", "ba", PATTERN_YES },
        { "*b*b", "b", PATTERN_NO },
        { "*b*b", "bb", PATTERN_YES },
        { "*ab*", "ab", PATTERN_YES },
        { "*abc*", "ab", PATTERN_NO },
        { "a*a*a*b", "ab", PATTERN_YES },
        { "b*a*a*b", "ab", PATTERN_NO },
        { "*?b", "b", PATTERN_YES },
        { "*b?", "b", PATTERN_NO },
        { "*b??", "bxy", PATTERN_YES },
        { "*b?y", "b\xC3\xA9y", PATTERN_YES },
        { "*b??y", "b\xC3\xA9y", PATTERN_NO },
        { "*b?*?", "b\xC3\xA9", PATTERN_NO },
        { "*b?*?", "b\xC3\xA9z", PATTERN_YES },
        { "*${agent}", "ab", PATTERN_YES },
        { "*${agent}${agent}", "ab", PATTERN_NO },
        { "*${agent}?${user}*", "ab-b\xC3\xA9", PATTERN_YES },
        { "*B", "b", PATTERN_NO },
    };
    uint8_t *room = malloc(1 << 20);

    (void)state;
    assert_non_null(room);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t len = 60; len <= 1 << 20; len = len < 80 ? len + 1 : len * 8)
            if (match(cases[i].pattern, fill(room, len, cases[i].end), &names) != cases[i].want)
                fail_msg("%s and %zu bytes up to %s", cases[i].pattern, len, cases[i].end);
    free(room);
}

static void letters_of_either_case_are_one_where_hosts_fold_them(void **state)
{
    static const struct pattern_names folding = { .agent = "ab", .user = "x", .folds_case = true };
    uint8_t room[200];

    (void)state;
    assert_int_equal(match("*Root*", fill(room, 200, "rOOt-"), &folding), PATTERN_YES);
    assert_int_equal(match("*Root*", fill(room, 200, "rO0t-"), &folding), PATTERN_NO);
    assert_int_equal(match("*r[t", fill(room, 200, "R[T"), &folding), PATTERN_YES);
    assert_int_equal(match("*r[t", fill(room, 200, "R{T"), &folding), PATTERN_NO);
    assert_int_equal(match("*${agent}-", fill(room, 200, "AB-"), &folding), PATTERN_YES);
    assert_int_equal(match("*Root*", fill(room, 200, "rOOt-"), &names), PATTERN_NO);
}

/* Beginnings of 256 bytes fit four words. */
static void a_piece_that_is_too_long_is_not_known(void **state)
{
    static char agent[255];
    const struct pattern_names long_names = { .agent = agent, .user = "b" };
    uint8_t room[1000];

    (void)state;
    memset(agent, 'a', sizeof agent - 1);
    assert_int_equal(match("*${agent}bc", fill(room, 1000, "abc"), &long_names), PATTERN_YES);
    assert_int_equal(match("*${agent}bc", fill(room, 1000, "aabb"), &long_names), PATTERN_NO);
    assert_int_equal(match("*${agent}abc", fill(room, 1000, "abc"), &long_names),
                     PATTERN_NOT_KNOWN);
    assert_int_equal(match("*${agent}*abc", fill(room, 1000, "abc"), &long_names), PATTERN_YES);
    assert_int_equal(match("*abc", fill(room, 64, "abc"), &long_names), PATTERN_YES);
}

/* No file of ours has such, and whoever writes half a character means nothing that is known. */
static void half_a_character_behind_a_star_is_not_known(void **state)
{
    uint8_t room[200];

    (void)state;
    assert_int_equal(match("*\xA9", fill(room, 200, "\xC3\xA9"), &names), PATTERN_NOT_KNOWN);
    assert_int_equal(match("*?\xA9*", fill(room, 200, "\xA9"), &names), PATTERN_NOT_KNOWN);
    assert_int_equal(match("*a\xA9", fill(room, 200, "a\xA9"), &names), PATTERN_YES);
    assert_int_equal(match("*a?\xA9", fill(room, 200, "a\xC3\xA9"), &names), PATTERN_NO);
    assert_int_equal(match("*a?\xA9", fill(room, 200, "ab\xA9"), &names), PATTERN_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_say_what_they_mean_of_texts_of_any_length),
        cmocka_unit_test(a_long_text_is_searched_to_its_end),
        cmocka_unit_test(letters_of_either_case_are_one_where_hosts_fold_them),
        cmocka_unit_test(a_piece_that_is_too_long_is_not_known),
        cmocka_unit_test(half_a_character_behind_a_star_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
