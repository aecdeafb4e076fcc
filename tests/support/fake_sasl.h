/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's side of libsasl for tests of the plugin: records what the plugin logs and sets, answers what a test says. */
#ifndef TESTS_SUPPORT_FAKE_SASL_H
#define TESTS_SUPPORT_FAKE_SASL_H

#include <stddef.h>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

struct fake_option {
    const char *name; /* NULL ends the list */
    const char *value;
};

/* What the application has for a callback id: nothing (no entry), a value at once, or "ask me by SASL_INTERACT". */
struct fake_callback {
    unsigned long id; /* SASL_CB_LIST_END ends the list */
    const char   *value; /* NULL: SASL_INTERACT */
};

struct fake_sasl {
    sasl_utils_t                utils; /* for sparams and cparams */
    const struct fake_option   *options;
    const struct fake_callback *callbacks;
    int                         canon_result;
    int                         canon_authzid_result; /* of the second call, for another name */
    char                        log[8192];   /* "LEVEL text\n" for each line */
    char                        error[1024]; /* the last seterror */
    unsigned                    canon_calls;
    unsigned                    canon_flags[4];
    char                        canon_names[4][256];
};

/* One at a time: libsasl's callbacks get no pointer that would lead back. */
void fake_sasl_reset(struct fake_sasl *f);
int fake_sasl_canon_user(sasl_conn_t *conn, const char *in, unsigned len, unsigned flags, sasl_out_params_t *oparams);

#endif
