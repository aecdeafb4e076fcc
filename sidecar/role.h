/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the supervisor hands to a child role, and the roles' entry points.  A role starts after
 * fork, user change, no_new_privs and PR_SET_DUMPABLE 0; everything it needs from the file
 * system is here as a descriptor.
 */
#ifndef POSTERN_SIDECAR_ROLE_H
#define POSTERN_SIDECAR_ROLE_H

#include <stddef.h>

#include <postern/config.h>

#define ROLE_LISTEN_MAX 8

struct role_setup {
    postern_config *take_config;              /* the role's own from now on */
    /* Helper: SEQPACKET sockets; issuer: HTTP sockets; control: its one socket; bound and
     * listening.  A door gets its listeners by message. */
    int             listen_fds[ROLE_LISTEN_MAX];
    size_t          listen_count;
    /* SOCK_SEQPACKET pair with the supervisor; end of file = stop. */
    int             supervisor_fd;
    int             admin_fd;                 /* issuer: listening unix stream socket; else -1 */
    int             status_fd;                /* control: listening TCP socket, or -1; else -1 */
    int             saslauthd_fd;             /* helper: listening unix stream socket, or -1; else -1 */
    int             state_dir_fd;             /* issuer, control: O_DIRECTORY; else -1 */
    const char     *state_dir;                /* the same as a path (SQLite wants one) */
    /* Helper: as whom issuers are asked about tokens; else NULL. */
    const struct issuer_clients *issuer_clients;
    /* Helper: of the services; the memory is the parent's, as it was at fork.  Else NULL. */
    const struct login_policies *login_policies;
};

/*
 * Exit status of the child: 0 on request.  SIGTERM, SIGINT, SIGHUP and SIGPIPE are ignored
 * there: a role ends by "drain" or by end of file on supervisor_fd (both mean the same), and is
 * killed after drain_timeout.  The working folder is /, umask 077.
 */
int helper_main(struct role_setup *setup);
int issuer_main(struct role_setup *setup);
int audit_main(struct role_setup *setup);
int door_main(struct role_setup *setup);
int control_main(struct role_setup *setup);
int spawner_main(struct role_setup *setup);

