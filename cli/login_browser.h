/* SPDX-License-Identifier: BSD-2-Clause */
/* Show an address in the person's browser. */
#ifndef POSTERN_CLI_LOGIN_BROWSER_H
#define POSTERN_CLI_LOGIN_BROWSER_H

#include <stdbool.h>

/* True when there is a screen to show it on. */
bool login_browser_has_display(void);
/* xdg-open(1), by itself and without a shell; false when it could not be started. */
bool login_browser_open(const char *url);

#endif
