/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper's reply frames, both sides in one file so that they cannot drift apart
 * (postern-helper(7)).  Reading yields facts, never a grant: grant.c alone makes one.  A reply that
 * contradicts itself is HELPER_PROTOCOL, that is undecided.
 */
#include <stddef.h>

#include "grant/reply.h"

#define REASON_MAX 64 /* bytes: reason codes are the error table's names */
/* Bytes of a helper's sentence: postern_error.detail holds it beside ours. */
#define DETAIL_MAX 300
#define HANDLE_TEXT_MAX 64 /* bytes: what a short password field holds */

static const char *get_other_authcid(const postern_grant *g)
{
    const char *authcid = postern_grant_authcid(g), *user = postern_grant_user(g);

    return authcid != NULL && user != NULL && strcmp(authcid, user) == 0 ? NULL : authcid;
}

/* One table for what travels of a grant, both ways. */
static const struct {
    const char *name;
    size_t at;  /* offset of the postern_bytes in struct postern_grant_facts */
    size_t max; /* bytes */
    bool is_required;
    const char *(*get)(const postern_grant *g);
} grant_texts[] = {
#define FACT(member) offsetof(struct postern_grant_facts, member)
    { "iss", FACT(issuer), POSTERN_URI_MAX, true, postern_grant_issuer },
    { "sub", FACT(subject), POSTERN_IDENTITY_MAX, false, postern_grant_subject },
    { "client_id", FACT(client_id), POSTERN_IDENTITY_MAX, false, postern_grant_client_id },
    /* A host logs someone in: without a user there is nobody. */
    { "user", FACT(user), POSTERN_IDENTITY_MAX, true, postern_grant_user },
    { "aud", FACT(audience), POSTERN_URI_MAX, true, postern_grant_audience },
    /* Whom the host logs in, where that is another than the user (login_as: both). */
    { "authcid", FACT(authcid), POSTERN_IDENTITY_MAX, false, get_other_authcid },
    { "jti", FACT(jti), POSTERN_URI_MAX, false, postern_grant_jti },
    { "purpose", FACT(purpose), POSTERN_PURPOSE_MAX, false, postern_grant_purpose },
    { "scope", FACT(scope), POSTERN_SCOPE_CLAIM_MAX, false, postern_grant_scope },
#undef FACT
};
enum {
    GRANT_TEXTS = sizeof grant_texts / sizeof grant_texts[0],
    GRANT_EXP = GRANT_TEXTS,
    GRANT_IAT,
    GRANT_ACT,
    GRANT_OWN,
    GRANT_COUNT
};

