/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the administration's verbs share (admin.c, admin_keys.c). */
#ifndef POSTERN_ISSUER_ADMIN_VERBS_H
#define POSTERN_ISSUER_ADMIN_VERBS_H

#include "admin.h"
#include "admin_request.h"
#include "clients.h"

/* Logged, and a refusal that says so. */
void admin_fail(struct admin_reply *r, const postern_error *err);
/* The refusal of an outcome that is not CLIENTS_DONE. */
void admin_settle(struct admin_reply *r, clients_outcome o, const struct clients_refusal *refusal,
                  const postern_error *err);
/* Memory for a short reply, taken before anything is done: who was registered must also be told the
 * secret.  False: there is none, and admin_answer() says so. */
bool admin_reserve(postern_buf *b);

void admin_client_invite(struct issuer *is, const struct admin_request *rq,
                         struct admin_reply *ret);
void admin_keys_list(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret);
void admin_keys_rotate(struct issuer *is, const struct admin_request *rq, struct admin_reply *ret);

#endif
