/*
 * fuzz_read_request.c - requests of remote read: any bytes end in a list of queries or an error, in bounded
 * memory, and matchers that come out can be asked.
 */
#include "api/read_internal.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 1 << 16 };

static void ask(const struct read_request *request)
{
    for (uint32_t i = 0; i < request->query_count; i++)
        for (uint32_t m = 0; m < request->queries[i].matcher_count; m++) {
            const struct matcher *matcher = &request->queries[i].matchers[m];
            bool same = matcher_matches(matcher, matcher->value);
            assert(matcher->op != MATCH_EQUAL || same);
            assert(matcher->op != MATCH_NOT_EQUAL || !same);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct read_request request;
    struct errmsg why = {0};
    if (size > BYTES_MAX)
        return 0;
    arena_init(&arena, NULL);
    enum err err = read_request_parse(slice_of(data, size), &arena, &request, &why);
    assert(err == ERR_OK || ((err == ERR_INVALID || err == ERR_LIMIT) && why.text[0]));
    if (err == ERR_OK)
        ask(&request);
    arena_deinit(&arena);
    return 0;
}