/* What a client may be told (RFC 7628 §3.2.2); fixed fields of postern_failure. */
static const struct {
    const char *name;
    size_t at, size;
} failure_texts[] = {
/* clang-format off */
#define FIELD(member) \
    { #member, offsetof(postern_failure, member), sizeof(((postern_failure *)0)->member) }
    /* clang-format on */
    FIELD(scope),
    FIELD(openid_configuration),
    FIELD(resource_metadata),
    FIELD(issuer),
    FIELD(because),
    FIELD(contact),
#undef FIELD
};
enum { FAILURE_COUNT = sizeof failure_texts / sizeof failure_texts[0] };

enum reply_member {
    REPLY_V,
    REPLY_OP,
    REPLY_NONCE,
    REPLY_SERVICE,
    REPLY_OUTCOME,
    REPLY_REASON,
    REPLY_REF,
    REPLY_FAILURE,
    REPLY_GRANT,
    REPLY_COUNT
};
static const struct postern_frame_member reply_table[REPLY_COUNT] = {
    [REPLY_V] = { "v", POSTERN_JSON_NUMBER, true, 0 },
    [REPLY_OP] = { "op", POSTERN_JSON_STRING, true, 0 },
    [REPLY_NONCE] = { "nonce", POSTERN_JSON_STRING, true, 0 },
    [REPLY_SERVICE] = { "service", POSTERN_JSON_STRING, true, 0 },
    [REPLY_OUTCOME] = { "outcome", POSTERN_JSON_STRING, true, 0 },
    [REPLY_REASON] = { "reason", POSTERN_JSON_STRING, false, 0 },
    [REPLY_REF] = { "ref", POSTERN_JSON_STRING, true, 0 },
    [REPLY_FAILURE] = { "failure", POSTERN_JSON_OBJECT, false, 0 },
    [REPLY_GRANT] = { "grant", POSTERN_JSON_OBJECT, false, 0 },
};

enum info_member {
    INFO_V,
    INFO_OP,
    INFO_NONCE,
    INFO_SERVICE,
    INFO_KNOWN,
    INFO_REASON,
    INFO_REF,
    INFO_MECH_LIST,
    INFO_OPAQUE_PREFIX,
    INFO_FAILURE,
    INFO_COUNT
};
static const struct postern_frame_member info_table[INFO_COUNT] = {
    [INFO_V] = { "v", POSTERN_JSON_NUMBER, true, 0 },
    [INFO_OP] = { "op", POSTERN_JSON_STRING, true, 0 },
    [INFO_NONCE] = { "nonce", POSTERN_JSON_STRING, true, 0 },
    [INFO_SERVICE] = { "service", POSTERN_JSON_STRING, true, 0 },
    [INFO_KNOWN] = { "known", POSTERN_JSON_FALSE, true, 0 },
    [INFO_REASON] = { "reason", POSTERN_JSON_STRING, false, 0 },
    [INFO_REF] = { "ref", POSTERN_JSON_STRING, false, 0 },
    [INFO_MECH_LIST] = { "mech_list", POSTERN_JSON_ARRAY, false, 8 },
    [INFO_OPAQUE_PREFIX] = { "opaque_prefix", POSTERN_JSON_STRING, false, 0 },
    [INFO_FAILURE] = { "failure", POSTERN_JSON_OBJECT, false, 0 },
};

enum handle_member {
    HANDLE_V,
    HANDLE_OP,
    HANDLE_NONCE,
    HANDLE_SERVICE,
    HANDLE_OUTCOME,
    HANDLE_REASON,
    HANDLE_REF,
    HANDLE_FAILURE,
    HANDLE_TEXT,
    HANDLE_USES,
    HANDLE_LIFE,
    HANDLE_COUNT
};
static const struct postern_frame_member handle_table[HANDLE_COUNT] = {
    [HANDLE_V] = { "v", POSTERN_JSON_NUMBER, true, 0 },
    [HANDLE_OP] = { "op", POSTERN_JSON_STRING, true, 0 },
    [HANDLE_NONCE] = { "nonce", POSTERN_JSON_STRING, true, 0 },
    [HANDLE_SERVICE] = { "service", POSTERN_JSON_STRING, true, 0 },
    [HANDLE_OUTCOME] = { "outcome", POSTERN_JSON_STRING, true, 0 },
    [HANDLE_REASON] = { "reason", POSTERN_JSON_STRING, false, 0 },
    [HANDLE_REF] = { "ref", POSTERN_JSON_STRING, true, 0 },
    [HANDLE_FAILURE] = { "failure", POSTERN_JSON_OBJECT, false, 0 },
    [HANDLE_TEXT] = { "handle", POSTERN_JSON_STRING, false, 0 },
    [HANDLE_USES] = { "uses", POSTERN_JSON_NUMBER, false, 0 },
    [HANDLE_LIFE] = { "expires_in", POSTERN_JSON_NUMBER, false, 0 },
};

enum error_member { ERROR_V, ERROR_OP, ERROR_REASON, ERROR_DETAIL, ERROR_COUNT };
static const struct postern_frame_member error_table[ERROR_COUNT] = {
    [ERROR_V] = { "v", POSTERN_JSON_NUMBER, true, 0 },
    [ERROR_OP] = { "op", POSTERN_JSON_STRING, true, 0 },
    [ERROR_REASON] = { "reason", POSTERN_JSON_STRING, true, 0 },
    [ERROR_DETAIL] = { "detail", POSTERN_JSON_STRING, true, 0 },
};

/* ---- reading ---- */

/* Text of at most room_size - 1 bytes into a fixed field; absent: "". */
static postern_err read_field(postern_frame *f, uint32_t node, char *room, size_t room_size,
                              postern_error *err)
{
    postern_bytes text;

    POSTERN_TRY(postern_frame_text(f, node, room_size - 1, &text, err));
    if (text.len != 0)
        memcpy(room, text.ptr, text.len);
    room[text.len] = '\0';
    return POSTERN_OK;
}

static postern_err read_failure(postern_frame *f, uint32_t object, postern_failure *ret,
                                postern_error *err)
{
    struct postern_frame_member table[FAILURE_COUNT];
    uint32_t nodes[FAILURE_COUNT];

    if (object == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    for (size_t i = 0; i < FAILURE_COUNT; i++)
        table[i] =
            (struct postern_frame_member){ failure_texts[i].name, POSTERN_JSON_STRING, false, 0 };
    POSTERN_TRY(postern_frame_members(f, object, table, FAILURE_COUNT, nodes, err));
    for (size_t i = 0; i < FAILURE_COUNT; i++)
        POSTERN_TRY(
            read_field(f, nodes[i], (char *)ret + failure_texts[i].at, failure_texts[i].size, err));
    return POSTERN_OK;
}

/* A nonce is no secret to the peer that sent it back; the constant-time compare costs nothing and
 * needs no argument. */
static postern_err check_binding(postern_frame *f, uint32_t nonce, uint32_t service,
                                 postern_bytes nonce_text, const char *want_service,
                                 postern_error *err)
{
    postern_bytes echoed;

    POSTERN_TRY(postern_frame_text(f, nonce, POSTERN_NONCE_TEXT_LEN, &echoed, err));
    if (!postern_bytes_equal_ct(echoed, nonce_text))
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "reply echoes another nonce than the request's");
    if (!postern_json_string_is(&f->json, service, want_service))
        return POSTERN_FAIL(err, HELPER_PROTOCOL,
                            "reply is about another service than the request");
    return POSTERN_OK;
}

/* The helper's word about a frame that it could not read, or did not take for want of room. */
static postern_err read_error(postern_frame *f, postern_error *err)
{
    uint32_t nodes[ERROR_COUNT];
    postern_bytes detail;

    POSTERN_TRY(postern_frame_members(f, 0, error_table, ERROR_COUNT, nodes, err));
    POSTERN_TRY(postern_frame_text(f, nodes[ERROR_DETAIL], DETAIL_MAX, &detail, err));
    if (postern_json_string_is(&f->json, nodes[ERROR_REASON], postern_err_reason(POSTERN_ERR_BUSY)))
        return POSTERN_FAIL(err, BUSY, "helper: %s", (const char *)detail.ptr);
    return POSTERN_FAIL(err, HELPER_PROTOCOL, "helper refused the request: %s",
                        (const char *)detail.ptr);
}

/* Version first, then the helper's "I could not read your frame", then the op that was asked. */
static postern_err check_head(postern_frame *f, const char *op, postern_error *err)
{
    uint32_t op_node;

    POSTERN_TRY(postern_frame_check_version(f, err));
    op_node = postern_json_member(&f->json, 0, "op");
    if (op_node != POSTERN_JSON_ABSENT && postern_json_string_is(&f->json, op_node, op))
        return POSTERN_OK;
    if (op_node == POSTERN_JSON_ABSENT || !postern_json_string_is(&f->json, op_node, "error"))
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "reply is to another op than %s", op);
    return read_error(f, err);
}