/*
 * Messages on supervisor_fd and between roles: one JSON object a datagram, "type" first
 * (sidecar/channel.h reads and writes them, sidecar/supervisor_line.h hands a role its own).
 *
 * Lines.  The supervisor makes a SEQPACKET pair between two roles and gives each its end; a new one
 * replaces the one before, at any time:
 *
 *   line                supervisor → first                supervisor → second
 *   issuer – helper     {"type":"helper"}                 {"type":"issuer"}
 *   issuer – door       {"type":"door"}                   {"type":"issuer"}
 *   control – helper    {"type":"helper"}                 {"type":"control"}
 *   control – door      {"type":"door"}                   {"type":"control"}
 *   spawner – door      {"type":"door"}                   {"type":"spawner"}
 *   audit – anybody     {"type":"writer","role":NAME}     {"type":"audit","loop":n}
 *                         a door has one for each loop, n from 0; the others have n = 0.  The audit
 *                         child keeps every writer until its end of file
 *
 *   role → supervisor   {"type":"link"}
 *                         a line of mine is gone: make all of mine anew (granted once a second)
 *
 * Supervisor and everybody:
 *
 *   supervisor → role   {"type":"drain"}        finish what is in flight, then exit 0
 *   helper, door → supervisor
 *                       {"type":"retired"}      after "drain": nothing that comes from now on is
 *                                               judged here; what was begun goes on.  Issuer and
 *                                               control just end
 *   role → supervisor   {"type":"ready"}        once, within 30 s of its start; the issuer after
 *                                               "jwks_written", helper when it knows what was revoked
 *                                               and blocked (helper/helper.h)
 *
 * Audit:
 *   supervisor → audit  {"type":"file"} + descriptor (O_RDWR|O_APPEND, or standard output)
 *                         at start and after each reload; the chain goes on in it
 *   supervisor → audit  {"type":"tally"} + memfd (audit/tally_memory.h)
 *                         once, before the first "file"
 *   supervisor → audit  {"type":"checkpoint_key","every":SECONDS} + descriptor of a private key
 *                       {"type":"checkpoint_file"} + descriptor (O_APPEND), where there is one
 *                         before each "file"
 *   audit → supervisor  {"type":"checkpoint_public","pem":TEXT}
 *                         after each "checkpoint_key": write it to audit_key_dir
 *   writer → audit      {"type":"record","id":n,"record":{…}}
 *                         or {"type":"records","id":n,"records":[{…},…]}: n, n+1 …
 *                         "patient":true when nobody waits for the answer (audit/line.h)
 *   audit → writer      {"type":"done","id":n}  |  {"type":"failed","id":n,"detail":TEXT}
 *                         done with "from":m: it is of all from m to n.  Failed: it may be sent again
 *                       {"type":"refused","id":n,"detail":TEXT}
 *                         it is no record
 *
 * Door; first of all, once:
 *   supervisor → door   {"type":"tally"} + memfd (audit/tally_memory.h)
 *   supervisor → door   {"type":"rates"} + memfd (door/rates_memory.h)
 *   supervisor → door   {"type":"args_key"} + descriptor of 32 bytes (read by pread: shared); again
 *                         with each reload
 *
 * The first three of these in any number before "prepare", which begins a new set:
 *   supervisor → door   {"type":"listener","door":NAME,"address":TEXT,"loop":n} + descriptor
 *   supervisor → door   {"type":"file","door":NAME,"key":KEY} + descriptor (read by pread: shared)
 *                         of an issuer: its file's name, and the key "issuer_client"
 *   supervisor → door   {"type":"policy","name":NAME} + memfd of policies/NAME.rules
 *   supervisor → door   {"type":"prepare","loops":n} + memfd of the configuration's dump
 *   door → supervisor   {"type":"ready"} (the set can be used) | {"type":"unready","detail":TEXT}
 *                         one answer for each "prepare", in their order
 *   supervisor → door   {"type":"commit"}       work by the set that was prepared
 *   door → supervisor   {"type":"committed"}    every loop does; one answer for each "commit"
 *   supervisor → door   {"type":"abandon"}      forget everything since the last "commit"; said before
 *                                               each set too
 *   door → supervisor   {"type":"certificate","pem":TEXT}
 *                         before "ready" when it made one for loopback: write it to door_cert_file
 *
 * Spawner; the first in any number before "programs", which makes them the ones that count.  What
 * was started before lives on:
 *   supervisor → spawner
 *                       {"type":"program","door":NAME,"argv":[TEXT,…],"env":["NAME=VALUE",…],
 *                        "dir":PATH,"uid":n,"gid":n,"max":n,"memory":BYTES,"processes":n,"cpu":SECONDS}
 *                         of the last three, absent: no limit
 *   supervisor → spawner
 *                       {"type":"programs","drain":MS}
 *   door → spawner      {"type":"spawn","door":NAME,"session":ID} + descriptor (SEQPACKET)
 *                         any of the door's threads.  One datagram on that descriptor is the answer;
 *                         its end without one: nobody can say.  Closed by the door: never mind
 *   on that descriptor  {"type":"spawned"} + descriptor (stream socket: the program's standard input
 *                         and output; when the door closes it, the program is ended)
 *                       {"type":"refused","detail":TEXT}
 *
 * Issuer:
 *   issuer → supervisor {"type":"jwks","jwks":{…}}
 *                         write it to the embedded issuer's jwks_file, root-owned.  The first
 *                         helper starts when the issuer is ready (or after 5 s)
 *   supervisor → issuer {"type":"jwks_written"}
 *   issuer → helper, door
 *                       {"type":"revoke","id":n,"issuer":URL,"client"|"jti"|"grant":NAME,"before":EPOCH}
 *                         a client's tokens up to that time (also where it stands in act); one token
 *                         and what was derived from it; all tokens of a person's authorization
 *                       {"type":"revocations_ready","id":n,"issuer":URL}
 *   back                {"type":"done","id":n}
 *   helper, door → issuer
 *                       {"type":"introspect","sha256":BASE64URL} + descriptor (SEQPACKET)
 *                         an opaque token by its hash (lib/http/issuer_line.c).  One datagram on that
 *                         descriptor is the answer, as of RFC 7662; its end without one: nobody can say
 *
 * Control; a list of blocks goes out whole, item by item, after each new line and each change:
 *   control → helper, door
 *                       {"type":"blocks_begin"}
 *                       {"type":"block","agent":NAME,"until":EPOCH,"reason":TEXT,"contact":TEXT}
 *                       {"type":"blocks_end","id":n}
 *   door → control      {"type":"done","id":n,"ended":k}       sessions that it ended by them
 *   helper → control    {"type":"done","id":n}
 *   control → helper    {"type":"logins","id":n,"agent":NAME}
 *   helper → control    {"type":"logins","id":n,"logins":[{"service":NAME,"count":k,"last":EPOCH}]}
 *                         proved in this helper's life; sessions of SASL hosts that nobody can end
 *   control → door      {"type":"sessions","id":n,"after":SESSION-ID,"limit":k}
 *   door → control      {"type":"sessions","id":n,"sessions":[{…}],"more":bool}
 *                         a session: id, door, agent, human (absent: for itself), user, client,
 *                         sub, jti, purpose, peer, since, lease_end, lease_left, up, down (bytes),
 *                         state ("connecting" "open" "draining"); sorted by id
 *   control → door      {"type":"kill","id":n,"by":"session"|"sub"|"client"|"jti"|"agent","value":TEXT,
 *                        "reason":TEXT}
 *   door → control      {"type":"done","id":n,"ended":k}
 *   control → door, helper
 *                       {"type":"metrics","id":n}
 *   back                {"type":"metrics","id":n,"text":PROMETHEUS-TEXT}
 */

#endif
