/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language as a table: policies and what is expected of them, a line a row.  Each row is read as
 * an `expect` behind its policy; it holds as it stands, and neither other verdict does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/test_policy.h"

#define ROWS_MIN 200 /* what the language is promised to be tried with */
#define TEXT_MAX 8192

/* The rules of doc/man/postern-policy.5's three files, as one list. */
static const char three_files[] =
    "no-admin:   deny anyone to redis:@admin,@dangerous,CONFIG|*,EVAL* because \"ask "
    "platform@example.org\"\n"
    "no-chains:  deny anyone to * if chain > 2\n"
    "no-sample:  deny anyone to mcp:sampling/*,elicitation/*,roots/*\n"
    "set $bots = cache-bot, worker-*\n"
    "read:       allow agent $bots to redis:@read on \"cache:*\" with log summary\n"
    "write:      allow agent cache-bot to redis:SET,SETEX,DEL on \"cache:*\" if scope has cache.write "
    "with rate 100/1s\n"
    "own-stream: allow agent worker-* to redis:XADD,XREADGROUP,XACK on \"stream:${agent}:*\"\n"
    "look:       allow agent report-bot to mcp:tools/call on read_file,list_directory if arg.path "
    "under \"/srv/reports\" and args only (path, head, tail)\n"
    "change:     hold agent report-bot for group finance to mcp:tools/call on write_file,move_file if "
    "arg.path under \"/srv/reports\" with approver group oncall and wait 10m\n"
    "pay:        allow agent pay-bot for anyone to mcp:tools/call on create_payment if arg.amount <= "
    "500 and arg.currency in (EUR, SEK) and purpose like \"invoice-*\"\n"
    "uri:        allow agent report-bot to mcp:resources/read on \"file:///srv/reports/*\"\n";

struct group {
    const char *rules;
    const char *rows; /* a line each, without the word expect */
};

