/* SPDX-License-Identifier: BSD-2-Clause */
/* What kind of authorization server an issuer is, by its URL and its metadata, and what its file is
 * called.  Pure; a guess, which `postern init` says aloud and --provider and --name overrule. */
#ifndef POSTERN_CLI_INIT_GUESS_H
#define POSTERN_CLI_INIT_GUESS_H

#include <stddef.h>

#include <postern/survey.h>

#define INIT_NAME_MAX 65 /* with NUL: as host_is_service_name() */

/* A word of `provider:`; found may be NULL. */
const char *init_guess_provider(const char *issuer, const postern_survey *found);
/* "sso" of https://sso.example.org/…, or the provider's name, or "issuer". */
void init_guess_name(const char *issuer, const char *provider, char room[INIT_NAME_MAX]);
/* Entra's tokens of version 1 have this issuer, and no provider here knows them. */
bool init_guess_is_entra_v1(const char *issuer);

#endif
