/*
 * import_text.c - a line of the text exposition formats; the contract is in import_line.h.
 *
 *     name{label="value", ...} value [time] [# exemplar]
 *
 * The name may stand in quotes inside the braces, as Prometheus 3 writes names that are not plain.
 */
#include <math.h>

#include "api/import_line.h"
#include "base/assert.h"
#include "numeric/goparse.h"

struct reader {
    const uint8_t *p, *end;
    struct import_line *line;
    struct arena *arena;
    struct errmsg *why;
};

static enum err broken(const struct reader *r, const char *what)
{
    return err_set(r->why, ERR_INVALID, "byte %zu: %s", (size_t)(r->p - r->line->text.data) + 1, what);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_space(struct reader *r)
{
    while (r->p < r->end && is_space(*r->p))
        r->p++;
}

static bool at(const struct reader *r, uint8_t c)
{
    return r->p < r->end && *r->p == c;
}

/* Up to a space, the end, or one of `stops`. */
static struct slice take_word(struct reader *r, const char *stops)
{
    const uint8_t *begin = r->p;
    while (r->p < r->end && !is_space(*r->p) && !(*r->p && strchr(stops, *r->p)))
        r->p++;
    return slice_of(begin, (size_t)(r->p - begin));
}

/* After the opening quote.  An escape becomes no longer than it was written. */
static enum err take_quoted(struct reader *r, struct slice *out)
{
    const uint8_t *begin = ++r->p;
    bool escaped = false;
    while (r->p < r->end && *r->p != '"') {
        escaped = escaped || *r->p == '\\';
        r->p += *r->p == '\\' && r->end - r->p > 1 ? 2 : 1;
    }
    if (r->p >= r->end)
        return broken(r, "a quote is not closed");
    *out = slice_of(begin, (size_t)(r->p++ - begin));
    if (!escaped)
        return ERR_OK;
    uint8_t *text = arena_alloc(r->arena, out->len + 1), *o = text;
    for (size_t i = 0; i < out->len; i++) {
        uint8_t c = out->data[i];
        if (c == '\\') {
            c = out->data[++i]; /* the loop above has seen that a byte follows */
            if (c != '\\' && c != '"' && c != 'n')
                *o++ = '\\'; /* as it stands */
            c = c == 'n' ? '\n' : c;
        }
        *o++ = c;
    }
    *out = slice_of(text, (size_t)(o - text));
    return ERR_OK;
}

static enum err add_label(struct reader *r, struct slice name, struct slice value)
{
    if (r->line->label_count == IMPORT_LABELS_MAX)
        return broken(r, "too many labels");
    r->line->labels[r->line->label_count++] = (struct ingest_label){name, value};
    return ERR_OK;
}

static enum err take_label(struct reader *r, bool *named)
{
    struct slice name, value;
    bool quoted = at(r, '"');
    if (quoted)
        TRY(take_quoted(r, &name));
    else
        name = take_word(r, "={},\"");
    skip_space(r);
    if (quoted && !at(r, '=')) {
        if (*named)
            return broken(r, "a second name");
        *named = true;
        return add_label(r, SLICE_LIT("__name__"), name);
    }
    if (!name.len || !at(r, '='))
        return broken(r, "expected label=\"value\"");
    r->p++;
    skip_space(r);
    if (!at(r, '"'))
        return broken(r, "expected a quote before the label's value");
    TRY(take_quoted(r, &value));
    return add_label(r, name, value);
}

static enum err take_labels(struct reader *r, bool *named)
{
    for (;;) {
        skip_space(r);
        if (at(r, '}')) {
            r->p++;
            return ERR_OK;
        }
        TRY(take_label(r, named));
        skip_space(r);
        if (at(r, ','))
            r->p++;
        else if (!at(r, '}'))
            return broken(r, "expected , or } after a label");
    }
}

/* Milliseconds; what would be before 25 January 1970 in them is seconds, as OpenMetrics writes them. */
static enum err take_time(struct reader *r, int64_t *ms)
{
    double t;
    const double seconds_max = 2147483648.0, ms_max = 9e15;
    if (goparse_float(take_word(r, "#"), &t, NULL) != ERR_OK || !(fabs(t) <= ms_max))
        return broken(r, "the time that ends here is neither milliseconds nor seconds");
    *ms = (int64_t)(fabs(t) < seconds_max ? round(t * 1000) : t);
    return ERR_OK;
}

enum err import_text_parse(struct import_line *line, struct slice text, int64_t now_ms, struct arena *arena,
                           struct errmsg *why)
{
    struct reader r = {text.data, text.len ? text.data + text.len : text.data, line, arena, why};
    line->text = text;
    line->label_count = 0;
    line->samples = line->taken = 0;
    line->single = true;
    line->single_ms = now_ms;
    skip_space(&r);
    if (r.p == r.end || *r.p == '#')
        return ERR_OK;
    struct slice name = take_word(&r, "{");
    bool named = name.len > 0;
    if (named)
        TRY(add_label(&r, SLICE_LIT("__name__"), name));
    skip_space(&r);
    if (at(&r, '{')) {
        r.p++;
        TRY(take_labels(&r, &named));
    }
    if (!named)
        return broken(&r, "no metric name");
    skip_space(&r);
    struct slice value = take_word(&r, "#");
    if (!value.len || goparse_float(value, &line->single_value, NULL) != ERR_OK)
        return broken(&r, "the value that ends here is no number");
    skip_space(&r);
    if (r.p < r.end && *r.p != '#')
        TRY(take_time(&r, &line->single_ms));
    skip_space(&r);
    if (r.p < r.end && *r.p != '#')
        return broken(&r, "something follows the time");
    line->samples = 1;
    return ERR_OK;
}
