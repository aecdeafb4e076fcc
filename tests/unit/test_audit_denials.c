/* SPDX-License-Identifier: BSD-2-Clause */
/* sidecar/audit/denials.c: the first refusals of a source have records, the others are summed up, and no flood makes more. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/un.h>

#include <cmocka.h>

#include "audit/denials.h"

#define DAY_MS INT64_C(86400000)

static int set_up(void **state)
{
    return denials_new(DENIALS_OF_STRANGERS, (struct denials **)state, NULL) == POSTERN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    denials_free(*state);
    return 0;
}

static struct denial_source ip4(uint32_t address)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };

    return denial_source_of((struct sockaddr *)&a, sizeof a);
}

static struct denial_source ip6(const char *address)
{
    struct sockaddr_in6 a = { .sin6_family = AF_INET6 };

    assert_int_equal(inet_pton(AF_INET6, address, &a.sin6_addr), 1);
    return denial_source_of((struct sockaddr *)&a, sizeof a);
}

static int note_many(struct denials *d, const struct denial_source *s, int count, int64_t now_ms)
{
    int records = 0;

    for (int i = 0; i < count; i++)
        records += denials_note(d, s, POSTERN_ERR_MALFORMED, now_ms);
    return records;
}

static void assert_text(struct denial_source s, const char *want)
{
    char text[DENIALS_SOURCE_TEXT];

    denial_source_text(&s, text);
    assert_string_equal(text, want);
}

static void a_source_is_an_address_a_subscriber_or_this_host(void **state)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr other = { .sa_family = AF_APPLETALK };

    (void)state;
    assert_text(ip4(0xc0000201), "192.0.2.1");
    assert_text(ip6("::ffff:192.0.2.1"), "192.0.2.1");
    assert_text(ip6("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assert_text(denial_source_of((struct sockaddr *)&local, sizeof local.sun_family), "unix");
    assert_text(denial_source_of_user(0), "unix uid 0");
    assert_text(denial_source_of_user((uid_t)-2), "unix uid 4294967294");
    assert_text(denial_source_of(&other, sizeof other), "unknown");
    assert_text(denial_source_of((struct sockaddr *)&local, 0), "unknown");
}

static void the_first_refusals_of_a_source_have_records(void **state)
{
    struct denial_source a = ip4(1), b = ip4(2);
    struct denial_summary sum;

    assert_int_equal(note_many(*state, &a, DENIALS_SOURCE_BURST, 1000), DENIALS_SOURCE_BURST);
    assert_false(denials_take_due(*state, DAY_MS, &sum));
    assert_int_equal(note_many(*state, &a, 3, 2000), 0);
    assert_int_equal(note_many(*state, &b, 1, 2000), 1); /* another is not concerned */
}

static void a_source_earns_a_record_a_minute(void **state)
{
    struct denial_source a = ip4(1);

    assert_int_equal(note_many(*state, &a, 100, 1000), DENIALS_SOURCE_BURST);
    assert_int_equal(note_many(*state, &a, 100, 1000 + DENIALS_SOURCE_REFILL_MS - 1), 0);
    assert_int_equal(note_many(*state, &a, 100, 1000 + DENIALS_SOURCE_REFILL_MS), 1);
    assert_int_equal(note_many(*state, &a, 100, 1000 + DAY_MS), DENIALS_SOURCE_BURST); /* no more than that */
}

static void addresses_of_one_subscriber_are_one_source(void **state)
{
    struct denial_source a = ip6("2001:db8::1"), b = ip6("2001:db8::ffff:ffff"), c = ip6("2001:db8:0:1::1");

    assert_int_equal(note_many(*state, &a, DENIALS_SOURCE_BURST, 1), DENIALS_SOURCE_BURST);
    assert_int_equal(note_many(*state, &b, 1, 1), 0);
    assert_int_equal(note_many(*state, &c, 1, 1), 1);
}

