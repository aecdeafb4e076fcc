/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/policy/lex.c and read*.c: what a policy may say, and that every refusal names the place and,
 * where one is near, the word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_policy.h"

#define MAX_TEXT (POSTERN_POLICY_FILE_MAX + 4096)

static void accept(const char *text)
{
    postern_policy_free(test_policy_make(text));
}

/* Refused as RULES with exactly this detail behind "policies/t.rules:". */
static void refuse(const char *text, const char *want)
{
    postern_error err = { 0 };
    postern_policy *p = test_policy_try(text, &err);
    const char *prefix = "policies/t.rules:";

    if (p != NULL)
        fail_msg("accepted: %s", text);
    assert_int_equal(err.code, POSTERN_ERR_RULES);
    assert_int_equal(strncmp(err.detail, prefix, strlen(prefix)), 0);
    assert_string_equal(err.detail + strlen(prefix), want);
}

static void every_form_of_the_language_is_read(void **state)
{
    static const char *const texts[] = {
        "",
        "\n\n# nothing\n   \n",
        "allow anyone to raw:connect",
        "deny anyone to *\n",
        "allow agent a to raw:*\n",
        "a-1.b_2: allow agent a,b-*,\"c d\" to raw:connect,connect on x,y?\n",
        "allow agent a for anyone to * on \"${user}\"\n",
        "allow agent a for nobody to *\nallow client c for user u to *\n"
        "allow issuer \"https://as.example/x?y\" for group g to *\nallow user u to *\n"
        "allow group g,\"h i\" to *\n",
        "set $a = x\nset $b-2 = $a, y\nallow agent $b-2,z to * on $a\n",
        "timezone UTC\njudge agent\n",
        "timezone -03:30\njudge agent and user\n",
        "allow anyone to * if scope has a.b and not scope has c:d and scope = \"a b\" and scope != "
        "x\n",
        "allow anyone to * if purpose like \"invoice-*\" and purpose != x and purpose in (a, b)\n",
        "allow anyone to * if acr = \"urn:x\" and acr in (1, 2)\n",
        "allow anyone to * if source in (10.0.0.0/8, fd00::/8, ::1, 192.0.2.1) and source = "
        "10.1.2.3\n",
        "set $lan = 10.0.0.0/8\nset $nets = $lan, 192.0.2.0/24\nallow anyone to * if source in "
        "($nets)\n",
        "allow anyone to * if chain <= 2 and chain >= 0 and chain < 3 and chain > 0 and chain = 1 "
        "and chain != 9\n",
        "allow anyone to * if auth_age <= 15m\n",
        "allow anyone to * if claim.a.b = x and claim.\"https://x.example/r\".s has y\n"
        "  and claim.n <= -5 and claim.t like \"a*\" and claim.b = true\n",
        "allow anyone to * if time mon-fri 07:00-19:00 and time sat 10:00-12:00 and time "
        "22:00-06:00 "
        "and time 00:00-24:00 and time until 2027-01-31 and time from 2024-02-29\n",
        "allow anyone to * with lease 15m and log each\n",
        "deny anyone to * because \"a \\\"word\\\" with \\\\ and \xc3\xa5\"\n",
        "allow\n anyone\n\n# a comment between\n\tto raw:connect\n  on \"x\"\n",
        "expect deny anyone to raw:connect\n",
        "allow agent \"to\" to *\n",
        "allow agent a to redis:get,@read,CONFIG,CONFIG|*,Eval*,connect,FT.* on \"k:*\"\n",
        "allow agent a to mcp:tools/call,x/y,@list,tasks/*,* on t if arg.path under \"/srv/${user}\" "
        "and args only (path, \"a b\", h*) and not arg.n <= 500 and arg.a.b.0 in (EUR, 5, true, "
        "10.0.0.0/8)\n  and detail.pay.amount < 1.50 and arg.x under (\"/a\", "
        "\"file:///b/c\", \"ou=People,dc=example\") and arg.s >= 64KiB and arg.t has x\n",
        "hold agent a to redis:DEL with approver group g,\"h i\" and wait 10m and rate 100/1s and rows "
        "10\n  and bytes 64KiB and log summary and lease 1h because \"x\"\n",
        "expect hold agent a to mcp:x given arg.path = \"/a\", arg.n = 5, arg.b = true, detail.t.x = "
        "y\nhold anyone to mcp:x\n",
        "user al, \"b c\" is owner of \"doc:q3\",d\nset $d = d1,d2\ngroup g is viewer of $d\nagent a is "
        "reader of x\nnobody is banned\nallow agent a for anyone to mcp:tools/call if user is owner of "
        "arg.doc and not user is banned\nallow anyone to imap:login if user is owner and agent is "
        "reader\n",
        "expect deny agent a to redis:get given arg.0 = k, arg.1 = 5\n",
        "expect deny agent a for user u to raw:connect on x given scope = \"a b\", purpose = p, "
        "acr = 1,\n"
        "  source = 192.0.2.1, chain = 2, auth_age = 5m, client = c, issuer = i, group = g, group "
        "= h,\n"
        "  time = 2026-12-01T10:00:30+01:00, claim.x.y = z, claim.x.y = w\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        accept(texts[i]);
}

static void a_refusal_names_the_place_and_the_nearest_word(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "alow anyone to *", "1:1: \"alow\" is no statement; did you mean \"allow\"?" },
        { "# x\n\ndeny anyon to *", "3:6: \"anyon\" is no party here; did you mean \"anyone\"?" },
        { "permit anyone to *",
          "1:1: \"permit\" is no statement: allow deny hold set expect judge timezone user group agent" },
        { "deny anyone", "1:12: expected `to`, found the end of the statement" },
        { "deny anyone to",
          "1:15: expected an action like raw:connect, found the end of the statement" },
        { "deny anyone to raw:conect",
          "1:16: \"conect\" is no action of it; did you mean \"connect\"?" },
        { "deny anyone to rwa:connect",
          "1:16: \"rwa\" is no protocol of this version (a service has SERVICE:login): mcp "
          "raw redis" },
        { "deny anyone to redis:@raed", "1:16: \"@raed\" is no class of it; did you mean \"@read\"?" },
        { "deny anyone to mcp:@admin",
          "1:16: \"@admin\" is no class of it: @read @session @server @log @notify @list @task @call" },
        { "deny anyone to raw:@read", "1:16: raw has no classes" },
        { "deny anyone to redis:GTE", "1:16: \"GTE\" is no action of it; did you mean \"GET\"?" },
        { "deny anyone to redis:gte", "1:16: \"gte\" is no action of it; did you mean \"GET\"?" },
        { "deny anyone to redis:CONFIG|GTE",
          "1:16: \"CONFIG|GTE\" is no action of it; did you mean \"CONFIG|GET\"?" },
        { "deny anyone to redis:JSON.NUMINCRBY",
          "1:16: \"JSON.NUMINCRBY\" is no action of it that is known: `postern policy actions redis` "
          "lists them, and a glob names one that is not" },
        { "deny anyone to redis:GET,raw:connect",
          "1:26: \"raw:connect\" is no action of it that is known: `postern policy actions redis` "
          "lists them, and a glob names one that is not" },
        { "deny anyone to redis:", "1:16: an action of redis is missing: like ACL|CAT, or *" },
        { "deny anyone to raw:conn*", "1:16: \"conn*\" is no action of it: connect" },
        { "deny anyone to imap:@read",
          "1:16: \"imap\" is no protocol of this version (a service has SERVICE:login): mcp raw redis" },
        { "deny anyone to sql:select",
          "1:16: \"sql\" is no protocol of this version (a service has SERVICE:login): mcp raw redis" },
        { "deny anyone to redis:login", "1:16: \"login\" is no action of it that is known: `postern "
                                        "policy actions redis` lists them, and a glob names one that "
                                        "is not" },
        { "deny anyone to imap:logn",
          "1:16: \"imap\" is no protocol of this version (a service has SERVICE:login): mcp raw redis" },
        { "deny anyone to imap:*",
          "1:16: \"imap\" is no protocol of this version (a service has SERVICE:login): mcp raw redis" },
        { "deny anyone to imap:Login",
          "1:16: \"imap\" is no protocol of this version (a service has SERVICE:login): mcp raw redis" },
        { "deny anyone to imap*:login",
          "1:16: \"imap*\" is no protocol of this version (a service has SERVICE:login): mcp raw redis" },
        { "deny anyone to */imap:login",
          "1:16: \"*/imap\" is no protocol of this version (a service has SERVICE:login): mcp raw redis" },
        { "deny anyone to :login",
          "1:16: \"\" is no protocol of this version (a service has SERVICE:login): mcp raw redis" },
        { "deny anyone to raw:login", "1:16: \"login\" is no action of it: connect" },
        { "deny anyone to imap:login,connect", "1:27: \"connect\" is no action of it: login" },
        { "deny anyone to imap:login,*", "1:27: \"*\" is no action of it: login" },
        { "deny anyone to imap:login,smtp:login",
          "1:27: \"smtp:login\" is no action of it: login" },
        { "deny anyone to raw:", "1:16: an action of raw is missing: connect, or *" },
        { "deny anyone to connect", "1:16: expected an action like raw:connect or imap:login, or *" },
        { "deny anyone to \"raw:connect\"",
          "1:16: expected an action like raw:connect, found \"raw:connect\"" },
        { "deny agent to raw:connect", "1:12: expected a name, found the word `to`; a name that is "
                                       "a word of the language stands "
                                       "in quotes" },
        { "deny agent a, to *", "1:15: expected a name, found the word `to`; a name that is a word "
                                "of the language stands "
                                "in quotes" },
        { "deny agent a b to *", "1:14: expected `to`, found \"b\"" },
        { "deny nobody to *",
          "1:6: \"nobody\" is no party here: anyone agent user group client issuer" },
        { "deny agent a for agent b to *",
          "1:18: \"agent\" is no party here: anyone nobody user group" },
        { "deny user u for anyone to *",
          "1:13: `for` stands behind agent, client or issuer: it says "
          "for which human they act" },
        { "deny anyone for user u to *",
          "1:13: `for` stands behind agent, client or issuer: it says "
          "for which human they act" },
        { "set $bots = a\ndeny agent $bot to *",
          "2:12: no set $bot stands above; did you mean $bots?" },
        { "deny agent $bots to *\nset $bots = a", "1:12: no set $bots stands above in this file" },
        { "set $a = $a", "1:10: no set $a stands above in this file" },
        { "set $a = x\nset $a = y", "2:5: the set $a stands twice" },
        { "set a = x", "1:5: expected a name with a $ before it, found \"a\"" },
        { "set $a x", "1:8: expected =, found \"x\"" },
        { "set $ = x", "1:5: a set's name is $ and 1 to 64 of a-z A-Z 0-9 _ -" },
        { "deny agent ${agent} to *", "1:12: ${agent} and ${user} stand in strings: \"${agent}\"" },
        { "deny agent \"${sub}\" to *",
          "1:12: the string holds a $: only ${agent} and ${user} are known, and \\$ is a dollar" },
        { "deny agent \"a\\n\" to *",
          "1:12: the string holds a backslash: it stands before \", \\, *, ? or $ only" },
        { "deny agent \"\" to *", "1:12: the string is empty" },
        { "deny agent \"a\nb\" to *", "1:12: the string does not end in its line" },
        { "deny agent \"a\\\n\" to *", "1:12: the string does not end in its line" },
        { "deny agent \xc3\xa5 to *",
          "1:12: this character stands in strings only: put the name in quotes" },
        { "deny agent a to * # why",
          "1:19: a comment is a line of its own, with the # in column 1" },
        { "deny anyone to *\n # why",
          "2:2: a comment is a line of its own, with the # in column 1" },
        { " deny anyone to *", "1:2: a line that begins with a blank continues nothing" },
        { "deny anyone to * !", "1:18: a ! alone means nothing: write `not`, or !=" },
        { "deny anyone to *\r\n", "1:17: a carriage return: save the file with Unix line ends" },
        { "deny anyone to \xff", "1:16: not UTF-8" },
        { "deny anyone to * because \"\xc2\x85\"", "1:26: the string holds a control character" },
        { "deny anyone to * because why", "1:26: expected a reason in quotes, found \"why\"" },
        { "deny anyone to * because \"x\" y",
          "1:30: expected the end of the statement, found \"y\"" },
        { "1: deny anyone to *", "1:1: a label is a letter and up to 63 of a-z A-Z 0-9 . _ -" },
        { "a/b: deny anyone to *", "1:1: a label is a letter and up to 63 of a-z A-Z 0-9 . _ -" },
        { "a: deny anyone to *\na: deny anyone to *",
          "2:1: the label a stands twice, first in line 1" },
        { "a: timezone UTC", "1:4: \"timezone\" is no verdict: allow deny hold" },
        { "timezone Europe/Stockholm", "1:10: \"Europe/Stockholm\" is no zone that a policy can "
                                       "have: write UTC or a fixed offset "
                                       "like +02:00 (the names of zones and their summer time "
                                       "stand in files, and a policy reads "
                                       "none)" },
        { "timezone +25:00", "1:10: \"+25:00\" is no offset from UTC: write +02:00" },
        { "timezone UTC\ntimezone UTC", "2:10: a file has one timezone" },
        { "judge user", "1:7: expected `agent`, or `agent and user`, found \"user\"" },
        { "judge agent and", "1:16: expected `user`, found the end of the statement" },
        { "judge agent\njudge agent", "2:1: a file says once who is judged" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].text, cases[i].want);
}

