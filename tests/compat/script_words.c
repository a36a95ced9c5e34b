/* script_words.c - cutting lines into words and numbers. */
#include "compat/script.h"
#include "numeric/goparse.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice script_trim(struct slice s)
{
    while (s.len && is_space(s.data[0]))
        s = slice_from(s, 1);
    while (s.len && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

struct slice script_word(struct slice *s)
{
    *s = script_trim(*s);
    size_t i = 0;
    while (i < s->len && !is_space(s->data[i]))
        i++;
    struct slice word = slice_of(s->data, i);
    *s = script_trim(slice_from(*s, i));
    return word;
}

bool script_skip(struct slice *s, const char *text)
{
    if (!slice_starts_with(*s, slice_str(text)))
        return false;
    *s = slice_from(*s, strlen(text));
    return true;
}

static size_t count_digits(struct slice s, size_t i)
{
    size_t from = i;
    while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9')
        i++;
    return i - from;
}

static size_t number_length(struct slice s)
{
    size_t i = s.len && (s.data[0] == '+' || s.data[0] == '-');
    size_t digits = count_digits(s, i), fraction = 0;
    if (s.len >= i + 3 && digits == 0) {
        const char *word = (const char *)s.data + i;
        if (strncasecmp(word, "inf", 3) == 0 || strncasecmp(word, "nan", 3) == 0)
            return i + 3;
    }
    i += digits;
    if (i < s.len && s.data[i] == '.') {
        fraction = count_digits(s, i + 1);
        i += 1 + fraction;
    }
    if (digits + fraction == 0)
        return 0;
    if (i < s.len && (s.data[i] | 0x20) == 'e') {
        size_t sign = i + 1 < s.len && (s.data[i + 1] == '+' || s.data[i + 1] == '-');
        size_t exponent = count_digits(s, i + 1 + sign);
        i += exponent ? 1 + sign + exponent : 0;
    }
    return i;
}

bool script_number(struct slice *s, double *out)
{
    size_t len = number_length(*s);
    if (len == 0 || goparse_float(slice_of(s->data, len), out, NULL) != ERR_OK)
        return false;
    *s = slice_from(*s, len);
    return true;
}

bool script_count(struct slice *s, uint64_t *out)
{
    size_t len = count_digits(*s, 0);
    if (len == 0 || goparse_uint(slice_of(s->data, len), 10, out, NULL) != ERR_OK)
        return false;
    *s = slice_from(*s, len);
    return true;
}
