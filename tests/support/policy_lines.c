/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "policy_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "test_policy.h"

/* ---- chance ---- */

static uint64_t seed;

void test_chance_start(void)
{
    seed = UINT64_C(0x9E3779B97F4A7C15);
}

uint32_t test_chance(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

/* ---- rules ---- */

static const char *pick_party(void)
{
    static const char *const parties[] = {
        "anyone", "anyone", "anyone", "anyone", "agent a", "agent ab", "agent a,bot", "agent a*", "agent *", "agent $s",
        "agent w?rker-*", "agent bot for anyone", "agent a* for nobody", "agent * for user al",
        "agent bot for user al,\"b*\"", "agent a for group g", "agent ab for group \"h*\",g",
        "user al", "user \"a*\"", "user $s", "user \"${agent}\"", "group g", "group g,h", "group \"*\"",
        "client bot", "client c*", "issuer i", "issuer \"i*\" for anyone", "user bo,root", "user Al",
    };

    return TEST_PICK(parties);
}

static const char *pick_target(void)
{
    static const char *const targets[] = {
        "*", "redis:GET", "redis:get,SET", "redis:@read", "redis:@write,@read", "redis:*", "redis:PING",
        "redis:@session", "redis:P*", "redis:CONFIG", "redis:CONFIG|*", "redis:FT.*", "redis:connect",
        "mcp:tools/call", "mcp:*", "mcp:@read,@call", "mcp:tools/*", "mcp:new/method", "mcp:@session",
        "mcp:ping,initialize", "mcp:resources/read", "raw:connect", "raw:*", "imap:login", "smtp:login",
        "redis:GET,SET,DEL,MGET,MSET,INCR,DECR,APPEND,STRLEN,EXPIRE",
    };

    return TEST_PICK(targets);
}

static const char *pick_resource(void)
{
    static const char *const resources[] = {
        "", "", "", "", "", "", "", "", " on k", " on \"k:*\"", " on \"k:1\",x", " on \"*\"", " on \"${agent}:*\"",
        " on \"k:${user}:*\"", " on $s", " on \"file:///a/*\"", " on \"file:///a/b\"", " on t",
        " on \"?:*\"", " on root", " on \"ROOT\",al", " on \"a long key that begins like another one "
        "which is longer than sixty-four bytes:*\"",
    };

    return TEST_PICK(resources);
}

static bool has_arguments(const char *target)
{
    return strncmp(target, "redis:", 6) == 0 || strncmp(target, "mcp:", 4) == 0;
}

static const char *pick_test(const char *target)
{
    static const char *const any[] = { "",
                                       "",
                                       "",
                                       " if scope has x",
                                       " if scope has x and scope has y",
                                       " if not scope has x",
                                       " if chain > 1",
                                       " if purpose = p",
                                       " if not purpose like \"p*\"",
                                       " if source in (10.0.0.0/8)",
                                       " if claim.t = u",
                                       " if not claim.n > 3",
                                       " if time until 2026-12-31",
                                       " if time from 2027-01-01",
                                       " if detail.pay.to = acme",
                                       " if not detail.pay.amount <= 5" };
    static const char *const redis[] = { " if arg.0 = k", " if arg.1 <= 5", " if not arg.1 > 5",
                                         " if args only (0, 1)", " if not args only (0)" };
    static const char *const mcp[] = { " if arg.path under \"/srv\"",
                                       " if not arg.path under (\"/srv\", \"/home/${user}\")",
                                       " if arg.n <= 5",
                                       " if args only (path, n)",
                                       " if arg.n in (5, x) and scope has x",
                                       " if not args only (path)" };

    if (test_chance(2) == 0)
        return "";
    if (!has_arguments(target) || test_chance(2) == 0)
        return TEST_PICK(any);
    return target[0] == 'r' ? TEST_PICK(redis) : TEST_PICK(mcp);
}

static const char *pick_duty(const char *verdict, const char *target)
{
    static const char *const any[] = { "", "", " with lease 5m", " with log each" };
    static const char *const inspected[] = { " with rate 5/1s", " with rows 10 and bytes 1KiB",
                                             " with log summary", " with lease 1h and log summary" };
    static const char *const held[] = { " with approver group g", " with wait 5m and approver user al" };

    if (verdict[0] == 'd' || strstr(target, ":login") != NULL)
        return "";
    if (verdict[0] == 'h')
        return TEST_PICK(held);
    return has_arguments(target) && test_chance(2) == 0 ? TEST_PICK(inspected) : TEST_PICK(any);
}

void policy_lines_rule(const char *verdict, char *ret)
{
    const char *target = pick_target();

    while (verdict[0] == 'h' && !has_arguments(target))
        target = pick_target();
    (void)snprintf(ret, POLICY_LINE_MAX, "%s %s to %s%s%s%s\n", verdict, pick_party(), target,
                   pick_resource(), pick_test(target), pick_duty(verdict, target));
}

void policy_lines_make(struct policy_lines *ret)
{
    static const char *const verdicts[] = { "deny", "deny", "allow", "allow", "allow", "hold" };

    ret->count = test_chance(POLICY_LINES_MAX) + 1;
    ret->is_both = test_chance(3) == 0;
    for (size_t i = 0; i < ret->count; i++)
        policy_lines_rule(TEST_PICK(verdicts), ret->text[i]);
}

postern_policy *policy_lines_read(const struct policy_lines *lines)
{
    char text[(POLICY_LINES_MAX + 4) * POLICY_LINE_MAX];
    char *end = stpcpy(text, "set $s = a, al, \"k:1\", \"w*\"\n");

    if (lines->is_both)
        end = stpcpy(end, "judge agent and user\n");
    for (size_t i = 0; i < lines->count; i++)
        end = stpcpy(end, lines->text[i]);
    return test_policy_make(text);
}

void policy_lines_insert(struct policy_lines *lines, size_t at, const char *line)
{
    memmove(lines->text[at + 1], lines->text[at], (lines->count - at) * POLICY_LINE_MAX);
    (void)snprintf(lines->text[at], POLICY_LINE_MAX, "%s", line);
    lines->count++;
}

void policy_lines_remove(struct policy_lines *lines, size_t at)
{
    lines->count--;
    memmove(lines->text[at], lines->text[at + 1], (lines->count - at) * POLICY_LINE_MAX);
}
