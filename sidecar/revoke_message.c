/* SPDX-License-Identifier: BSD-2-Clause */
/* A revocation as a message: the member that names it says its kind (revoke_message.h). */
#include "config.h"

#include "revoke_message.h"

static bool read_name(const struct channel *c, struct revoke_message *ret)
{
    const postern_json *j = channel_message(c);

    for (int kind = POSTERN_REVOCATION_NONE + 1; kind < POSTERN_REVOCATION_KINDS; kind++) {
        const char *member = postern_revocation_kind_name((postern_revocation_kind)kind);

        if (postern_json_member(j, 0, member) == POSTERN_JSON_ABSENT)
            continue;
        if (ret->kind != POSTERN_REVOCATION_NONE ||
            !channel_text(c, member, ret->name, sizeof ret->name) || ret->name[0] == '\0')
            return false;
        ret->kind = (postern_revocation_kind)kind;
    }
    return ret->kind != POSTERN_REVOCATION_NONE;
}

bool revoke_message_read(const struct channel *c, struct revoke_message *ret)
{
    *ret = (struct revoke_message){ .kind = POSTERN_REVOCATION_NONE };
    return channel_integer(c, "id", &ret->id) && channel_integer(c, "before", &ret->before_s) &&
           channel_text(c, "issuer", ret->issuer, sizeof ret->issuer) && read_name(c, ret);
}