static const struct group groups[] = {
    { three_files,
      "allow agent cache-bot to redis:GET on \"cache:a\"\n"
      "allow agent worker-3 to redis:MGET on \"cache:a\"\n"
      "deny agent worker-3 to redis:GET on \"stream:a\"\n"
      "deny agent worker-3 to redis:GET\n"
      "deny agent other to redis:GET on \"cache:a\"\n"
      "deny agent cache-bot to redis:SET on \"cache:a\"\n"
      "allow agent cache-bot to redis:SET on \"cache:a\" given scope = cache.write\n"
      "allow agent cache-bot to redis:SET on \"cache:a\" given scope = \"a cache.write\"\n"
      "deny agent cache-bot to redis:SET on \"cache:a\" given scope = cache.writes\n"
      "deny agent worker-1 to redis:SET on \"cache:a\" given scope = cache.write\n"
      "allow agent worker-3 to redis:XADD on \"stream:worker-3:jobs\"\n"
      "deny agent worker-3 to redis:XADD on \"stream:worker-4:jobs\"\n"
      "deny agent worker-3 to redis:XADD on \"stream:worker-3\"\n"
      "deny agent cache-bot to redis:XADD on \"stream:cache-bot:jobs\"\n"
      "deny agent cache-bot to redis:CONFIG|GET\n"
      "deny agent cache-bot to redis:EVAL on \"cache:a\"\n"
      "deny agent cache-bot to redis:EVALSHA_RO on \"cache:a\"\n"
      "deny agent cache-bot to redis:KEYS\n"
      "deny agent cache-bot to redis:FLUSHALL\n"
      "allow agent cache-bot to redis:GET on \"cache:a\" given chain = 2\n"
      "deny agent cache-bot to redis:GET on \"cache:a\" given chain = 3\n"
      "allow agent cache-bot to redis:PING\n"
      "allow agent other to redis:PING\n"
      "allow agent other to redis:HELLO\n"
      "allow agent other to redis:CLIENT|SETINFO\n"
      "allow agent other to redis:COMMAND|DOCS\n"
      "allow agent other to redis:connect\n"
      "allow agent other to redis:PING given chain = 3\n"
      "deny agent other to redis:CLIENT|KILL\n"
      "deny agent other to redis:CLIENT|LIST\n"
      "deny agent other to redis:INFO\n"
      "allow agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv/reports/q3.csv\"\n"
      "allow agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv/reports\"\n"
      "allow agent report-bot to mcp:tools/call on list_directory given arg.path = \"/srv/reports/\"\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = "
      "\"/srv/reports/../secret\"\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv/reports2/a\"\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = \"srv/reports/a\"\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv//reports/a\"\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv/./reports/a\"\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv/reports/a/..\"\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv\"\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = \"/\"\n"
      "deny agent report-bot to mcp:tools/call on read_file\n"
      "allow agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv/reports/a\", "
      "arg.head = 5\n"
      "deny agent report-bot to mcp:tools/call on read_file given arg.path = \"/srv/reports/a\", "
      "arg.mode = x\n"
      "deny agent report-bot to mcp:tools/call on write_file given arg.path = \"/srv/reports/a\"\n"
      "hold agent report-bot for group finance to mcp:tools/call on write_file given arg.path = "
      "\"/srv/reports/a\"\n"
      "hold agent report-bot for group finance to mcp:tools/call on move_file given arg.path = "
      "\"/srv/reports/a\", arg.mode = x\n"
      "deny agent report-bot for group sales to mcp:tools/call on write_file given arg.path = "
      "\"/srv/reports/a\"\n"
      "deny agent report-bot for group finance to mcp:tools/call on write_file given arg.path = "
      "\"/etc/passwd\"\n"
      "allow agent pay-bot for user alice to mcp:tools/call on create_payment given arg.amount = 500, "
      "arg.currency = EUR, purpose = invoice-7\n"
      "allow agent pay-bot for anyone to mcp:tools/call on create_payment given arg.amount = 499.99, "
      "arg.currency = SEK, purpose = invoice-7\n"
      "deny agent pay-bot for user alice to mcp:tools/call on create_payment given arg.amount = 500.01, "
      "arg.currency = EUR, purpose = invoice-7\n"
      "deny agent pay-bot for user alice to mcp:tools/call on create_payment given arg.amount = \"5\", "
      "arg.currency = EUR, purpose = invoice-7\n"
      "deny agent pay-bot for user alice to mcp:tools/call on create_payment given arg.amount = 5, "
      "arg.currency = USD, purpose = invoice-7\n"
      "deny agent pay-bot for user alice to mcp:tools/call on create_payment given arg.amount = 5, "
      "arg.currency = EUR, purpose = order-7\n"
      "deny agent pay-bot for user alice to mcp:tools/call on create_payment given arg.amount = 5, "
      "arg.currency = EUR\n"
      "deny agent pay-bot for nobody to mcp:tools/call on create_payment given arg.amount = 5, "
      "arg.currency = EUR, purpose = invoice-7\n"
      "allow agent report-bot to mcp:resources/read on \"file:///srv/reports/a.csv\"\n"
      "deny agent report-bot to mcp:resources/read on \"file:///srv/reports/../a.csv\"\n"
      "deny agent report-bot to mcp:resources/read on \"file:///srv/reports/%2e%2e/a.csv\"\n"
      "deny agent report-bot to mcp:resources/read on \"file:///srv/reports/.%2E/a.csv\"\n"
      "deny agent report-bot to mcp:resources/read on \"file:///srv/reports/..%2fa.csv\"\n"
      "deny agent report-bot to mcp:resources/read on \"file:///srv/secret/a.csv\"\n"
      "allow agent report-bot to mcp:resources/read on \"file:///srv/reports/Q3%20report.pdf\"\n"
      "deny agent report-bot to mcp:sampling/createMessage\n"
      "deny agent report-bot to mcp:sampling/other\n"
      "deny agent report-bot to mcp:roots/list\n"
      "allow agent other to mcp:initialize\n"
      "allow agent other to mcp:ping\n"
      "allow agent other to mcp:tools/list\n"
      "allow agent other to mcp:notifications/initialized\n"
      "deny agent other to mcp:notifications/new\n"
      "deny agent other to mcp:server/discover\n"
      "deny agent other to mcp:logging/setLevel\n"
      "deny agent other to mcp:Ping\n" },
    /* ---- what clients say first ---- */
    { "deny anyone to *\n",
      "allow agent a to redis:PING\nallow agent a to redis:ping\nallow agent a to redis:connect\n"
      "deny agent a to redis:GET on k\nallow agent a to mcp:initialize\ndeny agent a to raw:connect\n"
      "deny agent a to imap:login on a\ndeny agent a to mcp:new/method\n" },
    { "deny anyone to redis:*\ndeny anyone to redis:P*,@connection,@fast\n",
      "allow agent a to redis:PING\nallow agent a to redis:ECHO\ndeny agent a to redis:PFADD on k\n"
      "deny agent a to redis:CLIENT|KILL\nallow agent a to redis:CLIENT|ID\n" },
    { "deny agent a to redis:PING\nhold agent b to redis:@session\ndeny agent c to redis:@session\n"
      "deny agent d to redis:CLIENT\ndeny agent e to redis:connect\n",
      "deny agent a to redis:PING\nallow agent a to redis:HELLO\nhold agent b to redis:PING\n"
      "hold agent b to redis:connect\ndeny agent c to redis:connect\ndeny agent c to redis:HELLO\n"
      "deny agent d to redis:CLIENT|SETNAME\nallow agent d to redis:PING\n"
      "deny agent e to redis:connect\nallow agent e to redis:PING\nallow agent f to redis:PING\n" },
    { "allow agent a to redis:@session with lease 5m\ndeny anyone to redis:@session\n",
      "allow agent a to redis:PING\ndeny agent b to redis:PING\nallow agent b to mcp:ping\n" },
    { "deny group leavers to mcp:tools/list\n",
      "deny agent a for group leavers to mcp:tools/list\nallow agent a for user u to mcp:tools/list\n"
      "allow agent a for nobody to mcp:tools/list\n" },
    { "judge agent and user\ndeny user eve to mcp:initialize\n",
      "deny agent a for user eve to mcp:initialize\nallow agent a for user bob to mcp:initialize\n"
      "allow agent a to mcp:initialize\n" },
    /* ---- names, classes and globs ---- */
    { "allow agent a to redis:get,Set,CONFIG,ob*,@bitmap\n",
      "allow agent a to redis:GET on k\nallow agent a to redis:get on k\nallow agent a to redis:SET\n"
      "deny agent a to redis:SETEX on k\nallow agent a to redis:CONFIG|GET\n"
      "allow agent a to redis:CONFIG|REWRITE\nallow agent a to redis:OBJECT|FREQ on k\n"
      "allow agent a to redis:BITCOUNT on k\ndeny agent a to redis:MGET on k\n" },
    { "allow agent a to redis:*\ndeny agent a to redis:@write\n",
      "allow agent a to redis:SET on k\nallow agent a to redis:FLUSHALL\ndeny agent b to redis:GET\n" },
    { "allow agent a to mcp:*\nallow agent b to mcp:tools/*\nallow agent c to mcp:new/method\n"
      "allow agent d to mcp:@read\n",
      "allow agent a to mcp:tools/call on t\ndeny agent a to mcp:new/method\n"
      "allow agent b to mcp:tools/call on t\nallow agent b to mcp:tools/new\n"
      "deny agent b to mcp:new/method\nallow agent c to mcp:new/method\n"
      "deny agent c to mcp:new/methods\nallow agent d to mcp:prompts/get on p\n"
      "allow agent d to mcp:resources/subscribe on \"x:/y\"\ndeny agent d to mcp:tools/call on t\n"
      "deny agent a to mcp:TOOLS/CALL on t\n" },
    { "deny agent a to mcp:@call\ndeny agent a to mcp:*\nallow agent a to mcp:new/*,tools/call\n",
      "deny agent a to mcp:new/method\ndeny agent a to mcp:tools/call on t\n" },
    { "deny anyone to mcp:new/*\nallow agent a to mcp:new/method,tools/call\n",
      "deny agent a to mcp:new/method\nallow agent a to mcp:tools/call on t\n" },
    { "allow agent a to redis:GET\nallow agent a to mcp:tools/call\n",
      "allow agent a to redis:GET on x\ndeny agent a to mcp:prompts/get on x\n"
      "deny agent a to raw:connect on x\n" },
    /* ---- arguments by position ---- */
    { "allow agent a to redis:EXPIRE on \"k:*\" if arg.1 <= 3600 and args only (0, 1)\n"
      "allow agent b to redis:SET if arg.2 in (EX, PX) and arg.1 like \"v*\" and not arg.3 > 1d\n"
      "allow agent c to redis:SET if args only (0, 1)\n"
      "deny agent d to redis:SET if arg.1 = secret\nallow agent d to redis:SET\n",
      "allow agent a to redis:EXPIRE on \"k:a\" given arg.0 = \"k:a\", arg.1 = 60\n"
      "allow agent a to redis:EXPIRE on \"k:a\" given arg.0 = \"k:a\", arg.1 = \"60\"\n"
      "deny agent a to redis:EXPIRE on \"k:a\" given arg.0 = \"k:a\", arg.1 = 3601\n"
      "deny agent a to redis:EXPIRE on \"k:a\" given arg.0 = \"k:a\", arg.1 = 60, arg.2 = NX\n"
      "deny agent a to redis:EXPIRE on \"k:a\" given arg.0 = \"k:a\"\n"
      "deny agent a to redis:EXPIRE on \"k:a\" given arg.0 = \"k:a\", arg.1 = \"1e2\"\n"
      "deny agent a to redis:EXPIRE on \"k:a\" given arg.0 = \"k:a\", arg.1 = \"060\"\n"
      "deny agent a to redis:EXPIRE on \"k:a\" given arg.0 = \"k:a\", arg.1 = \"+60\"\n"
      "allow agent b to redis:SET given arg.0 = k, arg.1 = v1, arg.2 = EX, arg.3 = 86400\n"
      "deny agent b to redis:SET given arg.0 = k, arg.1 = v1, arg.2 = EX, arg.3 = 86401\n"
      "deny agent b to redis:SET given arg.0 = k, arg.1 = v1, arg.2 = ex, arg.3 = 5\n"
      "deny agent b to redis:SET given arg.0 = k, arg.1 = w, arg.2 = EX, arg.3 = 5\n"
      "deny agent b to redis:SET given arg.0 = k, arg.1 = v1, arg.2 = EX\n"
      "allow agent c to redis:SET given arg.0 = k, arg.1 = v\nallow agent c to redis:SET\n"
      "deny agent c to redis:SET given arg.0 = k, arg.1 = v, arg.2 = NX\n"
      "allow agent d to redis:SET given arg.0 = k, arg.1 = v\n"
      "deny agent d to redis:SET given arg.0 = k, arg.1 = secret\n"
      "deny agent d to redis:SET given arg.0 = k\n" },
    /* ---- arguments by name ---- */
    { "allow agent a to mcp:tools/call if arg.n = 5\nallow agent b to mcp:tools/call if arg.n = \"5\"\n"
      "allow agent c to mcp:tools/call if arg.n != 5\nallow agent d to mcp:tools/call if not arg.n = 5\n"
      "deny agent e to mcp:tools/call if arg.n = 5\nallow agent e to mcp:tools/call\n"
      "allow agent f to mcp:tools/call if arg.f = true\nallow agent g to mcp:tools/call if arg.t = "
      "\"true\"\nallow agent h to mcp:tools/call if arg.l has x\nallow agent i to mcp:tools/call if "
      "arg.a.b = c\nallow agent j to mcp:tools/call if arg.\"a.b\" = c\n",
      "allow agent a to mcp:tools/call given arg.n = 5\nallow agent a to mcp:tools/call given arg.n = "
      "5.0\ndeny agent a to mcp:tools/call given arg.n = \"5\"\ndeny agent a to mcp:tools/call given "
      "arg.n = 6\ndeny agent a to mcp:tools/call\nallow agent b to mcp:tools/call given arg.n = \"5\"\n"
      "deny agent b to mcp:tools/call given arg.n = 5\nallow agent c to mcp:tools/call given arg.n = "
      "6\ndeny agent c to mcp:tools/call given arg.n = 5\ndeny agent c to mcp:tools/call given arg.n "
      "= \"6\"\ndeny agent c to mcp:tools/call\nallow agent d to mcp:tools/call given arg.n = 6\n"
      "deny agent d to mcp:tools/call given arg.n = x\ndeny agent d to mcp:tools/call\n"
      "deny agent e to mcp:tools/call given arg.n = 5\nallow agent e to mcp:tools/call given arg.n = "
      "6\ndeny agent e to mcp:tools/call given arg.n = x\ndeny agent e to mcp:tools/call\n"
      "allow agent f to mcp:tools/call given arg.f = true\ndeny agent f to mcp:tools/call given arg.f "
      "= \"true\"\ndeny agent f to mcp:tools/call given arg.f = false\n"
      "allow agent g to mcp:tools/call given arg.t = \"true\"\ndeny agent g to mcp:tools/call given "
      "arg.t = true\nallow agent h to mcp:tools/call given arg.l = x, arg.l = y\n"
      "deny agent h to mcp:tools/call given arg.l = x\ndeny agent h to mcp:tools/call given arg.l = y, "
      "arg.l = z\nallow agent i to mcp:tools/call given arg.a.b = c\n"
      "deny agent i to mcp:tools/call given arg.\"a.b\" = c\n"
      "allow agent j to mcp:tools/call given arg.\"a.b\" = c\n" },
    { "allow agent a to mcp:tools/call if arg.n < 1.5\nallow agent b to mcp:tools/call if arg.n >= "
      "-0.25\nallow agent c to mcp:tools/call if arg.n <= 64KiB\nallow agent d to mcp:tools/call if "
      "arg.n > 2h\nallow agent e to mcp:tools/call if arg.host in (10.0.0.0/8, fd00::/8, localhost)\n",
      "allow agent a to mcp:tools/call given arg.n = 1.499\ndeny agent a to mcp:tools/call given arg.n "
      "= 1.50\nallow agent a to mcp:tools/call given arg.n = -2\nallow agent b to mcp:tools/call given "
      "arg.n = -0.25\nallow agent b to mcp:tools/call given arg.n = -0.2\ndeny agent b to "
      "mcp:tools/call given arg.n = -0.3\nallow agent c to mcp:tools/call given arg.n = 65536\n"
      "deny agent c to mcp:tools/call given arg.n = 65536.01\nallow agent d to mcp:tools/call given "
      "arg.n = 7201\ndeny agent d to mcp:tools/call given arg.n = 7200\n"
      "allow agent e to mcp:tools/call given arg.host = 10.1.2.3\nallow agent e to mcp:tools/call given "
      "arg.host = localhost\nallow agent e to mcp:tools/call given arg.host = \"fd00::1\"\n"
      "deny agent e to mcp:tools/call given arg.host = 11.1.2.3\ndeny agent e to mcp:tools/call given "
      "arg.host = 10.evil.example\n" },
    /* ---- under ---- */
    { "allow agent a to mcp:tools/call if arg.p under \"/home/${user}\"\n"
      "allow agent b to mcp:tools/call if arg.p under \"file:///srv/r\"\n"
      "allow agent c to mcp:tools/call if arg.p under \"ou=People,dc=example,dc=org\"\n"
      "deny agent d to mcp:tools/call if arg.p under \"/etc\"\nallow agent d to mcp:tools/call\n"
      "allow agent e to mcp:tools/call if not arg.p under (\"/etc\", \"/root\")\n",
      "allow agent a for user al to mcp:tools/call given arg.p = \"/home/al/x\"\n"
      "deny agent a for user al to mcp:tools/call given arg.p = \"/home/bo/x\"\n"
      "deny agent a for user al to mcp:tools/call given arg.p = \"/home/alb\"\n"
      "deny agent a for anyone to mcp:tools/call given arg.p = \"/home/al/x\"\n"
      "deny agent a for nobody to mcp:tools/call given arg.p = \"/home/al/x\"\n"
      "deny agent a for user \"..\" to mcp:tools/call given arg.p = \"/home/../x\"\n"
      "deny agent a for user \"al/../bo\" to mcp:tools/call given arg.p = \"/home/bo/x\"\n"
      "allow agent b to mcp:tools/call given arg.p = \"file:///srv/r/a\"\n"
      "deny agent b to mcp:tools/call given arg.p = \"file:///srv/r/%61\"\n"
      "deny agent b to mcp:tools/call given arg.p = \"file:///srv/r/../a\"\n"
      "deny agent b to mcp:tools/call given arg.p = \"file:///srv/r/a?x\"\n"
      "deny agent b to mcp:tools/call given arg.p = \"file://host/srv/r/a\"\n"
      "deny agent b to mcp:tools/call given arg.p = \"FILE:///srv/r/a\"\n"
      "deny agent b to mcp:tools/call given arg.p = \"/srv/r/a\"\n"
      "allow agent c to mcp:tools/call given arg.p = \"uid=al,ou=People,dc=example,dc=org\"\n"
      "allow agent c to mcp:tools/call given arg.p = \"uid=al, OU = people,dc=Example,dc=org\"\n"
      "deny agent c to mcp:tools/call given arg.p = \"uid=al,ou=Groups,dc=example,dc=org\"\n"
      "deny agent c to mcp:tools/call given arg.p = \"dc=example,dc=org\"\n"
      "deny agent c to mcp:tools/call given arg.p = \"cn=x\\\\\\\\,ou=People,dc=example,dc=org\"\n"
      "deny agent c to mcp:tools/call given arg.p = \"cn=x,xou=People,dc=example,dc=org\"\n"
      "deny agent d to mcp:tools/call given arg.p = \"/etc/passwd\"\n"
      "allow agent d to mcp:tools/call given arg.p = \"/srv/a\"\n"
      "deny agent d to mcp:tools/call given arg.p = \"/srv/../etc/passwd\"\n"
      "deny agent d to mcp:tools/call given arg.p = \"etc/passwd\"\ndeny agent d to mcp:tools/call\n"
      "allow agent e to mcp:tools/call given arg.p = \"/srv/a\"\n"
      "deny agent e to mcp:tools/call given arg.p = \"/root/.ssh\"\n"
      "deny agent e to mcp:tools/call given arg.p = \"/srv/../root\"\ndeny agent e to mcp:tools/call\n" },
    /* ---- the token's details, and rights that end ---- */
    { "allow agent a to mcp:tools/call if detail.pay.amount <= 100 and detail.pay.to = acme\n"
      "allow agent b to mcp:tools/call if detail.db_change.ticket like \"CHG-*\" and time until "
      "2027-01-31\nallow agent c to mcp:tools/call if not detail.pay.to = acme\n",
      "allow agent a to mcp:tools/call given detail.pay.amount = 100, detail.pay.to = acme\n"
      "deny agent a to mcp:tools/call given detail.pay.amount = 101, detail.pay.to = acme\n"
      "deny agent a to mcp:tools/call given detail.pay.amount = 100\n"
      "deny agent a to mcp:tools/call given detail.pays.amount = 100, detail.pay.to = acme\n"
      "allow agent b to mcp:tools/call given detail.db_change.ticket = CHG-7, time = "
      "2027-01-31T23:59Z\n"
      "deny agent b to mcp:tools/call given detail.db_change.ticket = CHG-7, time = "
      "2027-02-01T00:00Z\n"
      "deny agent b to mcp:tools/call given detail.db_change.ticket = CHG-7\n"
      "deny agent b to mcp:tools/call given detail.db_change.ticket = X-7, time = 2027-01-01T00:00Z\n"
      "allow agent c to mcp:tools/call given detail.pay.to = other\ndeny agent c to mcp:tools/call\n" },
    /* ---- relations ---- */
    { "user al, bo is owner of d1\ngroup g is owner of d2\nagent a is reader of d3\nnobody is banned\n"
      "user eve is blocked of t\nallow agent a for anyone to mcp:tools/call on read if user is owner of "
      "arg.doc\nallow agent a to mcp:resources/read if agent is reader\n"
      "deny anyone to mcp:prompts/get if user is blocked\nallow agent a to mcp:prompts/get if not user is "
      "banned\nallow agent b for anyone to redis:GET if user is owner\n",
      "allow agent a for user al to mcp:tools/call on read given arg.doc = d1\n"
      "allow agent a for user bo to mcp:tools/call on read given arg.doc = d1\n"
      "deny agent a for user al to mcp:tools/call on read given arg.doc = d2\n"
      "allow agent a for user al to mcp:tools/call on read given arg.doc = d2, group = g\n"
      "deny agent a for user eve to mcp:tools/call on read given arg.doc = d1\n"
      "deny agent a for anyone to mcp:tools/call on read given arg.doc = d1\n"
      "deny agent a for user al to mcp:tools/call on read\n"
      "deny agent a for user al to mcp:tools/call on read given arg.doc = 5\n"
      "deny agent a for user al to mcp:tools/call on read given arg.doc = D1\n"
      "allow agent a to mcp:resources/read on d3\ndeny agent b to mcp:resources/read on d3\n"
      "deny agent a to mcp:resources/read on d4\ndeny agent a to mcp:resources/read\n"
      "deny agent a for user eve to mcp:prompts/get on t\n"
      "allow agent a for user al to mcp:prompts/get on t\nallow agent a to mcp:prompts/get on t\n"
      "deny agent a for anyone to mcp:prompts/get on t\n"
      "allow agent b for user al to redis:GET on d1\ndeny agent b for user al to redis:GET on d2\n"
      "deny agent b to redis:GET on d1\n" },
    /* ---- hold, and two lists ---- */
    { "judge agent and user\nallow agent a to mcp:tools/call\nhold user alice to mcp:tools/call on "
      "w\nallow user alice to mcp:tools/call\nhold agent b to mcp:tools/call\n",
      "hold agent a for user alice to mcp:tools/call on w\n"
      "allow agent a for user alice to mcp:tools/call on r\n"
      "hold agent b for user alice to mcp:tools/call on r\n"
      "hold agent b for user alice to mcp:tools/call on w\n"
      "deny agent b for user bob to mcp:tools/call on r\ndeny agent a for user bob to mcp:tools/call on "
      "w\ndeny agent b to mcp:tools/call on r\n" },
    { "hold agent a to redis:DEL if scope has del\nallow agent a to redis:DEL on \"tmp:*\"\n",
      "allow agent a to redis:DEL on \"tmp:1\"\nhold agent a to redis:DEL on \"tmp:1\" given scope = "
      "del\ndeny agent a to redis:DEL on \"x\"\n" },
};

