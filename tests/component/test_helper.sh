#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The client library against the real helper, across users and processes (tests/component/helper.c).  Needs root, and says so.
: "${POSTERN_BUILD:?the build folder}"
CMOCKA_MESSAGE_OUTPUT=TAP exec "$POSTERN_BUILD/tests/component/helper"
