/* http_url.c - paths and forms; the contract is in http_url_internal.h. */
#include "net/http_url_internal.h"

#include <stdio.h>

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of "%41" at the front of s, or -1. */
static int escape_of(struct slice s)
{
    if (s.len < 3 || hex_of(s.data[1]) < 0 || hex_of(s.data[2]) < 0)
        return -1;
    return hex_of(s.data[1]) << 4 | hex_of(s.data[2]);
}

/* Length of the UTF-8 sequence at the front of s (never overlong, a surrogate or past U+10FFFF), or 0. */
static size_t utf8_sequence(struct slice s)
{
    uint8_t c = s.data[0];
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (n == 0 || n > s.len)
        return 0;
    uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (n > 1 && (s.data[1] < low || s.data[1] > high))
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((s.data[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool http_utf8_ok(struct slice s)
{
    while (s.len) {
        size_t n = utf8_sequence(s);
        if (n == 0)
            return false;
        s = slice_from(s, n);
    }
    return true;
}

static bool has_dot_segments(struct slice path)
{
    for (size_t i = 0; i + 1 < path.len; i++) {
        if (path.data[i] != '/' || path.data[i + 1] != '.')
            continue;
        size_t end = i + 2;
        if (end < path.len && path.data[end] == '.')
            end++;
        if (end == path.len || path.data[end] == '/')
            return true;
    }
    return false;
}

bool http_path_decode(struct slice raw, struct arena *arena, struct slice *out, bool *dot_segments)
{
    uint8_t *text = arena_alloc(arena, raw.len);
    size_t n = 0;
    bool utf8 = false;
    for (size_t i = 0; i < raw.len; i++) {
        int c = raw.data[i];
        if (c == '%') {
            c = escape_of(slice_from(raw, i));
            if (c <= 0)
                return false;
            i += 2;
        }
        if (c == '/' && n > 0 && text[n - 1] == '/')
            continue;
        utf8 = utf8 || c >= 0x80;
        text[n++] = (uint8_t)c;
    }
    *out = slice_of(text, n);
    *dot_segments = has_dot_segments(*out);
    return !utf8 || http_utf8_ok(*out);
}

/* ---- forms ---- */

/* `invalid URL escape "%zz"`, quoted as Go's strconv.Quote does; at most three bytes of s are shown. */
static void escape_error(struct slice s, struct errmsg *why)
{
    struct slice shown = slice_of(s.data, s.len < 3 ? s.len : 3);
    char text[32];
    size_t n = 0;
    while (shown.len) {
        uint8_t c = shown.data[0];
        size_t sequence = utf8_sequence(shown);
        static const char names[] = "abtnvfr"; /* 7 .. 13 */
        if (c == '"' || c == '\\')
            n += (size_t)snprintf(text + n, sizeof text - n, "\\%c", c);
        else if (c >= 7 && c <= 13)
            n += (size_t)snprintf(text + n, sizeof text - n, "\\%c", names[c - 7]);
        else if (c < 0x20 || c == 0x7f || sequence == 0)
            n += (size_t)snprintf(text + n, sizeof text - n, "\\x%02x", c);
        else if (c == 0xc2 && (shown.data[1] < 0xa0 || shown.data[1] == 0xad || shown.data[1] == 0xa0))
            n += (size_t)snprintf(text + n, sizeof text - n, "\\u%04x", shown.data[1]);
        else
            n += (size_t)snprintf(text + n, sizeof text - n, "%.*s", (int)sequence, (const char *)shown.data);
        shown = slice_from(shown, sequence ? sequence : 1);
    }
    err_set(why, ERR_INVALID, "invalid URL escape \"%s\"", text);
}

static bool unescape(struct slice s, struct arena *arena, struct slice *out, struct errmsg *why)
{
    bool plain = true;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '%' && escape_of(slice_from(s, i)) < 0) {
            escape_error(slice_from(s, i), why);
            return false;
        }
        plain = plain && s.data[i] != '%' && s.data[i] != '+';
    }
    *out = s;
    if (plain)
        return true;
    uint8_t *text = arena_alloc(arena, s.len);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++, n++) {
        text[n] = s.data[i] == '+' ? ' ' : s.data[i];
        if (s.data[i] == '%') {
            text[n] = (uint8_t)escape_of(slice_from(s, i));
            i += 2;
        }
    }
    *out = slice_of(text, n);
    return true;
}

static void params_push(struct http_params *params, struct arena *arena, struct http_param p)
{
    if (params->count == params->capacity) {
        size_t capacity = params->capacity ? params->capacity * 2 : 8;
        struct http_param *list = ARENA_ARRAY(arena, struct http_param, capacity);
        if (params->count)
            memcpy(list, params->list, params->count * sizeof *list);
        params->list = list;
        params->capacity = capacity;
    }
    params->list[params->count++] = p;
}

/* One "name=value"; `why` is NULL when an earlier pair has already said what is wrong. */
static bool pair_parse(struct slice pair, struct arena *arena, struct http_params *out, struct errmsg *why)
{
    if (memchr(pair.data, ';', pair.len)) {
        err_set(why, ERR_INVALID, "invalid semicolon separator in query");
        return false;
    }
    const uint8_t *equals = memchr(pair.data, '=', pair.len);
    size_t n = equals ? (size_t)(equals - pair.data) : pair.len;
    struct slice value = equals ? slice_from(pair, n + 1) : (struct slice){0};
    struct http_param p = {0};
    if (!unescape(slice_of(pair.data, n), arena, &p.name, why) || !unescape(value, arena, &p.value, why))
        return false;
    if (out->count == HTTP_PARAMS_MAX) {
        err_set(why, ERR_LIMIT, "more than %d parameters", HTTP_PARAMS_MAX);
        return false;
    }
    params_push(out, arena, p);
    return true;
}

bool http_query_parse(struct slice text, struct arena *arena, struct http_params *out, struct errmsg *why)
{
    bool ok = true;
    while (text.len) {
        const uint8_t *amp = memchr(text.data, '&', text.len);
        size_t n = amp ? (size_t)(amp - text.data) : text.len;
        if (n && !pair_parse(slice_of(text.data, n), arena, out, ok ? why : NULL))
            ok = false;
        text = amp ? slice_from(text, n + 1) : (struct slice){0};
    }
    return ok;
}