static postern_err read_time(const postern_frame *f, uint32_t node, int64_t *ret_s,
                             postern_error *err)
{
    if (!postern_json_integer(&f->json, node, ret_s) || *ret_s < 0)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "exp or iat is not a time");
    return POSTERN_OK;
}

static postern_err read_actors(postern_frame *f, uint32_t array, struct postern_grant_facts *facts,
                               postern_error *err)
{
    if (array == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    for (uint32_t n = postern_json_first(&f->json, array); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(&f->json, n))
        POSTERN_TRY(
            postern_frame_text(f, n, POSTERN_IDENTITY_MAX, &facts->act[facts->act_depth++], err));
    return POSTERN_OK;
}

static postern_err read_grant(postern_frame *f, uint32_t object, struct postern_grant_facts *facts,
                              postern_error *err)
{
    struct postern_frame_member table[GRANT_COUNT] = {
        [GRANT_EXP] = { "exp", POSTERN_JSON_NUMBER, true, 0 },
        [GRANT_IAT] = { "iat", POSTERN_JSON_NUMBER, false, 0 },
        [GRANT_ACT] = { "act", POSTERN_JSON_ARRAY, false, POSTERN_ACT_DEPTH_MAX },
        [GRANT_OWN] = { "clients_own", POSTERN_JSON_FALSE, false, 0 },
    };
    uint32_t nodes[GRANT_COUNT];

    for (size_t i = 0; i < GRANT_TEXTS; i++)
        table[i] = (struct postern_frame_member){ grant_texts[i].name, POSTERN_JSON_STRING,
                                                  grant_texts[i].is_required, 0 };
    POSTERN_TRY(postern_frame_members(f, object, table, GRANT_COUNT, nodes, err));
    for (size_t i = 0; i < GRANT_TEXTS; i++)
        POSTERN_TRY(postern_frame_text(f, nodes[i], grant_texts[i].max,
                                       (postern_bytes *)((char *)facts + grant_texts[i].at), err));
    if (facts->subject.len == 0 && facts->client_id.len == 0)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "grant names neither subject nor client");
    POSTERN_TRY(read_time(f, nodes[GRANT_EXP], &facts->exp_s, err));
    facts->iat_s = -1;
    if (nodes[GRANT_IAT] != POSTERN_JSON_ABSENT)
        POSTERN_TRY(read_time(f, nodes[GRANT_IAT], &facts->iat_s, err));
    facts->is_clients_own = nodes[GRANT_OWN] != POSTERN_JSON_ABSENT &&
                            postern_json_type_of(&f->json, nodes[GRANT_OWN]) == POSTERN_JSON_TRUE;
    return read_actors(f, nodes[GRANT_ACT], facts, err);
}