static void what_a_raw_door_cannot_do_is_refused_at_load(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "user al is owner of \"doc:*\"",
          "1:1: a relation is between names, without patterns and variables" },
        { "user \"${user}\" is owner of d",
          "1:1: a relation is between names, without patterns and variables" },
        { "user al owner of d", "1:9: expected `is`, found \"owner\"" },
        { "user al is owner", "1:17: expected `of`, found the end of the statement" },
        { "nobody is owner of d", "1:17: expected the end of the statement, found \"of\"" },
        { "client c is owner of d",
          "1:1: \"client\" is no statement; did you mean \"agent\"?" },
        { "user al is 5x of d", "1:12: expected a relation: a letter and up to 63 of a-z A-Z 0-9 _ -, "
                                "found \"5x\"" },
        { "user al is owner of d\ndeny anyone to * if not user is ownr",
          "2:1: no line says who is ownr (did you mean owner?); `nobody is ownr` says that it may be "
          "empty" },
        { "allow anyone to * if user is owner of arg.d\nnobody is owner",
          "1:39: a raw door sees no arguments, and `*` takes it in: name mcp: or redis:" },
        { "allow anyone to mcp:* if user is owner of doc",
          "1:43: expected an argument; without `of` the resource is meant, found \"doc\"" },
        { "hold agent a to *",
          "1:1: `hold` names a protocol whose actions can wait, mcp: or redis:; a raw door and a login "
          "cannot wait for an approval" },
        { "x: hold agent a to raw:connect with approver group g and wait 10m",
          "1:4: `hold` is not possible here: a raw door cannot keep a connection waiting for an "
          "approval" },
        { "hold agent a to imap:login",
          "1:1: `hold` is not possible here: no host keeps a login waiting for an approval" },
        { "allow anyone to * if arg.path = x",
          "1:22: a raw door sees no arguments, and `*` takes it in: name mcp: or redis:" },
        { "allow anyone to raw:connect if args only (a)", "1:32: a raw door sees no arguments" },
        { "allow anyone to imap:login if not arg.0 = x", "1:35: a login has no arguments" },
        { "allow anyone to redis:GET if arg.path = x",
          "1:30: arguments of redis have numbers: arg.0 stands behind the command" },
        { "allow anyone to redis:GET if arg.01 = x",
          "1:30: arguments of redis have numbers: arg.0 stands behind the command" },
        { "allow anyone to redis:GET if arg.0.x = x",
          "1:30: arguments of redis have numbers: arg.0 stands behind the command" },
        { "allow anyone to mcp:* if arg. = x",
          "1:26: an argument is arg.NAME, or arg.NAME.NAME" },
        { "allow anyone to mcp:* if detail.x = z",
          "1:26: a detail is detail.TYPE.NAME, or detail.TYPE.NAME.NAME" },
        { "allow anyone to mcp:* if args (a)",
          "1:31: expected `only`, as in args only (path, limit), found \"(\"" },
        { "allow anyone to * if claim.x under \"/a\"",
          "1:30: `claim` is compared by: = != < <= > >= in has like" },
        { "allow anyone to mcp:* if arg.x under a/b",
          "1:38: `under` compares with an absolute path, a URI with a path, or a directory name" },
        { "allow anyone to mcp:* if arg.x under \"/a/*\"",
          "1:38: `under` takes in all that lies below: write it without * and ?" },
        { "allow anyone to mcp:* if arg.x under \"/a/../b\"",
          "1:38: `under` compares plain names: no . or .. segment, no empty one, no backslash, no % ? "
          "# in a URI, no escapes in a directory name" },
        { "allow anyone to mcp:* if arg.x under (\"/a\", \"https://h\")",
          "1:38: `under` compares with an absolute path, a URI with a path, or a directory name" },
        { "allow anyone to mcp:* if arg.x <= \"500\"",
          "1:35: expected a number, a duration like 15m or a size like 64KiB" },
        { "allow anyone to mcp:* if arg.x = 1234567890123456",
          "1:34: a number has up to 15 digits, all in all and behind the point: a text of digits "
          "stands in quotes" },
        { "allow anyone to mcp:* if arg.x < 999999.99999999999",
          "1:34: a number has up to 15 digits, all in all and behind the point: a text of digits "
          "stands in quotes" },
        { "allow anyone to mcp:* if not arg.x != -5.000000000000001",
          "1:39: a number has up to 15 digits, all in all and behind the point: a text of digits "
          "stands in quotes" },
        { "allow anyone to mcp:* if detail.pay.n like 0.0000000000000001",
          "1:44: a number has up to 15 digits, all in all and behind the point: a text of digits "
          "stands in quotes" },
        { "set $big = 5, 1234567890123456\nallow anyone to mcp:* if arg.x in ($big, 7)",
          "2:35: a number has up to 15 digits, all in all and behind the point: a text of digits "
          "stands in quotes" },
        { "allow anyone to redis:GET if arg.0 = 1234567890123456",
          "1:38: a number has up to 15 digits, all in all and behind the point: a text of digits "
          "stands in quotes" },
        { "expect deny anyone to mcp:x given arg.x = 1234567890123456",
          "1:43: a number has up to 15 digits, all in all and behind the point: a text of digits "
          "stands in quotes" },
        { "expect deny anyone to mcp:x given detail.t.x = 1.000000000000001",
          "1:48: a number has up to 15 digits, all in all and behind the point: a text of digits "
          "stands in quotes" },
        { "allow anyone to mcp:* if arg.x <= abc",
          "1:35: expected a number, a duration like 15m or a size like 64KiB" },
        { "allow anyone to * with rate 100/1s",
          "1:24: `rate` needs a door that looks at each action: name mcp: or redis:, for `*` takes in "
          "raw doors and logins" },
        { "allow anyone to raw:connect with lease 5m and rows 5",
          "1:47: `rows` needs a door that looks at each action; a raw door sees a connection and "
          "nothing in it" },
        { "allow anyone to imap:login with bytes 5",
          "1:33: `bytes` needs a door that looks at each action; a service sees one login and nothing "
          "behind it" },
        { "allow anyone to mcp:* with approver group g",
          "1:28: `approver` is a duty of hold: an allow waits for nobody" },
        { "allow anyone to mcp:* with wait 5m",
          "1:28: `wait` is a duty of hold: an allow waits for nobody" },
        { "hold anyone to mcp:* with approver agent a",
          "1:36: \"agent\" is no party here: user group" },
        { "hold anyone to mcp:* with approver user \"${user}\"",
          "1:36: an approver is not who asks: no ${agent}, no ${user}" },
        { "allow anyone to mcp:* with rate 100", "1:33: \"100\" is no rate: a number, a / and a "
                                                 "duration, like 100/1s" },
        { "allow anyone to mcp:* with rate 0/1s",
          "1:33: \"0/1s\" is no rate: at least one, a / and a duration, like 100/1s" },
        { "allow anyone to mcp:* with rate 5/1",
          "1:33: \"5/1\" is no rate: the period is a duration from 1s to 366d, like 100/1s" },
        { "allow anyone to mcp:* with rows 0", "1:33: \"0\" is less than one" },
        { "allow anyone to mcp:* with bytes 5kb",
          "1:34: \"5kb\" is no size: write bytes, or KiB, MiB or GiB behind the number" },
        { "allow anyone to mcp:* with rows 5 and rows 6", "1:44: a rule has one rows" },
        { "allow anyone to mcp:* with log each and log summary", "1:45: a rule has one log" },
        { "allow anyone to * with log summary",
          "1:28: `log summary` is for actions that a door inspects, mcp: or redis:; a connection and a "
          "login are logged each" },
        { "allow anyone to * with lesae 5m",
          "1:24: \"lesae\" is no duty; did you mean \"lease\"?" },
        { "allow anyone to * with lease 5m and lease 6m", "1:43: a rule has one lease" },
        { "allow anyone to imap:login with lease 5m",
          "1:33: a lease ends sessions of doors; nobody can end one of a service" },
        { "deny anyone to * with lease 5m",
          "1:18: a deny has no duties: nothing happens that could be bounded" },
        { "expect deny anyone to raw:connect given arg.0 = x",
          "1:41: a raw door sees no arguments" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].text, cases[i].want);
}

