/* SPDX-License-Identifier: BSD-2-Clause */
/* A token on standard input: which check fails, and what to change; the way of `postern verify
 * --explain`.  Neither the token nor a claim of it that was not proved is told. */
#include <stdlib.h>
#include <unistd.h>

#include <postern/request.h>

#include "cli.h"
#include "doctor.h"
#include "token.h"
#include "verify_run.h"
#include "why_advice.h"

static bool find_stop(const postern_trail *trail, postern_trail_step *ret)
{
    for (size_t i = 0; postern_trail_at(trail, i, ret); i++)
        if (ret->state == POSTERN_TRAIL_STOPPED)
            return true;
    return false;
}

static void tell_refusal(struct doctor *d, postern_err e, const postern_error *err,
                         const postern_trail *trail)
{
    const char *advice = why_advice(e);
    postern_trail_step stop = { .name = "token", .facts = "" };
    bool is_known = trail != NULL && find_stop(trail, &stop);

    doctor_add(&d->report, "token", DOCTOR_PROBLEM, advice == NULL ? "" : advice,
               "the check \"%s\" stops it: %s (%s)%s%s", is_known ? stop.name : "service",
               postern_err_text(e), postern_err_reason(e), err->detail[0] == '\0' ? "" : ": ",
               err->detail);
    if (is_known && stop.facts[0] != '\0')
        doctor_add(&d->report, "token", DOCTOR_NOTE, "", "seen there: %s", stop.facts);
}

static void tell(struct doctor *d, postern_err e, const postern_grant *g, const postern_error *err,
                 const postern_trail *trail)
{
    bool has_policy = postern_section_count(d->section, "policy") != 0;

    if (e != POSTERN_OK)
        tell_refusal(d, e, err, trail);
    else
        doctor_add(
            &d->report, "token", DOCTOR_OK, has_policy ? "Ask it: postern policy explain." : "",
            "it logs in as %s, for %s%s", postern_grant_user(g), postern_grant_actor(g),
            has_policy ? ", unless the policy refuses, which posternd alone asks" : "");
}

static void judge(struct doctor *d, postern_bytes token)
{
    const struct verify_run v = { .service = d->host_service,
                                  .config_dir = d->config_dir,
                                  .now_s = -1 };
    POSTERN_AUTO(trail) trail = NULL;
    POSTERN_AUTO(grant) grant = NULL;
    postern_error err = { 0 };
    postern_err e = postern_trail_new(&trail, &err);

    if (e == POSTERN_OK)
        e = verify_run(&v, token, trail, &grant, &err);
    tell(d, e, grant, &err, trail);
}

/* An empty standard input (cron, ssh -n) is no token. */
void doctor_check_token(struct doctor *d)
{
    POSTERN_AUTO(secret) token = NULL;
    postern_error err = { 0 };
    postern_err e;

    if (isatty(STDIN_FILENO))
        return;
    if ((e = cli_read_stdin(POSTERN_TOKEN_MAX, &token, &err)) != POSTERN_OK)
        doctor_add(&d->report, "token", DOCTOR_PROBLEM, why_advice(e), "%s", err.detail);
    else if (postern_secret_bytes(token).len != 0)
        judge(d, postern_secret_bytes(token));
}