static void what_has_no_record_is_in_a_summary_a_minute_later(void **state)
{
    struct denial_source a = ip4(0xc0000201);
    struct denial_summary sum;

    (void)note_many(*state, &a, DENIALS_SOURCE_BURST, 1000);
    assert_false(denials_note(*state, &a, POSTERN_ERR_NO_TOKEN, 2000));
    assert_false(denials_note(*state, &a, POSTERN_ERR_EXPIRED, 3000));
    assert_false(denials_note(*state, &a, POSTERN_ERR_AUD, 4000));
    assert_false(denials_take_due(*state, 61999, &sum));
    assert_true(denials_take_due(*state, 62000, &sum));
    assert_string_equal(sum.source, "192.0.2.1");
    assert_int_equal(sum.count, 3);
    assert_int_equal(sum.since_ms, 2000);
    assert_int_equal(sum.first, POSTERN_ERR_NO_TOKEN);
    assert_int_equal(sum.last, POSTERN_ERR_AUD);
    assert_false(denials_take_due(*state, 2 * DAY_MS, &sum)); /* once */
}

static void a_source_has_a_summary_a_minute_at_most(void **state)
{
    struct denial_source a = ip4(1);
    struct denial_summary sum;
    int64_t told_ms = 0, count = 0;
    int records = 0, summaries = 0;

    for (int64_t now = 0; now < 3600000; now += 100) {
        records += denials_note(*state, &a, POSTERN_ERR_MALFORMED, now);
        if (denials_take_due(*state, now, &sum)) {
            assert_true(summaries++ == 0 || now - told_ms >= DENIALS_SUMMARY_MS);
            told_ms = now;
            count += sum.count;
        }
    }
    assert_in_range(records, 60, DENIALS_SOURCE_BURST + 60);
    assert_in_range(summaries, 58, 60);
    if (denials_take_rest(*state, &sum))
        count += sum.count;
    assert_int_equal(records + count, 36000); /* none is forgotten */
}

/* Each refusal from an address of its own, fifty a second, for a day: the promise of the header. */
static void a_flood_from_many_sources_has_a_bound_and_every_refusal_is_counted(void **state)
{
    struct denial_summary sum;
    int64_t records = 0, summaries = 0, counted = 0, noted = 0;
    uint32_t address = 0;

    for (int64_t now = 1000; now < DAY_MS / 24; now += 20) {
        struct denial_source s = ip4(address++ % 5000);

        records += denials_note(*state, &s, POSTERN_ERR_MALFORMED, now);
        noted++;
        while (denials_take_due(*state, now, &sum)) {
            summaries++;
            counted += sum.count;
        }
    }
    while (denials_take_rest(*state, &sum))
        counted += sum.count;
    assert_int_equal(records + counted, noted);
    assert_in_range(records, 1, DENIALS_BURST + DAY_MS / 24 / DENIALS_REFILL_MS);
    assert_in_range(summaries, 1, 1 + DAY_MS / 24 / DENIALS_REFILL_MS);
}

static void when_the_table_is_full_the_silent_make_room_and_their_counts_stay(void **state)
{
    struct denial_source first = ip4(0);
    struct denial_summary sum;
    int64_t counted = 0;
    int records = 0;

    records += note_many(*state, &first, DENIALS_SOURCE_BURST + 7, 1);
    for (uint32_t i = 1; i <= DENIALS_SOURCES_MAX; i++) { /* one too many */
        struct denial_source s = ip4(i);

        records += denials_note(*state, &s, POSTERN_ERR_AUD, 2);
    }
    assert_int_equal(records, DENIALS_BURST);
    assert_true(denials_take_due(*state, 2 + DENIALS_SUMMARY_MS, &sum));
    counted += sum.count;
    assert_true(denials_take_rest(*state, &sum));
    assert_string_equal(sum.source, DENIALS_OTHERS);
    counted += sum.count;
    assert_false(denials_take_rest(*state, &sum));
    assert_int_equal(counted, DENIALS_SOURCES_MAX + DENIALS_SOURCE_BURST + 7 - records);
}

