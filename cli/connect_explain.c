/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `postern connect` says when it fails: what, for whom, what to do.  A door's words are a
 * stranger's: they are printed as safe_text_print() does, and never followed.
 */
#include "cli.h"
#include "connect.h"
#include "safe_text.h"

static const struct {
    postern_err code;
    const char *advice;
} advices[] = {
    { POSTERN_ERR_POLICY, "Add the door's host to hosts: in the client file if it may have this "
                          "agent's tokens, or name "
                          "the door by its URL and what the token is for with --resource." },
    { POSTERN_ERR_DOOR_UNREACHABLE, "Is the door running, and are host and port right?  Try again "
                                    "later." },
    { POSTERN_ERR_DOOR_UNTRUSTED,
      "No token was sent.  The certificate must be the door's own, from an authority of "
      "--door-tls-ca-file, --tls-ca-file or the system." },
    { POSTERN_ERR_DOOR_ANSWER, "Is that the port of a door, and does it speak the protocol raw?" },
    { POSTERN_ERR_TIMEOUT, "Try again later." },
};

static const char *find_advice(postern_err code, const char *oauth_error)
{
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (advices[i].code == code)
            return advices[i].advice;
    return token_advice(code, oauth_error);
}

static const char *client_of(const struct connect_plan *plan)
{
    return plan->settings.client_id != NULL ? plan->settings.client_id : "this agent";
}

/* Settings are the user's own, and still may hold what a terminal obeys. */
static void print(FILE *out, const char *text)
{
    safe_text_print(out, postern_bytes_str(text));
}

void connect_print_failure(FILE *out, const struct connect_plan *plan, const char *oauth_error,
                           const postern_error *err)
{
    const char *advice = find_advice(err->code, oauth_error);

    fputs("postern connect: ", out);
    if (plan->target.text[0] != '\0') {
        print(out, plan->target.text);
        fputs(" for ", out);
        print(out, client_of(plan));
        fputs(": ", out);
    }
    fprintf(out, "%s: %s", postern_err_text(err->code), err->detail);
    if (advice != NULL && !plan->options->token.is_quiet)
        fprintf(out, ".  %s", advice);
    fputc('\n', out);
}

/* The same members as a door's refusal, so that a program reads one kind of object. */
void connect_put_failure(const postern_error *err, postern_buf *out)
{
    postern_json_writer w = { .out = out };
    bool is_final = postern_err_outcome(err->code) == POSTERN_REJECTED;

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "outcome", postern_outcome_name(postern_err_outcome(err->code)));
    postern_json_put_str(&w, "reason", postern_err_reason(err->code));
    postern_json_put_str(&w, "because", err->detail);
    postern_json_put_str(&w, "retry", is_final ? "never" : "later");
    postern_json_close_object(&w);
}

static void print_failure_object(const postern_error *err)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(CONNECT_OBJECT_MAX);

    connect_put_failure(err, &out);
    if (!out.failed)
        safe_json_print(stderr, postern_buf_bytes(&out));
    fputc('\n', stderr);
}

int connect_explain(const struct connect_plan *plan, const char *oauth_error,
                    const postern_error *err)
{
    if (plan->options->token.is_json)
        print_failure_object(err);
    else
        connect_print_failure(stderr, plan, oauth_error, err);
    return cli_exit_code(err->code);
}

/* ---- a door's refusal ---- */

bool connect_answer_is_final(const struct connect_answer *answer)
{
    return answer->retry != ANSWER_RETRY_LATER;
}

const char *connect_refusal_text(const struct connect_answer *answer)
{
    postern_err known = postern_err_from_reason(answer->reason);

    if (known != POSTERN_ERR_UNSET)
        return postern_err_text(known);
    if (answer->reason[0] != '\0')
        return answer->reason;
    return answer->error[0] != '\0' ? answer->error : "the door refuses and does not say why";
}

/* The reason's sentence where it is one of ours, else the door's words. */
static void print_reason(FILE *out, const struct connect_answer *a)
{
    postern_err known = postern_err_from_reason(a->reason);
    const char *word = a->reason[0] != '\0' ? a->reason : a->error;

    if (known != POSTERN_ERR_UNSET)
        fprintf(out, "%s (%s)", postern_err_text(known), postern_err_reason(known));
    else if (word[0] != '\0')
        print(out, word);
    else
        fputs("it does not say why", out);
    if (a->because[0] != '\0') {
        fputs(", \"", out);
        print(out, a->because);
        fputc('"', out);
    }
}

static void print_what_to_do(FILE *out, const struct connect_answer *a)
{
    static const char *const sentences[] = {
        [ANSWER_RETRY_UNSAID] = "",
        [ANSWER_RETRY_NEW_TOKEN] = "; another token is needed",
        [ANSWER_RETRY_MORE_SCOPE] = "; a token with more scopes is needed",
        [ANSWER_RETRY_LOGIN] = "; a person has to authenticate again (postern login)",
        [ANSWER_RETRY_LATER] = "; nothing is wrong with the token, try again later",
        [ANSWER_RETRY_APPROVAL] = "; it waits for an approval",
        [ANSWER_RETRY_NEVER] = "; trying again will not help",
    };

    fputs(sentences[a->retry], out);
    if (a->retry == ANSWER_RETRY_MORE_SCOPE && a->scope[0] != '\0') {
        fputs(": --scope \"", out);
        print(out, a->scope);
        fputc('"', out);
    }
    if (a->contact[0] != '\0') {
        fputs("; ask ", out);
        print(out, a->contact);
    }
    if (a->ref[0] != '\0') {
        fputs("; ask the administrator: postern why ", out);
        print(out, a->ref);
    }
}

void connect_print_refusal(FILE *out, const struct connect_plan *plan,
                           const struct connect_answer *answer)
{
    fputs("postern connect: ", out);
    print(out, plan->target.text);
    fputs(" refused ", out);
    print(out, client_of(plan));
    fputs(": ", out);
    print_reason(out, answer);
    if (!plan->options->token.is_quiet)
        print_what_to_do(out, answer);
    fputc('\n', out);
}

int connect_explain_refusal(const struct connect_plan *plan, const struct connect_answer *answer)
{
    if (plan->options->token.is_json) {
        safe_json_print(stderr, answer->json);
        fputc('\n', stderr);
    } else {
        connect_print_refusal(stderr, plan, answer);
    }
    return connect_answer_is_final(answer) ? CLI_REJECTED : CLI_UNDECIDED;
}
