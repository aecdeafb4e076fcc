/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints the table of attacks: how doc/design/attack-tokens.md is made. */
#include "config.h"

#include "attack_table.h"

int main(void)
{
    attack_table_print(stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}
