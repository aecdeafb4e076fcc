/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A policy and questions to it.  What is refused names its place; what is accepted has one spelling
 * that reads as the same; nothing is allowed by a policy without an allow, a decision is what the
 * rules looked at one by one say, and whoever asks with less in his hands hears of the rule that
 * decides.
 */
#include <stdlib.h>

#include <postern-private/json.h>
#include <postern/policy.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool claim)
{
    if (!claim)
        abort();
}

static postern_policy *read_policy(postern_bytes text, postern_err *ret_e, postern_error *err)
{
    POSTERN_AUTO(policy) p = NULL;

    must(postern_policy_new(&p, err) == POSTERN_OK);
    *ret_e = postern_policy_add(p, "f", "f", text, err);
    if (*ret_e == POSTERN_OK)
        *ret_e = postern_policy_finish(p, err);
    return *ret_e == POSTERN_OK ? POSTERN_STEAL(p) : NULL;
}

static void print_into(const postern_policy *p, postern_buf *out)
{
    must(postern_policy_print(p, 0, out) && !postern_policy_print(p, 1, out));
    must(!out->failed);
}

static void check_round_trip(const postern_policy *p)
{
    POSTERN_AUTO_BUF once = POSTERN_BUF_INIT(8 * POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO_BUF twice = POSTERN_BUF_INIT(8 * POSTERN_POLICY_FILE_MAX);
    POSTERN_AUTO(policy) again = NULL;
    postern_error err;
    postern_err e;

    print_into(p, &once);
    if (once.len > POSTERN_POLICY_FILE_MAX)
        return; /* blanks and quotes that the original did not have */
    again = read_policy(postern_buf_bytes(&once), &e, &err);
    must(again != NULL);
    print_into(again, &twice);
    must(postern_bytes_equal(postern_buf_bytes(&once), postern_buf_bytes(&twice)));
}

static bool find_session(const postern_policy_question *q)
{
    postern_policy_action action;

    for (size_t i = 0; postern_policy_action_at(q->protocol, i, &action); i++)
        if (strcmp(action.name, q->action) == 0)
            return strstr(action.classes, "@session") != NULL;
    return false;
}

/* What every client says first is allowed unless a rule names it.  Looked up once for each of the
 * actions that are asked about, which are constants. */
static bool is_session(const postern_policy_question *q)
{
    static struct {
        const char *protocol, *action;
        bool is_session;
    } seen[32];
    size_t i = 0;

    while (i < 31 && seen[i].action != NULL &&
           (seen[i].action != q->action || seen[i].protocol != q->protocol))
        i++;
    if (seen[i].action != q->action || seen[i].protocol != q->protocol) {
        seen[i].protocol = q->protocol;
        seen[i].action = q->action;
        seen[i].is_session = find_session(q);
    }
    return seen[i].is_session;
}

/* What the rules of `list` say, one by one; NO_RULE when none matches. */
static postern_verdict walk(const postern_policy *p, const postern_policy_question *q,
                            unsigned list, bool is_one_list, size_t *ret_index)
{
    postern_verdict verdict = is_session(q) ? POSTERN_VERDICT_ALLOW : POSTERN_VERDICT_DENY;
    size_t held = POSTERN_POLICY_NO_RULE;
    postern_policy_view v;

    *ret_index = POSTERN_POLICY_NO_RULE;
    for (size_t i = 0; *ret_index == POSTERN_POLICY_NO_RULE && postern_policy_look(p, q, i, &v);
         i++) {
        must(v.is_match == (v.why[0] == '\0') && v.rule[0] != '\0' && v.line > 0 && v.lists != 0);
        must(!v.may_hold || (!v.is_match && v.verdict == POSTERN_VERDICT_HOLD));
        if (!is_one_list && (v.lists & list) == 0)
            continue;
        if (v.is_match) {
            *ret_index = i;
            verdict = v.verdict;
        } else if (v.may_hold && held > i) {
            held = i;
        }
    }
    if (verdict != POSTERN_VERDICT_ALLOW || held == POSTERN_POLICY_NO_RULE)
        return verdict;
    *ret_index = held;
    return POSTERN_VERDICT_HOLD;
}

/* deny, hold, allow: the stricter of the two. */
static postern_verdict stricter(postern_verdict a, postern_verdict b)
{
    if (a == POSTERN_VERDICT_DENY || b == POSTERN_VERDICT_DENY)
        return POSTERN_VERDICT_DENY;
    return a == POSTERN_VERDICT_HOLD ? a : b;
}

/* Compared with each rule above them: a file of thousands would take minutes. */
#define COMPARED_RULES_MAX 64

/* A rule that decides is one that may, whatever of the question is left open. */
static void check_bearing(const postern_policy *p, const postern_policy_question *q,
                          const postern_decision *d)
{
    const postern_policy_about about[] = {
        { .size = sizeof *about, .now_s = -1 },
        { .size = sizeof *about, .agent = q->subject->agent, .user = q->subject->user, .now_s = -1 },
        { .size = sizeof *about,
          .protocol = q->protocol,
          .action = q->action,
          .resource = q->resource,
          .now_s = q->now_s },
    };

    for (size_t i = 0; i < sizeof about / sizeof *about; i++) {
        must(d->rule_index > COMPARED_RULES_MAX ||
             postern_policy_may_decide(p, d->rule_index, POSTERN_POLICY_LIST_AGENT, &about[i]));
        must(d->user_rule_index > COMPARED_RULES_MAX ||
             postern_policy_may_decide(p, d->user_rule_index, POSTERN_POLICY_LIST_USER, &about[i]));
    }
}

static void check_question(const postern_policy *p, const postern_policy_question *q)
{
    bool is_one_list = postern_policy_lists(p) == POSTERN_POLICY_LIST_AGENT;
    postern_verdict agent, user = POSTERN_VERDICT_ALLOW;
    size_t agent_index, user_index = POSTERN_POLICY_NO_RULE;
    postern_decision d;

    postern_policy_decide(p, q, &d);
    agent = walk(p, q, POSTERN_POLICY_LIST_AGENT, is_one_list, &agent_index);
    if (!is_one_list)
        user = walk(p, q, POSTERN_POLICY_LIST_USER, false, &user_index);
    must((d.refusing_lists == 0) == (d.verdict == POSTERN_VERDICT_ALLOW));
    must((d.refusing_lists & ~postern_policy_lists(p)) == 0);
    must(d.rule_index == agent_index && d.user_rule_index == user_index);
    if (!q->is_preview)
        check_bearing(p, q, &d);
    must(d.verdict == stricter(agent, user));
    must(d.verdict != POSTERN_VERDICT_ALLOW || d.because[0] == '\0');
    if (d.verdict == POSTERN_VERDICT_DENY)
        must(d.lease_s == 0 && d.rows == 0 && d.bytes == 0 && d.wait_s == 0 && !d.logs_summary &&
             d.rate.count == 0 && d.user_rate.count == 0);
    else
        must(d.missing_scope[0] == '\0');
    must(d.wait_s == 0 || d.verdict == POSTERN_VERDICT_HOLD);
    must(d.verdict == POSTERN_VERDICT_HOLD || !postern_policy_may_approve(p, &d, q->subject));
}

/* Every account under a spelling of its own, which a deny must see through. */
static void ask_logins(const postern_policy *p, const postern_policy_subject *s, size_t i)
{
    static const char *const accounts[] = { NULL, "a", "alice", "Root@b@c" };
    static const char *const services[] = { "imap", "imap", "x.y-z_1", "raw" };
    const postern_policy_question q = { .size = sizeof q,
                                        .subject = s,
                                        .protocol = services[i],
                                        .action = "login",
                                        .resource = postern_bytes_str(accounts[i]),
                                        .now_s = 1796119200 };

    if (strcmp(services[i], "raw") == 0) {
        postern_decision d;

        postern_policy_decide(p, &q, &d); /* there is no such action */
        must(d.verdict == POSTERN_VERDICT_DENY && d.rule_index == POSTERN_POLICY_NO_RULE);
        return;
    }
    check_question(p, &q);
}

/* Actions with arguments of either kind, known and not; a preview shows at least what is allowed. */
static void ask_actions(const postern_policy *p, const postern_policy_subject *s,
                        const postern_json *json)
{
    static const char *const actions[][2] = {
        { "redis", "GET" },         { "redis", "set" },       { "redis", "CONFIG|GET" },
        { "redis", "PING" },        { "redis", "FT.SEARCH" }, { "redis", "connect" },
        { "mcp", "tools/call" },    { "mcp", "ping" },        { "mcp", "resources/read" },
        { "mcp", "sampling/createMessage" }, { "mcp", "new/method" },
    };
    static const char *const resources[] = { NULL, "k", "cache:a", "file:///srv/a", "file:///a/../b",
                                             "" };
    const postern_bytes list[] = { POSTERN_BYTES_LIT("k"), POSTERN_BYTES_LIT("5"),
                                   { (const uint8_t *)"\0\377", 2 },
                                   POSTERN_BYTES_LIT("-0.30000000000000004"),
                                   POSTERN_BYTES_LIT("cache:\303\251:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:\251:ab") };
    const postern_policy_args args[] = {
        { 0 },
        { .kind = POSTERN_POLICY_ARGS_LIST, .list = list, .count = 5 },
        { .kind = POSTERN_POLICY_ARGS_LIST },
        { .kind = POSTERN_POLICY_ARGS_JSON, .json = json },
        { .kind = POSTERN_POLICY_ARGS_JSON, .json = json, .object = POSTERN_JSON_ABSENT },
    };
    postern_policy_question q = { .size = sizeof q, .subject = s, .now_s = 1796119200 };

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        q.protocol = actions[i][0];
        q.action = actions[i][1];
        q.resource = postern_bytes_str(resources[i % (sizeof resources / sizeof *resources)]);
        q.resource.ptr = resources[i % 6] == NULL ? NULL : q.resource.ptr;
        for (size_t k = 0; k < sizeof args / sizeof *args; k++) {
            postern_decision d, preview;

            q.args = args[k];
            q.is_preview = false;
            check_question(p, &q);
            postern_policy_decide(p, &q, &d);
            q.is_preview = true;
            q.args = (postern_policy_args){ 0 };
            check_question(p, &q);
            postern_policy_decide(p, &q, &preview);
            must(d.verdict == POSTERN_VERDICT_DENY || preview.verdict != POSTERN_VERDICT_DENY);
        }
    }
}

