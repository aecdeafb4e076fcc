/* SPDX-License-Identifier: BSD-2-Clause */
/* See login_policies.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "login_policies.h"
#include "policy_ask.h"

static size_t count_services(const postern_config *c)
{
    size_t count = 0;

    while (postern_config_section_at(c, POSTERN_SECTION_SERVICE, count) != NULL)
        count++;
    return count;
}

postern_err login_policies_open(const postern_config *c, struct login_policies *ret,
                                postern_error *err)
{
    static const struct policy_reader nobody_else = { NULL, NULL };
    size_t services = count_services(c);

    *ret = (struct login_policies){ .list = calloc(services + 1, sizeof *ret->list) };
    if (ret->list == NULL)
        return POSTERN_FAIL(err, NOMEM, "policies of %zu services", services);
    for (size_t i = 0; i < services; i++) {
        const postern_section *s = postern_config_section_at(c, POSTERN_SECTION_SERVICE, i);

        if (postern_section_count(s, "policy") == 0)
            continue;
        POSTERN_TRY(policy_read(c, s, nobody_else, &ret->list[ret->count].policy, err));
        ret->list[ret->count++].service = postern_section_name(s);
    }
    return POSTERN_OK;
}

void login_policies_close(struct login_policies *s)
{
    for (size_t i = 0; i < s->count; i++)
        postern_policy_free(s->list[i].policy);
    free(s->list);
    *s = (struct login_policies){ NULL, 0 };
}

const postern_policy *login_policies_find(const struct login_policies *s, const char *service)
{
    for (size_t i = 0; s != NULL && i < s->count; i++)
        if (strcmp(s->list[i].service, service) == 0)
            return s->list[i].policy;
    return NULL;
}
