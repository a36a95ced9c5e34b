/* http_head.c - request line and header fields; the contract is in http_head_internal.h. */
#include "net/http_head_internal.h"

#include "net/http_url_internal.h"

/* What a byte may be part of. */
enum { TOKEN = 1, TARGET = 2, HOST = 4 };

static const uint8_t class_of[256] =
    {
#define T TOKEN
#define U TARGET
#define A (TOKEN | TARGET)
#define H (TOKEN | TARGET | HOST)
#define J (TARGET | HOST)
        ['!'] = H,           ['"'] = U,         ['$'] = H, ['%'] = H,  ['&'] = H, ['\''] = H, ['('] = J,
        [')'] = J,           ['*'] = H,         ['+'] = H, [','] = J,  ['-'] = H, ['.'] = H,  ['/'] = U,
        ['0' ... '9'] = H,   [':'] = J,         [';'] = J, ['<'] = U,  ['='] = J, ['>'] = U,  ['?'] = U,
        ['@'] = U,           ['A' ... 'Z'] = H, ['['] = J, ['\\'] = U, [']'] = J, ['^'] = A,  ['_'] = H,
        ['`'] = A,           ['a' ... 'z'] = H, ['{'] = U, ['|'] = A,  ['}'] = U, ['~'] = H,  ['#'] = T,
        [0x80 ... 0xff] = U, /* not in the grammar, but clients send UTF-8 unescaped in queries */
#undef T
#undef U
#undef A
#undef H
#undef J
};

static bool all_of(struct slice s, unsigned class)
{
    for (size_t i = 0; i < s.len; i++)
        if (!(class_of[s.data[i]] & class))
            return false;
    return true;
}

static bool reject(struct http_reject *why, int status, const char *text)
{
    *why = (struct http_reject){status, text};
    return false;
}

static uint8_t lower_of(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool http_token_eq(struct slice s, const char *lower)
{
    size_t i = 0;
    for (; i < s.len && lower[i]; i++)
        if (lower_of(s.data[i]) != (uint8_t)lower[i])
            return false;
    return i == s.len && !lower[i];
}

/* ---- where the head ends ---- */

enum http_scan http_head_scan(struct http_head_scan *s, struct slice in, size_t bytes_max, struct http_reject *why)
{
    for (;;) {
        bool first_line = s->line == s->start;
        if (first_line && in.len > s->start && in.data[s->start] != '\r' && in.data[s->start] != '\n' &&
            !(class_of[in.data[s->start]] & TOKEN)) {
            reject(why, 400, "malformed request line"); /* at once: a TLS hello never sends a line end */
            return HTTP_SCAN_BAD;
        }
        size_t end = in.len - s->start < bytes_max ? in.len : s->start + bytes_max;
        const uint8_t *lf = s->next < end ? memchr(in.data + s->next, '\n', end - s->next) : NULL;
        if (!lf) {
            s->next = end;
            if (end - s->start < bytes_max)
                return HTTP_SCAN_MORE;
            reject(why, first_line ? 414 : 431, first_line ? "request line too long" : "header fields too large");
            return HTTP_SCAN_BAD;
        }
        size_t at = (size_t)(lf - in.data);
        if (at == s->line || in.data[at - 1] != '\r') {
            reject(why, 400, "line does not end in CRLF");
            return HTTP_SCAN_BAD;
        }
        bool blank = at - 1 == s->line;
        s->line = s->next = at + 1;
        if (blank && !first_line) {
            s->end = at + 1;
            return HTTP_SCAN_DONE;
        }
        if (!blank)
            continue;
        s->start = at + 1;
        if (++s->blank_lines > HTTP_BLANK_LINES_MAX) {
            reject(why, 400, "malformed request line");
            return HTTP_SCAN_BAD;
        }
    }
}

/* ---- request line ---- */

/* Takes the line up to CRLF off the front of `rest`; the scan has proved that there is one. */
static struct slice line_take(struct slice *rest)
{
    const uint8_t *lf = memchr(rest->data, '\n', rest->len);
    size_t n = (size_t)(lf - rest->data);
    struct slice line = slice_of(rest->data, n - 1);
    *rest = slice_from(*rest, n + 1);
    return line;
}

static enum http_method method_of(struct slice s)
{
    static const struct {
        struct slice text;
        enum http_method method;
    } known[] = {
        {{(const uint8_t *)"GET", 3}, HTTP_GET},       {{(const uint8_t *)"POST", 4}, HTTP_POST},
        {{(const uint8_t *)"HEAD", 4}, HTTP_HEAD},     {{(const uint8_t *)"PUT", 3}, HTTP_PUT},
        {{(const uint8_t *)"DELETE", 6}, HTTP_DELETE}, {{(const uint8_t *)"OPTIONS", 7}, HTTP_OPTIONS},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_eq(s, known[i].text))
            return known[i].method;
    return HTTP_OTHER;
}

static bool version_parse(struct slice s, struct http_head *h, struct http_reject *why)
{
    const uint8_t *p = s.data;
    if (s.len != 8 || memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' || p[7] > '9')
        return reject(why, 400, "malformed HTTP version");
    if (p[5] == '2')
        return reject(why, 400, "HTTP/2 is not spoken here");
    if (p[5] != '1')
        return reject(why, 505, "HTTP version not supported");
    h->minor = p[7] == '0' ? 0 : 1; /* 1.2 and later must be answerable as 1.1 (RFC 9110 2.5) */
    h->keep_alive = h->minor == 1;
    return true;
}

/* "http://authority/path" -> authority out of the front; true also for other forms (authority empty). */
static bool absolute_form_strip(struct slice *target, struct slice *authority)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (target->len < n || !http_token_eq(slice_of(target->data, n), schemes[i]))
            continue;
        struct slice rest = slice_from(*target, n);
        size_t end = 0;
        while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?')
            end++;
        *authority = slice_of(rest.data, end);
        *target = slice_from(rest, end);
        return end > 0 && all_of(*authority, HOST);
    }
    return true;
}