static void a_bad_test_is_refused(void **state)
{
    static const struct {
        const char *test, *want;
    } cases[] = {
        { "scpoe has x", "1:22: \"scpoe\" is no attribute; did you mean \"scope\"?" },
        { "scope like x", "1:28: `scope` is compared by: = != has" },
        { "scope", "1:27: `scope` is compared by: = != has" },
        { "scope has \"a b\"", "1:32: not one scope (RFC 6749 section 3.3)" },
        { "scope has mail.*", "1:32: a scope is written in full, without * or $" },
        { "scope has \"${user}\"", "1:32: a scope is written in full, without * or $" },
        { "purpose = invoice-*",
          "1:32: `=` compares whole values: write `like` for a pattern, or \\* for a star" },
        { "claim.x has \"a*\"",
          "1:34: `has` compares whole values: write `like` for a pattern, or \\* for a star" },
        { "purpose has x", "1:30: `purpose` is compared by: = != in like" },
        { "purpose in x", "1:33: expected a list in parentheses, found \"x\"" },
        { "purpose in (x", "1:35: expected ), found the end of the statement" },
        { "source = 10.0.0.0/33", "1:31: \"10.0.0.0/33\" has no usable prefix behind the /" },
        { "source = 10.0.0.0/", "1:31: \"10.0.0.0/\" has no usable prefix behind the /" },
        { "source in (10.0.0.1/8)",
          "1:32: \"10.0.0.1/8\" has bits behind its prefix: write the network's own address" },
        { "source in (::ffff:10.0.0.0/104)",
          "1:32: \"::ffff:10.0.0.0/104\" is IPv4 within IPv6: write the IPv4 network" },
        { "source in (cache.example.org)", "1:32: \"cache.example.org\" is no address" },
        { "source in (10.*)", "1:32: a network is written 10.0.0.0/8, without * or $" },
        { "chain <= x", "1:31: \"x\" is no whole number" },
        { "chain <= 1.5", "1:31: \"1.5\" is no whole number" },
        { "chain in (1)", "1:28: `chain` is compared by: = != < <= > >=" },
        { "claim.x < 9007199254740992", "1:32: \"9007199254740992\" is no whole number" },
        { "auth_age <= 15", "1:34: \"15\" needs a unit: s, m, h or d, like 15m" },
        { "auth_age <= 0s", "1:34: \"0s\" is out of range: 1s to 366d" },
        { "auth_age = 15m", "1:31: `auth_age` is compared by: < <= > >=" },
        { "claim. = x", "1:22: a claim is claim.NAME, or claim.NAME.NAME" },
        { "claim.a..b = x", "1:22: a claim is claim.NAME, or claim.NAME.NAME" },
        { "claim = x", "1:22: a claim is claim.NAME, or claim.NAME.NAME" },
        { "claim.a\"b\" = x", "1:29: a dot is missing before the string" },
        { "claim.\"b\"a = x", "1:31: a dot is missing behind the string" },
        { "claim.a.b.c.d.e.f.g.h.i = x", "1:22: more than 8 names in one claim" },
        { "time 7:00-19:00", "1:27: \"7:00-19:00\" is no span of hours: write 07:00-19:00" },
        { "time 07:00-25:00", "1:27: \"07:00-25:00\" is no span of hours: write 07:00-19:00" },
        { "time 07:00-07:00", "1:27: \"07:00-07:00\" is empty: a whole day is 00:00-24:00" },
        { "time mo-fr 07:00-19:00", "1:27: \"mo-fr\" is no day: write mon-fri, or sat" },
        { "time mon-fri", "1:34: expected hours like 07:00-19:00, found the end of the statement" },
        { "time until 2027-02-29", "1:33: \"2027-02-29\" is no date: write 2027-01-31" },
        { "time until 31.1.2027", "1:33: \"31.1.2027\" is no date: write 2027-01-31" },
        { "", "1:21: expected an attribute, found the end of the statement" },
    };
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(text, sizeof text, "allow anyone to * if %s", cases[i].test);
        if (cases[i].test[0] == '\0')
            text[strlen(text) - 1] = '\0';
        refuse(text, cases[i].want);
    }
}

