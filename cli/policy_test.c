/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern policy test`: each expect, whether it holds, and the rule that decided, as TAP or as
 * JSON.  All are run, also behind one that fails.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>

#include "cli.h"
#include "policy.h"

#define EXPECTS_MAX 64 /* --expect, each: more of them belong into a file */
#define GIVEN_MAX   32 /* --given, each: all together may have as many pairs */

struct test_request {
    struct policy_source from;
    const char *expects[EXPECTS_MAX];
    size_t count;
    const char *given[GIVEN_MAX];
    size_t given_count;
    bool is_json, wants_help;
};

static void print_test_help(FILE *out)
{
    fputs(
        "usage: postern policy test [OPTION ...] FILE...|DOOR\n"
        "\n"
        "Runs each `expect` line of these files, or of a door's or service's policy, and says by\n"
        "which rule it was decided (Test Anything Protocol).\n"
        "\n"
        "  --expect TEXT   one more, without the word: 'deny agent a to raw:connect on db';\n"
        "                  may be repeated\n"
        "  --given PAIRS   what each expect is asked with, unless it says that itself:\n"
        "                  'time = 2026-12-01T03:00Z, source = 10.1.2.3, scope = mail.read';\n"
        "                  see postern-policy(5); may be repeated\n"
        "  --json          one JSON object: ok, count, failed and expects\n"
        "  --door NAME     a door or service of the configuration, in place of files\n"
        "  --config DIR    the configuration [" POSTERN_SYSCONFDIR ", where a door is named]\n"
        "\n"
        "Exit status: 0 all hold, 1 one fails or a file is faulty, 2 usage, 3 a file cannot be "
        "read.\n",
        out);
}

static bool keep(const char **room, size_t max, size_t *count, const char *text)
{
    if (*count == max)
        return false;
    room[(*count)++] = text;
    return true;
}

/* False: there are too many of it. */
static bool take_text(struct test_request *rq, int option, const char *text)
{
    if (option == 'e')
        return keep(rq->expects, EXPECTS_MAX, &rq->count, text);
    return option != 'g' || keep(rq->given, GIVEN_MAX, &rq->given_count, text);
}

static bool read_test_options(int argc, char **argv, struct test_request *rq)
{
    static const struct option options[] = {
        { "expect", required_argument, NULL, 'e' },
        { "given", required_argument, NULL, 'g' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        POLICY_SOURCE_OPTIONS,
        { NULL, 0, NULL, 0 },
    };
    int option;

    rq->from.config_dir = POSTERN_SYSCONFDIR;
    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?' || !take_text(rq, option, optarg))
            return false;
        (void)policy_source_option(&rq->from, option, optarg);
        rq->is_json = rq->is_json || option == 'j';
        rq->wants_help = rq->wants_help || option == 'h';
    }
    rq->from.expects = rq->expects;
    rq->from.expect_count = rq->count;
    rq->from.given = rq->given;
    rq->from.given_count = rq->given_count;
    return policy_source_names(&rq->from, argc, argv, optind) || rq->wants_help;
}

/* ---- each expect ---- */

static bool is_held(const postern_policy_expectation *x)
{
    return x->got.verdict == x->want;
}

/* "by cache:read", "by both:2 and both:3", "by no rule" */
static void add_rules(const postern_decision *d, postern_buf *out)
{
    bool has_two = d->user_rule[0] != '\0';

    if (d->rule[0] == '\0' && !has_two) {
        postern_buf_add_str(out, "by no rule");
        return;
    }
    postern_buf_addf(out, "by %s%s%s", d->rule[0] == '\0' ? "no rule" : d->rule,
                     has_two ? " and " : "", d->user_rule);
}

static bool expect_at(const postern_policy *p, size_t i, postern_policy_expectation *ret,
                      postern_buf *text)
{
    if (!postern_policy_expect_at(p, i, ret, text))
        return false;
    if (text->len != 0) /* its newline */
        text->len--;
    return true;
}

static size_t count_expects(const postern_policy *p)
{
    postern_policy_expectation x;
    size_t ret = 0;

    while (postern_policy_expect_at(p, ret, &x, NULL))
        ret++;
    return ret;
}

static void add_tap_line(const postern_policy_expectation *x, size_t number, postern_buf *text,
                         postern_buf *out)
{
    postern_buf_addf(out, "%s %zu - %s:%d: ", is_held(x) ? "ok" : "not ok", number, x->path,
                     x->line);
    out->failed = out->failed || text->failed;
    postern_buf_add(out, postern_buf_bytes(text));
    postern_buf_add_str(out, ", ");
    add_rules(&x->got, out);
    postern_buf_add_byte(out, '\n');
    if (!is_held(x))
        postern_buf_addf(out, "# expected %s, got %s\n", postern_verdict_name(x->want),
                         postern_verdict_name(x->got.verdict));
}

static size_t add_tap(const struct test_request *rq, const postern_policy *p, postern_buf *out)
{
    postern_policy_expectation x;
    size_t count = count_expects(p), failed = 0;

    postern_buf_addf(out, "1..%zu\n", count);
    for (size_t i = 0; i < rq->given_count; i++)
        postern_buf_addf(out, "# given %s\n", rq->given[i]);
    for (size_t i = 0; i < count; i++) {
        POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);

        if (!expect_at(p, i, &x, &text))
            break;
        add_tap_line(&x, i + 1, &text, out);
        failed += !is_held(&x);
    }
    postern_buf_addf(out, "# %zu expects, %zu failed\n", count, failed);
    return failed;
}

static void put_expect(const postern_policy_expectation *x, postern_buf *text,
                       postern_json_writer *w)
{
    postern_json_open_object(w, NULL);
    postern_json_put_flag(w, "ok", is_held(x));
    postern_json_put_str(w, "file", x->path);
    postern_json_put_integer(w, "line", x->line);
    w->out->failed = w->out->failed || text->failed;
    postern_json_put_string(w, "expect", postern_buf_bytes(text));
    postern_json_put_str(w, "expected", postern_verdict_name(x->want));
    postern_json_put_str(w, "verdict", postern_verdict_name(x->got.verdict));
    postern_json_put_str(w, "rule", x->got.rule);
    postern_json_put_str(w, "user_rule", x->got.user_rule);
    postern_json_close_object(w);
}

static void put_given(const struct test_request *rq, postern_json_writer *w)
{
    if (rq->given_count == 0)
        return;
    postern_json_open_array(w, "given");
    for (size_t i = 0; i < rq->given_count; i++)
        postern_json_put_str(w, NULL, rq->given[i]);
    postern_json_close_array(w);
}

static size_t add_json(const struct test_request *rq, const postern_policy *p, postern_buf *out)
{
    postern_json_writer w = { .out = out };
    postern_policy_expectation x;
    size_t failed = 0, count = count_expects(p);

    postern_json_open_object(&w, NULL);
    put_given(rq, &w);
    postern_json_open_array(&w, "expects");
    for (size_t i = 0; i < count; i++) {
        POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);

        if (!expect_at(p, i, &x, &text))
            break;
        put_expect(&x, &text, &w);
        failed += !is_held(&x);
    }
    postern_json_close_array(&w);
    postern_json_put_integer(&w, "count", (int64_t)count);
    postern_json_put_integer(&w, "failed", (int64_t)failed);
    postern_json_put_flag(&w, "ok", failed == 0);
    postern_json_close_object(&w);
    return failed;
}

/* ---- the command ---- */

/* An expect that fails is no fault here: it is told with the others. */
static void print_fault(void *arg, const postern_error *err)
{
    if (err->code != POSTERN_ERR_RULES_EXPECT)
        policy_print_fault(arg, err);
}

static int run_test(const struct test_request *rq)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(POLICY_OUTPUT_MAX);
    struct policy_opened opened;
    postern_err e = policy_open(&rq->from, print_fault, NULL, &opened);
    int status = policy_exit_code(e);
    size_t failed;

    if (opened.policy != NULL) {
        failed = (rq->is_json ? add_json : add_tap)(rq, opened.policy, &out);
        status = rq->is_json ? policy_put_json(&out) : policy_put(&out, stdout);
        if (status == CLI_PROVED)
            status = failed == 0 ? policy_exit_code(e) : CLI_REJECTED;
    }
    policy_close(&opened);
    return status;
}

int policy_test(int argc, char **argv)
{
    struct test_request rq = { .is_json = false };

    if (!read_test_options(argc, argv, &rq))
        return policy_fail_usage("test takes rules files or a door, --expect, --given and --json",
                                 "");
    if (rq.wants_help) {
        print_test_help(stdout);
        return CLI_PROVED;
    }
    return run_test(&rq);
}