/* The code of a reason that refuses; anything else, "ok" included, is no reason. */
static postern_err read_reason(postern_frame *f, uint32_t node, postern_err *ret_code,
                               postern_error *err)
{
    postern_bytes reason;
    postern_err code;

    POSTERN_TRY(postern_frame_text(f, node, REASON_MAX, &reason, err));
    code = reason.len == 0 ? POSTERN_ERR_UNSET : postern_err_from_reason((const char *)reason.ptr);
    if (code == POSTERN_ERR_UNSET || code == POSTERN_OK || code == POSTERN_AGAIN)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "reply gives no reason that this version knows");
    *ret_code = code;
    return POSTERN_OK;
}

static postern_err refuse(postern_err code, const char *ref, postern_error *err)
{
    return postern_error_set(err, code, __FILE__, __LINE__, "helper: %s (ref %s)",
                             postern_err_text(code), ref);
}

/* The helper's "no": its code when reason and outcome agree, HELPER_PROTOCOL when they do not.  `nodes` of a
 * verify or handle reply, which begin alike; `result` is what it would carry if it were none. */
static postern_err read_refusal(postern_frame *f, const uint32_t *nodes, uint32_t result,
                                postern_failure *ret_failure, postern_error *err)
{
    postern_err code;

    if (result != POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "a refusal carries a grant");
    POSTERN_TRY(read_reason(f, nodes[REPLY_REASON], &code, err));
    if (!postern_json_string_is(&f->json, nodes[REPLY_OUTCOME],
                                postern_outcome_name(postern_err_outcome(code))))
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "reply's outcome does not fit its reason");
    POSTERN_TRY(read_failure(f, nodes[REPLY_FAILURE], ret_failure, err));
    return refuse(code, ret_failure->ref, err);
}

