/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hiredis as an ordinary program uses it: hiredis_client HOST PORT, the password on standard input.
 * Exit status 0, or a line that says what was not as it should be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#define PIPELINE 1000

static redisContext *redis;

static void fail(const char *what)
{
    printf("%s: %s\n", what, redis == NULL ? "no context" : redis->errstr);
    exit(1);
}

/* The reply is of that type and its text begins so. */
static void want(const char *what, redisReply *r, int type, const char *text)
{
    if (r == NULL)
        fail(what);
    if (r->type != type || (text != NULL && strncmp(r->str, text, strlen(text)) != 0)) {
        printf("%s: a reply of type %d: %s\n", what, r->type, r->str == NULL ? "" : r->str);
        exit(1);
    }
    freeReplyObject(r);
}

static void pipeline(void)
{
    redisReply *r = NULL;

    for (int i = 0; i < PIPELINE; i++)
        if (redisAppendCommand(redis, "INCR cache:hi:n") != REDIS_OK)
            fail("append");
    for (int i = 1; i <= PIPELINE; i++) {
        if (redisGetReply(redis, (void **)&r) != REDIS_OK || r->type != REDIS_REPLY_INTEGER ||
            r->integer != i)
            fail("a pipeline");
        freeReplyObject(r);
    }
}

int main(int argc, char **argv)
{
    static char token[32768];
    const char binary[] = "\0\r\n$-1\r\n\xff";

    if (argc != 3 || fgets(token, sizeof token, stdin) == NULL)
        return 2;
    token[strcspn(token, "\n")] = '\0';
    redis = redisConnect(argv[1], atoi(argv[2])); /* of the test itself */
    if (redis == NULL || redis->err != 0)
        fail("connect");
    want("before AUTH", redisCommand(redis, "GET cache:hi"), REDIS_REPLY_ERROR, "NOAUTH");
    want("AUTH", redisCommand(redis, "AUTH %s", token), REDIS_REPLY_STATUS, "OK");
    want("SET", redisCommand(redis, "SET cache:hi %b", binary, sizeof binary), REDIS_REPLY_STATUS,
         "OK");
    {
        redisReply *r = redisCommand(redis, "GET cache:hi");

        if (r == NULL || r->len != sizeof binary || memcmp(r->str, binary, sizeof binary) != 0)
            fail("a binary value");
        freeReplyObject(r);
    }
    want("a refusal", redisCommand(redis, "GET other"), REDIS_REPLY_ERROR, "NOPERM");
    pipeline();
    want("MULTI", redisCommand(redis, "MULTI"), REDIS_REPLY_STATUS, "OK");
    want("GET", redisCommand(redis, "GET cache:hi:n"), REDIS_REPLY_STATUS, "QUEUED");
    want("EXEC", redisCommand(redis, "EXEC"), REDIS_REPLY_ARRAY, NULL);
    redisFree(redis);
    return 0;
}
