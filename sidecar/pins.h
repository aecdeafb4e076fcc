/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tools behind a door said about themselves when they were first seen, by digest: one that
 * later says something else has changed, until a person has approved a call of it.  For all
 * sessions of one process, and as long as that lives; decision 0106.
 */
#ifndef POSTERN_SIDECAR_PINS_H
#define POSTERN_SIDECAR_PINS_H

#include <postern/bytes.h>

#define PINS_DIGEST_LEN 32 /* bytes: SHA-256 */
/* Tools of one door that are remembered: servers of a few hundred exist.  Others count as changed.
 */
#define PINS_MAX 512

struct pins;

/* A door's own; made at the first call, never freed.  NULL: no memory. */
struct pins *pins_of(const char *door);
/* A tool says this about itself.  False: no memory, and nobody would know that it says something
 * else; nobody may read it. */
POSTERN_MUST_USE bool pins_see(struct pins *p, postern_bytes tool, postern_bytes text);
/* Did it say something else than what was accepted, at any time since?  A tool that was never seen
 * did not; one that has no place did. */
bool pins_is_changed(struct pins *p, postern_bytes tool, uint8_t ret_now[PINS_DIGEST_LEN]);
/* A person has approved a call of a tool that said this: it is what is accepted from now on. */
void pins_accept(struct pins *p, postern_bytes tool, const uint8_t now[PINS_DIGEST_LEN]);

#endif
