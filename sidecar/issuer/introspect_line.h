/* SPDX-License-Identifier: BSD-2-Clause */
/* What helper and doors ask about our opaque tokens, over their line to us (sidecar/role.h). */
#ifndef POSTERN_ISSUER_INTROSPECT_LINE_H
#define POSTERN_ISSUER_INTROSPECT_LINE_H

#include "channel.h"
#include "issuer.h"

/* Answer the message that channel_type_is() called "introspect", on the descriptor that came with it.
 * Closed without an answer: nobody can say, or it breaks the rules. */
void introspect_line_answer(struct issuer *is, struct channel *c);

#endif
