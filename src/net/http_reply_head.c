/* http_reply_head.c - status line and header fields of an answer, in one piece of arena memory. */
#include "base/assert.h"
#include "net/http_internal.h"

bool http_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

const char *http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Request Entity Too Large"},
        {414, "Request URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Requested Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Entity"},
        {425, "Too Early"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return known[i].text;
    return "Status";
}

/* ---- text without printf: this runs for every answer ---- */

struct pen {
    char *at;
};

static void put(struct pen *p, const char *text)
{
    size_t n = strlen(text);
    memcpy(p->at, text, n);
    p->at += n;
}

static void put_number(struct pen *p, uint64_t v, unsigned digits_min)
{
    char text[20];
    unsigned n = 0;
    do {
        text[sizeof text - ++n] = (char)('0' + v % 10);
        v /= 10;
    } while (v || n < digits_min);
    memcpy(p->at, text + sizeof text - n, n);
    p->at += n;
}

static void put_field(struct pen *p, const char *name, const char *value)
{
    put(p, name);
    put(p, ": ");
    put(p, value);
    put(p, "\r\n");
}

static void put_name(struct pen *p, const char *names, int64_t index)
{
    memcpy(p->at, names + index * 3, 3);
    p->at += 3;
}

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT".  Years are taken to begin in March, so that the leap day is the last. */
static void put_date(struct pen *p, int64_t ms)
{
    static const char days[] = "ThuFriSatSunMonTueWed", months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";
    int64_t seconds = ms / 1000, day = seconds / 86400, in_day = seconds % 86400;
    int64_t z = day + 719468, era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), month = (5 * doy + 2) / 153;
    put(p, "Date: ");
    put_name(p, days, day % 7);
    put(p, ", ");
    put_number(p, (uint64_t)(doy - (153 * month + 2) / 5 + 1), 2);
    put(p, " ");
    put_name(p, months, month);
    put(p, " ");
    put_number(p, (uint64_t)(yoe + era * 400 + (month >= 10)), 4);
    put(p, " ");
    put_number(p, (uint64_t)in_day / 3600, 2);
    put(p, ":");
    put_number(p, (uint64_t)in_day / 60 % 60, 2);
    put(p, ":");
    put_number(p, (uint64_t)in_day % 60, 2);
    put(p, " GMT\r\n");
}

/* ---- fields ---- */

void http_header(struct http_request *r, const char *name, const char *value)
{
    struct http_request_state *q = http_state_of(r);
    assert(!q->answer.head_sent);
    struct http_answer_field *f = ARENA_NEW(&q->arena, struct http_answer_field);
    char *clean = arena_strdup(&q->arena, slice_str(value));
    for (char *p = clean; *p; p++)
        if ((uint8_t)*p < 0x20 || *p == 0x7f)
            *p = ' '; /* a line break in a value that a client chose would let it write our headers */
    f->name = arena_strdup(&q->arena, slice_str(name));
    f->value = clean;
    *q->answer.fields_end = f;
    q->answer.fields_end = &f->next;
}

static bool has_field(const struct http_answer *a, const char *lower)
{
    for (const struct http_answer_field *f = a->fields; f; f = f->next)
        if (http_token_eq(slice_str(f->name), lower))
            return true;
    return false;
}

static bool closes(const struct http_request_state *q)
{
    return q->answer.close || http_conn_is_ending(q->conn);
}

/* Content-Length, Transfer-Encoding, Content-Encoding: how to read what follows. */
static void put_framing(struct pen *p, struct http_request_state *q, enum http_coding coding, bool has_length,
                        uint64_t length)
{
    if (!http_status_has_body(q->answer.status))
        return;
    if (!has_field(&q->answer, "content-type") && (!has_length || length))
        put_field(p, "Content-Type", "text/plain; charset=utf-8");
    if (coding != HTTP_IDENTITY)
        put_field(p, "Content-Encoding", http_coding_name(coding));
    if (q->route && !(q->route->flags & HTTP_NO_COMPRESS))
        put_field(p, "Vary", "Accept-Encoding");
    if (has_length) {
        put(p, "Content-Length: ");
        put_number(p, length, 1);
        put(p, "\r\n");
    } else if (q->answer.chunked) {
        put_field(p, "Transfer-Encoding", "chunked");
    }
}

enum { OWN_FIELDS_BYTES_MAX = 384 }; /* status line, Date, framing and Connection together, at their longest */

struct slice http_reply_head(struct http_request_state *q, enum http_coding coding, bool has_length, uint64_t length)
{
    size_t bytes = OWN_FIELDS_BYTES_MAX;
    for (const struct http_answer_field *f = q->answer.fields; f; f = f->next)
        bytes += strlen(f->name) + strlen(f->value) + 4;
    char *head = arena_alloc(&q->arena, bytes);
    struct pen p = {head};
    put(&p, "HTTP/1.1 ");
    put_number(&p, (uint64_t)q->answer.status, 3);
    put(&p, " ");
    put(&p, http_status_text(q->answer.status));
    put(&p, "\r\n");
    put_date(&p, clock_now_ms(http_server_of(q->conn)->options.clock));
    for (const struct http_answer_field *f = q->answer.fields; f; f = f->next)
        put_field(&p, f->name, f->value);
    put_framing(&p, q, coding, has_length, length);
    if (closes(q))
        put_field(&p, "Connection", "close");
    else if (q->head.minor == 0)
        put_field(&p, "Connection", "keep-alive");
    put(&p, "\r\n");
    assert((size_t)(p.at - head) <= bytes);
    return slice_of(head, (size_t)(p.at - head));
}
