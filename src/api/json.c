/*
 * json.c - JSON text with Prometheus' bytes.
 *
 * Two ways to write a string, as two encoders are at work there: label sets escape only what JSON asks
 * for, everything else (names, errors, warnings) also < > & and the two Unicode line separators.
 */
#include <math.h>

#include "api/api_internal.h"
#include "base/bytes.h"
#include "histogram/histogram.h"
#include "numeric/goformat.h"

static const char hex[] = "0123456789abcdef";

static void escape_ascii(struct buf *out, uint8_t byte)
{
    switch (byte) {
    case '"':
    case '\\':
        buf_printf(out, "\\%c", byte);
        break;
    case '\n':
        buf_str(out, "\\n");
        break;
    case '\r':
        buf_str(out, "\\r");
        break;
    case '\t':
        buf_str(out, "\\t");
        break;
    default:
        buf_str(out, "\\u00");
        buf_u8(out, (uint8_t)hex[byte >> 4]);
        buf_u8(out, (uint8_t)hex[byte & 15]);
    }
}

/* Whether all eight bytes may stand as they are: from 0x20 on, no quote, no backslash (exact; bytes >= 0x80 are fine).
 */
static inline bool eight_plain(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
    uint64_t quote = v ^ (ones * '"'), backslash = v ^ (ones * '\\');
    uint64_t below_space = (v - ones * 0x20) & ~v, is_quote = (quote - ones) & ~quote,
             is_backslash = (backslash - ones) & ~backslash;
    return ((below_space | is_quote | is_backslash) & tops) == 0;
}

static inline bool plain(uint8_t byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\';
}

/* How many bytes at the front may stand as they are. */
static size_t plain_run(struct slice s)
{
    size_t n = 0;
    while (n + 8 <= s.len && eight_plain(le64_get(s.data + n)))
        n += 8;
    while (n < s.len && plain(s.data[n]))
        n++;
    return n;
}

void json_string(struct buf *out, struct slice s)
{
    uint8_t *p = buf_reserve(out, s.len + 2);
    if (p && plain_run(s) == s.len) { /* nearly always */
        p[0] = '"';
        memcpy(p + 1, s.len ? s.data : p, s.len);
        p[s.len + 1] = '"';
        out->len += s.len + 2;
        return;
    }
    buf_u8(out, '"');
    for (;;) {
        size_t n = plain_run(s);
        buf_append(out, s.data, n);
        if (n == s.len)
            break;
        escape_ascii(out, s.data[n]);
        s = slice_from(s, n + 1);
    }
    buf_u8(out, '"');
}

/* Length of the UTF-8 sequence at the front, 0 when it is broken (overlong, surrogate, cut off). */
static size_t utf8_length(struct slice s)
{
    uint8_t first = s.data[0];
    size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    return n && n <= s.len && utf8_valid(slice_of(s.data, n)) ? n : 0;
}

static size_t html_run(struct slice s)
{
    size_t n = 0;
    while (n < s.len && s.data[n] < 0x80 && plain(s.data[n]) && s.data[n] != '<' && s.data[n] != '>' &&
           s.data[n] != '&')
        n++;
    return n;
}

void json_string_html(struct buf *out, struct slice s)
{
    static const struct slice line = SLICE_LIT("\xe2\x80\xa8"), paragraph = SLICE_LIT("\xe2\x80\xa9");
    buf_u8(out, '"');
    while (s.len) {
        size_t run = html_run(s);
        buf_append(out, s.data, run);
        s = slice_from(s, run);
        if (!s.len)
            break;
        size_t n = utf8_length(s);
        uint8_t byte = s.data[0];
        if (n == 0)
            buf_str(out, "\\ufffd");
        else if (n == 1 && (byte < 0x20 || strchr("\"\\<>&", byte)))
            escape_ascii(out, byte);
        else if (n == 3 && (slice_starts_with(s, line) || slice_starts_with(s, paragraph)))
            buf_printf(out, "\\u202%c", s.data[2] == 0xa8 ? '8' : '9');
        else
            buf_append(out, s.data, n);
        s = slice_from(s, n ? n : 1);
    }
    buf_u8(out, '"');
}

void json_labels(struct buf *out, const struct labels *l)
{
    buf_u8(out, '{');
    for (uint32_t i = 0; i < l->count; i++) {
        if (i)
            buf_u8(out, ',');
        json_string(out, l->list[i]->name);
        buf_u8(out, ':');
        json_string(out, l->list[i]->value);
    }
    buf_u8(out, '}');
}

void json_float(struct buf *out, double v)
{
    uint8_t *p = buf_reserve(out, GOFORMAT_BYTES_MAX + 2);
    if (!p)
        return;
    p[0] = '"';
    size_t n = goformat_json((char *)p + 1, v);
    p[n + 1] = '"';
    out->len += n + 2;
}

void json_seconds(struct buf *out, int64_t ms)
{
    uint8_t *p = buf_reserve(out, GOFORMAT_BYTES_MAX);
    if (p)
        out->len += goformat_seconds((char *)p, ms);
}

void json_number(struct buf *out, double v)
{
    double size = fabs(v);
    bool exponent = size != 0 && (size < 1e-6 || size >= 1e21);
    char text[GOFORMAT_BYTES_MAX];
    size_t n = goformat_float(text, v, exponent ? 'e' : 'f', -1);
    if (exponent && n >= 4 && text[n - 4] == 'e' && text[n - 3] == '-' && text[n - 2] == '0') {
        text[n - 2] = text[n - 1]; /* e-09 is written e-9 here */
        n--;
    }
    buf_append(out, text, n);
}

static int boundary_rule(const struct histogram_bucket *b)
{
    if (b->lower_inclusive)
        return b->upper_inclusive ? 3 : 1;
    return b->upper_inclusive ? 0 : 2;
}

static void json_bucket(struct buf *out, const struct histogram_bucket *b)
{
    buf_printf(out, "[%d,", boundary_rule(b));
    json_float(out, b->lower);
    buf_u8(out, ',');
    json_float(out, b->upper);
    buf_u8(out, ',');
    json_float(out, b->count);
    buf_u8(out, ']');
}

void json_histogram(struct buf *out, const struct histogram *h)
{
    struct histogram_iter it;
    bool any = false;
    buf_str(out, "{\"count\":");
    json_float(out, h->count);
    buf_str(out, ",\"sum\":");
    json_float(out, h->sum);
    histogram_iter_init(&it, h, HISTOGRAM_ALL);
    while (histogram_next(&it)) {
        if (it.bucket.count == 0)
            continue;
        buf_str(out, any ? "," : ",\"buckets\":[");
        json_bucket(out, &it.bucket);
        any = true;
    }
    buf_str(out, any ? "]}" : "}");
}

void json_texts(struct buf *out, const char *key, struct texts texts)
{
    if (!texts.count)
        return;
    buf_printf(out, ",\"%s\":[", key);
    for (uint32_t i = 0; i < texts.count; i++) {
        if (i)
            buf_u8(out, ',');
        json_string_html(out, slice_str(texts.list[i]));
    }
    buf_u8(out, ']');
}
