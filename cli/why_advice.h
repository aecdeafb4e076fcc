/* SPDX-License-Identifier: BSD-2-Clause */
/* What an administrator can change about each reason code: the last line of `postern why`. */
#ifndef POSTERN_CLI_WHY_ADVICE_H
#define POSTERN_CLI_WHY_ADVICE_H

#include <postern/error.h>

/* One sentence or two; NULL: no such code. */
const char *why_advice(postern_err code);

#endif
