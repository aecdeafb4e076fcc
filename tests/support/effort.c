/* SPDX-License-Identifier: BSD-2-Clause */
/* See the header. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "effort.h"

unsigned long test_effort(unsigned long few, unsigned long many)
{
    const char *thorough = getenv("POSTERN_THOROUGH");

    return thorough != NULL && strcmp(thorough, "1") == 0 ? many : few;
}
