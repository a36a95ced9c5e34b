/* ReadRequests as bytes: what is understood and what is refused. */
#include <criterion/criterion.h>

#include "api/read_internal.h"

struct parsed {
    struct arena arena;
    struct read_request request;
    struct errmsg why;
    enum err err;
};

static struct parsed parse(const char *bytes, size_t len)
{
    struct parsed p = {0};
    arena_init(&p.arena, NULL);
    p.err = read_request_parse(slice_of(bytes, len), &p.arena, &p.request, &p.why);
    return p;
}
#define PARSE(text) parse(text, sizeof(text) - 1)

Test(read_request, a_query_has_times_and_matchers)
{
    struct parsed p =
        PARSE("\x0a\x1c\x08\xe8\x07\x10\xd0\x0f\x1a\x10\x08\x01\x12\x08__name__\x1a\x02up\x22\x02\x08\x05");
    cr_assert_eq(p.err, ERR_OK, "%s", p.why.text);
    cr_assert_eq(p.request.query_count, 1);
    struct read_query *q = &p.request.queries[0];
    cr_expect_eq(q->start_ms, 1000);
    cr_expect_eq(q->end_ms, 2000);
    cr_assert_eq(q->matcher_count, 1);
    cr_expect_eq(q->matchers[0].op, MATCH_NOT_EQUAL);
    cr_expect(slice_eq_str(q->matchers[0].name, "__name__") && slice_eq_str(q->matchers[0].value, "up"));
    cr_expect(!p.request.streamed);
    arena_deinit(&p.arena);
}

Test(read_request, the_first_known_response_type_decides)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum err err;
        bool streamed;
    } cases[] = {
        {"", 0, ERR_OK, false},
        {"\x10\x01", 2, ERR_OK, true},
        {"\x10\x00", 2, ERR_OK, false},
        {"\x10\x01\x10\x00", 4, ERR_OK, true},
        {"\x10\x00\x10\x01", 4, ERR_OK, false},
        {"\x12\x02\x01\x00", 4, ERR_OK, true},
        {"\x12\x02\x07\x01", 4, ERR_OK, true},
        {"\x10\x07", 2, ERR_INVALID, false},
        {"\x12\x01\x80", 3, ERR_INVALID, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(cases[i].bytes, cases[i].len);
        cr_expect_eq(p.err, cases[i].err, "case %zu: %s", i, p.why.text);
        cr_expect_eq(p.request.streamed, cases[i].streamed, "case %zu", i);
        arena_deinit(&p.arena);
    }
}

Test(read_request, what_breaks_the_format_is_named_with_its_place)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *text;
    } cases[] = {
        {"\x0a", 1, "read request: request at byte 0: the field is cut off"},
        {"\x0a\x05\x08", 3, "read request: request at byte 0: the field is cut off"},
        {"\x08\x05", 2, "read request: request at byte 2: the field before has another type"},
        {"\x0a\x02\x1a\x7f", 4, "read request: query at byte 2: the field is cut off"},
        {"\x0a\x02\x18\x01", 4, "read request: query at byte 4: the field before has another type"},
        {"\x0a\x04\x1a\x02\x08\x04", 6, "invalid matcher type"},
        {"\x0a\x07\x1a\x05\x08\x02\x1a\x01(", 9, "error parsing regexp: missing closing ): `(`"},
        {"\x00\x00", 2, "read request: request at byte 0: no field starts here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsed p = parse(cases[i].bytes, cases[i].len);
        cr_expect_eq(p.err, ERR_INVALID, "case %zu", i);
        cr_expect_str_eq(p.why.text, cases[i].text, "case %zu: %s", i, p.why.text);
        arena_deinit(&p.arena);
    }
}

Test(read_request, matchers_and_queries_have_a_bound)
{
    struct buf many = {0};
    for (int i = 0; i <= READ_QUERIES_MAX; i++)
        buf_append(&many, "\x0a\x00", 2);
    struct parsed p = parse((const char *)many.data, many.len);
    cr_expect_eq(p.err, ERR_LIMIT);
    arena_deinit(&p.arena);
    buf_deinit(&many);
}