postern_err postern_reply_read(postern_frame *f, postern_bytes nonce_text, const char *service,
                               struct postern_grant_facts *ret_facts, postern_bytes *ret_ref,
                               postern_failure *ret_failure, postern_error *err)
{
    uint32_t nodes[REPLY_COUNT];

    POSTERN_TRY(check_head(f, "verify", err));
    POSTERN_TRY(postern_frame_members(f, 0, reply_table, REPLY_COUNT, nodes, err));
    POSTERN_TRY(
        check_binding(f, nodes[REPLY_NONCE], nodes[REPLY_SERVICE], nonce_text, service, err));
    POSTERN_TRY(read_field(f, nodes[REPLY_REF], ret_failure->ref, sizeof ret_failure->ref, err));
    *ret_ref = postern_bytes_str(ret_failure->ref);
    if (!postern_json_string_is(&f->json, nodes[REPLY_OUTCOME],
                                postern_outcome_name(POSTERN_PROVED)))
        return read_refusal(f, nodes, nodes[REPLY_GRANT], ret_failure, err);
    if (nodes[REPLY_REASON] != POSTERN_JSON_ABSENT || nodes[REPLY_FAILURE] != POSTERN_JSON_ABSENT ||
        nodes[REPLY_GRANT] == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "a proved reply carries a grant and no reason");
    ret_facts->service = postern_bytes_str(service);
    return read_grant(f, nodes[REPLY_GRANT], ret_facts, err);
}

postern_err postern_reply_read_handle(postern_frame *f, postern_bytes nonce_text,
                                      const char *service, postern_bytes *ret_handle,
                                      postern_failure *ret_failure, postern_error *err)
{
    uint32_t nodes[HANDLE_COUNT];

    POSTERN_TRY(check_head(f, "handle", err));
    POSTERN_TRY(postern_frame_members(f, 0, handle_table, HANDLE_COUNT, nodes, err));
    POSTERN_TRY(
        check_binding(f, nodes[HANDLE_NONCE], nodes[HANDLE_SERVICE], nonce_text, service, err));
    POSTERN_TRY(read_field(f, nodes[HANDLE_REF], ret_failure->ref, sizeof ret_failure->ref, err));
    if (!postern_json_string_is(&f->json, nodes[HANDLE_OUTCOME],
                                postern_outcome_name(POSTERN_PROVED)))
        return read_refusal(f, nodes, nodes[HANDLE_TEXT], ret_failure, err);
    if (nodes[HANDLE_REASON] != POSTERN_JSON_ABSENT || nodes[HANDLE_FAILURE] != POSTERN_JSON_ABSENT ||
        nodes[HANDLE_TEXT] == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "a minted handle comes alone");
    return postern_frame_text(f, nodes[HANDLE_TEXT], HANDLE_TEXT_MAX, ret_handle, err);
}

static postern_err read_mechs(const postern_json *j, uint32_t array, postern_service_info *ret,
                              postern_error *err)
{
    if (array == POSTERN_JSON_ABSENT)
        return POSTERN_OK;
    for (uint32_t n = postern_json_first(j, array); n != POSTERN_JSON_ABSENT;
         n = postern_json_next(j, n)) {
        if (postern_json_string_is(j, n, "OAUTHBEARER"))
            ret->has_oauthbearer = true;
        else if (postern_json_string_is(j, n, "XOAUTH2"))
            ret->has_xoauth2 = true;
        else
            return POSTERN_FAIL(err, HELPER_PROTOCOL,
                                "mech_list names a mechanism that this version does not know");
    }
    return POSTERN_OK;
}

