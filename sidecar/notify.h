/* SPDX-License-Identifier: BSD-2-Clause */
/* Tell the service manager (sd_notify(3) protocol, one datagram, no library). */
#ifndef POSTERN_SIDECAR_NOTIFY_H
#define POSTERN_SIDECAR_NOTIFY_H

/* "READY=1", "RELOADING=1\nMONOTONIC_USEC=…", "STOPPING=1".  Nothing happens when NOTIFY_SOCKET
 * is not set. */
void notify_send(const char *state);
/* RELOADING=1 with the clock that Type=notify-reload wants. */
void notify_reloading(void);

#endif