static void ask(const postern_policy *p, const postern_json *json)
{
    static const char *const groups[] = { "g", "ops" };
    static const char claims[] =
        "{\"acr\":\"a\",\"auth_time\":1796119000,\"a\":{\"b\":[\"x\",\"\\u0079\"]},"
        "\"n\":5,\"s\":\"\\u0061\",\"t\":true,\"groups\":[\"h\"],\"authorization_details\":[{\"type\":"
        "\"pay\",\"amount\":5,\"to\":\"\\u0061cme\"},{\"type\":\"x\",\"l\":[1,\"a\"]},7]}";
    postern_policy_subject subjects[] = {
        { 0 },
        { .agent = "a", .client = "a", .scope = "" },
        { .agent = "bot", .user = "", .client = "c", .issuer = "i", .scope = "x a", .chain = 1 },
        { .agent = "*",
          .user = "alice",
          .client = "bot",
          .issuer = "i",
          .groups = groups,
          .group_count = 2,
          .scope = "x",
          .purpose = "p",
          .chain = 3,
          .claims = { (const uint8_t *)claims, sizeof claims - 1 } },
    };
    postern_policy_question q = { .size = sizeof q, .protocol = "raw", .action = "connect" };

    must(postern_policy_subject_prepare(&subjects[3], NULL) == POSTERN_OK);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        q.subject = &subjects[i];
        q.resource = postern_bytes_str(i == 0 ? NULL : i == 1 ? "c" : "cache");
        q.source = i == 0 ? NULL : i == 1 ? "10.1.2.3" : "2001:db8::1";
        q.now_s = i == 0 ? -1 : 1796119200;
        check_question(p, &q);
        for (size_t k = 0; k < 4; k++)
            ask_logins(p, &subjects[i], k);
        ask_actions(p, &subjects[i], json);
    }
    postern_policy_subject_clear(&subjects[3]);
}