static void who_comes_often_keeps_his_place_in_a_full_table(void **state)
{
    struct denial_source often = ip4(0);

    (void)note_many(*state, &often, DENIALS_SOURCE_BURST, 0);
    for (uint32_t i = 1; i < 3 * DENIALS_SOURCES_MAX; i++) {
        struct denial_source s = ip4(i);

        (void)denials_note(*state, &s, POSTERN_ERR_AUD, i);
        if (i % 100 == 0) /* were it put out it would have a full bucket again */
            assert_false(denials_note(*state, &often, POSTERN_ERR_AUD, i));
    }
}

static void the_rest_of_one_source_bears_its_name(void **state)
{
    struct denial_source a = ip4(0xc0000201);
    struct denial_summary sum;

    assert_false(denials_take_rest(*state, &sum));
    (void)note_many(*state, &a, DENIALS_SOURCE_BURST + 2, 1);
    assert_true(denials_take_rest(*state, &sum));
    assert_string_equal(sum.source, "192.0.2.1");
    assert_int_equal(sum.count, 2);
    assert_false(denials_take_rest(*state, &sum));
}

static int set_up_agents(void **state)
{
    return denials_new(DENIALS_OF_AGENTS, (struct denials **)state, NULL) == POSTERN_OK ? 0 : -1;
}

static void an_agent_has_a_quota_of_its_own_and_its_name_in_the_summary(void **state)
{
    struct denial_source a = denial_source_of_agent(7, "agent-7"), b = denial_source_of_agent(8, "agent-7");
    struct denial_summary sum;

    assert_int_equal(note_many(*state, &a, 1000, 1), DENIALS_AGENT_BURST);
    assert_int_equal(note_many(*state, &b, 1, 1), 1); /* of another issuer, by the same name */
    assert_int_equal(note_many(*state, &a, 10, DENIALS_AGENT_REFILL_MS + 1), 1);
    assert_true(denials_take_due(*state, DENIALS_SUMMARY_MS + 1, &sum));
    assert_string_equal(sum.source, "agent-7");
    assert_int_equal(sum.count, 1009 - DENIALS_AGENT_BURST);
    assert_false(denials_take_rest(*state, &sum));
}

static void all_agents_together_have_a_bound(void **state)
{
    int records = 0;

    for (uint64_t i = 0; i < 5000; i++) {
        struct denial_source s = denial_source_of_agent(i, "x");

        records += denials_note(*state, &s, POSTERN_ERR_POLICY, 1);
    }
    assert_int_equal(records, DENIALS_AGENTS_BURST);
}

static void a_long_name_is_cut_between_characters(void **state)
{
    char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4z";

    (void)state;
    assert_int_equal(strlen(name), DENIALS_SOURCE_TEXT + 1);
    assert_text(denial_source_of_agent(1, name), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_text(denial_source_of_agent(1, name + 1), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4");
    assert_text(denial_source_of_agent(1, ""), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_source_is_an_address_a_subscriber_or_this_host),
        TEST(the_first_refusals_of_a_source_have_records),
        TEST(a_source_earns_a_record_a_minute),
        TEST(addresses_of_one_subscriber_are_one_source),
        TEST(what_has_no_record_is_in_a_summary_a_minute_later),
        TEST(a_source_has_a_summary_a_minute_at_most),
        TEST(a_flood_from_many_sources_has_a_bound_and_every_refusal_is_counted),
        TEST(when_the_table_is_full_the_silent_make_room_and_their_counts_stay),
        TEST(who_comes_often_keeps_his_place_in_a_full_table),
        TEST(the_rest_of_one_source_bears_its_name),
        cmocka_unit_test_setup_teardown(an_agent_has_a_quota_of_its_own_and_its_name_in_the_summary, set_up_agents, tear_down),
        cmocka_unit_test_setup_teardown(all_agents_together_have_a_bound, set_up_agents, tear_down),
        TEST(a_long_name_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
