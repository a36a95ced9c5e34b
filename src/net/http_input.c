/*
 * http_input.c - the input buffer of a connection.
 *
 * Bytes [start, len) are unread.  While a request is being worked on its body lies before `start`, so
 * the buffer may then neither move nor grow; new input goes behind it until the room or
 * pipeline_bytes_max ends.  At all other times offsets are relative to `start` and the bytes may move.
 */
#include "base/assert.h"
#include "net/http_internal.h"

static void to_front(struct http_conn *c)
{
    if (c->start == 0)
        return;
    memmove(c->in, c->in + c->start, c->len - c->start);
    c->len -= c->start;
    c->start = 0;
}

bool http_input_reserve(struct http_conn *c, size_t capacity)
{
    assert(c->state != CONN_BUSY);
    if (capacity <= c->in_capacity) {
        if (c->in_capacity - c->start < capacity)
            to_front(c);
        return true;
    }
    struct mem_budget *budget = http_server_of(c)->options.budget;
    size_t more = capacity - c->in_capacity;
    if (budget && !mem_budget_take(budget, more))
        return false;
    if (c->in)
        to_front(c);
    uint8_t *in = mem_try_realloc(c->in, capacity);
    if (!in) {
        if (budget)
            mem_budget_give(budget, more);
        return false;
    }
    c->in = in;
    c->in_capacity = capacity;
    return true;
}

void http_input_release(struct http_conn *c)
{
    struct mem_budget *budget = http_server_of(c)->options.budget;
    if (budget && c->in_capacity)
        mem_budget_give(budget, c->in_capacity);
    mem_free(c->in);
    c->in = NULL;
    c->in_capacity = c->start = c->len = 0;
}

void http_input_consume(struct http_conn *c, size_t bytes)
{
    assert(bytes <= c->len - c->start);
    c->start += bytes;
}

/* How large the buffer may become for the body that is arriving. */
static size_t body_capacity_max(const struct http_conn *c)
{
    const struct http_request_state *q = &c->request;
    uint64_t body = q->head.chunked ? http_request_body_max(q) + HTTP_TRAILER_BYTES_MAX : q->head.content_length;
    return (size_t)body + READ_AHEAD_BYTES;
}

bool http_input_make_room(struct http_conn *c)
{
    size_t first = IN_BYTES, head = http_server_of(c)->options.header_bytes_max + READ_AHEAD_BYTES;
    if (!c->in)
        return http_input_reserve(c, first > head ? first : head);
    if (c->start == c->len)
        c->start = c->len = 0;
    if (c->in_capacity - c->len >= READ_AHEAD_BYTES)
        return true;
    to_front(c);
    if (c->len < c->in_capacity || c->state != CONN_BODY)
        return true;
    size_t most = body_capacity_max(c), twice = c->in_capacity * 2;
    return http_input_reserve(c, twice < most ? twice : most);
}

size_t http_input_room(const struct http_conn *c)
{
    size_t room = c->in_capacity - c->len;
    if (c->state != CONN_BUSY)
        return room;
    size_t ahead = c->len - c->start, max = http_server_of(c)->options.pipeline_bytes_max;
    max = ahead < max ? max - ahead : 0;
    return room < max ? room : max;
}

void http_input_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct http_conn *c = handle->data;
    (void)suggested;
    *out = uv_buf_init(NULL, 0);
    if (c->state == CONN_LINGER || c->tls)
        *out = uv_buf_init((char *)c->loop->trash, IN_BYTES);
    else if (c->state == CONN_BUSY || http_input_make_room(c))
        *out = uv_buf_init((char *)c->in + c->len, (unsigned)http_input_room(c));
}
