/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `postern audit verify` and `show` on the bytes of a file: never a crash, a break has a place and a sentence, what is printed
 * steers no terminal; and a chain that was written here is whole until one of its bytes is changed.
 */
#include "config.h"

#include <stdlib.h>

#include "audit_check.h"
#include "audit_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const unsigned long fuzz_replay_runs;
const unsigned long fuzz_replay_runs = 5000; /* an input is a file, and three chains made of it: 140 us */

#define OWN_LINES 3

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void print_line(const postern_json *j)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(8 * AUDIT_LINE_MAX);

    audit_print_record(j, &out);
    if (out.failed)
        return;
    demand(out.len > 0 && out.ptr[out.len - 1] == '\n');
    demand(postern_bytes_is_printable((postern_bytes){ out.ptr, out.len - 1 }));
}

static bool verify(struct audit_check *c, postern_bytes file)
{
    postern_reader r = { file };
    postern_error err = { 0 };
    uint64_t number = 0;
    postern_bytes line;
    bool is_whole = true;

    while (is_whole && postern_reader_take_until(&r, '\n', &line)) {
        is_whole = audit_check_line(c, "file", ++number, line, true, &err);
        if (c->json.count != 0)
            print_line(&c->json);
    }
    if (is_whole && !postern_reader_is_done(&r))
        is_whole = audit_check_line(c, "file", ++number, r.rest, false, &err);
    is_whole = is_whole && audit_check_finish(c);
    demand(is_whole || (c->broken.line >= 1 && c->broken.line <= number));
    demand(is_whole || (c->what[0] != '\0' && postern_bytes_is_printable(postern_bytes_str(c->what))));
    demand(c->torn_count + c->record_count + c->unchained_count <= number);
    demand(postern_bytes_is_printable(postern_bytes_str(c->first_time)));
    return is_whole;
}

static void verify_file(postern_bytes file)
{
    struct audit_proof p = { 0 };
    struct audit_check c = { .proof = &p };

    if (verify(&c, file) && c.record_count != 0)
        demand(c.head.seq == c.first_seq + (int64_t)c.record_count - 1);
    audit_check_free(&c);
}

/* A chain whose records hold the data as a text. */
static void write_chain(postern_bytes text, postern_buf *out, struct audit_head *head)
{
    POSTERN_AUTO_BUF record = POSTERN_BUF_INIT(AUDIT_RECORD_MAX);
    POSTERN_AUTO_JSON j = { 0 };
    postern_json_writer w = { .out = &record };

    postern_json_open_object(&w, NULL);
    postern_json_put_str(&w, "event", "chain");
    postern_json_put_string(&w, "time", text);
    postern_json_close_object(&w);
    demand(!record.failed && postern_json_scan(&j, postern_buf_bytes(&record), NULL) == POSTERN_OK);
    for (int i = 0; i < OWN_LINES; i++)
        demand(audit_chain_add(head, &j, 0, out, NULL) == POSTERN_OK);
}

/* The first bytes say which byte is changed, and how. */
static void change_chain(postern_bytes data)
{
    POSTERN_AUTO_BUF out = POSTERN_BUF_INIT(OWN_LINES * AUDIT_LINE_MAX);
    struct audit_head head = { 0 };
    struct audit_check whole = { 0 }, changed = { .has_wanted = true };
    size_t at;

    if (data.len < 3 || data.len > 500 || data.ptr[2] == 0)
        return;
    write_chain((postern_bytes){ data.ptr + 3, data.len - 3 }, &out, &head);
    demand(verify(&whole, postern_buf_bytes(&out)));
    demand(whole.record_count == OWN_LINES && memcmp(&whole.head, &head, sizeof head) == 0);
    audit_check_free(&whole);
    at = (size_t)(data.ptr[0] << 8 | data.ptr[1]) % out.len;
    out.ptr[at] ^= data.ptr[2];
    memcpy(changed.wanted_hash, head.hash, sizeof head.hash);
    demand(!verify(&changed, postern_buf_bytes(&out)) || !changed.is_wanted_found);
    audit_check_free(&changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    postern_bytes file = { data, size };

    if (size == 0)
        return 0;
    verify_file(file);
    change_chain(file);
    return 0;
}
