/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The module's line in the server's log, and the end of a login that was not decided.  Nothing of
 * the core is alive here: everything below may leave by longjmp.
 */
#include "postgres.h"

#include "validator.h"

static const char *or_dash(const char *text)
{
    return text[0] == '\0' ? "-" : text;
}

void validator_log(const char *service, const struct validator_answer *a)
{
    postern_outcome outcome = postern_err_outcome(a->code);

    if (outcome == POSTERN_PROVED)
        ereport(LOG, (errmsg("postern: service=%s outcome=proved ref=%s user=%s", or_dash(service),
                             or_dash(a->ref), a->user)));
    else
        ereport(LOG,
                (errmsg("postern: service=%s outcome=%s reason=%s ref=%s: %s%s%s", or_dash(service),
                        postern_outcome_name(outcome), postern_err_reason(a->code), or_dash(a->ref),
                        postern_err_text(a->code), a->detail[0] == '\0' ? "" : ": ", a->detail)));
}

/*
 * To the server a validator that cannot tell is one that failed, and it answers `invalid_token`: a
 * client would throw a good token away and fetch another.  cannot_connect_now is what libpq tries
 * the next host for.
 */
void validator_give_up(const struct validator_answer *a)
{
    ereport(FATAL, (errcode(ERRCODE_CANNOT_CONNECT_NOW), errmsg("OAuth login could not be decided"),
                    a->ref[0] == '\0' ? 0 : errdetail("Reference %s.", a->ref),
                    errhint("The token may be good. Try again later, or see the server's log.")));
    pg_unreachable();
}
