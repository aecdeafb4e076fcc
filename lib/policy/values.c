/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers, durations and networks, in decimal and exact.  Days and hours: span.c.  Called by the
 * reader; addresses by decide.c too.
 */
#include "policy/values.h"

#include <arpa/inet.h>
#include <inttypes.h>

#include "base/ascii.h"

#define DIGITS_MAX 16 /* of 2^53-1: cannot overflow 64 bits */

/* Digits at the start of *text; false without any or with too many. */
static bool take_digits(const char **text, int64_t *ret)
{
    size_t digits = strspn(*text, "0123456789");

    if (digits == 0 || digits > DIGITS_MAX)
        return false;
    *ret = 0;
    for (size_t i = 0; i < digits; i++)
        *ret = *ret * 10 + (*(*text)++ - '0');
    return true;
}

const char *postern_value_read_number(const char *text, int64_t *ret)
{
    bool is_negative = *text == '-';

    text += is_negative;
    if (!take_digits(&text, ret) || *text != '\0' || *ret > POLICY_NUMBER_MAX)
        return "is no whole number";
    if (is_negative)
        *ret = -*ret;
    return NULL;
}

static const struct {
    char letter;
    int64_t seconds;
} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
#define UNIT_COUNT (sizeof units / sizeof *units)

const char *postern_value_read_duration(const char *text, int64_t *ret_s)
{
    if (!take_digits(&text, ret_s))
        return "is no duration: a whole number with a unit, like 15m";
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (text[0] != units[i].letter || text[1] != '\0')
            continue;
        if (*ret_s < 1 || *ret_s > POLICY_DURATION_MAX_S / units[i].seconds)
            return "is out of range: 1s to 366d";
        *ret_s *= units[i].seconds;
        return NULL;
    }
    return "needs a unit: s, m, h or d, like 15m";
}

void postern_value_print_duration(int64_t s, postern_buf *out)
{
    size_t i = 0;

    while (i < UNIT_COUNT - 1 && s % units[i].seconds != 0)
        i++;
    postern_buf_addf(out, "%" PRId64 "%c", s / units[i].seconds, units[i].letter);
}

/* ---- networks ---- */

#define V4_IN_V6_BITS 96

static bool is_v4_in_v6(const uint8_t *address)
{
    static const uint8_t prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };

    return memcmp(address, prefix, sizeof prefix) == 0;
}

bool postern_net_read_address(const char *text, struct net *ret)
{
    *ret = (struct net){ .bits = 32, .is_v4 = true };
    if (inet_pton(AF_INET, text, ret->address) == 1)
        return true;
    *ret = (struct net){ .bits = 128 };
    if (inet_pton(AF_INET6, text, ret->address) != 1)
        return false;
    if (is_v4_in_v6(ret->address)) {
        memmove(ret->address, ret->address + 12, 4);
        memset(ret->address + 4, 0, 12);
        ret->bits = 32;
        ret->is_v4 = true;
    }
    return true;
}

static bool has_bit(const uint8_t *address, unsigned bit)
{
    return (address[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

const char *postern_net_read(const char *text, struct net *ret)
{
    size_t len = strcspn(text, "/");
    const char *end = text + len;
    char address[INET6_ADDRSTRLEN];
    int64_t bits;

    if (len >= sizeof address)
        return "is no address";
    memcpy(address, text, len);
    address[len] = '\0';
    if (!postern_net_read_address(address, ret))
        return "is no address";
    if (*end++ == '\0')
        return NULL;
    if (ret->is_v4 && strchr(address, ':') != NULL)
        return "is IPv4 within IPv6: write the IPv4 network";
    if (!take_digits(&end, &bits) || *end != '\0' || bits > ret->bits)
        return "has no usable prefix behind the /";
    for (unsigned bit = (unsigned)bits; bit < ret->bits; bit++)
        if (has_bit(ret->address, bit))
            return "has bits behind its prefix: write the network's own address";
    ret->bits = (uint8_t)bits;
    return NULL;
}

bool postern_net_holds(const struct net *net, const struct net *address)
{
    unsigned whole = net->bits / 8u, rest = net->bits % 8u;

    if (net->is_v4 != address->is_v4 || memcmp(net->address, address->address, whole) != 0)
        return false;
    return rest == 0 || (net->address[whole] ^ address->address[whole]) >> (8 - rest) == 0;
}
