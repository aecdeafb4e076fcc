/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of an MCP session, and what mcp.c and mcp_session.c share of it. */
#ifndef POSTERN_ADAPTERS_MCP_SESSION_H
#define POSTERN_ADAPTERS_MCP_SESSION_H

#include "../pins.h"
#include "login.h"
#include "mcp_action.h"
#include "mcp_calls.h"

/* The zeroed state is a connection that has sent nothing. */
struct mcp_state {
    struct login login;
    bool is_message; /* it began with a message instead of a login */
    bool is_refused;
    size_t looked_at; /* bytes of that message */
    size_t first_id_len;
    uint8_t first_id[MCP_ID_MAX];

    const struct adapter_host *host;
    struct pins *pins; /* NULL: no memory for them; all tools count as changed */
    postern_json json; /* of the line that was read last */
    postern_buf room;  /* its text without escapes */
    struct mcp_said said;
    size_t searched[2];        /* bytes of an incomplete line in which there is no LF */
    struct mcp_calls calls[2]; /* by enum adapter_side */
    uint64_t last_number;
};

/* mcp_session.c */
extern const struct adapter_inspector mcp_inspector;
void mcp_session_wipe(struct mcp_state *s);

/* mcp_answers.c: an answer of one side's to what the other asked.  PASS, AGAIN or BROKEN. */
adapter_step mcp_take_answer(struct mcp_state *s, enum adapter_side from,
                             const struct mcp_message *m, struct adapter_flow *out,
                             postern_error *err);

#endif