static bool target_parse(struct http_head *h, struct arena *arena, struct slice *authority, struct http_reject *why)
{
    struct slice rest = h->target;
    if (slice_eq_str(rest, "*")) {
        h->path = rest;
        return h->method == HTTP_OPTIONS || reject(why, 400, "malformed request target");
    }
    if (!all_of(rest, TARGET) || !absolute_form_strip(&rest, authority))
        return reject(why, 400, "malformed request target");
    const uint8_t *mark = rest.len ? memchr(rest.data, '?', rest.len) : NULL;
    struct slice raw = mark ? slice_of(rest.data, (size_t)(mark - rest.data)) : rest;
    if (mark)
        h->query = slice_from(rest, raw.len + 1);
    if (raw.len == 0 && authority->len)
        raw = SLICE_LIT("/");
    if (raw.len == 0 || raw.data[0] != '/')
        return reject(why, 400, "malformed request target");
    if (!http_path_decode(raw, arena, &h->path, &h->dot_segments))
        return reject(why, 400, "bad percent encoding");
    return true;
}

static bool request_line_parse(struct slice line, struct arena *arena, struct http_head *h, struct slice *authority,
                               struct http_reject *why)
{
    const uint8_t *end = line.data + line.len;
    const uint8_t *sp1 = memchr(line.data, ' ', line.len);
    const uint8_t *sp2 = sp1 ? memchr(sp1 + 1, ' ', (size_t)(end - sp1 - 1)) : NULL;
    if (!sp2 || sp2 == sp1 + 1)
        return reject(why, 400, "malformed request line");
    struct slice method = slice_of(line.data, (size_t)(sp1 - line.data));
    if (method.len == 0 || method.len > HTTP_METHOD_BYTES_MAX || !all_of(method, TOKEN))
        return reject(why, 400, "malformed method");
    h->method = method_of(method);
    h->target = slice_of(sp1 + 1, (size_t)(sp2 - sp1 - 1));
    if (!version_parse(slice_of(sp2 + 1, (size_t)(end - sp2 - 1)), h, why))
        return false;
    if (slice_eq_str(method, "CONNECT"))
        return reject(why, 405, "Method Not Allowed");
    return target_parse(h, arena, authority, why);
}

/* ---- header fields ---- */

static struct slice trimmed(struct slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool value_ok(struct slice s)
{
    unsigned bad = 0; /* no early exit, so that the compiler can use vectors */
    for (size_t i = 0; i < s.len; i++)
        bad |= ((unsigned)(s.data[i] < 0x20) & (unsigned)(s.data[i] != '\t')) | (unsigned)(s.data[i] == 0x7f);
    return !bad;
}

static bool field_parse(struct slice line, struct http_header_field *f, struct http_reject *why)
{
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return reject(why, 400, "line folding not supported");
    size_t n = 0;
    while (n < line.len && (class_of[line.data[n]] & TOKEN))
        n++;
    if (n == line.len || line.data[n] != ':' || n == 0) {
        bool colon = memchr(line.data, ':', line.len) != NULL;
        return reject(why, 400, colon ? "malformed header name" : "header line without colon");
    }
    f->name = slice_of(line.data, n);
    f->value = trimmed(slice_from(line, n + 1));
    return value_ok(f->value) || reject(why, 400, "control character in header value");
}

bool http_field_line_ok(struct slice line, struct http_reject *why)
{
    struct http_header_field f;
    return field_parse(line, &f, why);
}

static bool length_parse(struct slice s, uint64_t *out, struct http_reject *why)
{
    uint64_t v = 0;
    if (s.len == 0 || s.len > 18) /* 18 digits cannot overflow and are past any limit */
        return reject(why, 400, "malformed Content-Length");
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return reject(why, 400, "malformed Content-Length");
        v = v * 10 + (uint64_t)(s.data[i] - '0');
    }
    *out = v;
    return true;
}

