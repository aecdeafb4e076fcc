/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern parse`: read one SASL bearer message as a server would (RFC 7628, XOAUTH2) and say what
 * it holds, or why it is refused.  Judges the message only, not the token, and never prints it:
 * token_sha256 names it.  See postern(1).
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <postern-private/json.h>
#include <postern-private/sha256.h>
#include <postern/oauthbearer.h>

#include "cli.h"

/* Not CLI_USAGE: here 2 says that the message was a discovery request. */
enum {
    PARSE_ACCEPTED = 0,
    PARSE_REJECTED = 1,
    PARSE_DISCOVERY = 2,
    PARSE_UNDECIDED = 3,
    PARSE_USAGE = 64
};

#define WIRE_MAX   (POSTERN_BASE64_ENCODED_MAX(POSTERN_SASL_MESSAGE_MAX) + 2) /* and CR LF */
#define RESULT_MAX 16384 /* authzid and host with every byte escaped sixfold, and the names */

struct parse_request {
    postern_mech mech;
    const char *server_host; /* NULL: compare none */
    const char *server_port;
    bool is_step2;
    bool is_wire;
};

static void print_help(FILE *out)
{
    fputs("usage: postern parse --mech OAUTHBEARER|XOAUTH2 [OPTION ...] < message\n"
          "\n"
          "  --server-host NAME   reject a message that is meant for another host\n"
          "  --server-port PORT   reject a message that is meant for another port\n"
          "  --step 1|2           the client's first message (default), or its answer to an error\n"
          "  --wire               a base64 line of IMAP or SMTP instead of the bytes themselves\n"
          "\n"
          "Exit status: 0 accepted, 1 rejected, 2 discovery request (empty auth), 3 undecided,\n"
          "64 usage.\n",
          out);
}

static bool set_option(int option, const char *value, struct parse_request *rq)
{
    switch (option) {
    case 'm':
        rq->mech = postern_mech_from_name(value);
        return rq->mech != POSTERN_MECH_NONE;
    case 'h':
        rq->server_host = value;
        return value[0] != '\0';
    case 'p':
        rq->server_port = value;
        return value[0] != '\0';
    case 's':
        rq->is_step2 = strcmp(value, "2") == 0;
        return rq->is_step2 || strcmp(value, "1") == 0;
    case 'w':
        rq->is_wire = true;
        return true;
    default:
        return false;
    }
}

/* PARSE_ACCEPTED: go on; else the exit status.  Never repeats an argument: it might be the token or
 * the message. */
static int read_options(int argc, char **argv, struct parse_request *rq)
{
    static const struct option options[] = {
        { "mech", required_argument, NULL, 'm' },
        { "server-host", required_argument, NULL, 'h' },
        { "server-port", required_argument, NULL, 'p' },
        { "step", required_argument, NULL, 's' },
        { "wire", no_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    for (opterr = 0, optind = 1; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        if (!set_option(option, optarg, rq)) {
            fputs("postern parse: bad option or value; see --help\n", stderr);
            return PARSE_USAGE;
        }
    if (optind != argc)
        fputs("postern parse: the message comes from standard input, not from an argument\n",
              stderr);
    else if (rq->mech == POSTERN_MECH_NONE)
        fputs("postern parse: --mech OAUTHBEARER or --mech XOAUTH2 is required\n", stderr);
    else
        return PARSE_ACCEPTED;
    return PARSE_USAGE;
}

/* Strict base64 into wiped-on-free memory.  POSTERN_OK · MALFORMED · NOMEM */
static postern_err decode_base64(postern_bytes text, postern_secret **ret, postern_error *err)
{
    size_t room = POSTERN_BASE64URL_DECODED_MAX(text.len), len = 0;
    uint8_t *raw = malloc(room);
    postern_err e;

    if (raw == NULL)
        return POSTERN_FAIL(err, NOMEM, "message of %zu bytes", text.len);
    e = postern_base64_decode(text, raw, &len, err);
    if (e == POSTERN_OK)
        e = postern_secret_new((postern_bytes){ raw, len }, ret, err);
    postern_wipe(raw, room);
    free(raw);
    return e;
}

/*
 * One line as it travels (RFC 9051 §6.2.2, RFC 4954 §4): base64, "=" for an empty first message,
 * "*" for a cancel.
 */
static postern_err decode_wire(const struct parse_request *rq, postern_bytes line,
                               postern_secret **ret, postern_error *err)
{
    postern_err e;

    if (line.len != 0 && line.ptr[line.len - 1] == '\n')
        line.len -= line.len > 1 && line.ptr[line.len - 2] == '\r' ? 2 : 1;
    if (postern_bytes_equal_str(line, "*"))
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "the client cancelled");
    if (line.len == 0 || (!rq->is_step2 && postern_bytes_equal_str(line, "=")))
        return postern_secret_new(POSTERN_BYTES_NONE, ret, err);
    e = decode_base64(line, ret, err);
    if (e == POSTERN_ERR_MALFORMED)
        return POSTERN_FAIL(err, MESSAGE_MALFORMED, "line is not base64 (RFC 4648 section 4)");
    return e;
}

static postern_err read_message(const struct parse_request *rq, postern_secret **ret,
                                postern_error *err)
{
    POSTERN_AUTO(secret) input = NULL;

    POSTERN_TRY(
        cli_read_stdin_exact(rq->is_wire ? WIRE_MAX : POSTERN_SASL_MESSAGE_MAX, &input, err));
    if (rq->is_wire)
        return decode_wire(rq, postern_secret_bytes(input), ret, err);
    *ret = POSTERN_STEAL(input);
    return POSTERN_OK;
}

static postern_err parse_first(const struct parse_request *rq, postern_bytes raw,
                               postern_sasl_message *ret, postern_error *err)
{
    const char *const names[] = { rq->server_host, NULL };
    postern_sasl_message parsed;

    POSTERN_TRY(postern_sasl_message_parse(rq->mech, raw, &parsed, err));
    POSTERN_TRY(postern_sasl_message_check_server(&parsed, names, rq->server_port, err));
    *ret = parsed;
    return POSTERN_OK;
}

/*
 * The member as a string, or null where the message has none: readers find every name in every
 * answer.
 */
static void put_text(postern_json_writer *w, const char *name, const char *value)
{
    if (value[0] == '\0')
        postern_json_put_raw(w, name, POSTERN_BYTES_LIT("null"));
    else
        postern_json_put_str(w, name, value);
}

static postern_err put_sha256(postern_json_writer *w, const char *name, postern_bytes token,
                              postern_error *err)
{
    POSTERN_AUTO_BUF hex = POSTERN_BUF_INIT(2 * SHA256_LEN + 1);
    uint8_t digest[SHA256_LEN];

    if (!sha256_make(token, digest))
        return POSTERN_FAIL(err, NOMEM, "SHA-256 of the token");
    postern_hex_encode((postern_bytes){ digest, sizeof digest }, &hex);
    postern_json_put_string(w, name, postern_buf_bytes(&hex));
    return POSTERN_OK;
}

static postern_err write_message(const postern_sasl_message *m, postern_json_writer *w,
                                 postern_error *err)
{
    postern_json_put_str(w, "outcome", m->is_discovery ? "discovery" : "accepted");
    put_text(w, "authzid", m->authzid);
    put_text(w, "host", m->host);
    put_text(w, "port", m->port);
    if (m->is_discovery)
        return POSTERN_OK;
    return put_sha256(w, "token_sha256", m->token, err);
}

static void write_rejection(const postern_error *err, postern_json_writer *w)
{
    postern_json_put_str(w, "outcome", postern_outcome_name(postern_err_outcome(err->code)));
    postern_json_put_str(w, "reason", postern_err_reason(err->code));
    postern_json_put_str(w, "detail", err->detail);
}

/* Read, judge and describe the message as members of `w`. */
static postern_err judge(const struct parse_request *rq, postern_json_writer *w, int *ret_status,
                         postern_error *err)
{
    POSTERN_AUTO(secret) raw = NULL;
    postern_sasl_message m;

    POSTERN_TRY(read_message(rq, &raw, err));
    if (rq->is_step2) {
        POSTERN_TRY(postern_sasl_step2_parse(rq->mech, postern_secret_bytes(raw), err));
        postern_json_put_str(w, "outcome", "accepted");
        *ret_status = PARSE_ACCEPTED;
        return POSTERN_OK;
    }
    POSTERN_TRY(parse_first(rq, postern_secret_bytes(raw), &m, err));
    *ret_status = m.is_discovery ? PARSE_DISCOVERY : PARSE_ACCEPTED;
    return write_message(&m, w, err);
}

static int run(const struct parse_request *rq)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(RESULT_MAX);
    postern_json_writer w = { .out = &out };
    postern_error err = { 0 };
    int status = PARSE_UNDECIDED;
    postern_err e;

    postern_json_open_object(&w, NULL);
    e = judge(rq, &w, &status, &err);
    if (e != POSTERN_OK) {
        postern_buf_reset(&out);
        w = (postern_json_writer){ .out = &out };
        postern_json_open_object(&w, NULL);
        write_rejection(&err, &w);
        status = postern_err_outcome(e) == POSTERN_REJECTED ? PARSE_REJECTED : PARSE_UNDECIDED;
    }
    postern_json_close_object(&w);
    if (postern_buf_cstr(&out) == NULL || puts(postern_buf_cstr(&out)) < 0 || fflush(stdout) != 0)
        return PARSE_UNDECIDED;
    return status;
}

int command_parse(int argc, char **argv)
{
    struct parse_request rq = { 0 };
    int status;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return 0;
    }
    status = read_options(argc, argv, &rq);
    return status == PARSE_ACCEPTED ? run(&rq) : status;
}
