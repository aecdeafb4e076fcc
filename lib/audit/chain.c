/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the audit chain (postern-private/audit_chain.h).  Reads and writes no file. */
#include <postern-private/audit_chain.h>

#include <string.h>

#include <postern-private/sha256.h>

_Static_assert(AUDIT_HASH_LEN == SHA256_LEN, "the hash of a line");

void audit_hash_text(const uint8_t hash[AUDIT_HASH_LEN], char ret[AUDIT_HASH_DIGITS + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < AUDIT_HASH_LEN; i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 15];
    }
    ret[AUDIT_HASH_DIGITS] = '\0';
}

static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool audit_hash_parse(postern_bytes text, uint8_t ret[AUDIT_HASH_LEN])
{
    if (text.len != AUDIT_HASH_DIGITS)
        return false;
    for (size_t i = 0; i < AUDIT_HASH_LEN; i++) {
        int high = digit_value(text.ptr[2 * i]), low = digit_value(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ---- writing ---- */

/* The strict scan leaves controls only between values, as white space. */
static bool has_control(postern_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20)
            return true;
    return false;
}

static postern_err check_record(const postern_json *j, uint32_t object, postern_error *err)
{
    postern_bytes text = postern_json_raw(j, object);

    if (postern_json_type_of(j, object) != POSTERN_JSON_OBJECT ||
        postern_json_first(j, object) == POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, MALFORMED, "a record is a JSON object with members");
    if (text.len > AUDIT_RECORD_MAX)
        return POSTERN_FAIL(err, LIMIT, "record of %zu bytes, %d at most", text.len,
                            AUDIT_RECORD_MAX);
    if (has_control(text))
        return POSTERN_FAIL(err, MALFORMED, "a record stands on one line");
    if (postern_json_member(j, object, "seq") != POSTERN_JSON_ABSENT ||
        postern_json_member(j, object, "prev") != POSTERN_JSON_ABSENT)
        return POSTERN_FAIL(err, MALFORMED, "seq and prev are the audit child's");
    return POSTERN_OK;
}

#define SEQ_DIGITS_MAX 16 /* of AUDIT_SEQ_MAX */

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

/* How the chain members look at the end of a line; the one form that is taken on reading, too.
 * Returns the length.  By hand: printf(3) would cost a line as much as its hash does.
 *   seq   0..AUDIT_SEQ_MAX */
static size_t write_members(int64_t seq, const uint8_t prev[AUDIT_HASH_LEN],
                            char room[AUDIT_CHAIN_ROOM + 1])
{
    char digits[SEQ_DIGITS_MAX], *first = digits + sizeof digits, *at = room;

    do
        *--first = (char)('0' + seq % 10);
    while ((seq /= 10) != 0);
    at = put(at, ",\"seq\":", 7);
    at = put(at, first, (size_t)(digits + sizeof digits - first));
    at = put(at, ",\"prev\":\"", 9);
    audit_hash_text(prev, at);
    at = put(at + AUDIT_HASH_DIGITS, "\"}", 3); /* with its NUL */
    return (size_t)(at - 1 - room);
}

postern_err audit_chain_add(struct audit_head *head, const postern_json *j, uint32_t object,
                            postern_buf *out, postern_error *err)
{
    postern_bytes text = postern_json_raw(j, object);
    struct audit_head next = { .seq = head->seq + 1 };
    char members[AUDIT_CHAIN_ROOM + 1];
    size_t start = out->len;

    POSTERN_TRY(check_record(j, object, err));
    if (head->seq >= AUDIT_SEQ_MAX)
        return POSTERN_FAIL(err, LIMIT, "the chain has no number left");
    postern_buf_add(out, (postern_bytes){ text.ptr, text.len - 1 });
    postern_buf_add(out, (postern_bytes){ (const uint8_t *)members,
                                          write_members(next.seq, head->hash, members) });
    if (out->failed || !sha256_make((postern_bytes){ out->ptr + start, out->len - start }, next.hash))
        return POSTERN_FAIL(err, NOMEM, "line of the audit chain");
    postern_buf_add_byte(out, '\n');
    if (out->failed)
        return POSTERN_FAIL(err, NOMEM, "line of the audit chain");
    *head = next;
    return POSTERN_OK;
}

/* ---- reading ---- */

/* The line ends with exactly the members that a writer would have put there. */
static bool ends_as_written(postern_bytes line, int64_t seq, const uint8_t prev[AUDIT_HASH_LEN])
{
    char want[AUDIT_CHAIN_ROOM + 1];
    size_t len = write_members(seq, prev, want);

    return line.len > len && memcmp(line.ptr + line.len - len, want, len) == 0;
}

static audit_line_kind read_members(postern_bytes line, const postern_json *j,
                                    struct audit_link *ret)
{
    uint32_t seq = postern_json_member(j, 0, "seq"), prev = postern_json_member(j, 0, "prev");
    postern_bytes digits;

    if (seq == POSTERN_JSON_ABSENT && prev == POSTERN_JSON_ABSENT)
        return AUDIT_LINE_UNCHAINED;
    digits = postern_json_raw(j, prev);
    if (!postern_json_integer(j, seq, &ret->seq) || ret->seq < 1 || ret->seq > AUDIT_SEQ_MAX ||
        postern_json_type_of(j, prev) != POSTERN_JSON_STRING || digits.len != AUDIT_HASH_DIGITS + 2)
        return AUDIT_LINE_DAMAGED;
    if (!audit_hash_parse((postern_bytes){ digits.ptr + 1, AUDIT_HASH_DIGITS }, ret->prev) ||
        !ends_as_written(line, ret->seq, ret->prev))
        return AUDIT_LINE_DAMAGED;
    return AUDIT_LINE_CHAINED;
}

postern_err audit_chain_read(postern_bytes line, postern_json *j, struct audit_link *ret,
                             postern_error *err)
{
    postern_err e;

    *ret = (struct audit_link){ 0 };
    j->count = 0;
    if (line.len >= AUDIT_LINE_MAX || has_control(line))
        return POSTERN_OK;
    e = postern_json_scan(j, line, err);
    if (e == POSTERN_ERR_NOMEM)
        return e;
    if (e != POSTERN_OK)
        return POSTERN_OK;
    if (postern_json_type_of(j, 0) == POSTERN_JSON_OBJECT)
        ret->kind = read_members(line, j, ret);
    if (ret->kind == AUDIT_LINE_CHAINED) {
        ret->head.seq = ret->seq;
        if (!sha256_make(line, ret->head.hash))
            return POSTERN_FAIL(err, NOMEM, "SHA-256");
    }
    if (ret->kind == AUDIT_LINE_DAMAGED)
        j->count = 0;
    return POSTERN_OK;
}

bool audit_chain_follows(const struct audit_head *head, const struct audit_link *link)
{
    return link->kind == AUDIT_LINE_CHAINED && link->seq == head->seq + 1 &&
           memcmp(link->prev, head->hash, sizeof head->hash) == 0;
}
