/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies from a generator with a fixed seed, over names so few that most rules are near to each other. */
#ifndef POSTERN_TESTS_POLICY_LINES_H
#define POSTERN_TESTS_POLICY_LINES_H

#include <postern/policy.h>

#define POLICY_LINES_MAX 32 /* rules that are made; there is room for two more */
#define POLICY_LINE_MAX  512

struct policy_lines {
    char text[POLICY_LINES_MAX + 2][POLICY_LINE_MAX];
    size_t count;
    bool is_both; /* judge agent and user */
};

void test_chance_start(void); /* the same chances again */
uint32_t test_chance(uint32_t below);
#define TEST_PICK(table) (table)[test_chance(sizeof(table) / sizeof *(table))]

void policy_lines_rule(const char *verdict, char *ret); /* room for POLICY_LINE_MAX */
void policy_lines_make(struct policy_lines *ret);
postern_policy *policy_lines_read(const struct policy_lines *lines);
void policy_lines_insert(struct policy_lines *lines, size_t at, const char *line);
void policy_lines_remove(struct policy_lines *lines, size_t at);

#endif
