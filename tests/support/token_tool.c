/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys and tokens for component tests: an issuer that says whatever a test wants.  Not installed; never a product.
 *
 *   token_tool key                     a new P-256 key, PEM, on stdout
 *   token_tool jwks KEY.pem            its public key set
 *   token_tool sign KEY.pem TYP        claims (JSON) on stdin, the token on stdout
 */
#include <stdio.h>
#include <stdlib.h>

#include <postern-private/mint.h>

static postern_bytes slurp(FILE *in)
{
    static uint8_t room[65536];
    return (postern_bytes){ room, fread(room, 1, sizeof room, in) };
}

static postern_signing_key *read_key(const char *path)
{
    postern_signing_key *key = NULL;
    FILE *in = fopen(path, "r");

    if (in == NULL || postern_signing_key_from_pem(slurp(in), &key, NULL) != POSTERN_OK) {
        fprintf(stderr, "token_tool: %s is no key\n", path);
        exit(2);
    }
    fclose(in);
    return key;
}

static void print(postern_bytes text)
{
    fwrite(text.ptr, 1, text.len, stdout);
}

static postern_err make_key(void)
{
    POSTERN_AUTO(signing_key) key = NULL;
    POSTERN_AUTO(secret) pem = NULL;

    POSTERN_TRY(postern_signing_key_generate(&key, NULL));
    POSTERN_TRY(postern_signing_key_to_pem(key, &pem, NULL));
    print(postern_secret_bytes(pem));
    return POSTERN_OK;
}

static postern_err make_jwks(const char *path)
{
    POSTERN_AUTO(signing_key) key = read_key(path);
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(4096);

    postern_buf_add_str(&out, "{\"keys\":[");
    POSTERN_TRY(postern_signing_key_public_jwk(key, &out, NULL));
    postern_buf_add_str(&out, "]}\n");
    print(postern_buf_bytes(&out));
    return POSTERN_OK;
}

static postern_err make_token(const char *path, const char *typ)
{
    POSTERN_AUTO(signing_key) key = read_key(path);
    POSTERN_AUTO(secret) token = NULL;

    POSTERN_TRY(postern_mint_token(key, typ, slurp(stdin), &token, NULL));
    print(postern_secret_bytes(token));
    return POSTERN_OK;
}

int main(int argc, char **argv)
{
    postern_err e = POSTERN_ERR_USAGE;

    if (argc == 2 && strcmp(argv[1], "key") == 0)
        e = make_key();
    else if (argc == 3 && strcmp(argv[1], "jwks") == 0)
        e = make_jwks(argv[2]);
    else if (argc == 4 && strcmp(argv[1], "sign") == 0)
        e = make_token(argv[2], argv[3]);
    if (e != POSTERN_OK)
        fprintf(stderr, "token_tool: %s\n", postern_err_text(e));
    return e == POSTERN_OK ? 0 : 2;
}