static void a_bad_expect_is_refused(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "expect deny agent a* to raw:connect",
          "1:1: an expect asks one question: name one of each, "
          "without patterns and sets" },
        { "expect deny agent a,b to raw:connect",
          "1:1: an expect asks one question: name one of each, "
          "without patterns and sets" },
        { "set $s = a\nexpect deny agent $s to raw:connect",
          "2:1: an expect asks one question: name one of each, without patterns and sets" },
        { "expect deny agent a to raw:connect on \"${agent}\"",
          "1:1: an expect asks one question: name one of each, without patterns and sets" },
        { "expect deny agent a to *", "1:1: an expect asks about one action, like raw:connect" },
        { "expect deny agent a to raw:*",
          "1:1: an expect asks about one action, like raw:connect" },
        { "expect maybe agent a to *", "1:8: \"maybe\" is no verdict: allow deny hold" },
        { "expect deny agent a to raw:connect given",
          "1:41: expected an attribute, found the end of the statement" },
        { "expect deny agent a to raw:connect given scop = x",
          "1:42: \"scop\" is no attribute; did you mean \"scope\"?" },
        { "expect deny agent a to raw:connect given scope has x",
          "1:48: expected =, found \"has\"" },
        { "expect deny agent a to raw:connect given scope = x, scope = y",
          "1:53: `scope` stands twice" },
        { "expect deny agent a to raw:connect given source = 10.0.0.0/8",
          "1:51: \"10.0.0.0/8\" is no address" },
        { "expect deny agent a to raw:connect given chain = -1", "1:50: \"-1\" is less than none" },
        { "expect deny agent a to raw:connect given time = 10:00",
          "1:49: \"10:00\" is no time: write 2026-12-01T10:00Z" },
        { "expect deny agent a to raw:connect given scope = \"a \\\\\"",
          "1:50: \"a \\\" is no list of scopes (RFC 6749 section 3.3)" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].text, cases[i].want);
}

