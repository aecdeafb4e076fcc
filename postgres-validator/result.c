/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Class of an outcome → what the server does (doc/design/outcomes.md).  The server has two answers
 * of its own, and both tell the client `invalid_token`: what could not be decided is none of them.
 */
#include "validator.h"

static const struct {
    postern_class class;
    enum validator_end end;
} rows[] = {
    { POSTERN_CLASS_PROVED, VALIDATOR_ADMIT },     { POSTERN_CLASS_TOKEN, VALIDATOR_REFUSE },
    { POSTERN_CLASS_SCOPE, VALIDATOR_REFUSE },     { POSTERN_CLASS_TRANSPORT, VALIDATOR_REFUSE },
    { POSTERN_CLASS_IDENTITY, VALIDATOR_REFUSE },  { POSTERN_CLASS_POLICY, VALIDATOR_REFUSE },
    { POSTERN_CLASS_REMOTE, VALIDATOR_GIVE_UP },   { POSTERN_CLASS_RESOURCE, VALIDATOR_GIVE_UP },
    { POSTERN_CLASS_CONFIG, VALIDATOR_GIVE_UP },   { POSTERN_CLASS_USAGE, VALIDATOR_GIVE_UP },
    { POSTERN_CLASS_INTERNAL, VALIDATOR_GIVE_UP },
};

enum validator_end validator_end_of(postern_err e)
{
    postern_class class = postern_err_class(e);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].class == class)
            return rows[i].end;
    return VALIDATOR_GIVE_UP; /* POSTERN_AGAIN is no verdict */
}
