/* SPDX-License-Identifier: BSD-2-Clause */
/* What every grant asks of a token request; see token_request.h.  Called by grant_*.c. */
#include "token_request.h"

#include <stdio.h>

#include "log.h"
#include "words.h"

/* An agent that keeps its token asks every few minutes; a fleet behind one name starts at once. */
static const struct rate_rule client_rule = { "client", 200, 20 };

bool token_request_check_rate(struct issuer *is, const struct token_request *t, struct answer *a)
{
    int wait_s = rate_take(is->rates, &client_rule, t->client.name, "", issuer_mono_ms(is));

    if (wait_s != 0)
        answer_too_many(a, wait_s, "this client asks for tokens too often");
    return wait_s == 0;
}

bool token_request_check_proved_rate(struct issuer *is, const struct token_request *t,
                                     struct answer *a)
{
    return t->client.auth != CLIENT_AUTH_BY_NOTHING || token_request_check_rate(is, t, a);
}

bool token_request_refuse(struct answer *a, const char *error, const char *description,
                          const char *message)
{
    answer_error(a, 400, error, description, message);
    return false;
}

bool token_request_fail(struct answer *a, const postern_error *err)
{
    log_error("token endpoint", err);
    answer_internal(a);
    return false;
}

/* ---- resource ---- */

static bool refuse_target(struct answer *a, const char *allowed, const char *description)
{
    char message[CLIENT_RESOURCES_MAX + 64];

    /* Fits: resources is bounded. */
    (void)snprintf(message, sizeof message, "Send one resource= parameter out of: %s", allowed);
    return token_request_refuse(a, "invalid_target", description, message);
}

/* RFC 8707 §2: what a client that names no resource gets is ours to say: the only one, never all.
 */
static bool choose_default_resource(const char *allowed, postern_bytes *ret, struct answer *a)
{
    const char *cursor = allowed;

    if (words_count(allowed) != 1 || !words_next(&cursor, ret))
        return refuse_target(a, allowed, "several resources are allowed here: name one");
    return true;
}

/* NULL: none. */
static const char *get_wanted_resource(const struct token_request *t, size_t *ret_count)
{
    const char *resource = postern_form_value(t->form, "resource");

    *ret_count = postern_form_count(t->form, "resource");
    if (!t->takes_audience)
        return resource;
    *ret_count += postern_form_count(t->form, "audience");
    return resource != NULL ? resource : postern_form_value(t->form, "audience");
}

/* What the store allows must still be configured. */
bool token_request_choose_resource(const struct issuer *is, struct token_request *t,
                                   const char *allowed, struct answer *a)
{
    size_t count = 0;
    postern_bytes wanted = postern_bytes_str(get_wanted_resource(t, &count));

    if (count == 0 && !choose_default_resource(allowed, &wanted, a))
        return false;
    if (count > 1)
        return refuse_target(a, allowed, "a token is for one resource");
    if (!word_is_resource(wanted))
        return refuse_target(a, allowed, "resource must be an absolute URI without fragment");
    if (!words_has(allowed, wanted) && !postern_bytes_equal_str(wanted, is->settings->whoami))
        return refuse_target(a, allowed, "that resource may not be asked for here");
    if (!issuer_settings_has_resource(is->settings, wanted))
        return refuse_target(a, allowed, "no service is configured for that resource any more");
    t->resource[0] = '\0';
    return words_append(t->resource, sizeof t->resource, wanted) ||
           refuse_target(a, allowed, "resource is too long");
}

/* ---- scope ---- */

static bool refuse_scope(struct answer *a, const char *allowed, const char *description)
{
    char message[CLIENT_SCOPES_MAX + 128];

    (void)snprintf(message, sizeof message,
                   "Ask for some of these scopes, with one space between, or leave scope out: %s",
                   allowed); /* fits: scopes is bounded */
    return token_request_refuse(a, "invalid_scope", description, message);
}

/* scope = scope-token *( SP scope-token ): exactly one space between, none at the ends. */
static bool is_scope_list(const char *list)
{
    size_t len = strlen(list);

    return list[0] != ' ' && (len == 0 || list[len - 1] != ' ') && strstr(list, "  ") == NULL;
}

bool token_request_choose_scope(struct token_request *t, const char *allowed, struct answer *a)
{
    const char *wanted = postern_form_value(t->form, "scope");
    postern_bytes word;

    t->scope[0] = '\0';
    if (wanted == NULL)
        wanted = allowed;
    else if (!is_scope_list(wanted))
        return refuse_scope(a, allowed, "scope is not a list of words with one space between");
    while (words_next(&wanted, &word)) {
        if (!word_is_scope(word))
            return refuse_scope(a, allowed, "scope holds characters that no scope has");
        if (!words_has(allowed, word))
            return refuse_scope(a, allowed, "a scope is unknown or not allowed here");
        if (!words_has(t->scope, word) && !words_append(t->scope, sizeof t->scope, word))
            return refuse_scope(a, allowed, "scope is too long");
    }
    return true;
}