/* ---- limits ---- */

static char *text_room(void)
{
    char *text = calloc(1, MAX_TEXT);

    assert_non_null(text);
    return text;
}

/* "BEFORE" and `count` times "MORE". */
static char *repeat(const char *before, const char *more, size_t count)
{
    char *text = text_room(), *end = stpcpy(text, before);

    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, more);
    return text;
}

/* A file that a program writes must not take minutes to be read. */
static void a_policy_has_few_names_of_relations(void **state)
{
    char text[32 * 257 + 1];
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 256; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "nobody is r%d\n", i);
    accept(text);
    (void)snprintf(text + used, sizeof text - used, "nobody is r0\n");
    accept(text);
    (void)snprintf(text + used, sizeof text - used, "nobody is other\n");
    refuse(text, "257:1: more than 256 names of relations in one policy");
    (void)snprintf(text + used, sizeof text - used, "deny anyone to mcp:* if user is other\n");
    refuse(text, "257:1: more than 256 names of relations in one policy");
}

static void limits_are_what_they_say(void **state)
{
    static const struct {
        const char *before, *more;
        size_t most;
        const char *want;
    } cases[] = {
        { "", "deny anyone to *\n", POSTERN_POLICY_RULES_MAX,
          "16385:1: more than 16384 rules in one policy" },
        { "", "expect deny anyone to raw:connect\n", POSTERN_POLICY_EXPECTS_MAX,
          "1025:1: more than 1024 expects in one policy" },
        { "deny anyone to * on a", ",b", 255, "1:533: more than 256 names in one list" },
        { "deny anyone to * if chain = 1", " and chain = 1", 15,
          "1:245: more than 16 tests in one rule" },
        { "expect deny anyone to raw:connect given group = a", ", group = a", 31,
          "1:393: more than 32 pairs" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = repeat(cases[i].before, cases[i].more, cases[i].most);

        accept(text);
        free(text);
        text = repeat(cases[i].before, cases[i].more, cases[i].most + 1);
        refuse(text, cases[i].want);
        free(text);
    }
}

static void a_file_and_its_words_have_a_size(void **state)
{
    char *text = repeat("# ", "x", POSTERN_POLICY_FILE_MAX - 2);

    (void)state;
    accept(text);
    strcat(text, "x");
    refuse(text, "1:1: 2097153 bytes, at most 2097152");
    free(text);
    text = repeat("deny agent a to * on ", "x", 255);
    accept(text);
    strcat(text, "x");
    refuse(text, "1:22: the word is longer than 255 bytes");
    free(text);
    text = repeat("deny agent a to * on \"", "\\*", 255);
    strcat(text, "\"");
    accept(text);
    free(text);
    text = repeat("deny agent a to * on \"", "\\*", 256);
    strcat(text, "\"");
    refuse(text, "1:22: the string is longer than 255 bytes");
    free(text);
    text = repeat("deny agent a to * on \"", "x", 1025);
    strcat(text, "\"");
    refuse(text, "1:22: the string is too long");
    free(text);
    text = repeat("deny agent a to * on (", "(", 2048);
    refuse(text, "1:2063: the statement is too long");
    free(text);
}

/* A list counts what its sets hold, so sets of sets cannot grow without bound. */
static void sets_of_sets_are_counted_out(void **state)
{
    char *text = repeat("set $a = x", ",y", 127);

    (void)state;
    strcat(text, "\nset $b = $a,$a\nallow agent $b to *\n");
    accept(text);
    strcat(text, "allow agent $b,z to *\n");
    refuse(text, "4:16: more than 256 names in one list");
    free(text);
}

static void sets_are_64_a_file(void **state)
{
    char *text = text_room(), *end = text;

    (void)state;
    for (int i = 0; i < 64; i++)
        end += sprintf(end, "set $s%d = a\n", i);
    accept(text);
    strcat(end, "set $one-more = a\n");
    refuse(text, "65:5: more than 64 sets");
    free(text);
}

/* ---- files ---- */

static void a_label_and_a_set_belong_to_their_file(void **state)
{
    static const char text[] = "set $s = a\nx: allow agent $s to *\n";
    postern_policy *p = NULL;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_policy_new(&p, &err), POSTERN_OK);
    assert_int_equal(postern_policy_add(p, "one", "one.rules", postern_bytes_str(text), &err),
                     POSTERN_OK);
    assert_int_equal(postern_policy_add(p, "two", "two.rules", postern_bytes_str(text), &err),
                     POSTERN_OK);
    assert_int_equal(postern_policy_add(p, "two", "two.rules", postern_bytes_str(""), &err),
                     POSTERN_ERR_USAGE);
    assert_string_equal(err.detail, "two files of one policy are named two.rules");
    assert_int_equal(postern_policy_finish(p, &err), POSTERN_ERR_USAGE);
    postern_policy_free(p);
}

