/* SPDX-License-Identifier: BSD-2-Clause */
/* One login before its policy (login_policy.h).  Called by login.c. */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "../policy_ask.h"
#include "login_policy.h"

/* The address of libsasl's "ADDRESS;PORT", or of a peer that is one; what is no address is left to
 * the policy as not known. */
static const char *find_source(const char *peer, char room[INET6_ADDRSTRLEN])
{
    size_t len = peer == NULL ? 0 : strcspn(peer, ";");

    if (len == 0 || len >= INET6_ADDRSTRLEN)
        return NULL;
    memcpy(room, peer, len);
    room[len] = '\0';
    return room;
}

/* Where the host sees the agent alone, the local name is the agent's, and the human has none here. */
static void hide_user(const postern_section *service, postern_policy_subject *subject)
{
    if (subject->user != NULL && strcmp(postern_section_text(service, "login_as"), "agent") == 0)
        subject->user = "";
}

static postern_err ask(const postern_policy *p, const struct login_visit *v,
                       struct login_verdict *ret, postern_error *err)
{
    POSTERN_AUTO_POLICY_SUBJECT subject = { 0 };
    const char *service = postern_section_name(v->service);
    char room[INET6_ADDRSTRLEN];
    const postern_policy_question q = {
        .size = sizeof q,
        .subject = &subject,
        .source = find_source(v->peer, room),
        .protocol = service,
        .action = "login",
        .resource = postern_bytes_str(postern_grant_user(v->grant)),
        .now_s = v->now_s,
    };
    int n = snprintf(ret->action, sizeof ret->action, "%s:login", service);

    if (n < 0 || (size_t)n >= sizeof ret->action)
        return POSTERN_FAIL(err, INTERNAL, "the name of a service is too long");
    POSTERN_TRY(postern_policy_subject_of(v->grant, &subject, err));
    hide_user(v->service, &subject);
    return policy_ask(p, &q, &ret->decision, err);
}

postern_err login_policy_ask(const struct login_policies *all, const struct login_visit *visit,
                             struct login_verdict *ret, postern_error *err)
{
    const postern_policy *p = login_policies_find(all, postern_section_name(visit->service));
    postern_err e;

    *ret = (struct login_verdict){ .action = "" };
    if (postern_section_count(visit->service, "policy") == 0)
        return POSTERN_OK;
    if (p == NULL)
        return POSTERN_FAIL(err, INTERNAL, "the policy of %s did not come",
                            postern_section_name(visit->service));
    e = ask(p, visit, ret, err);
    return policy_obey(visit->service, e, &ret->decision);
}
