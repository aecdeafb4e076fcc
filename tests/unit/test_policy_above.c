/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/policy/above.c: what is warned of is what comparing every pair of rules finds, and thousands of
 * rules about different things are compared within the work that is allowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/policy_lines.h"
#include "../support/test_policy.h"
#include "policy/rules.h"

#define POLICIES      300
#define GLOB_POLICIES 250
#define GLOB_RULES    40
#define MANY          5000 /* rules of one shape: 12 million pairs, which is more than is allowed */

/* ---- the oracle: every pair ---- */

/* The first rule above that hides all of `r`, else the first that hides what is known; NULL: none. */
static const struct rule *find_hider(const postern_policy *p, const struct rule *r, bool *ret_all)
{
    unsigned lists = p->judge == JUDGE_BOTH ? 3 : 0;
    const struct rule *contrary = NULL;

    for (const struct rule *above = p->rules; above != r; above = above->next) {
        size_t work = SIZE_MAX;
        enum hiding hiding = postern_rule_hides(above, r, lists, &work);

        *ret_all = hiding == HIDES_ALL;
        if (*ret_all)
            return above;
        contrary = hiding == HIDES_KNOWN && contrary == NULL ? above : contrary;
    }
    *ret_all = false;
    return contrary;
}

/* "N never M" or "N contradicts M", a line each: numbers of lines. */
static size_t compare_pairs(const postern_policy *p, postern_buf *out)
{
    size_t count = 0;
    bool is_all = false;

    for (const struct rule *r = p->rules; r != NULL; r = r->next) {
        const struct rule *hider = find_hider(p, r, &is_all);

        if (hider == NULL)
            continue;
        postern_buf_addf(out, "%d %s %d\n", r->line, is_all ? "never" : "contradicts", hider->line);
        count++;
    }
    return count;
}

/* ---- what is warned of ---- */

static void take_warning(postern_bytes line, postern_buf *out)
{
    static const char never[] = " is never reached: t:", contradicts[] = " contradicts t:";
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(4096);
    const char *at, *what;

    postern_buf_add(&text, line);
    what = postern_buf_cstr(&text);
    assert_non_null(what);
    at = strstr(what, never);
    if (at != NULL)
        postern_buf_addf(out, "%d never %d\n", atoi(strchr(what, ':') + 1), atoi(at + sizeof never - 1));
    at = strstr(what, contradicts);
    if (at != NULL)
        postern_buf_addf(out, "%d contradicts %d\n", atoi(strchr(what, ':') + 1),
                         atoi(at + sizeof contradicts - 1));
}

static void take_warnings(const postern_policy *p, postern_buf *out)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1 << 24);
    postern_reader r;
    postern_bytes line;

    postern_policy_warnings(p, &text);
    assert_false(text.failed);
    r.rest = postern_buf_bytes(&text);
    while (postern_reader_take_until(&r, '\n', &line))
        take_warning(line, out);
}

static size_t check_policy(const postern_policy *p)
{
    POSTERN_AUTO_BUF want = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO_BUF got = POSTERN_BUF_INIT(1 << 20);
    size_t count = compare_pairs(p, &want);

    take_warnings(p, &got);
    if (!postern_bytes_equal(postern_buf_bytes(&want), postern_buf_bytes(&got))) {
        POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(1 << 20);

        (void)postern_policy_print(p, 0, &text);
        fail_msg("%swant:\n%sgot:\n%s", postern_buf_cstr(&text), postern_buf_cstr(&want),
                 postern_buf_cstr(&got));
    }
    return count;
}

/* ---- policies by chance ---- */

static void what_is_found_is_what_comparing_every_pair_finds(void **state)
{
    static struct policy_lines lines;
    size_t found = 0;

    (void)state;
    test_chance_start();
    for (int i = 0; i < POLICIES; i++) {
        POSTERN_AUTO(policy) p = NULL;

        policy_lines_make(&lines);
        p = policy_lines_read(&lines);
        found += check_policy(p);
    }
    assert_in_range(found, POLICIES / 4, POLICIES * POLICY_LINES_MAX / 2); /* neither none nor all */
}

static void add_pattern(postern_buf *out)
{
    static const char *const parts[] = { "a",  "a", "b",        "ab",       ":", "ba:", "*",
                                         "*", "?", "${agent}", "${user}", "é", "\\*", "abcdefghijklmnopqrst" };

    postern_buf_add_byte(out, '"');
    for (uint32_t n = test_chance(5) + 1; n != 0; n--)
        postern_buf_add_str(out, TEST_PICK(parts));
    postern_buf_add_byte(out, '"');
}

static void add_patterns(const char *before, postern_buf *out)
{
    postern_buf_add_str(out, before);
    for (uint32_t n = test_chance(3); n != 0; n--) {
        add_pattern(out);
        postern_buf_add_byte(out, ',');
    }
    if (test_chance(8) == 0)
        postern_buf_add_str(out, "$s");
    else
        add_pattern(out);
}

static void add_glob_rule(postern_buf *out)
{
    static const char *const actions[] = {
        "*",           "redis:GET",      "redis:GET,SET", "redis:@read",   "redis:FT.X*",
        "redis:FT.*,GET", "redis:FT.*", "redis:*",       "mcp:tools/call",
    };
    static const char *const tests[] = { "", "", "", " if scope has x", " if chain > 1 and scope has x",
                                         " if chain > 1", " if purpose = \"p\" and chain > 1" };
    static const char *const parties[] = { "agent ", "client ", "user " };
    static const char *const verdicts[] = { "deny ", "allow ", "allow " };
    uint32_t party = test_chance(4);

    postern_buf_add_str(out, TEST_PICK(verdicts));
    if (party == 3)
        postern_buf_add_str(out, "anyone");
    else
        add_patterns(parties[party], out);
    if (party < 2 && test_chance(3) == 0)
        add_patterns(" for group ", out);
    postern_buf_addf(out, " to %s", TEST_PICK(actions));
    if (test_chance(3) != 0)
        add_patterns(" on ", out);
    postern_buf_addf(out, "%s\n", TEST_PICK(tests));
}

