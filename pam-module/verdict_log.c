/* SPDX-License-Identifier: BSD-2-Clause */
/* The module's line in the host's log (authpriv), one for each verdict. */
#include <syslog.h>

#include <security/pam_ext.h>

#include "module.h"

static const char *or_dash(const char *text)
{
    return text == NULL || text[0] == '\0' ? "-" : text;
}

static int level_of(postern_outcome o)
{
    switch (o) {
    case POSTERN_PROVED:
        return LOG_INFO;
    case POSTERN_REJECTED:
        return LOG_NOTICE;
    case POSTERN_UNDECIDED:
        break;
    }
    return LOG_ERR;
}

void module_log(pam_handle_t *pamh, const struct module_verdict *v)
{
    postern_outcome outcome = postern_err_outcome(v->code);
    const char *peer = module_item(pamh, PAM_RHOST);
    char quoted[300] = "";

    if (peer != NULL) /* a name that a stranger's DNS gave */
        (void)postern_error_quote(peer, strlen(peer), quoted, sizeof quoted);
    if (outcome == POSTERN_PROVED)
        pam_syslog(pamh, level_of(outcome), "service=%s outcome=proved ref=%s user=%s peer=%s",
                   or_dash(v->service), or_dash(v->ref), or_dash(v->user), or_dash(quoted));
    else
        pam_syslog(pamh, level_of(outcome),
                   "service=%s outcome=%s reason=%s ref=%s peer=%s: %s%s%s", or_dash(v->service),
                   postern_outcome_name(outcome), postern_err_reason(v->code), or_dash(v->ref),
                   or_dash(quoted), postern_err_text(v->code), v->detail[0] == '\0' ? "" : ": ",
                   v->detail);
}