static bool holds(postern_bytes text, const char *word)
{
    return memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

static void check_no_login(const postern_policy *p)
{
    postern_policy_subject s = { .agent = "a", .client = "a", .scope = "x" };
    postern_policy_question q = { .size = sizeof q,
                                  .subject = &s,
                                  .protocol = "imap",
                                  .action = "login",
                                  .resource = postern_bytes_str("c") };
    postern_decision d;

    postern_policy_decide(p, &q, &d);
    must(d.verdict == POSTERN_VERDICT_DENY);
}

static void check_no_allow(const postern_policy *p)
{
    postern_policy_subject s = { .agent = "a", .client = "a", .scope = "x" };
    postern_policy_question q = { .size = sizeof q,
                                  .subject = &s,
                                  .source = "10.1.2.3",
                                  .protocol = "raw",
                                  .action = "connect",
                                  .resource = postern_bytes_str("c") };
    postern_decision d;

    postern_policy_decide(p, &q, &d);
    must(d.verdict == POSTERN_VERDICT_DENY);
}

/* Parts of rules have words, and the expects of a policy that loads hold. */
static void check_words(const postern_policy *p)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(1 << 24);
    postern_policy_expectation x;
    postern_policy_rule r;

    for (size_t i = 0; i < COMPARED_RULES_MAX && postern_policy_rule_at(p, i, &r); i++) {
        must(postern_policy_print_part(p, i, POSTERN_POLICY_WHO, 0, &out));
        must(postern_policy_print_part(p, i, POSTERN_POLICY_TARGET, 0, &out));
        (void)postern_policy_print_part(p, i, POSTERN_POLICY_RESOURCES, 0, &out); /* may have none */
        must(postern_policy_print_part(p, i, POSTERN_POLICY_TEST, 0, &out) == r.has_tests);
        (void)postern_policy_print_part(p, i, POSTERN_POLICY_DUTIES, 0, &out); /* may have none */
    }
    for (size_t i = 0; postern_policy_expect_at(p, i, &x, i < COMPARED_RULES_MAX ? &out : NULL); i++)
        must(x.got.verdict == x.want);
    must(!out.failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const postern_policy_place place = { .size = sizeof place, .now_s = 1796119200 };
    static const char arguments[] =
        "{\"path\":\"/srv/\\u0061\",\"n\":500.00,\"e\":1e2,\"a\":{\"b\":[true,\"x\",5,null]},"
        "\"\\u0066\":false,\"s\":\"5\",\"d\":\"uid=a,ou=b\",\"h\":\"10.1.2.3\",\"m\":19.990000000000002}";
    POSTERN_AUTO_BUF warnings = POSTERN_BUF_INIT(1 << 24);
    POSTERN_AUTO_JSON json = { 0 };
    POSTERN_AUTO(policy) p = NULL;
    postern_bytes text = { data, size };
    postern_error err;
    postern_err e;

    p = read_policy(text, &e, &err);
    if (p == NULL) {
        must((e == POSTERN_ERR_RULES || e == POSTERN_ERR_RULES_EXPECT) && err.code == e);
        must(strncmp(err.detail, "f:", 2) == 0 && err.detail[2] >= '1' && err.detail[2] <= '9');
        return 0;
    }
    check_round_trip(p);
    check_words(p);
    must(postern_json_scan(&json, postern_bytes_str(arguments), NULL) == POSTERN_OK);
    ask(p, &json);
    if (size == 0 || !holds(text, "allow"))
        check_no_allow(p);
    if (size == 0 || (!holds(text, "imap:login") && !holds(text, "*")))
        check_no_login(p);
    postern_policy_warnings_at(p, &place, &warnings);
    must(!warnings.failed);
    return 0;
}
