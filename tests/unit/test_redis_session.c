/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/adapters/redis_client.c, redis_backend.c, redis_queue.c, redis_session.c: conversations, each cut everywhere. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../support/alloc_fail.h"
#include "../support/redis_rig.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TOKEN "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"
#define STEPS_MAX 12
#define TEXT_MAX (1u << 20)
#define NO "-NOPERM {}\r\n"
#define ABORT "-EXECABORT Transaction discarded because of previous errors.\r\n"

/* C: commands, a line each, blanks between words.  B: bytes of the backend. */
struct step { char from; const char *text; };
struct conversation {
    const char *why;
    struct step steps[STEPS_MAX];
    const char *to_backend; /* commands, as above */
    const char *to_client;  /* bytes; a JSON object in them is {} */
    bool is_broken;
};

static postern_failure denial = { .code = POSTERN_ERR_POLICY, .ref = "R-7Q2M4XKD90" };
static postern_failure expired = { .code = POSTERN_ERR_EXPIRED, .ref = "R-7Q2M4XKD91" };

static bool begins(postern_bytes b, const char *with)
{
    return b.len >= strlen(with) && memcmp(b.ptr, with, strlen(with)) == 0;
}

/* no: is refused, rows: and bytes: are bounded; DEBUG is refused by name.  late: and MONITOR are refused when rights are others than at first, ask: is held. */
static bool judge(struct redis_rig *r, const struct adapter_action *a, struct adapter_verdict *v)
{
    bool is_refused = a->name == NULL || strcmp(a->name, "DEBUG") == 0 || (strcmp(a->name, "MONITOR") == 0 && r->rights != 0);
    bool is_held = false;

    if (a->name != NULL && strcmp(a->name, "PSUBSCRIBE") == 0 && r->rights != 0) /* it names nothing */
        is_refused = is_refused || begins(a->args.list[0], "late:");
    if (a->name != NULL && strcmp(a->name, "CLIENT|TRACKING") == 0 && r->rights != 0)
        is_refused = is_refused || (a->args.count == 2 && begins(a->args.list[1], "BCAST"));
    for (size_t i = 0; i < a->resource_count; i++) {
        is_refused = is_refused || begins(a->resources[i], "no:") || (begins(a->resources[i], "late:") && r->rights != 0);
        is_held = is_held || begins(a->resources[i], "ask:");
        if (begins(a->resources[i], "rows:"))
            v->rows_max = 2;
        if (begins(a->resources[i], "bytes:"))
            v->bytes_max = 20;
    }
    v->ruling = is_refused ? ADAPTER_REFUSE : ADAPTER_RELEASE;
    if (!is_refused && is_held && r->is_asked_again) /* its approval was there */
        v->ruling = ADAPTER_HOLD;
    v->denied.failure = &denial;
    return true;
}

/* As of a door: another grant is other rights. */
static const postern_failure *renew(struct redis_rig *r, const struct adapter_login *l)
{
    assert_int_equal(l->carrier, POSTERN_CARRIER_PASSWORD);
    if (strcmp(l->authzid, "late") == 0)
        return &expired;
    r->rights++;
    return NULL;
}

static void put_command(postern_buf *out, const char *line, size_t len)
{
    POSTERN_AUTO_BUF words = POSTERN_BUF_INIT(TEXT_MAX);
    size_t count = 0;

    for (size_t at = 0; at <= len; count++) {
        size_t end = at;

        while (end < len && line[end] != ' ')
            end++;
        postern_buf_addf(&words, "$%zu\r\n", end - at);
        postern_buf_add(&words, (postern_bytes){ (const uint8_t *)line + at, end - at });
        postern_buf_add_str(&words, "\r\n");
        at = end + 1;
    }
    postern_buf_addf(out, "*%zu\r\n", count);
    postern_buf_add(out, postern_buf_bytes(&words));
    out->failed = out->failed || words.failed;
}

static void put_commands(postern_buf *out, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        put_command(out, text, len);
        text += len + (text[len] == '\n');
    }
}

/* Objects away: their content is answer.c's. */
static void put_without_objects(postern_buf *out, postern_bytes said)
{
    for (size_t i = 0; i < said.len; i++) {
        postern_buf_add_byte(out, said.ptr[i]);
        if (said.ptr[i] == '{')
            while (i + 1 < said.len && !(said.ptr[i + 1] == '}' && i + 2 < said.len && said.ptr[i + 2] == '\r'))
                i++;
    }
}

static void assert_said(const char *why, const char *who, postern_buf *got, postern_buf *want)
{
    if (postern_bytes_equal(postern_buf_bytes(got), postern_buf_bytes(want)))
        return;
    fail_msg("%s: %s got %s\nnot %s", why, who, postern_buf_cstr(got), postern_buf_cstr(want));
}

static void open_session(struct redis_rig *r, const char *login, const char *greeting)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(TEXT_MAX);

    put_commands(&in, login);
    assert_true(redis_rig_open(r, judge, renew, NULL));
    assert_true(redis_rig_login(r, postern_buf_bytes(&in), postern_bytes_str(greeting)));
    postern_buf_reset(&r->to_backend);
    postern_buf_reset(&r->to_client);
}

static void give_step(struct redis_rig *r, const struct step *s, size_t cut)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(TEXT_MAX);
    enum adapter_side from = s->from == 'C' ? ADAPTER_CLIENT : ADAPTER_BACKEND;

    if (from == ADAPTER_CLIENT)
        put_commands(&in, s->text);
    else
        postern_buf_add_str(&in, s->text);
    assert_false(in.failed);
    if (cut == SIZE_MAX) {
        redis_rig_give(r, from, postern_buf_bytes(&in), 1);
        return;
    }
    if (cut > in.len)
        cut = in.len;
    redis_rig_give(r, from, (postern_bytes){ in.ptr, cut }, 0);
    redis_rig_give(r, from, (postern_bytes){ in.ptr + cut, in.len - cut }, 0);
}

static size_t length_of(const struct step *s)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(TEXT_MAX);

    if (s->from == 'B')
        return strlen(s->text);
    put_commands(&in, s->text);
    return in.len;
}

/* Step `which` is cut at `cut`; SIZE_MAX: every byte of every step comes by itself. */
static void run(const struct conversation *c, const char *login, const char *greeting, size_t which, size_t cut)
{
    POSTERN_AUTO_BUF want_backend = POSTERN_BUF_INIT(TEXT_MAX), want_client = POSTERN_BUF_INIT(TEXT_MAX);
    POSTERN_AUTO_BUF client = POSTERN_BUF_INIT(TEXT_MAX);
    struct redis_rig r;

    open_session(&r, login, greeting);
    for (size_t i = 0; i < STEPS_MAX && c->steps[i].text != NULL; i++)
        give_step(&r, &c->steps[i], cut == SIZE_MAX ? SIZE_MAX : i == which ? cut : 0);
    if (r.is_broken != c->is_broken)
        fail_msg("%s: broken %d: %s", c->why, r.is_broken, r.err.detail);
    put_commands(&want_backend, c->to_backend);
    postern_buf_add_str(&want_client, c->to_client);
    put_without_objects(&client, postern_buf_bytes(&r.to_client));
    assert_said(c->why, "the backend", &r.to_backend, &want_backend);
    assert_said(c->why, "the client", &client, &want_client);
    redis_rig_close(&r);
}

static void run_all(const struct conversation *cases, size_t count, const char *login, const char *greeting)
{
    for (size_t i = 0; i < count; i++) {
        run(&cases[i], login, greeting, 0, 0);
        run(&cases[i], login, greeting, 0, SIZE_MAX);
        for (size_t step = 0; step < STEPS_MAX && cases[i].steps[step].text != NULL; step++)
            for (size_t cut = 1; cut < length_of(&cases[i].steps[step]); cut++)
                run(&cases[i], login, greeting, step, cut);
    }
}

#define RESP2 "AUTH " TOKEN, "+OK\r\n"
#define RESP3 "HELLO 3 AUTH default " TOKEN, "%1\r\n+proto\r\n:3\r\n"

