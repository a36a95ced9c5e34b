/*
 * import_line.c - JSON of one line; the contract is in import_line.h.
 *
 * The first pass checks form, strings and nesting and counts the arrays' elements; numbers are read one
 * by one in the second, so that a line of a million samples needs no memory of its own.
 */
#include "api/import_line.h"

#include <math.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "model/value.h"
#include "numeric/goparse.h"

struct json {
    const uint8_t *p, *end;
    const struct import_line *line;
    struct arena *arena;
    struct errmsg *why;
};

static enum err broken(const struct json *j, const char *what)
{
    return err_set(j->why, ERR_INVALID, "byte %zu: %s", (size_t)(j->p - j->line->text.data) + 1, what);
}

static void skip_space(struct json *j)
{
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\r' || *j->p == '\n'))
        j->p++;
}

static bool take(struct json *j, uint8_t c)
{
    skip_space(j);
    if (j->p == j->end || *j->p != c)
        return false;
    j->p++;
    return true;
}

/* ---- strings ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four digits at p; -1 when they are none. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static bool is_high(int32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low(int32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* \uXXXX, or two of them; lone halves become U+FFFD.  p stands behind the u.  NULL: no such digits. */
static const uint8_t *take_rune(const uint8_t *p, const uint8_t *end, uint8_t **out)
{
    int32_t unit = hex4(p, end);
    if (unit < 0)
        return NULL;
    p += 4;
    if (is_high(unit) && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && is_low(hex4(p + 2, end))) {
        unit = 0x10000 + ((unit - 0xd800) << 10) + (hex4(p + 2, end) - 0xdc00);
        p += 6;
    } else if (is_high(unit) || is_low(unit)) {
        unit = 0xfffd;
    }
    *out += utf8_encode(*out, unit);
    return p;
}

/* An escape becomes no longer than it was written, so a buffer of raw.len is enough. */
static enum err unescape(struct json *j, struct slice raw, struct slice *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t *text = arena_alloc(j->arena, raw.len + 1), *o = text;
    const uint8_t *p = raw.data, *end = p + raw.len;
    while (p < end) {
        if (*p != '\\') {
            *o++ = *p++;
            continue;
        }
        const char *known = p[1] ? strchr(from, p[1]) : NULL; /* the first pass has seen that a byte follows */
        if (known) {
            *o++ = (uint8_t)to[known - from];
            p += 2;
        } else if (p[1] != 'u' || !(p = take_rune(p + 2, end, &o))) {
            return broken(j, "bad escape in the string that ends here");
        }
    }
    *out = slice_of(text, (size_t)(o - text));
    return ERR_OK;
}

static enum err take_string(struct json *j, struct slice *out)
{
    bool escaped = false;
    if (!take(j, '"'))
        return broken(j, "expected a string");
    const uint8_t *start = j->p;
    for (; j->p < j->end && *j->p != '"'; j->p++) {
        if (*j->p < 0x20)
            return broken(j, "control character in a string");
        if (*j->p == '\\') {
            escaped = true;
            j->p++;
        }
    }
    if (j->p >= j->end) {
        j->p = j->end;
        return broken(j, "string without end");
    }
    *out = slice_of(start, (size_t)(j->p - start));
    j->p++;
    return escaped ? unescape(j, *out, out) : ERR_OK;
}

/* ---- first pass ---- */

static bool is_scalar(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
           c == '.';
}

/* A number or a word: which, is seen where it is used. */
static enum err skip_scalar(struct json *j)
{
    const uint8_t *start = j->p;
    while (j->p < j->end && is_scalar(*j->p))
        j->p++;
    return j->p > start ? ERR_OK : broken(j, "expected a value");
}

/* A value of any kind.  Objects and arrays hold commas and colons alike: who sends other keys is not judged. */
static enum err skip_value(struct json *j)
{
    unsigned depth = 0;
    struct slice unused;
    do {
        skip_space(j);
        if (j->p == j->end)
            return broken(j, "the line ends within a value");
        uint8_t c = *j->p;
        if (c == '"') {
            TRY(take_string(j, &unused));
        } else if (c == '{' || c == '[') {
            j->p++;
            if (++depth > IMPORT_DEPTH_MAX)
                return broken(j, "nested too deeply");
        } else if ((c == '}' || c == ']') && depth) {
            j->p++;
            depth--;
        } else if ((c == ',' || c == ':') && depth) {
            j->p++;
        } else {
            TRY(skip_scalar(j));
        }
    } while (depth);
    return ERR_OK;
}

/* [x, y, ...] of scalars and strings: where the first stands, how many. */
static enum err count_array(struct json *j, const uint8_t **first, uint64_t *count)
{
    struct slice unused;
    *count = 0;
    if (!take(j, '['))
        return broken(j, "expected an array");
    *first = j->p;
    if (take(j, ']'))
        return ERR_OK;
    do {
        skip_space(j);
        TRY(j->p < j->end && *j->p == '"' ? take_string(j, &unused) : skip_scalar(j));
        ++*count;
    } while (take(j, ','));
    return take(j, ']') ? ERR_OK : broken(j, "expected , or ] in an array");
}

