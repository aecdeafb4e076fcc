/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/audit/checkpoint.c, sidecar/audit/checkpoints.c and cli/audit_proof.c: what is signed is verified by whoever has the public key,
 * and whoever changes, moves, leaves away or makes up records or checkpoints is found.
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit/checkpoints.h"
#include "audit_check.h"
#include "../support/alloc_fail.h"

#define NOW INT64_C(1764000000123)
#define TEXT_MAX 65536

static struct audit_signer *make_signer(void)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(4096);
    struct audit_signer *s = NULL;

    assert_int_equal(audit_signing_key_make(&pem, NULL), POSTERN_OK);
    assert_int_equal(audit_signer_new(postern_buf_bytes(&pem), &s, NULL), POSTERN_OK);
    return s;
}

static struct audit_keys *keys_of(const struct audit_signer *s, const struct audit_signer *other)
{
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(4096);
    struct audit_keys *k = NULL;

    assert_int_equal(audit_signer_public(s, &pem, NULL), POSTERN_OK);
    if (other != NULL)
        assert_int_equal(audit_signer_public(other, &pem, NULL), POSTERN_OK);
    assert_int_equal(audit_keys_read(postern_buf_bytes(&pem), &k, NULL), POSTERN_OK);
    return k;
}

static const struct audit_head some_head = { .seq = 4711, .hash = { 1, 2, 3 } };

/* ---- one checkpoint ---- */

static struct audit_checkpoint sign_and_read(const struct audit_signer *s, const char *host)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_CHECKPOINT_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_checkpoint c;

    assert_int_equal(audit_checkpoint_write(s, &some_head, NOW, host, &out, NULL), POSTERN_OK);
    assert_int_equal(postern_json_scan(&j, postern_buf_bytes(&out), NULL), POSTERN_OK);
    assert_true(audit_checkpoint_read(&j, 0, &c));
    return c;
}

static void what_is_signed_is_read_and_verified(void **state)
{
    struct audit_signer *s = make_signer();
    struct audit_keys *k = keys_of(s, NULL);
    struct audit_checkpoint c = sign_and_read(s, "door-1.example");

    (void)state;
    assert_string_equal(c.time, "2025-11-24T16:00:00.123Z");
    assert_string_equal(c.host, "door-1.example");
    assert_memory_equal(&c.head, &some_head, sizeof some_head);
    assert_string_equal(c.key_id, audit_signer_key_id(s));
    assert_int_equal(audit_checkpoint_verify(k, &c), AUDIT_SIGNED_WELL);
    audit_keys_free(k);
    audit_signer_free(s);
}

static void each_member_is_signed(void **state)
{
    struct audit_signer *s = make_signer();
    struct audit_keys *k = keys_of(s, NULL);
    const struct audit_checkpoint good = sign_and_read(s, "h");
    struct audit_checkpoint c[6];

    (void)state;
    for (size_t i = 0; i < 6; i++)
        c[i] = good;
    c[0].time[3]++;
    c[1].host[0]++;
    c[2].head.seq++;
    c[3].head.hash[31] ^= 1;
    c[4].signature[c[4].signature_len - 1] ^= 1;
    c[5].signature_len--;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(audit_checkpoint_verify(k, &c[i]), AUDIT_SIGNED_BADLY);
    audit_keys_free(k);
    audit_signer_free(s);
}

static void another_key_is_foreign_and_two_keys_are_known_apart(void **state)
{
    struct audit_signer *s = make_signer(), *other = make_signer();
    struct audit_keys *mine = keys_of(s, NULL), *both = keys_of(s, other);
    struct audit_checkpoint c = sign_and_read(other, "h");

    (void)state;
    assert_int_equal(audit_keys_count(both), 2);
    assert_int_equal(audit_checkpoint_verify(mine, &c), AUDIT_SIGNED_FOREIGN);
    assert_int_equal(audit_checkpoint_verify(both, &c), AUDIT_SIGNED_WELL);
    /* the id only finds the key */
    memcpy(c.key_id, audit_signer_key_id(s), sizeof c.key_id);
    assert_int_equal(audit_checkpoint_verify(mine, &c), AUDIT_SIGNED_BADLY);
    audit_keys_free(mine);
    audit_keys_free(both);
    audit_signer_free(s);
    audit_signer_free(other);
}