static void answers_come_in_the_order_of_the_requests(void **state)
{
    static const struct conversation cases[] = {
        { "one", { { 'C', "GET a" }, { 'B', "$1\r\nx\r\n" } }, "GET a", "$1\r\nx\r\n", false },
        { "a pipeline", { { 'C', "GET a\nget b\nPING" }, { 'B', "$-1\r\n:1\r\n+PONG\r\n" } }, "GET a\nget b\nPING", "$-1\r\n:1\r\n+PONG\r\n", false },
        { "a refused one between", { { 'C', "GET a\nGET no:b\nGET c" }, { 'B', "+1\r\n+2\r\n" } }, "GET a\nGET c", "+1\r\n" NO "+2\r\n", false },
        { "refused first", { { 'C', "GET no:a\nGET b" }, { 'B', "+1\r\n" } }, "GET b", NO "+1\r\n", false },
        { "refused last", { { 'C', "GET a\nGET no:b" }, { 'B', "+1\r\n" } }, "GET a", "+1\r\n" NO, false },
        { "one key of many", { { 'C', "MGET a no:b c" } }, "", NO, false },
        { "nothing but refused", { { 'C', "GET no:a\nGET no:b" } }, "", NO NO, false },
        { "a blocking command and what follows", { { 'C', "BLPOP a 0\nGET no:b\nGET c" }, { 'B', "*2\r\n$1\r\na\r\n$1\r\n1\r\n" }, { 'B', "+2\r\n" } }, "BLPOP a 0\nGET c", "*2\r\n$1\r\na\r\n$1\r\n1\r\n" NO "+2\r\n", false },
        { "behind a blocking command nothing is judged", { { 'C', "BLPOP a 0\nGET no:b\nGET c" } }, "BLPOP a 0", "", false },
        { "XREAD that may block", { { 'C', "XREAD block 0 STREAMS a 0\nGET no:b" } }, "XREAD block 0 STREAMS a 0", "", false },
        { "XREAD that does not", { { 'C', "XREAD STREAMS a 0\nGET c" } }, "XREAD STREAMS a 0\nGET c", "", false },
        { "a refused blocking command", { { 'C', "BLPOP no:a 0\nGET c" }, { 'B', "+1\r\n" } }, "GET c", NO "+1\r\n", false },
        { "an answer before the last request", { { 'C', "GET a" }, { 'B', "+1\r\n" }, { 'C', "GET b" }, { 'B', "+2\r\n" } }, "GET a\nGET b", "+1\r\n+2\r\n", false },
        { "an error of the backend's", { { 'C', "GET a" }, { 'B', "-WRONGTYPE no\r\n" } }, "GET a", "-WRONGTYPE no\r\n", false },
        { "a value that looks like a request", { { 'C', "GET a" }, { 'B', "$14\r\n*1\r\n$4\r\nPING\r\n\r\n" } }, "GET a", "$14\r\n*1\r\n$4\r\nPING\r\n\r\n", false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

static void what_nobody_can_name_or_what_changes_the_protocol_is_refused(void **state)
{
    static const char *const never[] = {
        "RESET", "reset", "SYNC", "PSYNC ? -1", "REPLCONF ack 0", "CLIENT REPLY OFF", "client reply skip", "SCRIPT DEBUG YES",
        "CLUSTER SYNCSLOTS x", "GE\"T a", "CONFIG|GET a", "CLIENT RE|PLY", "CLIENT re\x01ply", " a", "DEBUG SEGFAULT",
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX a",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(never); i++) {
        struct conversation c = { never[i], { { 'C', never[i] }, { 'C', "GET a" }, { 'B', "+1\r\n" } }, "GET a", NO "+1\r\n", false };

        run_all(&c, 1, RESP2);
    }
}

static void a_transaction_with_a_refused_command_does_not_happen(void **state)
{
    static const struct conversation cases[] = {
        { "all allowed", { { 'C', "MULTI\nSET a 1\nEXEC" }, { 'B', "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n" } }, "MULTI\nSET a 1\nEXEC", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", false },
        { "one refused", { { 'C', "MULTI\nSET a 1\nSET no:b 1\nEXEC" }, { 'B', "+OK\r\n+QUEUED\r\n+OK\r\n" } }, "MULTI\nSET a 1\nDISCARD", "+OK\r\n+QUEUED\r\n" NO ABORT, false },
        { "and the next one happens", { { 'C', "MULTI\nSET no:b 1\nEXEC\nMULTI\nGET a\nEXEC" }, { 'B', "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+1\r\n" } },
          "MULTI\nDISCARD\nMULTI\nGET a\nEXEC", "+OK\r\n" NO ABORT "+OK\r\n+QUEUED\r\n*1\r\n+1\r\n", false },
        { "refused before MULTI", { { 'C', "GET no:a\nMULTI\nGET a\nEXEC" }, { 'B', "+OK\r\n+QUEUED\r\n*0\r\n" } }, "MULTI\nGET a\nEXEC", NO "+OK\r\n+QUEUED\r\n*0\r\n", false },
        { "discarded", { { 'C', "MULTI\nSET no:b 1\nDISCARD\nSET a 1" }, { 'B', "+OK\r\n+OK\r\n+OK\r\n" } }, "MULTI\nDISCARD\nSET a 1", "+OK\r\n" NO "+OK\r\n+OK\r\n", false },
        { "what would answer more than once", { { 'C', "MULTI\nSUBSCRIBE a\nEXEC" }, { 'B', "+OK\r\n+OK\r\n" } }, "MULTI\nDISCARD", "+OK\r\n-ERR Command not allowed inside a transaction\r\n" ABORT, false },
        { "what would change the protocol", { { 'C', "MULTI\nHELLO 3\nEXEC" }, { 'B', "+OK\r\n+OK\r\n" } }, "MULTI\nDISCARD", "+OK\r\n-ERR Command not allowed inside a transaction\r\n" ABORT, false },
        { "what could not be counted", { { 'C', "MULTI\nLRANGE rows:a 0 -1\nEXEC" }, { 'B', "+OK\r\n+OK\r\n" } }, "MULTI\nDISCARD",
          "+OK\r\n-NOPERM The answer of this command is bounded here: not inside a transaction\r\n" ABORT, false },
        { "RESET does not end it", { { 'C', "MULTI\nRESET\nSET a 1\nEXEC" }, { 'B', "+OK\r\n+QUEUED\r\n+OK\r\n" } }, "MULTI\nSET a 1\nDISCARD", "+OK\r\n" NO "+QUEUED\r\n" ABORT, false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

/* The server stays in the transaction that such a DISCARD does not end, and answers SUBSCRIBE with one QUEUED. */
static void a_bracket_with_arguments_never_reaches_the_backend(void **state)
{
    static const struct conversation cases[] = {
        { "DISCARD", { { 'C', "MULTI\nDISCARD x\nSUBSCRIBE a b\nEXEC\nGET bytes:a" }, { 'B', "+OK\r\n+OK\r\n$14\r\n12345678901234\r\n" } }, "MULTI\nDISCARD\nGET bytes:a",
          "+OK\r\n" NO "-ERR Command not allowed inside a transaction\r\n" ABORT "-NOPERM The answer is longer than is allowed here\r\n", false },
        { "EXEC", { { 'C', "MULTI\nSET a 1\nEXEC x" }, { 'B', "+OK\r\n+QUEUED\r\n+OK\r\n" } }, "MULTI\nSET a 1\nDISCARD", "+OK\r\n+QUEUED\r\n" NO, false },
        { "MULTI", { { 'C', "MULTI x\nGET bytes:a" }, { 'B', "$1\r\n1\r\n" } }, "GET bytes:a", NO "$1\r\n1\r\n", false },
        { "MULTI inside", { { 'C', "MULTI\nMULTI x\nSET a 1\nEXEC" }, { 'B', "+OK\r\n+QUEUED\r\n+OK\r\n" } }, "MULTI\nSET a 1\nDISCARD", "+OK\r\n" NO "+QUEUED\r\n" ABORT, false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

#define OTHERS "-EXECABORT Transaction discarded because what is allowed was changed\r\n"
static void a_transaction_does_not_outlive_the_rights_that_it_began_with(void **state)
{
    static const struct conversation cases[] = {
        { "another token", { { 'C', "MULTI\nSET a 1\nAUTH " TOKEN "\nEXEC" }, { 'B', "+OK\r\n+QUEUED\r\n+OK\r\n" } }, "MULTI\nSET a 1\nDISCARD", "+OK\r\n+QUEUED\r\n+OK\r\n" OTHERS, false },
        { "before it", { { 'C', "AUTH " TOKEN "\nMULTI\nSET a 1\nEXEC" }, { 'B', "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n" } }, "MULTI\nSET a 1\nEXEC", "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", false },
        { "and the next one", { { 'C', "MULTI\nAUTH " TOKEN "\nEXEC\nMULTI\nEXEC" }, { 'B', "+OK\r\n+OK\r\n+OK\r\n*0\r\n" } }, "MULTI\nDISCARD\nMULTI\nEXEC", "+OK\r\n+OK\r\n" OTHERS "+OK\r\n*0\r\n", false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

static void a_database_is_selected_where_its_answer_is_known(void **state)
{
    static const struct conversation cases[] = {
        { "before what follows", { { 'C', "SELECT 3\nGET no:a\nGET b" }, { 'B', "+OK\r\n" }, { 'B', "+1\r\n" } }, "SELECT 3\nGET b", "+OK\r\n" NO "+1\r\n", false },
        { "behind it nothing is judged", { { 'C', "GET a\nSELECT 3\nGET no:b\nGET c" }, { 'B', "+1\r\n" } }, "GET a\nSELECT 3", "+1\r\n", false },
        { "refused by the backend", { { 'C', "SELECT 99\nGET a" }, { 'B', "-ERR DB index is out of range\r\n" }, { 'B', "+1\r\n" } }, "SELECT 99\nGET a", "-ERR DB index is out of range\r\n+1\r\n", false },
        { "in a transaction", { { 'C', "MULTI\nSELECT 3\nDEL a\nEXEC" }, { 'B', "+OK\r\n" }, { 'B', "+QUEUED\r\n+OK\r\n" } }, "MULTI\nDEL a\nDISCARD",
          "+OK\r\n-ERR Command not allowed inside a transaction\r\n+QUEUED\r\n" ABORT, false },
        { "as Redis does not write it", { { 'C', "SELECT 03\nSELECT\nSELECT 3 3\nSELECT +3\nSELECT x\nSELECT 9999999999999999999\nGET a" }, { 'B', "+1\r\n" } }, "GET a",
          NO NO NO NO NO NO "+1\r\n", false },
        { "in a transaction that the door does not know", { { 'C', "SELECT 3" }, { 'B', "+QUEUED\r\n" } }, "SELECT 3", "", true },
        { "answered with a list", { { 'C', "SELECT 3" }, { 'B', "*1\r\n+OK\r\n" } }, "SELECT 3", "", true },
        { "answered with a text", { { 'C', "SELECT 3" }, { 'B', "$2\r\nOK\r\n" } }, "SELECT 3", "", true },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
    run_all(cases, COUNT(cases), RESP3);
}

/* Each action, and where it happens; DEBUG is refused. */
static bool note_where(struct redis_rig *r, const struct adapter_action *a, struct adapter_verdict *v)
{
    postern_buf *seen = r->arg;

    postern_buf_addf(seen, "%s@%s ", a->name == NULL ? "?" : a->name, a->database);
    v->ruling = a->name == NULL || strcmp(a->name, "DEBUG") == 0 ? ADAPTER_REFUSE : ADAPTER_RELEASE;
    v->denied.failure = &denial;
    return true;
}

static void an_action_is_judged_in_the_database_where_it_happens(void **state)
{
    static const struct {
        struct step steps[STEPS_MAX];
        const char *seen;
    } cases[] = {
        { { { 'C', "GET a\nSELECT 0\nGET a" }, { 'B', "+1\r\n+OK\r\n" }, { 'B', "+1\r\n" } }, "GET@ SELECT@ GET@ " },
        { { { 'C', "SELECT 3\nDEL a\nSELECT 12\nDEL a\nSELECT 0\nDEL a" }, { 'B', "+OK\r\n" }, { 'B', ":1\r\n" }, { 'B', "+OK\r\n" }, { 'B', ":1\r\n" }, { 'B', "+OK\r\n" } },
          "SELECT@ DEL@3 SELECT@3 DEL@12 SELECT@12 DEL@ " },
        { { { 'C', "SELECT 3\nSELECT 99\nDEL a" }, { 'B', "+OK\r\n" }, { 'B', "-ERR x\r\n" } }, "SELECT@ SELECT@3 DEL@3 " },
        { { { 'C', "SELECT 99\nDEL a" }, { 'B', "-ERR x\r\n" } }, "SELECT@ DEL@ " },
        { { { 'C', "SELECT 03\nDEL a" } }, "?@ DEL@ " },
        { { { 'C', "SELECT 3" }, { 'B', "+OK\r\n" }, { 'C', "RESET\nDEL a" } }, "SELECT@ ?@3 DEL@3 " }, /* it never happens */
        { { { 'C', "SELECT 3" }, { 'B', "+OK\r\n" }, { 'C', "AUTH " TOKEN "\nDEL a" } }, "SELECT@ DEL@3 " },
        { { { 'C', "SELECT 3" }, { 'B', "+OK\r\n" }, { 'C', "MULTI\nDEL a\nSELECT 4\nDEL b\nEXEC\nDEL c" }, { 'B', "+OK\r\n+QUEUED\r\n" }, { 'B', "+QUEUED\r\n+OK\r\n" } },
          "SELECT@ MULTI@3 DEL@3 SELECT@3 DEL@3 EXEC@3 DEL@3 " },
        { { { 'C', "SELECT 3" }, { 'B', "+OK\r\n" }, { 'C', "EVAL x 0\nDEL a" }, { 'B', "+OK\r\n" } }, "SELECT@ EVAL@3 DEL@3 " },
        { { { 'C', "GET a\nSELECT 3\nDEL b" }, { 'B', "+OK\r\n" }, { 'B', "+OK\r\n" } }, "GET@ SELECT@ DEL@3 " }, /* +OK of GET's is none */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int piece = 0; piece < 2; piece++) {
            POSTERN_AUTO_BUF seen = POSTERN_BUF_INIT(TEXT_MAX);
            struct redis_rig r;

            open_session(&r, RESP2);
            r.judge = note_where;
            r.arg = &seen;
            for (size_t k = 0; k < STEPS_MAX && cases[i].steps[k].text != NULL; k++)
                give_step(&r, &cases[i].steps[k], piece == 0 ? 0 : SIZE_MAX);
            assert_false(r.is_broken);
            assert_string_equal(postern_buf_cstr(&seen), cases[i].seen);
            redis_rig_close(&r);
        }
}

static void a_session_begins_in_the_first_database(void **state)
{
    struct redis_rig r;

    (void)state;
    for (int i = 0; i < 2; i++) {
        POSTERN_AUTO_BUF seen = POSTERN_BUF_INIT(TEXT_MAX);

        open_session(&r, RESP2);
        r.judge = note_where;
        r.arg = &seen;
        give_step(&r, &(struct step){ 'C', "DEL a\nSELECT 3\nDEL a" }, 0);
        give_step(&r, &(struct step){ 'B', ":1\r\n+OK\r\n" }, 0);
        assert_string_equal(postern_buf_cstr(&seen), "DEL@ SELECT@ DEL@3 ");
        redis_rig_close(&r);
    }
}

static void a_subscription_that_is_not_confirmed_is_over_with_its_answer(void **state)
{
    static const struct conversation cases[] = {
        { "queued", { { 'C', "SUBSCRIBE a b\nGET bytes:a" }, { 'B', "+QUEUED\r\n$14\r\n12345678901234\r\n" } }, "SUBSCRIBE a b\nGET bytes:a",
          "+QUEUED\r\n-NOPERM The answer is longer than is allowed here\r\n", false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

static void a_new_token_never_reaches_the_backend(void **state)
{
    static const struct conversation cases[] = {
        { "AUTH", { { 'C', "AUTH " TOKEN } }, "", "+OK\r\n", false },
        { "AUTH user", { { 'C', "GET a\nAUTH alice " TOKEN "\nGET b" }, { 'B', "+1\r\n+2\r\n" } }, "GET a\nGET b", "+1\r\n+OK\r\n+2\r\n", false },
        { "refused", { { 'C', "AUTH late " TOKEN "\nGET b" }, { 'B', "+2\r\n" } }, "GET b", "-WRONGPASS {}\r\n+2\r\n", false },
        { "a password", { { 'C', "AUTH alice secret" } }, "", "-WRONGPASS the password is not a token\r\n", false },
        { "too few words", { { 'C', "AUTH" } }, "", "-ERR AUTH or HELLO: syntax error\r\n", false },
        { "too many", { { 'C', "AUTH a b c" } }, "", "-ERR AUTH or HELLO: syntax error\r\n", false },
        { "HELLO", { { 'C', "hello 3 auth default " TOKEN " setname x" }, { 'B', "%0\r\n" } }, "HELLO 3 SETNAME x", "%0\r\n", false },
        { "HELLO, refused", { { 'C', "HELLO 3 AUTH late " TOKEN } }, "", "-WRONGPASS {}\r\n", false },
        { "HELLO with AUTH twice", { { 'C', "HELLO 3 AUTH a " TOKEN " AUTH a " TOKEN } }, "", "-ERR AUTH or HELLO: syntax error\r\n", false },
        { "HELLO 4", { { 'C', "HELLO 4 AUTH a " TOKEN } }, "", "-ERR AUTH or HELLO: syntax error\r\n", false },
        { "HELLO alone is the backend's", { { 'C', "HELLO 3" }, { 'B', "%0\r\n" } }, "HELLO 3", "%0\r\n", false },
        { "in a transaction", { { 'C', "MULTI\nAUTH late " TOKEN "\nEXEC" }, { 'B', "+OK\r\n+OK\r\n" } }, "MULTI\nDISCARD", "+OK\r\n-WRONGPASS {}\r\n" ABORT, false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

#define SUB(what, channel, n) "*3\r\n$" what "\r\n$1\r\n" channel "\r\n:" n "\r\n"
#define MESSAGE "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n!\r\n"
static void messages_are_nobodys_answer(void **state)
{
    static const struct conversation cases[] = {
        { "two channels", { { 'C', "SUBSCRIBE a b\nPING" }, { 'B', SUB("9\r\nsubscribe", "a", "1") MESSAGE SUB("9\r\nsubscribe", "b", "2") MESSAGE "*2\r\n$4\r\npong\r\n$0\r\n\r\n" } },
          "SUBSCRIBE a b\nPING", SUB("9\r\nsubscribe", "a", "1") MESSAGE SUB("9\r\nsubscribe", "b", "2") MESSAGE "*2\r\n$4\r\npong\r\n$0\r\n\r\n", false },
        { "a refused channel", { { 'C', "SUBSCRIBE a no:b" } }, "", NO, false },
        { "leaving all", { { 'C', "SUBSCRIBE a b" }, { 'B', SUB("9\r\nsubscribe", "a", "1") SUB("9\r\nsubscribe", "b", "2") }, { 'C', "UNSUBSCRIBE\nGET no:x\nGET c" },
            { 'B', SUB("11\r\nunsubscribe", "a", "1") MESSAGE SUB("11\r\nunsubscribe", "b", "0") "*1\r\n$7\r\nmessage\r\n" } }, "SUBSCRIBE a b\nUNSUBSCRIBE\nGET c",
          SUB("9\r\nsubscribe", "a", "1") SUB("9\r\nsubscribe", "b", "2") SUB("11\r\nunsubscribe", "a", "1") MESSAGE SUB("11\r\nunsubscribe", "b", "0") NO "*1\r\n$7\r\nmessage\r\n", false },
        { "leaving none", { { 'C', "UNSUBSCRIBE\nGET c" }, { 'B', "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n+1\r\n" } }, "UNSUBSCRIBE\nGET c", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n+1\r\n", false },
        { "an error instead", { { 'C', "SUBSCRIBE a b\nGET c" }, { 'B', "-NOPERM x\r\n+1\r\n" } }, "SUBSCRIBE a b\nGET c", "-NOPERM x\r\n+1\r\n", false },
        { "a list that looks like a message", { { 'C', "LRANGE a 0 -1" }, { 'B', MESSAGE } }, "LRANGE a 0 -1", MESSAGE, false },
        { "a message without a subscription", { { 'B', MESSAGE } }, "", "", true },
        { "patterns beside channels", { { 'C', "SUBSCRIBE a\nPSUBSCRIBE x\nUNSUBSCRIBE\nPUNSUBSCRIBE\nGET c" },
            { 'B', SUB("9\r\nsubscribe", "a", "1") SUB("10\r\npsubscribe", "x", "2") SUB("11\r\nunsubscribe", "a", "1") SUB("12\r\npunsubscribe", "x", "0") "+1\r\n" } },
          "SUBSCRIBE a\nPSUBSCRIBE x\nUNSUBSCRIBE\nPUNSUBSCRIBE\nGET c",
          SUB("9\r\nsubscribe", "a", "1") SUB("10\r\npsubscribe", "x", "2") SUB("11\r\nunsubscribe", "a", "1") SUB("12\r\npunsubscribe", "x", "0") "+1\r\n", false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

#define OTHER "AUTH " TOKEN
#define HEARD(channel) "*3\r\n$7\r\nmessage\r\n" channel "\r\n$1\r\n!\r\n"
#define ON(what, channel, n) "*3\r\n" what "\r\n" channel "\r\n:" n "\r\n"
#define S "$9\r\nsubscribe"
#define U "$11\r\nunsubscribe"
#define LATE "$6\r\nlate:a"
#define A "$1\r\na"
static void a_subscription_does_not_outlive_the_rights_that_allowed_it(void **state)
{
    static const struct conversation cases[] = {
        { "still allowed", { { 'C', "SUBSCRIBE a" }, { 'B', ON(S, A, "1") }, { 'C', OTHER }, { 'B', HEARD(A) } }, "SUBSCRIBE a", ON(S, A, "1") "+OK\r\n" HEARD(A), false },
        { "not any more", { { 'C', "SUBSCRIBE late:a" }, { 'B', ON(S, LATE, "1") HEARD(LATE) }, { 'C', OTHER }, { 'B', HEARD(LATE) } }, "SUBSCRIBE late:a",
          ON(S, LATE, "1") HEARD(LATE) "+OK\r\n", true },
        { "one of two, and the other speaks", { { 'C', "SUBSCRIBE a late:a" }, { 'B', ON(S, A, "1") ON(S, LATE, "2") }, { 'C', OTHER }, { 'B', HEARD(A) } }, "SUBSCRIBE a late:a",
          ON(S, A, "1") ON(S, LATE, "2") "+OK\r\n", true },
        { "a pattern", { { 'C', "PSUBSCRIBE late:a" }, { 'B', ON("$10\r\npsubscribe", LATE, "1") }, { 'C', OTHER }, { 'B', "*4\r\n$8\r\npmessage\r\n" LATE "\r\n" LATE "\r\n$1\r\n!\r\n" } },
          "PSUBSCRIBE late:a", ON("$10\r\npsubscribe", LATE, "1") "+OK\r\n", true },
        { "a shard's", { { 'C', "SSUBSCRIBE late:a" }, { 'B', ON("$10\r\nssubscribe", LATE, "1") }, { 'C', OTHER }, { 'B', "*3\r\n$8\r\nsmessage\r\n" LATE "\r\n$1\r\n!\r\n" } },
          "SSUBSCRIBE late:a", ON("$10\r\nssubscribe", LATE, "1") "+OK\r\n", true },
        { "asked for under the old rights, confirmed under the new", { { 'C', "SUBSCRIBE late:a" }, { 'C', OTHER }, { 'B', ON(S, LATE, "1") HEARD(LATE) } }, "SUBSCRIBE late:a",
          ON(S, LATE, "1") "+OK\r\n", true },
        { "left in time", { { 'C', "SUBSCRIBE a late:a" }, { 'B', ON(S, A, "1") ON(S, LATE, "2") }, { 'C', "UNSUBSCRIBE late:a\n" OTHER }, { 'B', ON(U, LATE, "1") HEARD(A) } },
          "SUBSCRIBE a late:a\nUNSUBSCRIBE late:a", ON(S, A, "1") ON(S, LATE, "2") ON(U, LATE, "1") "+OK\r\n" HEARD(A), false },
        { "left and asked for again", { { 'C', "SUBSCRIBE a late:a\nUNSUBSCRIBE late:a\nSUBSCRIBE late:a" },
            { 'B', ON(S, A, "1") ON(S, LATE, "2") ON(U, LATE, "1") ON(S, LATE, "2") }, { 'C', OTHER }, { 'B', HEARD(A) } },
          "SUBSCRIBE a late:a\nUNSUBSCRIBE late:a\nSUBSCRIBE late:a", ON(S, A, "1") ON(S, LATE, "2") ON(U, LATE, "1") ON(S, LATE, "2") "+OK\r\n", true },
        { "all left, and another", { { 'C', "SUBSCRIBE late:a\nUNSUBSCRIBE\nSUBSCRIBE a" }, { 'B', ON(S, LATE, "1") ON(U, LATE, "0") ON(S, A, "1") }, { 'C', OTHER }, { 'B', HEARD(A) } },
          "SUBSCRIBE late:a\nUNSUBSCRIBE\nSUBSCRIBE a", ON(S, LATE, "1") ON(U, LATE, "0") ON(S, A, "1") "+OK\r\n" HEARD(A), false },
        { "approved, and held still", { { 'C', "SUBSCRIBE ask:a" }, { 'B', ON(S, "$5\r\nask:a", "1") }, { 'C', OTHER }, { 'B', HEARD("$5\r\nask:a") } }, "SUBSCRIBE ask:a",
          ON(S, "$5\r\nask:a", "1") "+OK\r\n" HEARD("$5\r\nask:a"), false },
        { "what an answer owes comes still", { { 'C', "SUBSCRIBE late:a" }, { 'B', ON(S, LATE, "1") }, { 'C', OTHER "\nSUBSCRIBE late:a" }, { 'C', "PING" }, { 'B', "*2\r\n$4\r\npong\r\n$0\r\n\r\n" } },
          "SUBSCRIBE late:a\nPING", ON(S, LATE, "1") "+OK\r\n" NO "*2\r\n$4\r\npong\r\n$0\r\n\r\n", false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

static void neither_do_monitor_and_tracking(void **state)
{
    static const struct conversation plain[] = {
        { "MONITOR", { { 'C', "MONITOR" }, { 'B', "+OK\r\n+1 a\r\n" }, { 'C', OTHER }, { 'B', "+2 b\r\n" } }, "MONITOR", "+OK\r\n+1 a\r\n+OK\r\n", true },
    };
    static const struct conversation cases[] = {
        { "tracking, still allowed", { { 'C', "CLIENT TRACKING ON" }, { 'B', "+OK\r\n" }, { 'C', OTHER }, { 'B', ">1\r\n:1\r\n" } }, "CLIENT TRACKING ON", "+OK\r\n+OK\r\n>1\r\n:1\r\n", false },
        { "of everything", { { 'C', "CLIENT TRACKING ON BCAST" }, { 'B', "+OK\r\n" }, { 'C', OTHER }, { 'B', ">1\r\n:1\r\n" } }, "CLIENT TRACKING ON BCAST", "+OK\r\n+OK\r\n", true },
        { "refused by the backend", { { 'C', "CLIENT TRACKING ON BCAST" }, { 'B', "-ERR x\r\n" }, { 'C', OTHER }, { 'B', ">1\r\n:1\r\n" } }, "CLIENT TRACKING ON BCAST",
          "-ERR x\r\n+OK\r\n>1\r\n:1\r\n", false },
        { "in a transaction", { { 'C', "MULTI\nCLIENT TRACKING ON BCAST\nEXEC" }, { 'B', "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n" }, { 'C', OTHER }, { 'B', ">1\r\n:1\r\n" } },
          "MULTI\nCLIENT TRACKING ON BCAST\nEXEC", "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n+OK\r\n", true },
        { "ended", { { 'C', "CLIENT TRACKING ON BCAST\nCLIENT TRACKING off" }, { 'B', "+OK\r\n+OK\r\n" }, { 'C', OTHER }, { 'B', ">1\r\n:1\r\n" } },
          "CLIENT TRACKING ON BCAST\nCLIENT TRACKING off", "+OK\r\n+OK\r\n+OK\r\n>1\r\n:1\r\n", false },
        { "not ended", { { 'C', "CLIENT TRACKING ON BCAST\nCLIENT TRACKING off" }, { 'B', "+OK\r\n-ERR x\r\n" }, { 'C', OTHER }, { 'B', ">1\r\n:1\r\n" } },
          "CLIENT TRACKING ON BCAST\nCLIENT TRACKING off", "+OK\r\n-ERR x\r\n+OK\r\n", true },
    };

    (void)state;
    run_all(plain, COUNT(plain), RESP2);
    run_all(cases, COUNT(cases), RESP3);
}

/* Each is asked about once when rights are others, and not again before they are others once more. */
static void what_goes_on_is_asked_about_when_rights_are_others(void **state)
{
    struct redis_rig r;

    (void)state;
    open_session(&r, RESP2);
    give_step(&r, &(struct step){ 'C', "SUBSCRIBE a b\nSUBSCRIBE a" }, 0);
    give_step(&r, &(struct step){ 'B', SUB("9\r\nsubscribe", "a", "1") SUB("9\r\nsubscribe", "b", "2") SUB("9\r\nsubscribe", "a", "2") }, 0);
    assert_int_equal(r.asked_again, 2); /* is it held? of each once */
    r.asked_again = 0;
    give_step(&r, &(struct step){ 'B', MESSAGE }, 0);
    assert_int_equal(r.asked_again, 0);
    for (size_t i = 1; i < 4; i++) {
        r.rights++;
        give_step(&r, &(struct step){ 'B', MESSAGE MESSAGE }, 0);
        assert_int_equal(r.asked_again, 2 * i);
    }
    r.host.stands = NULL;
    give_step(&r, &(struct step){ 'B', MESSAGE }, 0);
    assert_false(r.is_broken);
    r.rights++;
    give_step(&r, &(struct step){ 'B', MESSAGE }, 0);
    assert_true(r.is_broken);
    assert_int_equal(r.err.code, POSTERN_ERR_POLICY);
    redis_rig_close(&r);
}

/* PSUBSCRIBE is one decision for all its patterns: more than are kept are not asked about one by one. */
static void one_command_asks_about_no_more_than_are_kept(void **state)
{
    POSTERN_AUTO_BUF command = POSTERN_BUF_INIT(65536);
    struct redis_rig r;

    (void)state;
    open_session(&r, RESP2);
    postern_buf_add_str(&command, "PSUBSCRIBE");
    for (int i = 0; i < 1025; i++)
        postern_buf_add_str(&command, " p");
    give_step(&r, &(struct step){ 'C', postern_buf_cstr(&command) }, 0);
    give_step(&r, &(struct step){ 'B', SUB("10\r\npsubscribe", "p", "1") MESSAGE }, 0);
    assert_int_equal(r.asked_again, 0);
    assert_false(r.is_broken);
    r.rights++;
    give_step(&r, &(struct step){ 'B', MESSAGE }, 0);
    assert_true(r.is_broken);
    redis_rig_close(&r);
}

/* Channels of one session: 1024 are kept; with one more it ends when anything is others. */
static void more_channels_than_are_kept_end_with_the_rights(void **state)
{
    static const struct { unsigned channels; bool leaves, is_broken; } cases[] = { { 1024, false, false }, { 1025, false, true }, { 1500, false, true }, { 1500, true, false } };

    (void)state;
    for (size_t c = 0; c < COUNT(cases); c++) {
        struct redis_rig r;

        open_session(&r, RESP2);
        for (unsigned i = 0; i < cases[c].channels; i++) {
            char command[64], answer[96];

            (void)snprintf(command, sizeof command, "SUBSCRIBE %04u", i);
            (void)snprintf(answer, sizeof answer, "*3\r\n$9\r\nsubscribe\r\n$4\r\n%04u\r\n:%u\r\n", i, i + 1);
            give_step(&r, &(struct step){ 'C', command }, 0);
            give_step(&r, &(struct step){ 'B', answer }, 0);
        }
        if (cases[c].leaves)
            give_step(&r, &(struct step){ 'C', "UNSUBSCRIBE\nSUBSCRIBE a" }, 0);
        for (unsigned i = cases[c].channels; cases[c].leaves && i-- != 0;) {
            char answer[96];

            (void)snprintf(answer, sizeof answer, "*3\r\n$11\r\nunsubscribe\r\n$4\r\n%04u\r\n:%u\r\n", i, i);
            give_step(&r, &(struct step){ 'B', answer }, 0);
        }
        if (cases[c].leaves)
            give_step(&r, &(struct step){ 'B', SUB("9\r\nsubscribe", "a", "1") }, 0);
        give_step(&r, &(struct step){ 'B', MESSAGE }, 0);
        assert_false(r.is_broken);
        r.rights++;
        give_step(&r, &(struct step){ 'B', MESSAGE }, 0);
        assert_int_equal(r.is_broken, cases[c].is_broken);
        redis_rig_close(&r);
    }
}

static void pushes_of_resp3_come_at_any_time(void **state)
{
    static const struct conversation cases[] = {
        { "between answers", { { 'C', "GET a\nGET no:b" }, { 'B', ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n+1\r\n" } }, "GET a", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n+1\r\n" NO, false },
        { "with nothing asked", { { 'B', ">1\r\n+x\r\n" } }, "", ">1\r\n+x\r\n", false },
        { "a confirmation is an answer", { { 'C', "SUBSCRIBE a\nGET no:b" }, { 'B', ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n" } }, "SUBSCRIBE a", ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n" NO, false },
        { "a list is no message here", { { 'C', "SUBSCRIBE a\nLRANGE l 0 -1" }, { 'B', ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n" MESSAGE } }, "SUBSCRIBE a\nLRANGE l 0 -1",
          ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n" MESSAGE, false },
        { "every type", { { 'C', "GET a\nGET b\nGET c\nGET d\nGET e\nGET f\nGET no:g" }, { 'B', "|1\r\n+ttl\r\n:1\r\n%1\r\n+a\r\n*2\r\n#t\r\n,1.5\r\n_\r\n=5\r\ntxt:a\r\n(123456789012345678901\r\n~1\r\n|1\r\n+x\r\n+y\r\n$-1\r\n!5\r\nERR x\r\n" } },
          "GET a\nGET b\nGET c\nGET d\nGET e\nGET f", "|1\r\n+ttl\r\n:1\r\n%1\r\n+a\r\n*2\r\n#t\r\n,1.5\r\n_\r\n=5\r\ntxt:a\r\n(123456789012345678901\r\n~1\r\n|1\r\n+x\r\n+y\r\n$-1\r\n!5\r\nERR x\r\n" NO, false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP3);
}

static void nobody_is_led_around_the_door(void **state)
{
    static const struct conversation cases[] = {
        { "MOVED", { { 'C', "GET a" }, { 'B', "-MOVED 1 10.0.0.1:6379\r\n" } }, "GET a", "-NOPERM The backend sends to another server, and the door leads to one\r\n", false },
        { "ASK", { { 'C', "GET a\nGET b" }, { 'B', "-ASK 1 10.0.0.1:6379\r\n+1\r\n" } }, "GET a\nGET b", "-NOPERM The backend sends to another server, and the door leads to one\r\n+1\r\n", false },
        { "REDIRECT", { { 'C', "GET a" }, { 'B', "-REDIRECT 10.0.0.1:6379\r\n" } }, "GET a", "-NOPERM The backend sends to another server, and the door leads to one\r\n", false },
        { "MOVED as a blob", { { 'C', "GET a" }, { 'B', "!21\r\nMOVED 1 10.0.0.1:6379\r\n" } }, "GET a", "-NOPERM The backend sends to another server, and the door leads to one\r\n", false },
        { "a value that says so is a value", { { 'C', "GET a" }, { 'B', "+MOVED 1 x\r\n" } }, "GET a", "+MOVED 1 x\r\n", false },
        { "another error is not", { { 'C', "GET a" }, { 'B', "-MOVEDX 1 x\r\n" } }, "GET a", "-MOVEDX 1 x\r\n", false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

#define LONG "-NOPERM The answer is longer than is allowed here\r\n"
static void an_answer_longer_than_its_rule_allows_is_replaced(void **state)
{
    static const struct conversation cases[] = {
        { "two rows of two", { { 'C', "LRANGE rows:a 0 -1" }, { 'B', "*2\r\n+1\r\n+2\r\n" } }, "LRANGE rows:a 0 -1", "*2\r\n+1\r\n+2\r\n", false },
        { "three", { { 'C', "LRANGE rows:a 0 -1\nGET b" }, { 'B', "*3\r\n+1\r\n+2\r\n+3\r\n+4\r\n" } }, "LRANGE rows:a 0 -1\nGET b", LONG "+4\r\n", false },
        { "three behind a cursor", { { 'C', "HSCAN rows:a 0" }, { 'B', "*2\r\n$1\r\n0\r\n*3\r\n+1\r\n+2\r\n+3\r\n" } }, "HSCAN rows:a 0", LONG, false },
        { "two behind a cursor", { { 'C', "HSCAN rows:a 0" }, { 'B', "*2\r\n$1\r\n0\r\n*2\r\n+1\r\n+2\r\n" } }, "HSCAN rows:a 0", "*2\r\n$1\r\n0\r\n*2\r\n+1\r\n+2\r\n", false },
        { "two that were claimed", { { 'C', "XAUTOCLAIM rows:a g c 0 0" }, { 'B', "*3\r\n$3\r\n0-0\r\n*2\r\n+1\r\n+2\r\n*4\r\n+1\r\n+2\r\n+3\r\n+4\r\n" } }, "XAUTOCLAIM rows:a g c 0 0",
          "*3\r\n$3\r\n0-0\r\n*2\r\n+1\r\n+2\r\n*4\r\n+1\r\n+2\r\n+3\r\n+4\r\n", false },
        { "three", { { 'C', "xautoclaim rows:a g c 0 0" }, { 'B', "*3\r\n$3\r\n0-0\r\n*3\r\n+1\r\n+2\r\n+3\r\n*0\r\n" } }, "xautoclaim rows:a g c 0 0", LONG, false },
        { "three of Redis 6", { { 'C', "XAUTOCLAIM rows:a g c 0 0" }, { 'B', "*2\r\n$3\r\n0-0\r\n*3\r\n+1\r\n+2\r\n+3\r\n" } }, "XAUTOCLAIM rows:a g c 0 0", LONG, false },
        { "four without a cursor", { { 'C', "XAUTOCLAIM rows:a g c 0 0" }, { 'B', "*4\r\n+1\r\n+2\r\n+3\r\n+4\r\n" } }, "XAUTOCLAIM rows:a g c 0 0", LONG, false },
        { "twenty bytes", { { 'C', "GET bytes:a" }, { 'B', "$13\r\n1234567890123\r\n" } }, "GET bytes:a", "$13\r\n1234567890123\r\n", false },
        { "twenty-one", { { 'C', "GET bytes:a\nGET b" }, { 'B', "$14\r\n12345678901234\r\n+1\r\n" } }, "GET bytes:a\nGET b", LONG "+1\r\n", false },
        { "an error may be longer", { { 'C', "GET bytes:a" }, { 'B', "-WRONGTYPE and something more\r\n" } }, "GET bytes:a", "-WRONGTYPE and something more\r\n", false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

static void behind_monitor_nothing_is_asked(void **state)
{
    static const struct conversation cases[] = {
        { "its stream passes", { { 'C', "MONITOR\nGET a" }, { 'B', "+OK\r\n+1 [0 x] \"GET\"\r\n+2\r\n" }, { 'C', "GET b" }, { 'B', "+3\r\n" } }, "MONITOR",
          "+OK\r\n" NO "+1 [0 x] \"GET\"\r\n+2\r\n" NO "+3\r\n", false },
        { "refused by the backend", { { 'C', "MONITOR" }, { 'B', "-NOPERM x\r\n" }, { 'C', "GET a" }, { 'B', "+1\r\n" } }, "MONITOR\nGET a", "-NOPERM x\r\n+1\r\n", false },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

static void a_backend_that_lies_ends_the_session(void **state)
{
    static const char *const lies[] = {
        "x\r\n", "+1\n", "+1\r\r\n", "$-2\r\n", "$+1\r\n", "$01\r\n", "$1\r\nxx\r\n", "$9223372036854775808\r\n", "$18446744073709551615\r\n", "*-2\r\n", "*4294967297\r\n",
        "*9223372036854775807\r\n", "$?\r\n", "*?\r\n", "*1\r\n>1\r\n+x\r\n", ".\r\n", "\r\n", "$\r\n", "$ 1\r\n", "%-1\r\n", "=-1\r\n", "|-1\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(lies); i++) {
        struct redis_rig r;

        open_session(&r, RESP2);
        give_step(&r, &(struct step){ 'C', "GET a" }, 0);
        give_step(&r, &(struct step){ 'B', lies[i] }, 0);
        if (!r.is_broken)
            fail_msg("%s was taken", lies[i]);
        assert_int_equal(r.err.code, POSTERN_ERR_BACKEND);
        redis_rig_close(&r);
    }
}

static void what_nobody_asked_for_ends_the_session(void **state)
{
    static const struct conversation cases[] = {
        { "first", { { 'B', "+OK\r\n" } }, "", "", true },
        { "a second answer", { { 'C', "GET a" }, { 'B', "+1\r\n+2\r\n" } }, "GET a", "+1\r\n", true },
        { "an answer to a refused one", { { 'C', "GET no:a" }, { 'B', "+1\r\n" } }, "", NO, true },
    };

    (void)state;
    run_all(cases, COUNT(cases), RESP2);
}

static void nesting_and_lines_have_an_end(void **state)
{
    POSTERN_AUTO_BUF deep = POSTERN_BUF_INIT(TEXT_MAX), line = POSTERN_BUF_INIT(TEXT_MAX);
    const postern_buf *lies[] = { &deep, &line };

    (void)state;
    for (int i = 0; i < 10000; i++)
        postern_buf_add_str(&deep, "*1\r\n");
    for (int i = 0; i < 70000; i++)
        postern_buf_add_byte(&line, i == 0 ? '+' : 'a');
    for (size_t i = 0; i < COUNT(lies); i++)
        for (size_t piece = 0; piece < 3000; piece += 999) {
            struct redis_rig r;

            open_session(&r, RESP2);
            give_step(&r, &(struct step){ 'C', "GET a" }, 0);
            redis_rig_give(&r, ADAPTER_BACKEND, postern_buf_bytes(lies[i]), piece);
            assert_true(r.is_broken);
            redis_rig_close(&r);
        }
}

static void a_client_that_speaks_something_else_ends_the_session(void **state)
{
    static const char *const cases[] = {
        "PING\r\n", "GET / HTTP/1.1\r\n", "\n", "\rx", "\r\r\n", "\r\nPING\r\n", "*1\r\n\r\n$1\r\na\r\n", "*0\r\n", "*-1\r\n", "*01\r\n$1\r\na\r\n", "*1\r\n:1\r\n", "*1\r\n$-1\r\n", "*1\r\n$1\r\nab\r\n", "*1\r\n$1\r\na\n\n",
        "*1\r\n$01\r\na\r\n", "*1\n", "*1048577\r\n", "*9223372036854775808\r\n", "*1\r\n$536870913\r\n", "*1\r\n$9223372036854775808\r\n", "*1\r\n$\r\n\r\n", "* 1\r\n", "*+1\r\n",
        "*1\r\n*1\r\n$4\r\nPING\r\n", "*1\r\rx",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t piece = 0; piece < 2; piece++) {
            struct redis_rig r;

            open_session(&r, RESP2);
            redis_rig_give(&r, ADAPTER_CLIENT, postern_bytes_str(cases[i]), piece);
            if (!r.is_broken || r.to_backend.len != 0 || r.actions != 0)
                fail_msg("%s was taken", cases[i]);
            assert_int_equal(r.err.code, POSTERN_ERR_MESSAGE_MALFORMED);
            redis_rig_close(&r);
        }
}

/* ---- large requests ---- */

#define LARGE (ADAPTER_MESSAGE_MAX + 100000u)

static void put_large(postern_buf *out, const char *head, const char *tail)
{
    POSTERN_AUTO_BUF value = POSTERN_BUF_INIT(2 * LARGE);

    for (unsigned i = 0; i < LARGE; i++)
        postern_buf_add_byte(&value, "*1\r\n$8\r\nFLUSHALL\r\n"[i % 18]);
    postern_buf_add_str(out, head);
    postern_buf_addf(out, "$%u\r\n", LARGE);
    postern_buf_add(out, postern_buf_bytes(&value));
    postern_buf_add_str(out, "\r\n");
    postern_buf_add_str(out, tail);
    assert_false(out->failed);
}

static void a_large_value_passes_where_all_keys_stand_before_it(void **state)
{
    static const struct { const char *why, *head; bool passes; } cases[] = {
        { "SET", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n", true },
        { "a key that is refused", "*3\r\n$3\r\nSET\r\n$4\r\nno:a\r\n", false },
        { "keys may follow", "*3\r\n$4\r\nMSET\r\n$1\r\na\r\n", false },
        { "the key itself", "*2\r\n$3\r\nGET\r\n", false },
        { "a script", "*3\r\n$4\r\nEVAL\r\n$1\r\nx\r\n", false },
        { "a command that nobody knows", "*3\r\n$3\r\nFOO\r\n$1\r\na\r\n", false },
        { "AUTH", "*2\r\n$4\r\nAUTH\r\n", false },
        { "EXEC", "*2\r\n$4\r\nEXEC\r\n", false },
        { "the name itself", "*1\r\n", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t piece = 0; piece < 200000; piece += 65536) {
            POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4 * LARGE), want = POSTERN_BUF_INIT(4 * LARGE);
            struct redis_rig r;

            put_large(&in, cases[i].head, "");
            if (cases[i].passes)
                postern_buf_add(&want, postern_buf_bytes(&in));
            put_command(&in, "GET b", 5);
            put_command(&want, "GET b", 5);
            open_session(&r, RESP2);
            redis_rig_give(&r, ADAPTER_CLIENT, postern_buf_bytes(&in), piece == 0 ? 1000001 : piece);
            if (r.is_broken || !postern_bytes_equal(postern_buf_bytes(&r.to_backend), postern_buf_bytes(&want)))
                fail_msg("%s: %zu bytes, not %zu; %s", cases[i].why, r.to_backend.len, want.len, r.err.detail);
            assert_int_equal(r.actions, 2);
            assert_int_equal(r.partial_actions, 1); /* GET is whole */
            redis_rig_close(&r);
        }
}

static bool judge_arguments(struct redis_rig *r, const struct adapter_action *a, struct adapter_verdict *v)
{
    *(postern_policy_args_kind *)r->arg = a->args.kind;
    return judge(r, a, v);
}

/* Each key is a decision, and each may look at all arguments: 4,096 times a megabyte took seconds. */
static void arguments_that_are_long_for_each_of_many_keys_are_not_known(void **state)
{
    static const struct {
        const char *name;
        size_t keys, len; /* so many words of one byte, and one of so many */
        bool is_known;
    } cases[] = {
        { "DEL", 1, 1000000, true },    { "DEL", 2, 1048000, true },    { "DEL", 62, 65536, true },
        { "DEL", 4095, 1023, true },    { "MGET", 1022, 4096, true },   { "EVALSHA", 5000, 1000000, true },
        { "DEL", 3, 1048000, false },   { "DEL", 4, 1000000, false },   { "DEL", 63, 65536, false },
        { "DEL", 4095, 1024, false },   { "MGET", 1023, 4096, false },  { "DEL", 4095, 1000000, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(2 * LARGE);
        postern_policy_args_kind kind = POSTERN_POLICY_ARGS_JSON;
        struct redis_rig r;

        postern_buf_addf(&in, "*%zu\r\n$%zu\r\n%s\r\n", cases[i].keys + 2, strlen(cases[i].name), cases[i].name);
        for (size_t k = 0; k < cases[i].keys; k++)
            postern_buf_add_str(&in, "$1\r\n0\r\n");
        postern_buf_addf(&in, "$%zu\r\n", cases[i].len);
        for (size_t k = 0; k < cases[i].len; k++)
            postern_buf_add_byte(&in, 'a');
        postern_buf_add_str(&in, "\r\n");
        assert_false(in.failed);
        open_session(&r, RESP2);
        r.judge = judge_arguments;
        r.arg = &kind;
        redis_rig_give(&r, ADAPTER_CLIENT, postern_buf_bytes(&in), 0);
        assert_int_equal(r.actions, 1);
        if (r.partial_actions != 0 ||
            kind != (cases[i].is_known ? POSTERN_POLICY_ARGS_LIST : POSTERN_POLICY_ARGS_UNKNOWN))
            fail_msg("%s of %zu keys and one of %zu bytes: %d", cases[i].name, cases[i].keys, cases[i].len, kind);
        redis_rig_close(&r);
    }
}

static void an_empty_line_between_requests_goes_no_further(void **state)
{
    static const char in[] = "\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n\r\n";
    static const char want[] = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n";

    (void)state;
    for (size_t piece = 0; piece < 4; piece++) {
        struct redis_rig r;

        open_session(&r, RESP2);
        redis_rig_give(&r, ADAPTER_CLIENT, postern_bytes_str(in), piece);
        assert_false(r.is_broken);
        assert_int_equal(r.actions, 2);
        assert_true(postern_bytes_equal_str(postern_buf_bytes(&r.to_backend), want));
        redis_rig_close(&r);
    }
}

static void a_large_value_that_does_not_end_as_it_says_ends_the_session(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4 * LARGE);
    struct redis_rig r;

    (void)state;
    put_large(&in, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n", "");
    in.ptr[in.len - 2] = 'x';
    open_session(&r, RESP2);
    redis_rig_give(&r, ADAPTER_CLIENT, postern_buf_bytes(&in), 65536);
    assert_true(r.is_broken);
    redis_rig_close(&r);
}

static void a_large_answer_passes_piece_by_piece(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(4 * LARGE);
    size_t pieces[] = { 0, 1000, 5000, 65536 };

    (void)state;
    put_large(&in, "", "-MOVED 1 x\r\n");
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct redis_rig r;

        open_session(&r, RESP2);
        give_step(&r, &(struct step){ 'C', "GET a\nGET b\nGET no:c" }, 0);
        redis_rig_give(&r, ADAPTER_BACKEND, postern_buf_bytes(&in), pieces[i] == 0 ? 1000001 : pieces[i]);
        assert_false(r.is_broken);
        assert_true(r.to_client.len > in.len);
        assert_memory_equal(r.to_client.ptr, in.ptr, in.len - 12);
        assert_memory_equal(r.to_client.ptr + in.len - 12, "-NOPERM The b", 13);
        redis_rig_close(&r);
    }
}

/* ---- verdicts that come later ---- */

struct late { uint64_t ids[ADAPTER_PENDING_MAX + 8]; size_t count; };

static bool judge_later(struct redis_rig *r, const struct adapter_action *a, struct adapter_verdict *v)
{
    struct late *l = r->arg;

    (void)v;
    assert_in_range(l->count, 0, COUNT(l->ids) - 1);
    l->ids[l->count++] = a->id;
    return false;
}

static void settle(struct redis_rig *r, uint64_t id, bool is_allowed)
{
    struct adapter_verdict v = { .ruling = is_allowed ? ADAPTER_RELEASE : ADAPTER_REFUSE, .denied = { .failure = &denial } };

    redis_rig_settle(r, id, &v);
}

static void verdicts_in_any_order_change_no_order(void **state)
{
    POSTERN_AUTO_BUF want = POSTERN_BUF_INIT(TEXT_MAX), client = POSTERN_BUF_INIT(TEXT_MAX);
    struct late late = { .count = 0 };
    struct redis_rig r;

    (void)state;
    open_session(&r, RESP2);
    r.judge = judge_later;
    r.arg = &late;
    give_step(&r, &(struct step){ 'C', "GET a\nGET b\nGET c\nGET d" }, 0);
    assert_int_equal(late.count, 4);
    settle(&r, late.ids[3], true);
    settle(&r, late.ids[1], false);
    assert_int_equal(r.to_backend.len + r.to_client.len, 0);
    settle(&r, late.ids[0], true);
    settle(&r, late.ids[0], false); /* twice: the first counts */
    put_commands(&want, "GET a");
    assert_said("first", "the backend", &r.to_backend, &want);
    settle(&r, late.ids[2], true);
    put_commands(&want, "GET c\nGET d");
    assert_said("all", "the backend", &r.to_backend, &want);
    settle(&r, 99, true);
    give_step(&r, &(struct step){ 'B', "+1\r\n+3\r\n+4\r\n" }, 0);
    put_without_objects(&client, postern_buf_bytes(&r.to_client));
    assert_string_equal(postern_buf_cstr(&client), "+1\r\n" NO "+3\r\n+4\r\n");
    redis_rig_close(&r);
}

static void whoever_asks_too_much_waits(void **state)
{
    struct late late = { .count = 0 };
    struct redis_rig r;

    (void)state;
    open_session(&r, RESP2);
    r.judge = judge_later;
    r.arg = &late;
    for (int i = 0; i < ADAPTER_PENDING_MAX + 5; i++)
        give_step(&r, &(struct step){ 'C', "GET a" }, 0);
    assert_int_equal(late.count, ADAPTER_PENDING_MAX);
    assert_true(r.is_full);
    for (size_t i = 0; i < 10; i++)
        settle(&r, late.ids[i], true);
    give_step(&r, &(struct step){ 'B', "+1\r\n+1\r\n" }, 0);
    give_step(&r, &(struct step){ 'C', "GET a" }, 0);
    assert_int_equal(late.count, ADAPTER_PENDING_MAX + 2);
    redis_rig_close(&r);
}

static void a_held_verdict_is_a_refusal_here(void **state)
{
    struct late late = { .count = 0 };
    struct adapter_verdict v = { .ruling = ADAPTER_HOLD };
    struct redis_rig r;

    (void)state;
    open_session(&r, RESP2);
    r.judge = judge_later;
    r.arg = &late;
    give_step(&r, &(struct step){ 'C', "GET a" }, 0);
    redis_rig_settle(&r, late.ids[0], &v);
    assert_int_equal(r.to_backend.len, 0);
    assert_memory_equal(r.to_client.ptr, "-NOPERM ", 8);
    redis_rig_close(&r);
}

static bool allow_all(struct redis_rig *r, const struct adapter_action *a, struct adapter_verdict *v)
{
    (void)r;
    (void)a;
    v->ruling = ADAPTER_RELEASE;
    return true;
}

static void a_policy_that_allows_everything_does_not_allow_these(void **state)
{
    static const char *const never[] = { "RESET", "SYNC", "CLIENT REPLY OFF", "PSYNC ? -1", "REPLCONF x", "SCRIPT DEBUG YES", "G|T a" };

    (void)state;
    for (size_t i = 0; i < COUNT(never); i++) {
        struct redis_rig r;

        open_session(&r, RESP2);
        r.judge = allow_all;
        give_step(&r, &(struct step){ 'C', never[i] }, 0);
        assert_int_equal(r.to_backend.len, 0);
        assert_memory_equal(r.to_client.ptr, "-NOPERM ", 8);
        redis_rig_close(&r);
    }
}

static void the_last_word_is_for_those_who_wait(void **state)
{
    const struct adapter_denied why = { .failure = &expired };
    struct redis_rig r;

    (void)state;
    open_session(&r, RESP2);
    redis_rig_goodbye(&r, &why);
    assert_int_equal(r.to_client.len, 0);
    assert_true(r.adapter->inspector->is_quiet(r.state));
    give_step(&r, &(struct step){ 'C', "BLPOP a 0" }, 0);
    assert_false(r.adapter->inspector->is_quiet(r.state));
    redis_rig_goodbye(&r, &why);
    assert_memory_equal(r.to_client.ptr, "-NOAUTH {", 9);
    redis_rig_close(&r);
    open_session(&r, RESP2);
    give_step(&r, &(struct step){ 'C', "GET a" }, 0);
    give_step(&r, &(struct step){ 'B', "$100\r\nabc" }, 0);
    redis_rig_goodbye(&r, &why);
    assert_string_equal(postern_buf_cstr(&r.to_client), "$100\r\nabc");
    redis_rig_close(&r);
}

/* ---- memory ---- */

/* OK: everything was said · NOMEM.  An answer that lost a member to a failing allocation is one still. */
static postern_err talk_once(postern_buf *in, postern_buf *client)
{
    static const char login[] = "AUTH " TOKEN, asked[] = "MULTI\nSET a 1\nGET no:b\nEXEC\nSUBSCRIBE a b\nAUTH " TOKEN;
    struct redis_rig r = { .is_broken = false };
    postern_err e = POSTERN_ERR_NOMEM;

    postern_buf_reset(in);
    put_commands(in, login);
    if (redis_rig_open(&r, judge, renew, NULL) && !in->failed && redis_rig_login(&r, postern_buf_bytes(in), postern_bytes_str("+OK\r\n"))) {
        postern_buf_reset(in);
        put_commands(in, asked);
        if (!in->failed) {
            redis_rig_give(&r, ADAPTER_CLIENT, postern_buf_bytes(in), 0);
            redis_rig_give(&r, ADAPTER_BACKEND, postern_bytes_str("+OK\r\n+QUEUED\r\n+OK\r\n-ERR x\r\n"), 0);
            e = r.is_broken ? r.err.code : POSTERN_OK;
        }
    } else if (r.err.code != POSTERN_ERR_UNSET) {
        e = r.err.code;
    }
    postern_buf_reset(client);
    put_without_objects(client, postern_buf_bytes(&r.to_client));
    redis_rig_close(&r);
    return e;
}

static void memory_that_is_out_ends_the_session_and_nothing_else(void **state)
{
    POSTERN_AUTO_BUF in = POSTERN_BUF_INIT(TEXT_MAX), client = POSTERN_BUF_INIT(TEXT_MAX);
    unsigned nth = 0, refused = 0;
    bool was_refused = true;

    (void)state;
    for (; was_refused; nth++) {
        postern_err e;

        alloc_fail_arm(nth + 1);
        e = talk_once(&in, &client);
        was_refused = alloc_fail_disarm();
        refused += e == POSTERN_ERR_NOMEM;
        if (e == POSTERN_ERR_NOMEM || client.failed)
            continue;
        assert_int_equal(e, POSTERN_OK);
        assert_string_equal(postern_buf_cstr(&client), "+OK\r\n+OK\r\n+QUEUED\r\n" NO ABORT "-ERR x\r\n+OK\r\n");
    }
    assert_in_range(nth, 20, 2000);
    assert_in_range(refused, nth / 2, nth - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_in_the_order_of_the_requests),
        cmocka_unit_test(what_nobody_can_name_or_what_changes_the_protocol_is_refused),
        cmocka_unit_test(a_transaction_with_a_refused_command_does_not_happen),
        cmocka_unit_test(a_bracket_with_arguments_never_reaches_the_backend),
        cmocka_unit_test(a_transaction_does_not_outlive_the_rights_that_it_began_with),
        cmocka_unit_test(a_database_is_selected_where_its_answer_is_known),
        cmocka_unit_test(an_action_is_judged_in_the_database_where_it_happens),
        cmocka_unit_test(a_session_begins_in_the_first_database),
        cmocka_unit_test(a_subscription_that_is_not_confirmed_is_over_with_its_answer),
        cmocka_unit_test(a_new_token_never_reaches_the_backend),
        cmocka_unit_test(messages_are_nobodys_answer),
        cmocka_unit_test(a_subscription_does_not_outlive_the_rights_that_allowed_it),
        cmocka_unit_test(neither_do_monitor_and_tracking),
        cmocka_unit_test(what_goes_on_is_asked_about_when_rights_are_others),
        cmocka_unit_test(more_channels_than_are_kept_end_with_the_rights),
        cmocka_unit_test(one_command_asks_about_no_more_than_are_kept),
        cmocka_unit_test(pushes_of_resp3_come_at_any_time),
        cmocka_unit_test(nobody_is_led_around_the_door),
        cmocka_unit_test(an_answer_longer_than_its_rule_allows_is_replaced),
        cmocka_unit_test(behind_monitor_nothing_is_asked),
        cmocka_unit_test(a_backend_that_lies_ends_the_session),
        cmocka_unit_test(what_nobody_asked_for_ends_the_session),
        cmocka_unit_test(nesting_and_lines_have_an_end),
        cmocka_unit_test(a_client_that_speaks_something_else_ends_the_session),
        cmocka_unit_test(a_large_value_passes_where_all_keys_stand_before_it),
        cmocka_unit_test(arguments_that_are_long_for_each_of_many_keys_are_not_known),
        cmocka_unit_test(an_empty_line_between_requests_goes_no_further),
        cmocka_unit_test(a_large_value_that_does_not_end_as_it_says_ends_the_session),
        cmocka_unit_test(a_large_answer_passes_piece_by_piece),
        cmocka_unit_test(verdicts_in_any_order_change_no_order),
        cmocka_unit_test(whoever_asks_too_much_waits),
        cmocka_unit_test(a_held_verdict_is_a_refusal_here),
        cmocka_unit_test(a_policy_that_allows_everything_does_not_allow_these),
        cmocka_unit_test(the_last_word_is_for_those_who_wait),
        cmocka_unit_test(memory_that_is_out_ends_the_session_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
