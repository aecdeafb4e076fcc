/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the control protocol: what parses has a verb with all that it needs, and nothing that another verb takes. */
#include <stdlib.h>

#include "control/control_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_text(const char *text, size_t room)
{
    postern_bytes bytes = postern_bytes_str(text);

    demand(bytes.len < room && postern_bytes_is_utf8(bytes) && !postern_bytes_has_control(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_request rq;
    postern_error err = { 0 };
    bool is_answer;

    if (control_request_parse((postern_bytes){ data, size }, &rq, &err) != POSTERN_OK) {
        demand(err.code != POSTERN_ERR_UNSET && err.detail[0] != '\0');
        return 0;
    }
    is_answer = rq.verb == CONTROL_APPROVE || rq.verb == CONTROL_DENY; /* the rule that holds says who may */
    demand(rq.verb > CONTROL_VERB_NONE && rq.verb < CONTROL_VERBS);
    demand(control_may(CONTROL_NOBODY, rq.verb) == is_answer && (rq.ref[0] != '\0') == is_answer);
    check_text(rq.agent, sizeof rq.agent);
    check_text(rq.door, sizeof rq.door);
    check_text(rq.user, sizeof rq.user);
    check_text(rq.after, sizeof rq.after);
    check_text(rq.value, sizeof rq.value);
    check_text(rq.ref, sizeof rq.ref);
    check_text(rq.reason, sizeof rq.reason);
    demand((rq.verb == CONTROL_KILL) == (rq.by != NULL) && (rq.by != NULL) == (rq.value[0] != '\0'));
    demand(rq.for_s >= 0 && rq.for_s <= CONTROL_BLOCK_FOR_MAX_S && (rq.for_s == 0 || rq.verb == CONTROL_BLOCK));
    demand(rq.from >= 0 && (rq.from == 0 || rq.verb == CONTROL_BLOCKS));
    if (rq.verb == CONTROL_BLOCK || rq.verb == CONTROL_UNBLOCK)
        demand(block_agent_is_fine(postern_bytes_str(rq.agent)) && block_reason_is_fine(postern_bytes_str(rq.reason)));
    return 0;
}
