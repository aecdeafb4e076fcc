/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends of grants and tokens; see grants.h.  Called by grant_code.c, grant_refresh.c and revoke.c. */
#include "grants.h"

#include "opaque.h"
#include "store_opaque.h"
#include "store_revocations.h"

postern_err grants_end(struct issuer *is, const char *id, postern_error *err)
{
    int64_t now_s = issuer_now_s(is);
    struct revocation what = { .kind = POSTERN_REVOCATION_GRANT,
                               .before_s = now_s,
                               .until_s = now_s + ISSUER_REMOVAL_KEEP_S };
    bool is_found = false;

    POSTERN_TRY(store_grant_end(is->store, id, now_s, what.until_s, &is_found, err));
    if (!is_found)
        return POSTERN_OK;
    memcpy(what.name, id, strlen(id) + 1); /* it was in the store: an id fits */
    issuer_tell_revoked(is, &what);
    return POSTERN_OK;
}

postern_err grants_end_token(struct issuer *is, const char *jti, int64_t exp_s, postern_error *err)
{
    /* What was exchanged from it ends no later than it. */
    struct revocation what = { .kind = POSTERN_REVOCATION_JTI,
                               .before_s = issuer_now_s(is),
                               .until_s = exp_s + ISSUER_SKEW_MAX_S };
    size_t len = strlen(jti);

    if (len >= sizeof what.name)
        return POSTERN_FAIL(err, INTERNAL, "a jti of %zu bytes is not ours", len);
    memcpy(what.name, jti, len + 1);
    POSTERN_TRY(store_revocation_add(is->store, &what, err));
    issuer_tell_revoked(is, &what);
    return store_opaque_end(is->store, jti, err); /* its row is room for another */
}

postern_err grants_new_refresh(const struct grant_record *grant, int64_t now_s,
                               postern_secret **ret, struct refresh_record *ret_record,
                               postern_error *err)
{
    struct refresh_record r = { .created_s = now_s, .expires_s = now_s + REFRESH_IDLE_S };

    if (r.expires_s > grant->ends_s)
        r.expires_s = grant->ends_s;
    memcpy(r.grant, grant->id, sizeof r.grant);
    POSTERN_TRY(opaque_new(ret, r.sha256, err));
    *ret_record = r;
    return POSTERN_OK;
}

void grants_write_claims(const struct grant_record *grant, const struct token_request *t,
                         struct access_claims *ret)
{
    *ret = (struct access_claims){ .subject = grant->user,
                                   .client = grant->client,
                                   .resource = t->resource,
                                   .scope = t->scope,
                                   .purpose = grant->purpose,
                                   .details = postern_bytes_str(grant->details),
                                   .auth_time_s = grant->auth_time_s,
                                   .grant = grant->id,
                                   .ends_s = grant->ends_s };
}