postern_err postern_reply_read_info(postern_frame *f, postern_bytes nonce_text, const char *service,
                                    postern_service_info *ret, postern_error *err)
{
    postern_service_info info = { 0 };
    uint32_t nodes[INFO_COUNT];
    postern_err code;

    POSTERN_TRY(check_head(f, "describe", err));
    POSTERN_TRY(postern_frame_members(f, 0, info_table, INFO_COUNT, nodes, err));
    POSTERN_TRY(check_binding(f, nodes[INFO_NONCE], nodes[INFO_SERVICE], nonce_text, service, err));
    POSTERN_TRY(read_field(f, nodes[INFO_REF], info.discovery.ref, sizeof info.discovery.ref, err));
    info.is_known = postern_json_type_of(&f->json, nodes[INFO_KNOWN]) == POSTERN_JSON_TRUE;
    if (nodes[INFO_REASON] != POSTERN_JSON_ABSENT) {
        POSTERN_TRY(read_reason(f, nodes[INFO_REASON], &code, err));
        return refuse(code, info.discovery.ref, err);
    }
    if (!info.is_known && (nodes[INFO_MECH_LIST] != POSTERN_JSON_ABSENT ||
                           nodes[INFO_OPAQUE_PREFIX] != POSTERN_JSON_ABSENT ||
                           nodes[INFO_FAILURE] != POSTERN_JSON_ABSENT))
        return POSTERN_FAIL(err, HELPER_PROTOCOL, "an unknown service is described");
    POSTERN_TRY(read_mechs(&f->json, nodes[INFO_MECH_LIST], &info, err));
    POSTERN_TRY(read_field(f, nodes[INFO_OPAQUE_PREFIX], info.opaque_prefix,
                           sizeof info.opaque_prefix, err));
    POSTERN_TRY(read_failure(f, nodes[INFO_FAILURE], &info.discovery, err));
    info.discovery.code =
        POSTERN_ERR_NO_TOKEN; /* RFC 7628 §4.3: what an empty auth is answered with */
    *ret = info;
    return POSTERN_OK;
}

/* ---- writing ---- */

static void write_head(postern_json_writer *w, const char *op, postern_bytes nonce_text,
                       const char *service)
{
    postern_json_open_object(w, NULL);
    postern_json_put_integer(w, "v", POSTERN_FRAME_VERSION);
    postern_json_put_str(w, "op", op);
    postern_json_put_string(w, "nonce", nonce_text);
    postern_json_put_str(w, "service", service);
}

static void write_failure(postern_json_writer *w, const postern_failure *failure)
{
    postern_json_open_object(w, "failure");
    for (size_t i = 0; i < FAILURE_COUNT; i++)
        postern_json_put_str(w, failure_texts[i].name, (const char *)failure + failure_texts[i].at);
    postern_json_close_object(w);
}

static void write_grant(postern_json_writer *w, const postern_grant *g)
{
    postern_json_open_object(w, "grant");
    for (size_t i = 0; i < GRANT_TEXTS; i++)
        postern_json_put_str(w, grant_texts[i].name, grant_texts[i].get(g));
    postern_json_put_integer(w, "exp", postern_grant_exp_s(g));
    if (postern_grant_iat_s(g) >= 0)
        postern_json_put_integer(w, "iat", postern_grant_iat_s(g));
    if (postern_grant_act_depth(g) > 0) {
        postern_json_open_array(w, "act");
        for (size_t i = 0; i < postern_grant_act_depth(g); i++)
            postern_json_put_str(w, NULL, postern_grant_act(g, i));
        postern_json_close_array(w);
    }
    if (postern_grant_is_clients_own(g))
        postern_json_put_flag(w, "clients_own", true);
    postern_json_close_object(w);
}

