/* names.c - which bytes may be names and values (Prometheus' legacy rules and UTF-8, RFC 3629). */
#include "model/label.h"

static bool name_valid(struct slice s, bool colon)
{
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

bool label_name_valid_legacy(struct slice name)
{
    return name_valid(name, false);
}

bool metric_name_valid_legacy(struct slice name)
{
    return name_valid(name, true);
}

/* Bytes of the sequence that starts at p, or 0 when it is none: overlong forms, surrogates, > U+10FFFF. */
static size_t utf8_sequence(const uint8_t *p, const uint8_t *end)
{
    uint8_t c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if ((size_t)(end - p) < n)
        return 0;
    uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    uint8_t high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return n;
}

bool utf8_valid(struct slice s)
{
    if (s.len == 0)
        return true;
    const uint8_t *p = s.data, *end = s.data + s.len;
    while (p < end) {
        if (end - p >= 8 && (le64_get(p) & UINT64_C(0x8080808080808080)) == 0) {
            p += 8;
            continue;
        }
        size_t n = utf8_sequence(p, end);
        if (!n)
            return false;
        p += n;
    }
    return true;
}
