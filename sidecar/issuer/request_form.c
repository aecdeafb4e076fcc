/* SPDX-License-Identifier: BSD-2-Clause */
/* A request's body as a form; see request_form.h.  Called by the token, introspection and
 * revocation endpoints. */
#include "request_form.h"

#include <strings.h>

/* Parameters that must not stand twice (OAuth 2.1 §3.2); unknown ones are ignored. */
static const char *const single_parameters[] = {
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "scope",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "impersonation",
    "purpose",
    "authorization_details",
    "token",
    "token_type_hint",
};

/* Media type without parameters, case ignored (RFC 9110 §8.3.1). */
static bool is_form_type(const char *content_type)
{
    static const char form_type[] = "application/x-www-form-urlencoded";
    size_t len = content_type == NULL ? 0 : strcspn(content_type, "; \t");

    return len == sizeof form_type - 1 && strncasecmp(content_type, form_type, len) == 0;
}

static bool parse(const struct http_request *rq, postern_form **ret, struct answer *a)
{
    if (!is_form_type(rq->content_type)) {
        answer_error(a, 415, "invalid_request",
                     "the body is not application/x-www-form-urlencoded",
                     "Send the parameters as a form body, not as JSON and not in the URL.");
        return false;
    }
    switch (postern_form_parse(rq->body, ret, NULL)) {
    case POSTERN_OK:
        return true;
    case POSTERN_ERR_MALFORMED:
        answer_error(a, 400, "invalid_request", "the form is not well formed",
                     "Percent-encode names and values as UTF-8 (RFC 6749 appendix B).");
        return false;
    case POSTERN_ERR_LIMIT:
        answer_error(a, 413, "invalid_request", "the form is too large",
                     "Send only the parameters of this request and the client's credentials.");
        return false;
    default:
        answer_internal(a);
        return false;
    }
}

bool request_form_read(const struct http_request *rq, postern_form **ret, struct answer *a)
{
    if (!parse(rq, ret, a))
        return false;
    for (size_t i = 0; i < sizeof single_parameters / sizeof *single_parameters; i++)
        if (postern_form_count(*ret, single_parameters[i]) > 1) {
            answer_error(a, 400, "invalid_request", "a parameter is repeated",
                         "Send each parameter once.");
            return false;
        }
    return true;
}
