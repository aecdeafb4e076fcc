/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern verify`: judge one token from standard input by a service's rules, or by an issuer, an
 * audience and a key-set file alone (RFC 9068 §4), and say in JSON what it is or why it is refused.
 * Never prints the token.  See postern(1).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern-private/json.h>
#include <postern/request.h>

#include "cli.h"
#include "verify_path.h"
#include "verify_run.h"

/* Bytes: claims of a 16 KiB token, names with every byte escaped sixfold, and a sentence. */
#define RESULT_MAX     (1 << 17)
#define NOW_DIGITS_MAX 15      /* below 2^53, as dates in a token */

struct verify_request {
    struct verify_run run;
    size_t scope_count; /* of run.scopes */
    bool wants_help, wants_path, wants_json;
};

static void print_help(FILE *out)
{
    fputs("usage: postern verify --service NAME [--config DIR] [OPTION ...] < token\n"
          "       postern verify --issuer URL --audience AUD --jwks FILE [OPTION ...] < token\n"
          "\n"
          "  --service NAME       judge as services/NAME.conf says, for a login over a local "
          "connection\n"
          "  --config DIR         folder of the configuration [" POSTERN_SYSCONFDIR "]\n"
          "  --issuer URL         the token alone: what its iss must be, byte for byte,\n"
          "  --audience AUD       what must stand in its aud,\n"
          "  --jwks FILE          and the issuer's key set\n"
          "  --required-scope S   a scope that it must hold; may be repeated\n"
          "  --explain            print the way of the checks with their figures, for people;\n"
          "  --explain --json     the same in the JSON object\n"
          "  --now EPOCH          judge as if it were that second since 1970\n"
          "\n"
          "Exit status: 0 proved, 1 rejected, 2 usage, 3 undecided.  Standard output: one JSON "
          "object, or text with --explain.  Never the token.\n",
          out);
}

static bool parse_now(const char *text, int64_t *ret)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > NOW_DIGITS_MAX || text[digits] != '\0')
        return false;
    *ret = strtoll(text, NULL, 10);
    return true;
}

static bool add_scope(struct verify_request *rq, const char *scope)
{
    if (scope[0] == '\0' || rq->scope_count == VERIFY_SCOPES_MAX)
        return false;
    rq->run.scopes[rq->scope_count++] = scope;
    return true;
}

static bool set_text(const char **field, const char *value)
{
    bool is_first = *field == NULL;

    *field = value;
    return is_first && value[0] != '\0';
}

static bool set_option(int option, const char *value, struct verify_request *rq)
{
    switch (option) {
    case 's':
        return set_text(&rq->run.service, value);
    case 'c':
        return set_text(&rq->run.config_dir, value);
    case 'i':
        return set_text(&rq->run.issuer, value);
    case 'a':
        return set_text(&rq->run.audience, value);
    case 'j':
        return set_text(&rq->run.jwks_file, value);
    case 'r':
        return add_scope(rq, value);
    case 'n':
        return parse_now(value, &rq->run.now_s);
    case 'e':
        rq->wants_path = true;
        return true;
    case 'o':
        rq->wants_json = true;
        return true;
    case 'h':
        rq->wants_help = true;
        return true;
    default:
        return false;
    }
}

/* One of the two forms, and whole. */
static bool is_complete(const struct verify_request *rq)
{
    if (rq->run.service != NULL)
        return rq->run.issuer == NULL && rq->run.audience == NULL && rq->run.jwks_file == NULL;
    return rq->run.config_dir == NULL && rq->run.issuer != NULL && rq->run.audience != NULL &&
           rq->run.jwks_file != NULL;
}

/* Never repeats an argument that it does not know: it might be the token. */
static bool read_options(int argc, char **argv, struct verify_request *rq)
{
    static const struct option options[] = {
        { "service", required_argument, NULL, 's' },
        { "config", required_argument, NULL, 'c' },
        { "issuer", required_argument, NULL, 'i' },
        { "audience", required_argument, NULL, 'a' },
        { "jwks", required_argument, NULL, 'j' },
        { "now", required_argument, NULL, 'n' },
        { "required-scope", required_argument, NULL, 'r' },
        { "explain", no_argument, NULL, 'e' },
        { "json", no_argument, NULL, 'o' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!set_option(option, optarg, rq)) {
            fputs("postern verify: unknown option, or a value that it cannot have; see --help\n",
                  stderr);
            return false;
        }
    if (rq->wants_help)
        return true;
    if (optind != argc)
        fputs("postern verify: the token comes from standard input, not from an argument\n",
              stderr);
    else if (rq->wants_json && !rq->wants_path)
        fputs("postern verify: --json belongs to --explain; without it the output is JSON\n",
              stderr);
    else if (!is_complete(rq))
        fputs("postern verify: either --service or all of --issuer, --audience and --jwks; see "
              "--help\n",
              stderr);
    else
        return true;
    return false;
}

static postern_err read_and_verify(struct verify_request *rq, postern_trail *trail,
                                   postern_grant **ret, postern_error *err)
{
    POSTERN_AUTO(secret) token = NULL;

    POSTERN_TRY(cli_read_stdin(POSTERN_TOKEN_MAX, &token, err));
    return verify_run(&rq->run, postern_secret_bytes(token), trail, ret, err);
}

static void write_result(postern_err e, const postern_grant *g, const postern_error *err,
                         const postern_trail *trail, postern_buf *out)
{
    postern_json_writer w = { out, false };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "outcome", postern_outcome_name(postern_err_outcome(e)));
    postern_json_put_str(&w, "reason", postern_err_reason(e));
    if (g != NULL) {
        postern_json_put_str(&w, "user", postern_grant_user(g));
        postern_json_put_str(&w, "actor", postern_grant_actor(g));
        postern_json_put_raw(&w, "claims", postern_grant_claims(g));
    } else {
        postern_json_put_str(&w, "message", postern_err_text(e));
        postern_json_put_str(&w, "detail", err->detail);
        postern_json_put_str(&w, "source", postern_err_source(e));
    }
    if (trail != NULL)
        verify_path_put_json(trail, &w);
    postern_json_close_object(&w);
    postern_buf_add_byte(out, '\n');
}

/* A verdict that nobody could read is none. */
static bool print_result(postern_buf *out)
{
    return !out->failed && fwrite(out->ptr, 1, out->len, stdout) == out->len && fflush(stdout) == 0;
}

static void write_answer(const struct verify_request *rq, postern_err e, const postern_grant *g,
                         const postern_error *err, const postern_trail *trail, postern_buf *out)
{
    if (rq->wants_path && !rq->wants_json)
        verify_path_put_text(e, g, err, trail, out);
    else
        write_result(e, g, err, trail, out);
}

int command_verify(int argc, char **argv)
{
    struct verify_request rq = { .run.now_s = -1 };
    POSTERN_AUTO(grant) grant = NULL;
    POSTERN_AUTO(trail) trail = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(RESULT_MAX);
    postern_error err = { 0 };
    postern_err e = POSTERN_OK;

    if (!read_options(argc, argv, &rq))
        return CLI_USAGE;
    if (rq.wants_help) {
        print_help(stdout);
        return CLI_PROVED;
    }
    if (rq.wants_path)
        e = postern_trail_new(&trail, &err);
    if (e == POSTERN_OK)
        e = read_and_verify(&rq, trail, &grant, &err);
    if (postern_err_class(e) == POSTERN_CLASS_USAGE)
        return cli_fail("verify", &err);
    write_answer(&rq, e, grant, &err, trail, &out);
    if (!print_result(&out)) {
        fputs("postern verify: the result could not be written\n", stderr);
        return CLI_UNDECIDED;
    }
    return cli_exit_code(e);
}
