/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of all files by number, and the table in print: see attack_table.h. */
#include "config.h"

#include "attack_table.h"

static const struct attack_group *const groups[] = {
    &attacks_on_form,    &attacks_on_header, &attacks_on_whose,      &attacks_on_type,
    &attacks_on_kid,     &attacks_on_keys,   &attacks_on_signature,  &attacks_on_rsa,
    &attacks_on_payload, &attacks_on_claims, &attacks_on_identities, &attacks_on_parties,
    &attacks_on_scope,   &attacks_on_users,
};

const struct attack *attack_at(size_t i)
{
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        if (i < groups[g]->count)
            return &groups[g]->rows[i];
        i -= groups[g]->count;
    }
    return NULL;
}

static const char *get_check_name(enum trail_step step)
{
    static const char *const names[TRAIL_STEPS] = {
#define ATTACK_STEP_NAME(code, name, source) [TRAIL_##code] = name,
        POSTERN_TRAIL_LIST(ATTACK_STEP_NAME)
#undef ATTACK_STEP_NAME
    };

    return names[step];
}

/* In a table of Markdown a bar ends a cell. */
static void put_cell(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
    (void)fputs(" | ", out);
}

static const char intro[] =
    "# Tokens that are refused\n"
    "\n"
    "Printed by `tests/support/attack_table`; `tests/unit/test_attack_table.c` makes each of "
    "these\n"
    "tokens, has it validated, and asserts the reason, the check that stopped it, and that every\n"
    "check before it passed.  No two rows have reason, check and field in common.  A row's token "
    "is\n"
    "right in everything but what the row says; where that is possible it is signed after the\n"
    "change, by the issuer's own key.\n"
    "\n"
    "The field is a place in the token, the key set or the request, and behind a slash which\n"
    "property of it was changed.  Checks are those of `postern verify --explain`.\n"
    "\n"
    "| | reason | check | field | what was done |\n"
    "|-:|-|-|-|-|\n";

void attack_table_print(FILE *out)
{
    const struct attack *a;

    (void)fputs(intro, out);
    for (size_t i = 0; (a = attack_at(i)) != NULL; i++) {
        (void)fprintf(out, "| %zu | %s | %s | ", i + 1, postern_err_reason(a->reason),
                      get_check_name(a->check));
        put_cell(a->field, out);
        (void)fputs(a->done, out);
        if (a->site != SITE_PLAIN)
            (void)fprintf(out, " (%s)", attack_site_name(a->site));
        (void)fputs(" |\n", out);
    }
}
