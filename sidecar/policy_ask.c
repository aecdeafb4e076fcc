/* SPDX-License-Identifier: BSD-2-Clause */
/* Read, ask, tell (policy_ask.h).  Called by the supervisor (reading), by doors and by the helper. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "policy_ask.h"

/* ---- reading ---- */

/* A file that cannot be read is named with the line that wants it. */
static postern_err read_file(const postern_config *c, const postern_section *section,
                             const char *name, postern_buf *text, postern_error *err)
{
    postern_error why = { 0 };
    postern_err e = postern_config_read_policy(c, name, text, &why);

    if (e == POSTERN_ERR_CONFIG_FILE)
        return POSTERN_FAIL(err, CONFIG_FILE, "%s: policy: %s",
                            postern_section_origin(section, "policy"), why.detail);
    if (e != POSTERN_OK && err != NULL)
        *err = why;
    return e;
}

static postern_err add_file(const postern_config *c, const postern_section *section,
                            const char *name, struct policy_reader reader, postern_policy *p,
                            postern_error *err)
{
    POSTERN_AUTO_BUF text = POSTERN_BUF_INIT(POSTERN_POLICY_FILE_MAX);
    char path[sizeof "policies/.rules" + POSTERN_POLICY_NAME_MAX];
    int n = snprintf(path, sizeof path, "policies/%s.rules", name);

    if (n < 0 || (size_t)n >= sizeof path)
        return POSTERN_FAIL(err, CONFIG_VALUE, "policy: name of %zu bytes", strlen(name));
    POSTERN_TRY(read_file(c, section, name, &text, err));
    POSTERN_TRY(postern_policy_add(p, name, path, postern_buf_bytes(&text), err));
    return reader.see == NULL ? POSTERN_OK
                              : reader.see(reader.arg, name, postern_buf_bytes(&text), err);
}

postern_err policy_read(const postern_config *c, const postern_section *section,
                        struct policy_reader reader, postern_policy **ret, postern_error *err)
{
    POSTERN_AUTO(policy) p = NULL;
    const char *name;

    POSTERN_TRY(postern_policy_new(&p, err));
    for (size_t i = 0; (name = postern_section_item(section, "policy", i)) != NULL; i++)
        POSTERN_TRY(add_file(c, section, name, reader, p, err));
    POSTERN_TRY(postern_policy_finish(p, err));
    if (postern_config_trusted_by(c, section, 1) != NULL)
        POSTERN_TRY(postern_policy_check_issuers(p, err));
    *ret = POSTERN_STEAL(p);
    return POSTERN_OK;
}

/* ---- asking ---- */

/* "cache:write (policies/cache.rules:12)": a label, a file of policy: and a line. */
#define RULE_TEXT_MAX (POSTERN_POLICY_LABEL_MAX + POSTERN_POLICY_NAME_MAX + 40)

static const char *name_rule(const postern_policy *p, const postern_policy_question *q,
                             size_t index, char room[RULE_TEXT_MAX])
{
    postern_policy_view v;

    if (!postern_policy_look(p, q, index, &v))
        return "no rule allows it";
    (void)snprintf(room, RULE_TEXT_MAX, "%s (%s:%d)", v.rule, v.path, v.line); /* words for people */
    return room;
}

/* Which half refused, where there are two: the rule of the other one is no reason. */
static postern_err refuse(const postern_policy *p, const postern_policy_question *q,
                          const postern_decision *d, postern_error *err)
{
    char room[RULE_TEXT_MAX], user_room[RULE_TEXT_MAX];
    const char *rule = name_rule(p, q, d->rule_index, room);
    const char *user_rule = name_rule(p, q, d->user_rule_index, user_room);
    unsigned lists = postern_policy_lists(p);

    if (lists == POSTERN_POLICY_LIST_AGENT && rule != room)
        return POSTERN_FAIL(err, POLICY, "no rule of the policy allows it");
    if (lists == POSTERN_POLICY_LIST_AGENT)
        return POSTERN_FAIL(err, POLICY, "rule %s", rule);
    if (d->refusing_lists == lists)
        return POSTERN_FAIL(err, POLICY, "the agent's rules: %s; the user's rules: %s", rule,
                            user_rule);
    if (d->refusing_lists == POSTERN_POLICY_LIST_AGENT)
        return POSTERN_FAIL(err, POLICY, "the agent's rules: %s", rule);
    return POSTERN_FAIL(err, POLICY, "the user's rules: %s", user_rule);
}

postern_err policy_ask(const postern_policy *p, const postern_policy_question *q,
                       postern_decision *ret, postern_error *err)
{
    *ret = (postern_decision){ 0 };
    postern_policy_decide(p, q, ret);
    if (ret->verdict == POSTERN_VERDICT_ALLOW)
        return POSTERN_OK;
    if (ret->missing_scope[0] != '\0')
        return POSTERN_FAIL(err, INSUFFICIENT_SCOPE, "%s wants scope %s",
                            ret->rule[0] == '\0' ? "the policy" : ret->rule, ret->missing_scope);
    return refuse(p, q, ret, err);
}

void policy_tell(const postern_decision *d, postern_failure *ret)
{
    _Static_assert(sizeof ret->because == sizeof d->because, "a rule's words are told whole");

    if (d->missing_scope[0] != '\0')
        memcpy(ret->scope, d->missing_scope, sizeof ret->scope);
    memcpy(ret->because, d->because, sizeof ret->because);
}

postern_err policy_decided_by(postern_err code, const postern_decision *d)
{
    return code == POSTERN_ERR_INSUFFICIENT_SCOPE && d->missing_scope[0] != '\0'
               ? POSTERN_ERR_POLICY
               : code;
}

postern_err policy_obey(const postern_section *section, postern_err answer,
                        const postern_decision *d)
{
    bool is_shadow = strcmp(postern_section_text(section, "policy_mode"), "shadow") == 0;

    return is_shadow && policy_decided_by(answer, d) == POSTERN_ERR_POLICY ? POSTERN_OK : answer;
}

const char *policy_would(postern_err code, const postern_decision *d)
{
    return code == POSTERN_OK && d->refusing_lists != 0 ? "deny" : NULL;
}
