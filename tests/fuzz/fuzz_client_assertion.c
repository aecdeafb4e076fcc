/* SPDX-License-Identifier: BSD-2-Clause */
/* An assertion before its proof, and the claims of one: a name fits, an expiry is within bounds, a jti is short. */
#include <stdlib.h>

#include "issuer/client_assertion.h"

#define NOW_S 1700000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static void check_claims(postern_bytes text)
{
    POSTERN_AUTO_JSON j = { 0 };
    POSTERN_AUTO_BUF jti = POSTERN_BUF_INIT(CLIENT_ASSERTION_JTI_MAX + 1);
    int64_t exp_s = -1;
    bool is_good = false;

    if (postern_json_scan(&j, text, NULL) != POSTERN_OK || postern_json_type_of(&j, 0) != POSTERN_JSON_OBJECT ||
        client_assertion_judge(&j, "http://127.0.0.1:8414", "a", NOW_S, &jti, &exp_s, &is_good, NULL) != POSTERN_OK ||
        !is_good)
        return;
    require(jti.len > 0 && jti.len <= CLIENT_ASSERTION_JTI_MAX && memchr(jti.ptr, '\0', jti.len) == NULL);
    require(exp_s > NOW_S - CLIENT_ASSERTION_SKEW_S &&
            exp_s <= NOW_S + CLIENT_ASSERTION_LIFE_S + CLIENT_ASSERTION_SKEW_S);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[CLIENT_NAME_MAX] = "x";

    if (client_assertion_peek((postern_bytes){ data, size }, name, NULL) != POSTERN_OK)
        return 0; /* no memory */
    require(memchr(name, '\0', sizeof name) != NULL);
    check_claims((postern_bytes){ data, size });
    return 0;
}