/* The policy with one more line; true when it loads, false when that expect fails. */
static bool holds(const char *rules, const char *verdict, const char *rest)
{
    char text[TEXT_MAX];
    postern_error err = { 0 };
    postern_policy *p;
    int len = snprintf(text, sizeof text, "%sexpect %s %s\n", rules, verdict, rest);

    assert_in_range(len, 1, sizeof text - 1);
    p = test_policy_try(text, &err);
    if (p == NULL && err.code != POSTERN_ERR_RULES_EXPECT)
        fail_msg("expect %s %s: %s", verdict, rest, err.detail);
    postern_policy_free(p);
    return p != NULL;
}

static void check_row(const char *rules, const char *row)
{
    static const char *const verdicts[] = { "deny", "allow", "hold" };

    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        size_t len = strlen(verdicts[i]);
        bool is_wanted = strncmp(row, verdicts[i], len) == 0 && row[len] == ' ';

        if (holds(rules, verdicts[i], row + strcspn(row, " ") + 1) != is_wanted)
            fail_msg("%s it is%s %s", row, is_wanted ? " not" : "", verdicts[i]);
    }
}

static void every_row_holds_and_no_other_verdict_does(void **state)
{
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const char *row = groups[i].rows;

        for (; *row != '\0'; row += strcspn(row, "\n") + 1, count++) {
            char line[1024];

            (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(row, "\n"), row);
            check_row(groups[i].rules, line);
        }
    }
    print_message("%zu rows\n", count);
    assert_true(count >= ROWS_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_holds_and_no_other_verdict_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
