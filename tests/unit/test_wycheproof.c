/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JWS and JWK vectors of the Wycheproof project, one JSON object a line, from the file that
 * POSTERN_WYCHEPROOF names (they are not part of this tree).  Bare signatures: they go to the
 * signature layer.  Where the file is not there the test cannot run, says so, and fails where CI is
 * "true".
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <postern-private/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "../support/jose_judge.h"

static struct counts {
    unsigned vectors, accepted, refused, either_accepted, either_refused, symmetric, wrong;
} counts;

static FILE *open_vectors(void)
{
    const char *named = getenv("POSTERN_WYCHEPROOF"), *top = getenv("top_srcdir");
    char path[4096];

    if (named != NULL && named[0] != '\0')
        return fopen(named, "r");
    if (snprintf(path, sizeof path, "%s/../shared/vectors/wycheproof-jws.jsonl",
                 top == NULL ? "." : top) >= (int)sizeof path)
        return NULL;
    return fopen(path, "r");
}

static bool text_of(const postern_json *j, const char *name, postern_buf *scratch,
                    postern_bytes *ret)
{
    postern_buf_reset(scratch);
    return postern_json_string(j, postern_json_member(j, 0, name), scratch, ret);
}

/* The set as written: wherever a good vector has one, it is a value of the line. */
static char *set_of(const postern_json *j)
{
    postern_bytes raw = postern_json_raw(j, postern_json_member(j, 0, "jwks"));
    char *text = calloc(1, raw.len + 1);

    assert_non_null(text);
    memcpy(text, raw.ptr, raw.len);
    return text;
}

static void count(const postern_json *j, postern_err got)
{
    bool is_symmetric =
        postern_json_type_of(j, postern_json_member(j, 0, "symmetric")) == POSTERN_JSON_TRUE;
    uint32_t expect = postern_json_member(j, 0, "expect");
    bool must_accept = postern_json_string_is(j, expect, "accept"),
         may_accept = postern_json_string_is(j, expect, "either") && !is_symmetric;
    bool is_accepted = got == POSTERN_OK;

    counts.vectors++;
    counts.symmetric += is_symmetric;
    if (must_accept != is_accepted && !may_accept) {
        postern_bytes line = postern_json_raw(j, postern_json_member(j, 0, "id"));

        counts.wrong++;
        print_message("%.*s: %s\n", (int)line.len, (const char *)line.ptr, postern_err_reason(got));
        return;
    }
    *(may_accept    ? is_accepted ? &counts.either_accepted : &counts.either_refused
      : is_accepted ? &counts.accepted
                    : &counts.refused) += 1;
}

static void judge_line(postern_bytes line)
{
    POSTERN_AUTO_JSON j = { 0 };
    POSTERN_AUTO_BUF scratch = POSTERN_BUF_INIT(65536);
    postern_bytes jws;
    char *set;
    postern_err got;

    assert_reason(postern_json_scan(&j, line, NULL), POSTERN_OK);
    assert_true(text_of(&j, "jws", &scratch, &jws));
    set = set_of(&j);
    got = judge_signature(set, jws);
    if (postern_err_outcome(got) == POSTERN_UNDECIDED)
        fail_msg("undecided (%s): %.*s", postern_err_reason(got), (int)line.len,
                 (const char *)line.ptr);
    free(set);
    count(&j, got);
}

static void wycheproof_vectors_get_the_verdict_they_expect(void **state)
{
    FILE *f = open_vectors();
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    (void)state;
    if (f == NULL) {
        const char *ci = getenv("CI");

        print_message(
            "cannot run: no Wycheproof vectors (set POSTERN_WYCHEPROOF to wycheproof-jws.jsonl)\n");
        if (ci != NULL && strcmp(ci, "true") == 0)
            fail_msg("CI runs with the vectors or not at all");
        skip();
    }
    while ((len = getline(&line, &room, f)) > 0)
        judge_line((postern_bytes){ (const uint8_t *)line, (size_t)len });
    free(line);
    assert_int_equal(fclose(f), 0);
    print_message("%u vectors: %u accepted, %u refused (%u symmetric), of those that may go both "
                  "ways %u accepted and %u refused; %u wrong\n",
                  counts.vectors, counts.accepted, counts.refused, counts.symmetric,
                  counts.either_accepted, counts.either_refused, counts.wrong);
    assert_int_equal(counts.wrong, 0);
    assert_true(counts.accepted > 0 &&
                counts.refused > 0); /* an empty or foreign file proves nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wycheproof_vectors_get_the_verdict_they_expect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
