/*
 * read_request.c - a ReadRequest of remote read:
 *
 *     ReadRequest  { repeated Query queries = 1; repeated enum accepted_response_types = 2; }
 *     Query        { int64 start_timestamp_ms = 1; int64 end_timestamp_ms = 2;
 *                    repeated LabelMatcher matchers = 3; ReadHints hints = 4; }
 *     LabelMatcher { enum type = 1; string name = 2; string value = 3; }
 *
 * Hints would let a storage answer less than was asked; they are not looked at.
 */
#include "api/read_internal.h"
#include "base/wire.h"
#include "regex/regex.h"

enum { SAMPLES = 0, STREAMED_XOR_CHUNKS = 1 };

/* One field of a message, whatever its kind. */
struct field {
    uint32_t number, type; /* type: enum wire_type */
    uint64_t v;            /* of a varint */
    struct slice bytes;    /* of a string, message or packed list */
};

struct message {
    const uint8_t *start, *p, *end; /* start: of the whole request, for positions */
    const char *what;
    struct errmsg *why;
};

static enum err broken(const struct message *m, const char *reason)
{
    return err_set(m->why, ERR_INVALID, "read request: %s at byte %zu: %s", m->what, (size_t)(m->p - m->start), reason);
}

/* The next field; its number is 0 at the end. */
static enum err next(struct message *m, struct field *f)
{
    uint32_t tag;
    *f = (struct field){0};
    if (m->p == m->end)
        return ERR_OK;
    const uint8_t *p = wire_tag(m->p, m->end, &tag);
    if (!p)
        return broken(m, "no field starts here");
    f->number = tag >> 3;
    f->type = tag & 7;
    if (f->type == WIRE_VARINT)
        p = varint_get(p, m->end, &f->v);
    else if (f->type == WIRE_BYTES)
        p = wire_bytes(p, m->end, &f->bytes);
    else
        p = wire_skip(p, m->end, tag);
    if (!p)
        return broken(m, "the field is cut off");
    m->p = p;
    return ERR_OK;
}

static struct message inner(const struct message *m, struct slice bytes, const char *what)
{
    return (struct message){m->start, bytes.data, bytes.data + bytes.len, what, m->why};
}

static enum err expect(const struct message *m, const struct field *f, uint32_t type)
{
    return f->type == type ? ERR_OK : broken(m, "the field before has another type");
}

static enum err compile(struct matcher *m, struct arena *arena, struct errmsg *why)
{
    if (m->op != MATCH_REGEX && m->op != MATCH_NOT_REGEX)
        return ERR_OK;
    return regex_compile(m->value, arena, 0, &m->regex, why);
}

static enum err parse_matcher(struct message m, struct arena *arena, struct matcher *out)
{
    static const enum match_op ops[] = {MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX, MATCH_NOT_REGEX};
    struct field f;
    uint64_t type = 0;
    for (;;) {
        TRY(next(&m, &f));
        if (!f.number)
            break;
        if (f.number <= 3)
            TRY(expect(&m, &f, f.number == 1 ? WIRE_VARINT : WIRE_BYTES));
        if (f.number == 1)
            type = f.v;
        else if (f.number == 2)
            out->name = f.bytes;
        else if (f.number == 3)
            out->value = f.bytes;
    }
    if (type >= sizeof ops / sizeof *ops)
        return err_set(m.why, ERR_INVALID, "invalid matcher type");
    out->op = ops[type];
    return compile(out, arena, m.why);
}

static enum err count_fields(struct message m, uint32_t number, uint32_t most, uint32_t *count)
{
    struct field f;
    *count = 0;
    for (;;) {
        TRY(next(&m, &f));
        if (!f.number)
            return ERR_OK;
        *count += f.number == number;
        if (*count > most)
            return err_set(m.why, ERR_LIMIT, "read request: more than %u parts in a %s", most, m.what);
    }
}

static enum err parse_query(struct message m, struct arena *arena, uint32_t *matchers_left, struct read_query *out)
{
    struct field f;
    uint32_t count;
    TRY(count_fields(m, 3, *matchers_left, &count));
    *matchers_left -= count;
    out->matchers = ARENA_ARRAY(arena, struct matcher, count ? count : 1);
    for (;;) {
        TRY(next(&m, &f));
        if (!f.number)
            return ERR_OK;
        if (f.number <= 3)
            TRY(expect(&m, &f, f.number == 3 ? WIRE_BYTES : WIRE_VARINT));
        if (f.number == 1)
            out->start_ms = (int64_t)f.v;
        else if (f.number == 2)
            out->end_ms = (int64_t)f.v;
        else if (f.number == 3)
            TRY(parse_matcher(inner(&m, f.bytes, "matcher"), arena, &out->matchers[out->matcher_count++]));
    }
}

/* The first type that we know decides. */
struct choice {
    bool any, made, streamed;
};

static void choose(struct choice *c, uint64_t type)
{
    c->any = true;
    if (c->made || (type != SAMPLES && type != STREAMED_XOR_CHUNKS))
        return;
    c->made = true;
    c->streamed = type == STREAMED_XOR_CHUNKS;
}

/* One type, or a packed list of them. */
static enum err take_types(const struct message *m, const struct field *f, struct choice *choice)
{
    if (f->type == WIRE_VARINT) {
        choose(choice, f->v);
        return ERR_OK;
    }
    TRY(expect(m, f, WIRE_BYTES));
    const uint8_t *p = f->bytes.data, *end = p + f->bytes.len;
    while (p < end) {
        uint64_t type;
        if (!(p = varint_get(p, end, &type)))
            return broken(m, "a response type is cut off");
        choose(choice, type);
    }
    return ERR_OK;
}

static enum err parse_all(struct message m, struct arena *arena, struct read_request *out, struct choice *choice)
{
    struct field f;
    uint32_t matchers_left = READ_MATCHERS_MAX;
    for (;;) {
        TRY(next(&m, &f));
        if (!f.number)
            return ERR_OK;
        if (f.number == 1) {
            TRY(expect(&m, &f, WIRE_BYTES));
            TRY(parse_query(inner(&m, f.bytes, "query"), arena, &matchers_left, &out->queries[out->query_count++]));
        } else if (f.number == 2) {
            TRY(take_types(&m, &f, choice));
        }
    }
}

enum err read_request_parse(struct slice body, struct arena *arena, struct read_request *out, struct errmsg *why)
{
    struct message m = {body.data, body.data, body.data + body.len, "request", why};
    struct choice choice = {0};
    uint32_t count;
    *out = (struct read_request){0};
    if (!body.len)
        return ERR_OK;
    TRY(count_fields(m, 1, READ_QUERIES_MAX, &count));
    out->queries = ARENA_ARRAY(arena, struct read_query, count ? count : 1);
    TRY(parse_all(m, arena, out, &choice));
    if (choice.any && !choice.made)
        return err_set(why, ERR_INVALID,
                       "server does not support any of the requested response types; supported: SAMPLES, "
                       "STREAMED_XOR_CHUNKS");
    out->streamed = choice.streamed;
    return ERR_OK;
}