static enum err take_labels(struct json *j, struct import_line *line)
{
    if (line->label_count)
        return broken(j, "metric twice");
    if (!take(j, '{'))
        return broken(j, "expected an object of labels");
    if (take(j, '}'))
        return ERR_OK;
    do {
        if (line->label_count == IMPORT_LABELS_MAX)
            return broken(j, "too many labels");
        struct ingest_label *label = &line->labels[line->label_count++];
        TRY(take_string(j, &label->name));
        if (!take(j, ':'))
            return broken(j, "expected : after a label's name");
        TRY(take_string(j, &label->value));
    } while (take(j, ','));
    return take(j, '}') ? ERR_OK : broken(j, "expected , or } among labels");
}

static enum err take_member(struct json *j, struct import_line *line, uint64_t *values, uint64_t *times)
{
    struct slice key;
    TRY(take_string(j, &key));
    if (!take(j, ':'))
        return broken(j, "expected : after a key");
    if (slice_eq_str(key, "metric"))
        return take_labels(j, line);
    if (slice_eq_str(key, "values"))
        return line->value ? broken(j, "values twice") : count_array(j, &line->value, values);
    if (slice_eq_str(key, "timestamps"))
        return line->time ? broken(j, "timestamps twice") : count_array(j, &line->time, times);
    return skip_value(j);
}

enum err import_line_parse(struct import_line *line, struct slice text, struct arena *arena, struct errmsg *why)
{
    uint64_t values = 0, times = 0;
    struct json j = {text.data, text.len ? text.data + text.len : text.data, line, arena, why};
    line->text = text;
    line->label_count = 0;
    line->samples = line->taken = 0;
    line->value = line->time = NULL;
    line->single = false;
    if (!text.len || !take(&j, '{'))
        return broken(&j, "expected {");
    do
        TRY(take_member(&j, line, &values, &times));
    while (take(&j, ','));
    if (!take(&j, '}'))
        return broken(&j, "expected , or }");
    skip_space(&j);
    if (j.p != j.end)
        return broken(&j, "something follows the object");
    if (!line->label_count)
        return broken(&j, "no labels in metric");
    if (values != times)
        return err_set(why, ERR_INVALID, "%llu values for %llu timestamps", (unsigned long long)values,
                       (unsigned long long)times);
    line->samples = values;
    return ERR_OK;
}

/* ---- second pass ---- */

static struct slice scalar_at(struct json *j)
{
    const uint8_t *start = j->p;
    while (j->p < j->end && is_scalar(*j->p))
        j->p++;
    return slice_of(start, (size_t)(j->p - start));
}

/* JSON's numbers are Go's but for what Go takes beside them. */
static bool is_number(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((s.data[i] < '0' || s.data[i] > '9') && !strchr("+-.eE", s.data[i]))
            return false;
    return s.len > 0;
}

static enum err take_value(struct json *j, double *value)
{
    struct slice text;
    skip_space(j);
    if (*j->p == '"') {
        TRY(take_string(j, &text));
        if (goparse_float(text, value, NULL) != ERR_OK || isfinite(*value))
            return broken(j, "a value in quotes is Infinity, -Infinity or NaN");
        return ERR_OK;
    }
    text = scalar_at(j);
    if (slice_eq_str(text, "null") || slice_eq_str(text, "NaN")) {
        *value = f64_from_bits(STALE_NAN_BITS);
        return ERR_OK;
    }
    if (slice_eq_str(text, "+Inf") || slice_eq_str(text, "-Inf")) {
        *value = text.data[0] == '-' ? -INFINITY : INFINITY;
        return ERR_OK;
    }
    if (!is_number(text) || goparse_float(text, value, NULL) != ERR_OK)
        return broken(j, "the value that ends here is no number");
    return ERR_OK;
}

static enum err take_time(struct json *j, int64_t *t_ms)
{
    skip_space(j);
    struct slice text = scalar_at(j);
    if (goparse_int(text, 10, t_ms, NULL) != ERR_OK)
        return broken(j, "the timestamp that ends here is not whole milliseconds");
    return ERR_OK;
}

enum err import_line_next(struct import_line *line, int64_t *t_ms, double *value, struct errmsg *why)
{
    if (line->single) {
        *t_ms = line->single_ms;
        *value = line->single_value;
        line->taken++;
        return ERR_OK;
    }
    const uint8_t *end = line->text.data + line->text.len;
    struct arena scratch; /* nothing that is taken here has room to be long: only quoted values with escapes */
    assert(line->taken < line->samples);
    arena_init(&scratch, NULL);
    struct json values = {line->value, end, line, &scratch, why}, times = {line->time, end, line, &scratch, why};
    enum err err = take_value(&values, value);
    if (err == ERR_OK)
        err = take_time(&times, t_ms);
    arena_deinit(&scratch);
    TRY(err);
    line->taken++;
    if (line->taken < line->samples) { /* the first pass has seen the commas */
        bool more = take(&values, ',') && take(&times, ',');
        assert(more);
    }
    line->value = values.p;
    line->time = times.p;
    return ERR_OK;
}