static void a_file_is_named_like_a_file(void **state)
{
    static const char *const bad[] = { "", "a/b", "a b", "a:b", "\xc3\xa5" };
    postern_policy *p = NULL;

    (void)state;
    assert_int_equal(postern_policy_new(&p, NULL), POSTERN_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(postern_policy_add(p, bad[i], "x", POSTERN_BYTES_NONE, NULL),
                         POSTERN_ERR_USAGE);
    postern_policy_free(p);
}

static void a_policy_has_64_files(void **state)
{
    postern_policy *p = NULL;
    char name[16];

    (void)state;
    assert_int_equal(postern_policy_new(&p, NULL), POSTERN_OK);
    for (int i = 0; i < POSTERN_POLICY_FILES_MAX; i++) {
        (void)snprintf(name, sizeof name, "f%d", i);
        assert_int_equal(postern_policy_add(p, name, name, POSTERN_BYTES_NONE, NULL), POSTERN_OK);
    }
    assert_int_equal(postern_policy_add(p, "more", "more", POSTERN_BYTES_NONE, NULL),
                     POSTERN_ERR_USAGE);
    postern_policy_free(p);
}

static void two_files_cannot_judge_differently(void **state)
{
    postern_policy *p = NULL;
    postern_error err = { 0 };

    (void)state;
    assert_int_equal(postern_policy_new(&p, &err), POSTERN_OK);
    assert_int_equal(
        postern_policy_add(p, "a", "a.rules", postern_bytes_str("\njudge agent"), &err),
        POSTERN_OK);
    assert_int_equal(
        postern_policy_add(p, "b", "b.rules", postern_bytes_str("judge agent and user"), &err),
        POSTERN_OK);
    assert_int_equal(postern_policy_finish(p, &err), POSTERN_ERR_RULES);
    assert_string_equal(
        err.detail,
        "b.rules:1:1: a.rules:2 says otherwise, and one `judge` binds the whole policy");
    assert_int_equal(postern_policy_finish(p, &err), POSTERN_ERR_USAGE);
    postern_policy_free(p);
}

static void a_finished_policy_takes_no_more_files(void **state)
{
    postern_policy *p = test_policy_make("");

    (void)state;
    assert_int_equal(postern_policy_add(p, "b", "b.rules", POSTERN_BYTES_NONE, NULL),
                     POSTERN_ERR_USAGE);
    assert_int_equal(postern_policy_finish(p, NULL), POSTERN_ERR_USAGE);
    postern_policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_the_language_is_read),
        cmocka_unit_test(a_refusal_names_the_place_and_the_nearest_word),
        cmocka_unit_test(what_a_raw_door_cannot_do_is_refused_at_load),
        cmocka_unit_test(a_bad_test_is_refused),
        cmocka_unit_test(a_bad_expect_is_refused),
        cmocka_unit_test(a_policy_has_few_names_of_relations),
        cmocka_unit_test(limits_are_what_they_say),
        cmocka_unit_test(a_file_and_its_words_have_a_size),
        cmocka_unit_test(sets_of_sets_are_counted_out),
        cmocka_unit_test(sets_are_64_a_file),
        cmocka_unit_test(a_label_and_a_set_belong_to_their_file),
        cmocka_unit_test(a_file_is_named_like_a_file),
        cmocka_unit_test(a_policy_has_64_files),
        cmocka_unit_test(two_files_cannot_judge_differently),
        cmocka_unit_test(a_finished_policy_takes_no_more_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
