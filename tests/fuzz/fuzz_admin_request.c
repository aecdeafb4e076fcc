/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the administration protocol: what parses has a verb, and its lists hold words without blanks. */
#include <stdlib.h>

#include "issuer/admin_request.h"
#include "issuer/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const char *list, size_t room)
{
    size_t words = words_count(list), blanks = 0;

    if (strlen(list) >= room)
        abort();
    for (const char *p = list; *p != '\0'; p++)
        blanks += *p == ' ';
    if (blanks != (words == 0 ? 0 : words - 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct admin_request rq;
    postern_error err;

    if (admin_request_parse((postern_bytes){ data, size }, &rq, &err) != POSTERN_OK) {
        if (err.code == POSTERN_ERR_UNSET || err.detail[0] == '\0')
            abort();
        return 0;
    }
    if (rq.verb == ADMIN_VERB_NONE || (rq.verb == ADMIN_CLIENT_LIST && rq.name[0] != '\0'))
        abort();
    check_list(rq.scopes, sizeof rq.scopes);
    check_list(rq.resources, sizeof rq.resources);
    return 0;
}