static void a_host_cannot_forge_a_line_of_what_is_signed(void **state)
{
    struct audit_signer *s = make_signer();
    struct audit_checkpoint c = sign_and_read(s, "a\nrecord: 1\"\\\xff");

    (void)state;
    assert_string_equal(c.host, "a_record__1___");
    c = sign_and_read(s, "");
    assert_string_equal(c.host, "_");
    audit_signer_free(s);
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const none[] = { "", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n" };
    static const char ed25519[] = "-----BEGIN PUBLIC KEY-----\n"
                                  "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                                  "-----END PUBLIC KEY-----\n";
    struct audit_signer *s = NULL;
    struct audit_keys *k = NULL;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(audit_keys_read(postern_bytes_str(none[i]), &k, NULL), POSTERN_ERR_CONFIG_FILE);
        assert_int_equal(audit_signer_new(postern_bytes_str(none[i]), &s, NULL), POSTERN_ERR_CONFIG_FILE);
    }
    assert_int_equal(audit_keys_read(postern_bytes_str(ed25519), &k, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_int_equal(audit_signer_new(postern_bytes_str(ed25519), &s, NULL), POSTERN_ERR_CONFIG_FILE);
    assert_null(k);
    assert_null(s);
}

static void a_checkpoint_needs_a_record_and_a_time(void **state)
{
    struct audit_signer *s = make_signer();
    const struct audit_head none = { 0 };
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(AUDIT_CHECKPOINT_MAX);

    (void)state;
    assert_int_equal(audit_checkpoint_write(s, &none, NOW, "h", &out, NULL), POSTERN_ERR_USAGE);
    assert_int_equal(audit_checkpoint_write(s, &some_head, -1, "h", &out, NULL), POSTERN_ERR_USAGE);
    audit_signer_free(s);
}

#define HASH "0102030000000000000000000000000000000000000000000000000000000000"
#define START "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"checkpoint\",\"host\":\"h\""
#define END "\"head\":\"" HASH "\",\"key\":\"0123\",\"signature\":\"AAAA\"}"

static void members_of_another_form_are_not_read(void **state)
{
    static const char *const others[] = {
        "[]",
        "{\"event\":\"checkpoint\"}",
        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"login\",\"host\":\"h\",\"record\":1," END,
        "{\"time\":\"2025-11-24T16:00:00Z\",\"event\":\"checkpoint\",\"host\":\"h\",\"record\":1," END,
        "{\"time\":\"2025-11-24T16:00:00.12aZ\",\"event\":\"checkpoint\",\"host\":\"h\",\"record\":1," END,
        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"checkpoint\",\"host\":\"h x\",\"record\":1," END,
        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"checkpoint\",\"host\":\"\\u0068\",\"record\":1," END,
        "{\"time\":\"2025-11-24T16:00:00.123Z\",\"event\":\"checkpoint\",\"host\":\"\",\"record\":1," END,
        START ",\"record\":0," END,
        START ",\"record\":9007199254740992," END,
        START ",\"record\":\"1\"," END,
        START ",\"record\":1,\"head\":\"00\",\"key\":\"0123\",\"signature\":\"AAAA\"}",
        START ",\"record\":1,\"head\":\"" HASH "\",\"key\":\"000102030405060708090a0b0c0d0e0f0\",\"signature\":\"AAAA\"}",
        START ",\"record\":1,\"head\":\"" HASH "\",\"key\":\"0123\",\"signature\":\"\"}",
        START ",\"record\":1,\"head\":\"" HASH "\",\"key\":\"0123\",\"signature\":\"AAA=\"}",
        START ",\"record\":1,\"head\":\"" HASH "\",\"key\":\"0123\",\"signature\":7}",
    };
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_checkpoint c;

    (void)state;
    assert_int_equal(postern_json_scan(&j, postern_bytes_str(START ",\"record\":1," END), NULL), POSTERN_OK);
    assert_true(audit_checkpoint_read(&j, 0, &c));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(postern_json_scan(&j, postern_bytes_str(others[i]), NULL), POSTERN_OK);
        if (audit_checkpoint_read(&j, 0, &c))
            fail_msg("%s", others[i]);
    }
}

/* ---- a chain with checkpoints, as the audit child writes it ---- */

struct world {
    int log_fd, kept_fd, key_fd;
    struct audit_file *file;
    struct checkpoints *checkpoints;
    struct audit_keys *keys;
    char log[TEXT_MAX], kept[TEXT_MAX];
    size_t log_len, kept_len;
};

static int memfd(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    POSTERN_AUTO_BUF pem = POSTERN_BUF_INIT(4096), public = POSTERN_BUF_INIT(4096);

    assert_non_null(w);
    w->log_fd = memfd("log");
    w->kept_fd = memfd("kept");
    w->key_fd = memfd("key");
    assert_int_equal(fcntl(w->kept_fd, F_SETFL, O_APPEND), 0);
    assert_int_equal(audit_signing_key_make(&pem, NULL), POSTERN_OK);
    assert_int_equal(write(w->key_fd, pem.ptr, pem.len), (ssize_t)pem.len);
    assert_int_equal(audit_file_new(&w->file, NULL), POSTERN_OK);
    assert_int_equal(audit_file_take(w->file, dup(w->log_fd), NOW, NULL), POSTERN_OK);
    assert_int_equal(checkpoints_new(&w->checkpoints, NULL), POSTERN_OK);
    assert_int_equal(checkpoints_use_key(w->checkpoints, dup(w->key_fd), 60, NULL), POSTERN_OK);
    checkpoints_use_file(w->checkpoints, dup(w->kept_fd));
    assert_int_equal(checkpoints_public(w->checkpoints, &public, NULL), POSTERN_OK);
    assert_int_equal(audit_keys_read(postern_buf_bytes(&public), &w->keys, NULL), POSTERN_OK);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    audit_file_free(w->file);
    checkpoints_free(w->checkpoints);
    audit_keys_free(w->keys);
    (void)close(w->log_fd);
    (void)close(w->kept_fd);
    (void)close(w->key_fd);
    free(w);
    return 0;
}

static void add_records(struct world *w, int count)
{
    POSTERN_AUTO_JSON j = { 0 };
    size_t whole;

    assert_int_equal(postern_json_scan(&j, postern_bytes_str("{\"time\":\"t\",\"event\":\"login\"}"), NULL), POSTERN_OK);
    for (int i = 0; i < count; i++)
        assert_int_equal(audit_file_add(w->file, &j, 0, NOW, NULL), POSTERN_OK);
    assert_int_equal(audit_file_write(w->file, &whole, NULL), POSTERN_OK);
    assert_int_equal(whole, count);
}

static postern_err checkpoint(struct world *w)
{
    POSTERN_AUTO_BUF line = POSTERN_BUF_INIT(AUDIT_LINE_MAX);

    return checkpoints_make(w->checkpoints, w->file, NOW, &line, NULL);
}

static size_t load(int fd, char room[TEXT_MAX])
{
    ssize_t got = pread(fd, room, TEXT_MAX, 0);

    assert_in_range(got, 0, TEXT_MAX - 1);
    return (size_t)got;
}

/* Records 1 (chain), 2 3, checkpoint 4 of 3; 5 6 7, checkpoint 8 of 7; 9. */
static void write_chain(struct world *w)
{
    add_records(w, 2);
    assert_int_equal(checkpoint(w), POSTERN_OK);
    add_records(w, 3);
    assert_int_equal(checkpoint(w), POSTERN_OK);
    add_records(w, 1);
    w->log_len = load(w->log_fd, w->log);
    w->kept_len = load(w->kept_fd, w->kept);
}

/* What verify says: "" (proved up to *ret_proved), or what is wrong. */
static const char *verify(struct world *w, const struct audit_keys *keys, bool with_kept, int64_t *ret_proved)
{
    static char said[512];
    struct audit_proof p = { .keys = keys };
    struct audit_check c = { .proof = &p };
    postern_reader kept = { { (const uint8_t *)w->kept, with_kept ? w->kept_len : 0 } };
    postern_reader log = { { (const uint8_t *)w->log, w->log_len } };
    postern_error err = { 0 };
    postern_err e = POSTERN_OK;
    uint64_t number = 0;
    postern_bytes line;
    bool is_whole = true;

    said[0] = '\0';
    while (e == POSTERN_OK && postern_reader_take_until(&kept, '\n', &line))
        e = audit_proof_keep(&p, 0, ++number, line, &err);
    audit_proof_begin(&p);
    for (number = 0; e == POSTERN_OK && is_whole && postern_reader_take_until(&log, '\n', &line);)
        is_whole = audit_check_line(&c, "log", ++number, line, true, &err);
    if (e != POSTERN_OK)
        memcpy(said, p.what, sizeof p.what);
    else if (!is_whole || !audit_check_finish(&c))
        memcpy(said, c.what, sizeof c.what);
    else if (audit_proof_cut_off(&p, &c.head) != NULL)
        memcpy(said, "cut off", 8);
    else if (p.missing_count != 0)
        memcpy(said, "missing", 8);
    *ret_proved = p.proved_seq;
    audit_check_free(&c);
    audit_proof_free(&p);
    return said;
}

/* `part` "": nothing is wrong. */
static void assert_says(struct world *w, bool with_kept, const char *part)
{
    int64_t proved;
    const char *said = verify(w, w->keys, with_kept, &proved);

    if (part[0] == '\0' ? said[0] != '\0' : strstr(said, part) == NULL)
        fail_msg("said \"%s\", not \"%s\"", said, part);
}

static void the_chain_is_proved_up_to_its_last_checkpoint(void **state)
{
    struct world *w = *state;
    int64_t proved;

    write_chain(w);
    assert_string_equal(verify(w, w->keys, false, &proved), "");
    assert_int_equal(proved, 7);
    assert_string_equal(verify(w, w->keys, true, &proved), "");
    assert_int_equal(proved, 7);
    assert_string_equal(verify(w, NULL, false, &proved), ""); /* without a key nothing is */
    assert_int_equal(proved, 0);
}

static void nothing_new_needs_no_checkpoint(void **state)
{
    struct world *w = *state;
    size_t len;

    assert_int_equal(checkpoint(w), POSTERN_OK);
    len = load(w->log_fd, w->log);
    assert_false(checkpoints_has_work(w->checkpoints, w->file));
    assert_int_equal(checkpoint(w), POSTERN_OK);
    assert_int_equal(load(w->log_fd, w->log), len);
    add_records(w, 1);
    assert_true(checkpoints_has_work(w->checkpoints, w->file));
}

static size_t line_start(const char *text, size_t len, int number)
{
    size_t at = 0;

    for (int i = 1; i < number; i++) {
        const char *newline = memchr(text + at, '\n', len - at);

        assert_non_null(newline);
        at = (size_t)(newline - text) + 1;
    }
    return at;
}

static void an_end_that_is_left_away_is_found_by_a_kept_checkpoint_alone(void **state)
{
    struct world *w = *state;

    write_chain(w);
    w->log_len = line_start(w->log, w->log_len, 6);
    assert_says(w, false, ""); /* nothing in the chain can show it */
    assert_says(w, true, "cut off");
}

/* Whoever can write the file makes the chain anew from the third record on, as good as ours. */
static void forge(struct world *w, int first)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(TEXT_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_head head = { 0 };
    struct audit_link link;
    size_t at = line_start(w->log, w->log_len, first), before = line_start(w->log, w->log_len, first - 1);

    assert_int_equal(audit_chain_read((postern_bytes){ (uint8_t *)w->log + before, at - 1 - before }, &j, &link, NULL),
                     POSTERN_OK);
    head = link.head;
    assert_int_equal(postern_json_scan(&j, postern_bytes_str("{\"time\":\"t\",\"event\":\"forged\"}"), NULL), POSTERN_OK);
    for (int i = 0; i < 8; i++)
        assert_int_equal(audit_chain_add(&head, &j, 0, &out, NULL), POSTERN_OK);
    assert_in_range(at + out.len, 1, TEXT_MAX - 1);
    memcpy(w->log + at, out.ptr, out.len);
    w->log_len = at + out.len;
}

static void a_chain_made_anew_before_a_checkpoint_is_found(void **state)
{
    struct world *w = *state;
    int64_t proved;

    write_chain(w);
    forge(w, 2);
    assert_string_equal(verify(w, w->keys, false, &proved), "");
    assert_int_equal(proved, 0); /* and so nobody takes it for proved */
    assert_says(w, true, "this is not record 3 as it was");
}

static void a_chain_made_anew_behind_a_checkpoint_is_found(void **state)
{
    struct world *w = *state;
    int64_t proved;

    write_chain(w);
    forge(w, 5);
    assert_string_equal(verify(w, w->keys, false, &proved), "");
    assert_int_equal(proved, 3);
    assert_says(w, true, "this is not record 7 as it was");
}

static void a_checkpoint_that_is_moved_or_made_up_is_found(void **state)
{
    struct world *w = *state;
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(TEXT_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    struct audit_head head = { 0 };
    postern_bytes kept;

    write_chain(w);
    kept = (postern_bytes){ (uint8_t *)w->kept, line_start(w->kept, w->kept_len, 2) - 1 };
    assert_int_equal(postern_json_scan(&j, postern_bytes_str("{\"event\":\"chain\"}"), NULL), POSTERN_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(audit_chain_add(&head, &j, 0, &out, NULL), POSTERN_OK);
    assert_int_equal(postern_json_scan(&j, kept, NULL), POSTERN_OK);
    assert_int_equal(audit_chain_add(&head, &j, 0, &out, NULL), POSTERN_OK);
    memcpy(w->log, out.ptr, out.len);
    w->log_len = out.len;
    assert_says(w, false, "made at another place");
    w->kept[kept.len - 5] = w->kept[kept.len - 5] == 'A' ? 'B' : 'A'; /* of the signature */
    assert_says(w, true, "signature");
}

static void a_foreign_key_proves_nothing(void **state)
{
    struct world *w = *state;
    struct audit_signer *other = make_signer();
    struct audit_keys *foreign = keys_of(other, NULL);
    int64_t proved;

    write_chain(w);
    assert_non_null(strstr(verify(w, foreign, false, &proved), "not among those of --key"));
    assert_int_equal(proved, 0);
    assert_non_null(strstr(verify(w, foreign, true, &proved), "not among those of --key"));
    audit_keys_free(foreign);
    audit_signer_free(other);
}

static void a_kept_line_that_is_missing_between_others_is_found(void **state)
{
    struct world *w = *state;
    size_t second, third;

    write_chain(w);
    assert_int_equal(checkpoint(w), POSTERN_OK);
    w->log_len = load(w->log_fd, w->log);
    w->kept_len = load(w->kept_fd, w->kept);
    assert_says(w, true, "");
    second = line_start(w->kept, w->kept_len, 2);
    third = line_start(w->kept, w->kept_len, 3);
    memmove(w->kept + second, w->kept + third, w->kept_len - third);
    w->kept_len -= third - second;
    assert_says(w, true, "missing");
}

static void an_older_copy_of_what_was_kept_misses_nothing(void **state)
{
    struct world *w = *state;

    write_chain(w);
    w->kept_len = line_start(w->kept, w->kept_len, 2);
    assert_says(w, true, "");
}

static void a_younger_file_alone_is_compared_where_it_begins(void **state)
{
    struct world *w = *state;
    size_t at;
    int64_t proved;

    write_chain(w);
    at = line_start(w->log, w->log_len, 4); /* its first line's prev is of record 3 */
    memmove(w->log, w->log + at, w->log_len - at);
    w->log_len -= at;
    assert_string_equal(verify(w, w->keys, true, &proved), "");
    assert_int_equal(proved, 7);
    at = (size_t)(strstr(w->kept, "\"head\":\"") - w->kept) + 8;
    w->kept[at] = w->kept[at] == '0' ? '1' : '0';
    assert_says(w, true, "signature");
}

/* ---- failures ---- */

static void a_piece_of_a_line_gets_its_end_and_the_next_is_whole(void **state)
{
    struct world *w = *state;

    add_records(w, 1);
    assert_int_equal(checkpoint(w), POSTERN_OK);
    add_records(w, 1);
    w->kept_len = load(w->kept_fd, w->kept);
    /* As the audit child that was killed within a line: the file ends without a newline. */
    assert_int_equal(write(w->kept_fd, "{\"time\":\"20", 11), 11);
    checkpoints_use_file(w->checkpoints, dup(w->kept_fd));
    assert_int_equal(checkpoint(w), POSTERN_OK);
    w->log_len = load(w->log_fd, w->log);
    w->kept_len = load(w->kept_fd, w->kept);
    assert_says(w, true, "");
}

static void what_cannot_be_handed_out_is_not_written_and_comes_again(void **state)
{
    struct world *w = *state;
    int reader = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    int64_t seq;

    assert_true(reader >= 0);
    add_records(w, 1);
    seq = audit_file_head(w->file).seq;
    checkpoints_use_file(w->checkpoints, reader); /* takes no byte */
    assert_int_equal(checkpoint(w), POSTERN_ERR_AUDIT);
    assert_int_equal(audit_file_head(w->file).seq, seq);
    assert_true(checkpoints_has_work(w->checkpoints, w->file));
    checkpoints_use_file(w->checkpoints, dup(w->kept_fd));
    assert_int_equal(checkpoint(w), POSTERN_OK);
    assert_int_equal(audit_file_head(w->file).seq, seq + 1);
}

static void a_key_that_is_none_leaves_the_one_before(void **state)
{
    struct world *w = *state;
    int fd = memfd("none");

    assert_int_equal(write(fd, "none", 4), 4);
    assert_int_equal(checkpoints_use_key(w->checkpoints, fd, 60, NULL), POSTERN_ERR_CONFIG_FILE);
    add_records(w, 1);
    assert_int_equal(checkpoint(w), POSTERN_OK);
    w->log_len = load(w->log_fd, w->log);
    assert_says(w, false, "");
}

static void ten_thousand_records_do_not_wait_for_the_clock(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < CHECKPOINT_RECORDS / 200; i++) {
        assert_false(checkpoints_is_full(w->checkpoints, w->file));
        add_records(w, 200);
    }
    assert_true(checkpoints_is_full(w->checkpoints, w->file));
    checkpoints_use_file(w->checkpoints, open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
    assert_int_equal(checkpoint(w), POSTERN_ERR_AUDIT);
    add_records(w, 200); /* what failed is not tried with each batch */
    assert_false(checkpoints_is_full(w->checkpoints, w->file));
    assert_true(checkpoints_has_work(w->checkpoints, w->file));
}

struct sweep {
    postern_bytes line;
    const struct audit_keys *keys;
};

static postern_err keep_one(void *arg, postern_error *err)
{
    const struct sweep *s = arg;
    struct audit_proof p = { .keys = s->keys };
    postern_err e = audit_proof_keep(&p, 0, 1, s->line, err);

    assert_true(e != POSTERN_OK || (p.line_count == 1 && p.other_count == 0));
    audit_proof_free(&p);
    return e;
}

static void without_memory_no_checkpoint_is_taken_for_none(void **state)
{
    struct world *w = *state;
    struct sweep s = { .keys = w->keys };

    write_chain(w);
    s.line = (postern_bytes){ (uint8_t *)w->kept, line_start(w->kept, w->kept_len, 2) - 1 };
    assert_in_range(alloc_fail_sweep(keep_one, &s, POSTERN_OK), 2, 100);
}

int main(void)
{
#define IN_WORLD(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_is_read_and_verified),
        cmocka_unit_test(each_member_is_signed),
        cmocka_unit_test(another_key_is_foreign_and_two_keys_are_known_apart),
        cmocka_unit_test(a_host_cannot_forge_a_line_of_what_is_signed),
        cmocka_unit_test(what_is_no_key_is_refused),
        cmocka_unit_test(a_checkpoint_needs_a_record_and_a_time),
        cmocka_unit_test(members_of_another_form_are_not_read),
        IN_WORLD(the_chain_is_proved_up_to_its_last_checkpoint),
        IN_WORLD(nothing_new_needs_no_checkpoint),
        IN_WORLD(an_end_that_is_left_away_is_found_by_a_kept_checkpoint_alone),
        IN_WORLD(a_chain_made_anew_before_a_checkpoint_is_found),
        IN_WORLD(a_chain_made_anew_behind_a_checkpoint_is_found),
        IN_WORLD(a_checkpoint_that_is_moved_or_made_up_is_found),
        IN_WORLD(a_foreign_key_proves_nothing),
        IN_WORLD(a_kept_line_that_is_missing_between_others_is_found),
        IN_WORLD(an_older_copy_of_what_was_kept_misses_nothing),
        IN_WORLD(a_younger_file_alone_is_compared_where_it_begins),
        IN_WORLD(a_piece_of_a_line_gets_its_end_and_the_next_is_whole),
        IN_WORLD(what_cannot_be_handed_out_is_not_written_and_comes_again),
        IN_WORLD(a_key_that_is_none_leaves_the_one_before),
        IN_WORLD(ten_thousand_records_do_not_wait_for_the_clock),
        IN_WORLD(without_memory_no_checkpoint_is_taken_for_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
