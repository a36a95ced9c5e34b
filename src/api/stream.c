/* stream.c - see stream.h. */
#include "api/stream.h"

enum err stream_flush(struct stream *s)
{
    if (s->out.len < ANSWER_PIECE_BYTES)
        return ERR_OK;
    if (!s->begun) {
        http_header(s->r, "Content-Type", s->content_type);
        http_begin(s->r, 200);
        s->begun = true;
    }
    enum err err = http_write(s->r, s->out.data, s->out.len);
    buf_reset(&s->out);
    return err;
}

static int status_of(enum err err)
{
    switch (err) {
    case ERR_INVALID:
        return 400;
    case ERR_LIMIT:
    case ERR_NO_MEMORY:
    case ERR_UNSUPPORTED:
        return 422;
    case ERR_TIMEOUT:
        return 503;
    default:
        return 500;
    }
}

void stream_end(struct stream *stream, enum err err, const struct errmsg *why)
{
    struct stream s = *stream; /* whose own memory may be the request's: gone with the last byte of the answer */
    if (err == ERR_OK && s.begun)
        err = http_write(s.r, s.out.data, s.out.len);
    if (s.begun && (err == ERR_OK || err == ERR_CANCELED)) {
        http_end(s.r); /* also when the client has left */
    } else if (s.begun) {
        http_abort(s.r);
    } else if (err == ERR_OK) {
        http_header(s.r, "Content-Type", s.content_type);
        http_respond(s.r, 200, buf_view(&s.out));
    } else {
        api_text(s.r, status_of(err), arena_printf(s.r->arena, "%s\n", why->text));
    }
    buf_deinit(&s.out);
}
