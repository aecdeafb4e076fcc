/* SPDX-License-Identifier: BSD-2-Clause */
/* The examples of the RFCs, byte for byte, each with a signature of another example as the
 * counter-check. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "../support/jose_judge.h"
#include "../support/test_keys.h"

static const struct vector {
    const char *source, *jwk, *input, *sig;
} vectors[] = {
    { "RFC 7515 appendix A.2",
      "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"
      "Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS"
      "-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"
      "KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3"
      "qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
      "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
      "eyJhbGciOiJSUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ",
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdi"
      "uB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
      "xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2"
      "w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw" },
    { "RFC 7515 appendix A.3",
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
      "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
      "eyJhbGciOiJFUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ",
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q" },
    { "RFC 7515 appendix A.4",
      "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":"
      "\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_"
      "NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\","
      "\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-"
      "x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
      "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
      "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
      "7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqO"
      "gzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn" },
    { "RFC 8037 appendix A.4",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg" },
};
#define VECTORS (sizeof vectors / sizeof *vectors)

static postern_err judge(const char *jwk, const char *input, const char *sig)
{
    char *set = test_jwks(jwk, NULL), *token = test_printf("%s.%s", input, sig);
    postern_err e = judge_signature(set, postern_bytes_str(token));

    free(set);
    free(token);
    return e;
}

static void the_examples_of_the_rfcs_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        postern_err e = judge(vectors[i].jwk, vectors[i].input, vectors[i].sig);

        if (e != POSTERN_OK)
            fail_msg("%s: %s", vectors[i].source, postern_err_reason(e));
    }
}

static void an_examples_signature_verifies_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++)
        for (size_t j = 0; j < VECTORS; j++) {
            if (i == j)
                continue;
            assert_reason(judge(vectors[i].jwk, vectors[i].input, vectors[j].sig),
                          POSTERN_ERR_BAD_SIGNATURE);
            assert_reason(judge(vectors[i].jwk, vectors[j].input, vectors[j].sig),
                          POSTERN_ERR_ALG_KEY_MISMATCH);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfcs_verify),
        cmocka_unit_test(an_examples_signature_verifies_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
