/* SPDX-License-Identifier: BSD-2-Clause */
/* Rendering of a trail; see the header.  What it holds is printable ASCII already. */
#include "config.h"

#include "verify_path.h"
#include "why_advice.h"

static void put_verdict(postern_err e, const postern_error *err, postern_buf *out)
{
    const char *advice = why_advice(e);

    postern_buf_addf(out, "%s: %s", postern_outcome_name(postern_err_outcome(e)),
                     postern_err_reason(e));
    if (e != POSTERN_OK)
        postern_buf_addf(out, ": %s (%s)", postern_err_text(e), postern_err_source(e));
    postern_buf_add_byte(out, '\n');
    if (e != POSTERN_OK && err->detail[0] != '\0')
        postern_buf_addf(out, "  detail       %s\n", err->detail);
    if (e != POSTERN_OK && advice != NULL)
        postern_buf_addf(out, "  advice       %s\n", advice);
}

static void put_names(const postern_grant *g, postern_buf *out)
{
    const char *actor = postern_grant_actor(g), *user = postern_grant_user(g);
    char quoted[300];

    if (actor != NULL)
        postern_buf_addf(out, "  acts         %s, %s\n",
                         postern_error_quote(actor, strlen(actor), quoted, sizeof quoted),
                         postern_grant_has_human(g) ? "for a human" : "for itself");
    if (user != NULL)
        postern_buf_addf(out, "  local user   %s\n", user);
}

void verify_path_put_text(postern_err e, const postern_grant *g, const postern_error *err,
                          const postern_trail *trail, postern_buf *out)
{
    postern_trail_step s;

    put_verdict(e, err, out);
    if (g != NULL)
        put_names(g, out);
    for (size_t i = 0; trail != NULL && postern_trail_at(trail, i, &s); i++)
        postern_buf_addf(out, "  %-12s %s%s%s\n", s.name, postern_trail_state_name(s.state),
                         s.facts[0] == '\0' ? "" : ": ", s.facts);
}

void verify_path_put_json(const postern_trail *trail, postern_json_writer *w)
{
    postern_trail_step s;

    postern_json_open_array(w, "path");
    for (size_t i = 0; postern_trail_at(trail, i, &s); i++) {
        postern_json_open_object(w, NULL);
        postern_json_put_str(w, "check", s.name);
        postern_json_put_str(w, "source", s.source);
        postern_json_put_str(w, "state", postern_trail_state_name(s.state));
        postern_json_put_str(w, "facts", s.facts);
        postern_json_close_object(w);
    }
    postern_json_close_array(w);
}
