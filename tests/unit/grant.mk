# SPDX-License-Identifier: BSD-2-Clause
unit_tests +=
