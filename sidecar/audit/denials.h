/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which refusals get a record of their own at a door, and which are summed up.  Anybody who reaches a
 * door's port can be refused as often as he likes; without a bound on those records he fills the
 * disk, after which no login has its record and all are undecided.  There is one table for strangers,
 * by address, and one for those who proved a token and are refused all the same (policy, a renewal of
 * another's session), by agent: neither hides the other's refusals.
 *
 * The worst case of strangers, whatever comes from wherever: one record and one summary in DENIALS_REFILL_MS
 * each, that is 43,200 of both a day.  A refusal's record has 600 bytes and holds no text of the
 * stranger's, a summary 400: 43 MB a day; were every line AUDIT_LINE_MAX, 354 MB.  One source
 * alone: one record and one summary a minute, 1.5 MB a day.  All agents together: two records a
 * second, 120 MB a day; one agent alone: 6 MB.
 *
 * Pure: the clock is a parameter (monotonic, milliseconds).  For one thread; loops that share it
 * hold a lock.
 */
#ifndef POSTERN_SIDECAR_AUDIT_DENIALS_H
#define POSTERN_SIDECAR_AUDIT_DENIALS_H

#include <sys/socket.h>
#include <sys/types.h>

#include <postern/bytes.h>

/* Sources that are told apart: some 150 bytes each.  More are summed up together, as DENIALS_OTHERS. */
#define DENIALS_SOURCES_MAX 1024
/* A client that is set up wrongly shows itself in its first tries: those have their record. */
#define DENIALS_SOURCE_BURST 5
#define DENIALS_SOURCE_REFILL_MS 60000
/* All sources together: a farm of clients after a wrong deployment; then one in two seconds. */
#define DENIALS_BURST 60
#define DENIALS_REFILL_MS 2000
/* Of one agent, whose name is known and who can be blocked; and of all agents. */
#define DENIALS_AGENT_BURST 60
#define DENIALS_AGENT_REFILL_MS 10000
#define DENIALS_AGENTS_BURST 600
#define DENIALS_AGENTS_REFILL_MS 500
/*
 * A source's summaries are that far apart; the first comes that long after the first refusal
 * without record.
 */
#define DENIALS_SUMMARY_MS 60000

#define DENIALS_SOURCE_TEXT 48 /* bytes with NUL: "2001:db8:1:2::/64" */
#define DENIALS_OTHERS "others"

/*
 * Whom a refusal is put down to: an IPv4 address, an IPv6 /64 (what one subscriber has), a user of
 * this machine, all local processes where theirs is not known, or an agent.
 */
struct denial_source {
    uint8_t family; /* 4, 6; 1: unix; 2: unix, and whose it is; 3: an agent; 0: anything else */
    /* Network order; IPv4: the first four; a user: its uid_t; an agent: what tells it from others. */
    uint8_t prefix[8];
    char    agent[DENIALS_SOURCE_TEXT]; /* its name, for summaries; may be cut */
};
struct denial_source denial_source_of(const struct sockaddr *address, socklen_t len);
struct denial_source denial_source_of_user(uid_t uid); /* of a unix socket */
/* `identity`: a hash of all names that make it this agent. */
struct denial_source denial_source_of_agent(uint64_t identity, const char *name);
void denial_source_text(const struct denial_source *s, char ret[DENIALS_SOURCE_TEXT]);

struct denial_summary {
    char        source[DENIALS_SOURCE_TEXT]; /* or DENIALS_OTHERS */
    int64_t     count;                       /* refusals without a record of their own */
    int64_t     since_ms;                    /* of the first of them */
    postern_err first, last;
};

struct denials;

typedef enum denials_of { DENIALS_OF_STRANGERS = 0, DENIALS_OF_AGENTS } denials_of;
/* POSTERN_OK · POSTERN_ERR_NOMEM */
POSTERN_MUST_USE postern_err denials_new(denials_of whom, struct denials **ret, postern_error *err);
void denials_free(struct denials *d); /* NULL is fine */
/*
 * Somebody was refused: true: write a record of it now; false: it is counted, and a summary will
 * tell.
 */
bool denials_note(struct denials *d, const struct denial_source *source, postern_err reason,
                  int64_t now_ms);
/*
 * The summary that is due, if any; call again until false (it gives one in DENIALS_REFILL_MS,
 * the longest waiting first).
 */
bool denials_take_due(struct denials *d, int64_t now_ms, struct denial_summary *ret);
/*
 * At the end: what is counted still, in one summary, DENIALS_OTHERS unless it is one source's.
 * False: nothing.
 */
bool denials_take_rest(struct denials *d, struct denial_summary *ret);

#endif
