/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What validations share: immutable settings, key sets, revocations, blocks.  Refcounted; locks
 * inside; starts nothing, logs nothing.  Records its pid: after fork(2) the child must make its own.
 */
#ifndef POSTERN_CONTEXT_H
#define POSTERN_CONTEXT_H

#include <postern/agent.h>
#include <postern/config.h>
#include <postern/op.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct postern_context postern_context;

/*
 *   take_config   owned by the context from the call on, success or failure
 *   clock         copied; NULL: the system's
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_CONFIG_*
 */
POSTERN_MUST_USE postern_err postern_context_new(postern_config *take_config,
                                                 const postern_clock *clock,
                                                 postern_context **ret_ctx, postern_error *err);
postern_context *postern_context_ref(postern_context *ctx);
void postern_context_free(postern_context *ctx); /* drops one reference; NULL is fine */
static inline void postern_auto_context(postern_context **c) { postern_context_free(*c); }
const postern_config *postern_context_config(const postern_context *ctx);

/*
 * As whom an issuer is asked about tokens (`introspection:` and `client:` of its file).  Once for
 * each, before the first validation; without it, what needs the issuer's word is undecided
 * (CONFIG_MISSING).  Everything is copied.
 *
 *   client   at that issuer; its tls_ca_file and deadline_ms count for nothing: the issuer file says
 *            how it is reached
 *   POSTERN_OK · POSTERN_ERR_USAGE (no such issuer, one that is not asked, a public client, a second
 *   one) · POSTERN_ERR_CONFIG_FILE (a key that is none) · POSTERN_ERR_NOMEM
 */
POSTERN_MUST_USE postern_err postern_context_set_issuer_client(postern_context *ctx,
                                                               const char *issuer,
                                                               const postern_agent *client,
                                                               postern_error *err);

/*
 * Revocations of one issuer.  Until postern_context_revocations_ready() was called for an issuer
 * that postern_context_expect_revocations() named, its tokens are undecided (REVOCATIONS_UNKNOWN).
 * Thread-safe.
 *
 *   client   tokens of that client_id, or with that name in `act`, with iat ≤ before_s
 *   jti      that token, and those that name it in derived_from
 *   grant    tokens with that grant_id
 *
 *   POSTERN_OK · POSTERN_ERR_NOMEM · POSTERN_ERR_BUSY (POSTERN_REVOCATIONS_MAX) ·
 *   POSTERN_ERR_USAGE (no such issuer, kind or name)
 */
/* Of one kind within one token lifetime; 20 tokens a second, for an hour, taken back. */
#define POSTERN_REVOCATIONS_MAX 65536
/*
 * Seconds after which a revocation no longer matters: the embedded issuer's longest token_lifetime
 * (1 h; an exchanged token ends with its parents) and the largest clock_skew (300 s).  Older ones are
 * forgotten when room is short.
 */
#define POSTERN_REVOCATION_KEEP_S (3600 + 300)
typedef enum postern_revocation_kind {
    POSTERN_REVOCATION_NONE = 0,
    POSTERN_REVOCATION_CLIENT = 1,
    POSTERN_REVOCATION_JTI = 2,
    POSTERN_REVOCATION_GRANT = 3,
    POSTERN_REVOCATION_KINDS
} postern_revocation_kind;
/* "client" "jti" "grant"; NULL for none. */
const char *postern_revocation_kind_name(postern_revocation_kind kind);
POSTERN_MUST_USE postern_err postern_context_expect_revocations(postern_context *ctx,
                                                                const char *issuer,
                                                                postern_error *err);
/*   before_s   of jti and grant: when it was revoked */
POSTERN_MUST_USE postern_err postern_context_revoke(postern_context *ctx, const char *issuer,
                                                    postern_revocation_kind kind, const char *name,
                                                    int64_t before_s, postern_error *err);
POSTERN_MUST_USE postern_err postern_context_revocations_ready(postern_context *ctx,
                                                               const char *issuer,
                                                               postern_error *err);

/*
 * Blocked agents: no token of theirs is accepted, whoever issued it.  An agent is named as
 * client_id, as agent_claim: has it, or as outermost actor; compared byte for byte.
 */
#define POSTERN_BLOCKS_MAX 16384 /* agents; a fleet with more blocked ones has another problem */
/* Bytes with NUL: the longest name that a token may have.  Were it less, a client whose name is a
 * long URL could not be blocked. */
#define POSTERN_AGENT_MAX 1025
typedef struct postern_block {
    char    agent[POSTERN_AGENT_MAX];     /* NUL-terminated, as all texts here */
    char    reason[POSTERN_BECAUSE_MAX];  /* told to the agent; "" none */
    char    contact[POSTERN_CONTACT_MAX]; /* likewise */
    int64_t until_s;                      /* since 1970, exclusive; 0: until it is unblocked */
} postern_block;
/* From now on every token is undecided (REVOCATIONS_UNKNOWN) until the blocks were set once. */
void postern_context_expect_blocks(postern_context *ctx);
/* Replace the whole list; an agent may stand there twice, then the longer block counts.
 * Thread-safe.  POSTERN_OK · POSTERN_ERR_LIMIT · POSTERN_ERR_USAGE (a text without NUL) ·
 * POSTERN_ERR_NOMEM; on failure the list before stays in force. */
POSTERN_MUST_USE postern_err postern_context_set_blocks(postern_context *ctx,
                                                        const postern_block *list, size_t count,
                                                        postern_error *err);
/*
 * How many words came so far that may take tokens back: revocations and blocks.  A verdict that
 * began after this was read, and after which it reads the same, would not be another one for their
 * sake.  Thread-safe.
 */
uint64_t postern_context_words(const postern_context *ctx);
/* What a client that is refused at `service` may know (scope, discovery, metadata), code unset;
 * zeroed when no file answers to that name. */
void postern_context_describe(const postern_context *ctx, const char *service,
                              postern_failure *ret);
/*
 * Would this grant, proved here earlier, still be given?  Everything is judged by the context's
 * settings of now but signature, expiry and transport: issuer, audience, the file's scopes (not a
 * request's extra_scopes), revocations, blocks, mapping to the same user, agent and purpose.  For
 * sessions that outlive a reload or a revocation; ending them in time is the lease's business.
 * Undecided (postern_err_class()) is no yes and no no: ask again.  Thread-safe.
 *
 *   g             service names a file of services/ or doors/, not one of its service_names
 *   ret_failure   as postern_op_failure() of a login, code included; may be NULL
 *   POSTERN_OK · what a login would be refused with · POSTERN_ERR_AUTHZID (another user, agent or
 *   purpose than then) · POSTERN_ERR_SERVICE_UNKNOWN · POSTERN_ERR_USAGE (a helper's grant, or the
 *   context of another process)
 */
POSTERN_MUST_USE postern_err postern_context_judge_again(postern_context *ctx,
                                                         const postern_grant *g,
                                                         postern_failure *ret_failure,
                                                         postern_error *err);

#ifdef __cplusplus
}
#endif
#endif