/* Connection: a list of tokens, of which two concern us; close wins. */
static void connection_parse(struct slice value, struct http_head *h, bool *close)
{
    while (value.len) {
        const uint8_t *comma = memchr(value.data, ',', value.len);
        size_t n = comma ? (size_t)(comma - value.data) : value.len;
        struct slice token = trimmed(slice_of(value.data, n));
        if (http_token_eq(token, "close"))
            *close = true;
        else if (http_token_eq(token, "keep-alive"))
            h->keep_alive = true;
        value = comma ? slice_from(value, n + 1) : (struct slice){0};
    }
}

/* What framing and routing need, gathered while the fields go by. */
struct seen {
    struct slice host, authority; /* authority: of an absolute-form target */
    unsigned hosts, lengths, transfer_encodings;
    bool close;
};

static bool transfer_encoding_parse(struct slice value, struct http_head *h, struct seen *seen, struct http_reject *why)
{
    if (++seen->transfer_encodings > 1 || !http_token_eq(value, "chunked"))
        return reject(why, 501, "transfer coding not supported");
    h->chunked = true;
    return true;
}

static bool field_note(const struct http_header_field *f, struct http_head *h, struct seen *seen,
                       struct http_reject *why)
{
    struct slice name = f->name, value = f->value;
    switch (name.len) { /* one comparison per field at most */
    case 4:
        if (!http_token_eq(name, "host"))
            return true;
        seen->host = value;
        return ++seen->hosts == 1 || reject(why, 400, "more than one Host");
    case 6:
        if (!http_token_eq(name, "expect"))
            return true;
        h->expect_continue = true;
        return http_token_eq(value, "100-continue") || reject(why, 417, "only Expect: 100-continue is known");
    case 10:
        if (http_token_eq(name, "connection"))
            connection_parse(value, h, &seen->close);
        return true;
    case 14:
        if (!http_token_eq(name, "content-length"))
            return true;
        if (++seen->lengths > 1)
            return reject(why, 400, "more than one Content-Length");
        return length_parse(value, &h->content_length, why);
    case 15:
        if (http_token_eq(name, "accept-encoding") && !h->accept_encoding.len)
            h->accept_encoding = value;
        return true;
    case 16:
        if (!http_token_eq(name, "content-encoding"))
            return true;
        if (h->content_encoding.len)
            return reject(why, 415, "more than one Content-Encoding");
        h->content_encoding = value;
        return true;
    case 17:
        return !http_token_eq(name, "transfer-encoding") || transfer_encoding_parse(value, h, seen, why);
    default:
        return true;
    }
}

static bool host_eq(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower_of(a.data[i]) != lower_of(b.data[i]))
            return false;
    return true;
}

static bool framing_check(struct http_head *h, const struct seen *seen, struct http_reject *why)
{
    if (seen->transfer_encodings && seen->lengths)
        return reject(why, 400, "both Content-Length and Transfer-Encoding");
    if (seen->transfer_encodings && h->minor == 0)
        return reject(why, 400, "Transfer-Encoding in HTTP/1.0");
    if (!seen->hosts && h->minor == 1)
        return reject(why, 400, "missing Host");
    if (!all_of(seen->host, HOST))
        return reject(why, 400, "malformed Host");
    if (seen->authority.len && seen->hosts && !host_eq(seen->authority, seen->host))
        return reject(why, 400, "Host is not the host of the request target");
    if (seen->close)
        h->keep_alive = false;
    if (h->minor == 0)
        h->expect_continue = false; /* RFC 9110 10.1.1: ignore it from 1.0 clients */
    return true;
}

bool http_head_parse(struct slice head, struct arena *arena, struct http_head *out, struct http_reject *why)
{
    struct http_header_field fields[HTTP_HEADERS_MAX];
    struct http_head h = {0};
    struct seen seen = {0};
    struct slice rest = head;
    if (!request_line_parse(line_take(&rest), arena, &h, &seen.authority, why))
        return false;
    for (struct slice line = line_take(&rest); line.len; line = line_take(&rest)) {
        if (h.header_count == HTTP_HEADERS_MAX)
            return reject(why, 431, "too many header fields");
        struct http_header_field *f = &fields[h.header_count++];
        if (!field_parse(line, f, why) || !field_note(f, &h, &seen, why))
            return false;
    }
    if (!framing_check(&h, &seen, why))
        return false;
    size_t bytes = h.header_count * sizeof *fields;
    h.headers = arena_alloc(arena, bytes ? bytes : 1);
    memcpy(h.headers, fields, bytes);
    *out = h;
    return true;
}