static void so_it_is_with_globs_of_every_kind(void **state)
{
    size_t found = 0;

    (void)state;
    test_chance_start();
    for (int i = 0; i < GLOB_POLICIES; i++) {
        POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
        POSTERN_AUTO(policy) p = NULL;

        postern_buf_add_str(&text, test_chance(3) == 0 ? "judge agent and user\n" : "judge agent\n");
        postern_buf_add_str(&text, "set $s = a, \"*b\", \"a:*\"\n");
        for (int k = 0; k < GLOB_RULES; k++)
            add_glob_rule(&text);
        p = test_policy_make(postern_buf_cstr(&text));
        found += check_policy(p);
    }
    assert_in_range(found, GLOB_POLICIES, GLOB_POLICIES * GLOB_RULES / 2);
}

/* ---- many rules ---- */

static void warn_of_many(const char *before, const char *after, const char *last, char *ret,
                         size_t ret_size)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO_BUF warnings = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO(policy) p = NULL;

    for (int i = 0; i < MANY; i++)
        postern_buf_addf(&text, "%s%d%s\n", before, i, after);
    postern_buf_addf(&text, "%s\n", last);
    p = test_policy_make(postern_buf_cstr(&text));
    postern_policy_warnings(p, &warnings);
    assert_non_null(postern_buf_cstr(&warnings));
    (void)snprintf(ret, ret_size, "%s", postern_buf_cstr(&warnings));
}

/* Of each shape thousands, and the last rule is hidden by one of them. */
static void thousands_of_rules_about_different_things_are_compared(void **state)
{
    static const struct {
        const char *before, *after, *last;
    } shapes[] = {
        { "allow agent bot-", "-* to redis:GET on \"team:*\"",
          "allow agent bot-77-x to redis:GET on \"team:a*\"" },
        { "allow agent a to redis:GET on \"*team-", ":*\"",
          "allow agent a to redis:GET on \"a:team-77:b\"" },
        { "allow agent \"*-", "-bot\" to redis:GET on \"x*\"",
          "allow agent a-77-bot to redis:GET on xy" },
        { "allow user u", " to *", "deny user u77 to mcp:tools/call" },
        { "allow agent a for group g", " to *", "allow agent a for group g77 to raw:connect" },
        { "allow agent a to redis:GET on common,k", ",other",
          "allow agent a to redis:GET on other,k77" },
        { "allow anyone to redis:@read if chain > 1 and scope has s", "",
          "allow anyone to redis:@read if scope has s77 and chain > 1 and purpose = p" },
        { "allow anyone to s", ":login", "allow agent a to s77:login on x" },
        { "allow agent a to redis:FT.X* on \"?:", ":*:end\" if arg.1 = x",
          "deny agent a to redis:FT.X* on \"a:77:b:end\" if arg.1 = x" },
    };
    static const char want[] = "policies/t.rules:5001:1: warning: t:5001 is never reached: t:78 ";
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        warn_of_many(shapes[i].before, shapes[i].after, shapes[i].last, text, sizeof text);
        if (shapes[i].last[0] == 'd') {
            assert_non_null(strstr(text, "t:5001 contradicts t:78 "));
            continue;
        }
        if (strncmp(text, want, sizeof want - 1) != 0)
            fail_msg("%s: %s", shapes[i].before, text);
    }
}

static void thousands_that_are_the_same_are_compared_with_the_first(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO_BUF got = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO(policy) p = NULL;

    (void)state;
    for (int i = 0; i < POSTERN_POLICY_RULES_MAX; i++)
        postern_buf_add_str(&text, "allow agent a* to redis:GET on \"k:*\"\n");
    p = test_policy_make(postern_buf_cstr(&text));
    take_warnings(p, &got);
    assert_non_null(strstr(postern_buf_cstr(&got), "\n16384 never 1\n"));
}

/* Lists that are too long, and too many, to be filed by their names: nothing is missed. */
static void full_lists_are_compared_too(void **state)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO_BUF got = POSTERN_BUF_INIT(1 << 20);
    POSTERN_AUTO(policy) p = NULL;

    (void)state;
    postern_buf_add_str(&text, "set $many = n0");
    for (int i = 1; i < 255; i++)
        postern_buf_addf(&text, ",\"n%d*x*\"", i);
    for (int i = 0; i < 3000; i++)
        postern_buf_addf(&text,
                         "\nallow agent $many for user $many to redis:GET on $many if scope has s%d",
                         i);
    postern_buf_add_str(&text, "\nallow agent n0 for user n0 to redis:GET on \"n7ax?\" if scope has s5\n");
    p = test_policy_make(postern_buf_cstr(&text));
    take_warnings(p, &got);
    assert_string_equal(postern_buf_cstr(&got), "3002 never 7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_is_what_comparing_every_pair_finds),
        cmocka_unit_test(so_it_is_with_globs_of_every_kind),
        cmocka_unit_test(thousands_of_rules_about_different_things_are_compared),
        cmocka_unit_test(thousands_that_are_the_same_are_compared_with_the_first),
        cmocka_unit_test(full_lists_are_compared_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
