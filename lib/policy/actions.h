/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protocols and their actions: what may stand behind `to`, and which of it a rule means.  Tables
 * alone; no policy is needed to ask them.
 */
#ifndef POSTERN_LIB_POLICY_ACTIONS_H
#define POSTERN_LIB_POLICY_ACTIONS_H

#include <postern/bytes.h>

#include "policy/pattern.h"

struct action_row {
    const char *name;
    const char *classes;  /* without @, blanks between */
    const char *resource; /* what `on` compares, in a word; Redis: the name of its key rule */
};
struct protocol {
    const char *name;
    const struct action_row *rows; /* in the order of their bytes */
    size_t row_count;
    bool folds_case;     /* GET is get; but "connect", which is no command */
    bool is_open;        /* any name may be written: its peers make new ones */
    bool is_inspected;   /* its doors judge every action, know arguments and can hold */
    bool numbers_args;   /* arg.0, arg.1; else they have names */
    bool has_uris;       /* its resources may be URIs, which many spell in many ways */
};

#define PROTOCOL_ANY   0 /* `to *` */
#define PROTOCOL_LOGIN 1 /* SERVICE:login; the service is the target's */
#define POLICY_PROTOCOLS_NAMED 2 /* from here on each has a name of its own */
#define POLICY_PROTOCOL_WORDS  "mcp raw redis"
extern const struct protocol policy_protocols[]; /* ends with name NULL */

#define POLICY_NO_ACTION SIZE_MAX
#define POLICY_ACTION_MAX POSTERN_POLICY_TEXT_MAX /* bytes with NUL of an action's name */

/* NAME of services/NAME.conf, and of no protocol above. */
bool postern_policy_is_service(postern_bytes name);
/* Which protocol a question means; PROTOCOL_ANY: none that there is. */
size_t postern_policy_find_protocol(postern_bytes name);
/* As the protocol spells it, with NUL; false when it is empty, too long or holds NUL. */
bool postern_policy_fold_action(const struct protocol *protocol, postern_bytes name,
                                char room[POLICY_ACTION_MAX]);
/* The row of a folded name; POLICY_NO_ACTION: none. */
size_t postern_policy_find_action(const struct protocol *protocol, const char *name);
/* Is it a command of which the table has subcommands alone, or both?  "CONFIG". */
bool postern_policy_is_container(const struct protocol *protocol, const char *name);
bool postern_policy_has_class(const struct action_row *row, postern_bytes class_name);
/* Every class of a protocol once, with "@" and blanks between. */
void postern_policy_class_words(const struct protocol *protocol, postern_buf *out);

/* ---- what one rule means ---- */

enum action_kind {
    ACTION_NAME = 0, /* a container means its subcommands too, as in Redis's ACL */
    ACTION_CLASS,
    ACTION_GLOB,
    ACTION_ALL /* * */
};
struct action_item {
    struct action_item *next;
    enum action_kind kind;
    const char *text;    /* as printed: "GET" "@read" "EVAL*" "*" */
    struct pattern glob; /* GLOB */
};

/* Bits of 64-bit words, one a row. */
size_t postern_policy_action_words(const struct protocol *protocol);
static inline bool postern_policy_action_is_in(const uint64_t *known, size_t action)
{
    return (known[action / 64] >> (action % 64) & 1) != 0;
}
/* Adds the rows that `item` means.  What a client says in any case (@session) is meant only by its
 * name or by that class. */
void postern_policy_mark_actions(const struct protocol *protocol, const struct action_item *item,
                                 uint64_t *known);
bool postern_policy_is_session(const struct protocol *protocol, size_t action);

#endif
