/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the control child asks about what waits for approval (sidecar/role.h), and the answers:
 *
 *   {"type":"held","id":n,"after":REF,"limit":n}      what waits
 *   {"type":"hold","id":n,"ref":REF,"user":NAME,"groups":"a:b","admin":0|1}
 *                                                     what is it, and may he approve it
 *   {"type":"settle","id":n,"ref":REF,"user":NAME,"reason":TEXT,"approve":0|1}
 *                                                     he did, and it is on record
 */
#ifndef POSTERN_SIDECAR_DOOR_HOLDS_CONTROL_H
#define POSTERN_SIDECAR_DOOR_HOLDS_CONTROL_H

#include "../channel.h"
#include "holds.h"

/* A user's groups in one message: more than fit do not count. */
#define HOLDS_GROUPS_MAX      256
#define HOLDS_GROUPS_TEXT_MAX 8192

bool holds_control_is_for(const struct channel *c);
/* False: the message is none of these, or malformed. */
bool holds_control_answer(struct holds *h, struct channel *c, struct lease_clock now,
                          postern_buf *out);

#endif
