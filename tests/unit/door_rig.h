/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole door role in this process, and everybody around it: the supervisor that configures it, a
 * recorder in the audit child's place, issuer and control at their lines, a backend that listens,
 * clients.  Everything is asserted (cmocka), everything that is awaited has a deadline.
 */
#ifndef TESTS_UNIT_DOOR_RIG_H
#define TESTS_UNIT_DOOR_RIG_H

#include <pthread.h>

#include <openssl/ssl.h>

#include "../support/test_folder.h"
#include "../support/test_keys.h"
#include "channel.h"
#include "door/lease.h"
#include "door_set.h"

#define RIG_LOOPS 2
#define RIG_RECORDS_MAX 8192
#define RIG_PENDING_MAX 64
#define RIG_PATIENCE_S 60 /* of everything awaited: a sanitizer on a busy machine is slow */
#define RIG_ISSUER "https://sso.example.org"
#define RIG_AUDIENCE "https://cache.example.org"

/* One loop's line to the audit child: a thread that takes records and confirms them. */
struct rig_recorder {
    pthread_t thread;
    int fd; /* -1: none */
    struct rig *rig;
    int64_t pending[RIG_PENDING_MAX]; /* taken and not confirmed */
    size_t pending_count;
};

struct rig {
    bool is_there;
    test_folder folder;
    test_key *key;
    size_t fds; /* before anything was there */
    bool keeps_fds; /* a test has some of its own at the end */
    char door_lines[1024], daemon_lines[512], rules[1024]; /* of the configuration, beside the rest */
    const char *protocol; /* NULL: raw */
    bool is_network; /* its listeners are told to be no loopback */
    /* supervisor */
    pthread_t thread;
    int status;
    struct channel *door, *issuer, *control;
    int listeners[RIG_LOOPS];
    unsigned ports[RIG_LOOPS];
    char pem[8192]; /* the door's own certificate */
    /* backend */
    int backend;
    unsigned backend_port;
    /* audit */
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct rig_recorder recorders[RIG_LOOPS];
    bool is_held;
    char *records[RIG_RECORDS_MAX];
    size_t record_count;
    int64_t last_id;
};

/* ---- the door ---- */

/* Folder, key and backend are there; change *_lines and rules before rig_start(). */
void rig_make(struct rig *r);
void rig_start(struct rig *r);
/* As a reload does it.  False: "unready". */
bool rig_prepare(struct rig *r);
void rig_commit(struct rig *r);
void rig_tell(struct rig *r, const char *type); /* the supervisor: "drain", "abandon" … */
/* The next message of the door to the supervisor is of that type. */
void rig_await_door(struct rig *r, const char *type);
/* End of file, the end of the thread with status 0; no descriptor is left. */
void rig_end(struct rig *r);
void rig_join(struct rig *r); /* the same when it ends by itself */
void rig_free(struct rig *r); /* the rest of it, when the thread has ended */
/* A door that was told nothing. */
void rig_start_bare(struct rig *r);

/* ---- around it ---- */

void rig_give_audit(struct rig *r); /* new lines */
/* New lines to an audit child, whose supervisor's line that is. */
void rig_give_writers(struct rig *r, struct channel *audit);
void rig_take_audit(struct rig *r); /* the audit child is gone */
/* Records are taken and not confirmed, until they are. */
void rig_hold_audit(struct rig *r, bool is_held);
/* A record after the first `from` that holds all these texts (NULL: no more); returns its number. */
size_t rig_await_record(struct rig *r, size_t from, const char *a, const char *b, const char *c);
size_t rig_record_count(struct rig *r);
size_t rig_count_records(struct rig *r, const char *a, const char *b);

/* Ask control's line and await the answer, which is valid until the next; a member of it. */
const struct channel *rig_ask(struct rig *r, const char *type, const char *more);
/* Ask control's or the issuer's line and await the answer; returns its "ended". */
int64_t rig_control(struct rig *r, const char *type, const char *more);
void rig_issuer_revoke(struct rig *r, const char *client);
void rig_issuer_ready(struct rig *r); /* it has told everything */
/* "jti", "grant" or "client". */
void rig_issuer_revoke_kind(struct rig *r, const char *kind, const char *name);
void rig_send_revoke(struct rig *r, const char *client); /* not awaited */
/* The first thread knows of it, whatever the loops are doing. */
void rig_await_heard_revoke(struct rig *r, const char *client);
/* So many clients whom nobody knows, in one go; asserts that each is acknowledged once, in order. */
void rig_revoke_many(struct rig *r, size_t count);
/* NULL: an empty list.  Returns when it is obeyed, with the number of sessions that it ended. */
int64_t rig_block(struct rig *r, const char *agent);
int64_t rig_send_block(struct rig *r, const char *agent); /* not awaited; returns its id */
int64_t rig_await_block(struct rig *r, int64_t id);       /* as rig_block() */
const char *rig_sessions(struct rig *r); /* the first page, as it came */
/* A gauge or counter of the metrics. */
int64_t rig_metric(struct rig *r, const char *name);
void rig_await_metric(struct rig *r, const char *name, int64_t want);

/* ---- clients ---- */

/* Good for the door; free() it. */
char *rig_token(struct rig *r, const char *client, int64_t life_s);
/* With a claim more, or instead. */
char *rig_token_with(struct rig *r, const char *client, int64_t life_s, const char *audience,
                     const char *more);
int rig_dial(struct rig *r, size_t loop);
void rig_say(int fd, const char *text);
/* "AUTH OAUTHBEARER …\r\n" and `behind` in one piece; free() it. */
char *rig_login_text(const char *token, const char *behind);
void rig_login(int fd, const char *token, const char *behind);
/* One line without its end; "" when the connection ended. */
const char *rig_hear(int fd);
/* Text of a member of the object in an answer line; "" when it has none. */
const char *rig_member(const char *line, const char *name);
void rig_assert_refused(int fd, const char *reason, const char *retry); /* hears, and the end */
void rig_assert_ended(int fd); /* end of file or reset; closes */
void rig_assert_hears(int fd, const char *text); /* exactly these bytes come next */
void rig_reset(int fd); /* close with RST */

struct rig_session {
    int client, backend;
    char id[32], secret[64];
};
/* Log in at a loop, be granted, and the backend's end of it. */
struct rig_session rig_open(struct rig *r, size_t loop, const char *token);
void rig_assert_lives(const struct rig_session *s);
void rig_close(struct rig_session *s);

/* ---- backend ---- */

int rig_accept(struct rig *r);
bool rig_is_untouched(const struct rig *r); /* nobody has connected and waits to be accepted */

#endif
