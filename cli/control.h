/* SPDX-License-Identifier: BSD-2-Clause */
/* What `postern sessions`, `kill`, `block`, `unblock`, `blocks`, `held`, `approve` and `deny` share:
 * the command line, and the question to the control socket (postern-control(7)). */
#ifndef POSTERN_CLI_CONTROL_H
#define POSTERN_CLI_CONTROL_H

#include <postern-private/json.h>

#define CONTROL_CALL_MAX 16384 /* CONTROL_REQUEST_MAX of posternd */
#define CONTROL_TEXT_MAX 4200  /* one text of an answer, every byte escaped */

struct control_call {
    const char *command; /* "block" */
    const char *config_dir, *socket;
    const char *agent, *door, *user; /* NULL: not given */
    const char *by, *value;          /* kill */
    const char *ref;                 /* approve, deny */
    const char *reason;
    int64_t for_s; /* 0: not given */
    bool is_json;
};

/*
 * Ask, and say on standard error what went wrong.
 *
 *   j     scan of the answer in `reply`; valid for CLI_PROVED alone
 *   ret   the exit status: CLI_PROVED: it was done, and j says how
 */
int control_ask(const struct control_call *call, const postern_buf *request, postern_buf *reply,
                postern_json *j);
/* A text member of an answer as the terminal may see it: what is no printable ASCII becomes \xNN;
 * "" when it is not there. */
const char *control_text(const postern_json *j, uint32_t object, const char *name,
                         char room[CONTROL_TEXT_MAX]);
/* An integer member; `otherwise` when it is not there. */
int64_t control_number(const postern_json *j, uint32_t object, const char *name, int64_t otherwise);
#define CONTROL_TIME_MAX 24
const char *control_time(int64_t when_s, char room[CONTROL_TIME_MAX]); /* RFC 3339, UTC */

/* What makes a list out of the answers to a verb: "sessions", which is the array's name too. */
struct control_list {
    const char *none; /* "no sessions" */
    void (*put_filters)(const struct control_call *call, postern_json_writer *w);
    void (*print_heading)(void);
    /* One, as a line; now_s is of the list's beginning. */
    void (*print)(const postern_json *j, uint32_t node, int64_t now_s);
};
/* A column: the text member as control_text() has it, "-" when it is not there. */
void control_print_text(const postern_json *j, uint32_t node, const char *name, int width);
/* Every page of it; returns the exit status. */
int control_print_list(const struct control_call *call, const struct control_list *list);

/* The commands, once their options are read; each returns the exit status. */
int control_sessions(const struct control_call *call);
int control_kill(const struct control_call *call);
int control_block(const struct control_call *call);
int control_unblock(const struct control_call *call);
int control_blocks(const struct control_call *call);
int control_held(const struct control_call *call);
int control_approve(const struct control_call *call);
int control_deny(const struct control_call *call);

#endif
