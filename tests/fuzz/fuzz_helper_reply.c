/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's reader of a helper's frame: a grant only where nonce and service are ours, and it
 * survives writing and reading. */
#include <stdlib.h>

#include <postern-private/reply.h>

#include "grant/grant.h"
#include "grant/reply.h"

#define NONCE POSTERN_BYTES_LIT("AAECAwQFBgcICQoLDA0ODw")

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_again(const postern_grant *g)
{
    postern_failure failure = { 0 }, read;
    POSTERN_AUTO(grant) again = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(2 * POSTERN_HELPER_FRAME_MAX);

    memcpy(failure.ref, postern_grant_ref(g), strlen(postern_grant_ref(g)) + 1);
    postern_reply_write(g, &failure, NONCE, "imap", &out);
    demand(!out.failed);
    demand(postern_grant_from_reply(postern_buf_bytes(&out), NONCE, "imap", &again, &read, NULL) ==
           POSTERN_OK);
    demand(strcmp(postern_grant_user(again), postern_grant_user(g)) == 0);
    demand(strcmp(postern_grant_scope(again), postern_grant_scope(g)) == 0);
    demand(postern_grant_exp_s(again) == postern_grant_exp_s(g));
    demand(postern_grant_act_depth(again) == postern_grant_act_depth(g));
}

/* A description survives writing and reading; a refusal or an error in its place never reads as one. */
static void check_info_again(const postern_service_info *info)
{
    const postern_failure refusal = { .code = POSTERN_ERR_INTERNAL };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(2 * POSTERN_HELPER_FRAME_MAX);
    postern_service_info again = { 0 };

    for (int kind = 0; kind < 4; kind++) {
        POSTERN_AUTO_FRAME f = { 0 };

        postern_buf_reset(&out);
        if (kind == 2)
            postern_reply_write_error("no frame", &out);
        else if (kind == 3)
            postern_reply_write_busy("no room", &out);
        else
            postern_reply_write_info(info, kind == 0 ? NULL : &refusal, NONCE, "imap", &out);
        demand(!out.failed && postern_frame_open(&f, postern_buf_bytes(&out), NULL) == POSTERN_OK);
        demand((postern_reply_read_info(&f, NONCE, "imap", &again, NULL) == POSTERN_OK) == (kind == 0));
        demand(again.is_known == info->is_known && again.has_xoauth2 == info->has_xoauth2);
    }
}

/* What was refused is written as refused. */
static void check_refusal_again(const postern_failure *refused)
{
    static const char ref[] = "R-0000000000";
    postern_failure told = *refused;
    POSTERN_AUTO(grant) again = NULL;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(2 * POSTERN_HELPER_FRAME_MAX);
    postern_failure read;

    if (told.ref[0] == '\0') /* a frame that is not taken has none */
        memcpy(told.ref, ref, sizeof ref);
    postern_reply_write(NULL, &told, NONCE, "imap", &out);
    if (!out.failed)
        demand(postern_grant_from_reply(postern_buf_bytes(&out), NONCE, "imap", &again, &read, NULL) ==
               told.code);
    demand(again == NULL);
}

static void read_grant(postern_bytes frame)
{
    POSTERN_AUTO(grant) g = NULL;
    postern_failure failure;
    postern_err e = postern_grant_from_reply(frame, NONCE, "imap", &g, &failure, NULL);

    demand((e == POSTERN_OK) == (g != NULL));
    if (g == NULL) {
        demand(failure.code == e && postern_err_outcome(e) != POSTERN_PROVED);
        check_refusal_again(&failure);
        return;
    }
    demand(postern_grant_origin(g) == POSTERN_ORIGIN_HELPER && postern_grant_user(g) != NULL);
    check_again(g);
}

static void read_info(postern_bytes frame)
{
    POSTERN_AUTO_FRAME f = { 0 };
    postern_service_info info = { 0 };

    if (postern_frame_open(&f, frame, NULL) != POSTERN_OK)
        return;
    if (postern_reply_read_info(&f, NONCE, "imap", &info, NULL) != POSTERN_OK)
        demand(!info.is_known);
    else
        check_info_again(&info);
}

static void read_handle(postern_bytes frame)
{
    POSTERN_AUTO_FRAME f = { 0 };
    postern_failure failure = { 0 };
    postern_bytes handle = POSTERN_BYTES_NONE;
    postern_err e;

    if (postern_frame_open(&f, frame, NULL) != POSTERN_OK)
        return;
    e = postern_reply_read_handle(&f, NONCE, "imap", &handle, &failure, NULL);
    demand(e == POSTERN_OK ? handle.len != 0 && handle.len <= 64 :
                             postern_err_outcome(e) != POSTERN_PROVED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_handle((postern_bytes){ data, size });
    read_grant((postern_bytes){ data, size });
    read_info((postern_bytes){ data, size });
    return 0;
}
