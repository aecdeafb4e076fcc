/* SPDX-License-Identifier: BSD-2-Clause */
/* In place of doctor_sasl.c where Postern is built without its SASL plugin. */
#include "doctor.h"

void doctor_sasl_load(void *arg, FILE *out)
{
    (void)arg;
    child_say(out, "no-library", "this postern was built without SASL");
}

void doctor_sasl_offer(void *arg, FILE *out)
{
    doctor_sasl_load(arg, out);
}