/* No result and no reason: never "proved". */
static postern_err get_told(bool is_proved, const postern_failure *failure)
{
    postern_err code = failure->code;

    if (is_proved)
        return POSTERN_OK;
    return code == POSTERN_OK || code == POSTERN_AGAIN || code == POSTERN_ERR_UNSET ?
               POSTERN_ERR_INTERNAL :
               code;
}

static void write_outcome(postern_json_writer *w, postern_err code, const postern_failure *failure)
{
    postern_json_put_str(w, "outcome", postern_outcome_name(postern_err_outcome(code)));
    if (code != POSTERN_OK)
        postern_json_put_str(w, "reason", postern_err_reason(code));
    postern_json_put_str(w, "ref", failure->ref);
}

void postern_reply_write(const postern_grant *g, const postern_failure *failure,
                         postern_bytes nonce_text, const char *service, postern_buf *out)
{
    postern_json_writer w = { .out = out };

    write_head(&w, "verify", nonce_text, service);
    write_outcome(&w, get_told(g != NULL, failure), failure);
    if (g != NULL)
        write_grant(&w, g);
    else
        write_failure(&w, failure);
    postern_json_close_object(&w);
}

void postern_reply_write_handle(const struct postern_handle *handle, const postern_failure *failure,
                                postern_bytes nonce_text, const char *service, postern_buf *out)
{
    postern_json_writer w = { .out = out };
    postern_err code = get_told(handle != NULL, failure);

    write_head(&w, "handle", nonce_text, service);
    write_outcome(&w, code, failure);
    if (handle != NULL) {
        postern_json_put_str(&w, "handle", handle->text);
        postern_json_put_integer(&w, "uses", handle->uses);
        postern_json_put_integer(&w, "expires_in", handle->life_s);
    } else {
        write_failure(&w, failure);
    }
    postern_json_close_object(&w);
}

void postern_reply_write_info(const postern_service_info *info, const postern_failure *refusal,
                              postern_bytes nonce_text, const char *service, postern_buf *out)
{
    postern_json_writer w = { .out = out };

    write_head(&w, "describe", nonce_text, service);
    postern_json_put_flag(&w, "known", refusal == NULL && info->is_known);
    if (refusal != NULL) {
        postern_json_put_str(&w, "reason", postern_err_reason(refusal->code));
        postern_json_put_str(&w, "ref", refusal->ref);
    } else if (info->is_known) {
        postern_json_open_array(&w, "mech_list");
        postern_json_put_str(&w, NULL, info->has_oauthbearer ? "OAUTHBEARER" : NULL);
        postern_json_put_str(&w, NULL, info->has_xoauth2 ? "XOAUTH2" : NULL);
        postern_json_close_array(&w);
        postern_json_put_str(&w, "opaque_prefix",
                             info->opaque_prefix[0] == '\0' ? NULL : info->opaque_prefix);
        write_failure(&w, &info->discovery);
    }
    postern_json_close_object(&w);
}

static void write_error(postern_err reason, const char *detail, postern_buf *out)
{
    postern_json_writer w = { .out = out };
    postern_bytes sentence = postern_bytes_str(detail);

    if (sentence.len > DETAIL_MAX)
        sentence.len = DETAIL_MAX; /* details are printable ASCII: no character is cut in two */
    postern_json_open_object(&w, NULL);
    postern_json_put_integer(&w, "v", POSTERN_FRAME_VERSION);
    postern_json_put_str(&w, "op", "error");
    postern_json_put_str(&w, "reason", postern_err_reason(reason));
    postern_json_put_string(&w, "detail", sentence);
    postern_json_close_object(&w);
}

void postern_reply_write_error(const char *detail, postern_buf *out)
{
    write_error(POSTERN_ERR_HELPER_PROTOCOL, detail, out);
}

void postern_reply_write_busy(const char *detail, postern_buf *out)
{
    write_error(POSTERN_ERR_BUSY, detail, out);
}
