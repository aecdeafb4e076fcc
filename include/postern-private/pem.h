/* SPDX-License-Identifier: BSD-2-Clause */
/* PEM without passphrases: nobody is there to type one, and OpenSSL would ask the terminal, which may be
 * an agent's standard input. */
#ifndef POSTERN_PRIVATE_PEM_H
#define POSTERN_PRIVATE_PEM_H

#include <postern/bytes.h>

/* A pem_password_cb that has none. */
int postern_pem_no_passphrase(char *room, int room_size, int is_for_writing, void *arg);
/* NULL: no private key without a passphrase, or no memory; OpenSSL's queue of errors says which. */
struct evp_pkey_st *postern_pem_private_key(postern_bytes pem); /* EVP_PKEY */

#endif
