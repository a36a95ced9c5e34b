/*
 * negotiate.c - which text form a client wants, from its Accept header.
 *
 * A Prometheus sends several types with weights; the one with the largest q that we can write wins,
 * the earlier one among equals.  Whatever is not understood gets the plain text form, as scrapers expect.
 */
#include <stdlib.h>
#include <strings.h>

#include "metrics/metrics.h"

static struct slice trim(struct slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Takes the part before the next separator off the front, trimmed. */
static struct slice take(struct slice *s, char separator)
{
    const uint8_t *at = s->len ? memchr(s->data, separator, s->len) : NULL;
    struct slice part = slice_of(s->data, at ? (size_t)(at - s->data) : s->len);
    *s = slice_from(*s, part.len + (at != NULL));
    return trim(part);
}

static bool eq_nocase(struct slice a, const char *b)
{
    return a.len == strlen(b) && (a.len == 0 || !strncasecmp((const char *)a.data, b, a.len));
}

static double weight_of(struct slice text)
{
    char digits[8] = "";
    if (text.len == 0 || text.len >= sizeof digits)
        return 0;
    memcpy(digits, text.data, text.len);
    double q = strtod(digits, NULL);
    return q >= 0 && q <= 1 ? q : 0;
}

struct offer {
    struct slice type, version;
    double weight;
};

static struct offer offer_parse(struct slice text)
{
    struct offer o = {.type = take(&text, ';'), .weight = 1};
    while (text.len) {
        struct slice parameter = take(&text, ';');
        struct slice name = take(&parameter, '=');
        if (eq_nocase(name, "q"))
            o.weight = weight_of(trim(parameter));
        else if (eq_nocase(name, "version"))
            o.version = trim(parameter);
    }
    return o;
}

enum metrics_format metrics_negotiate(struct slice accept)
{
    enum metrics_format best = METRICS_TEXT;
    double best_weight = 0;
    while (accept.len) {
        struct offer o = offer_parse(take(&accept, ','));
        bool version_1 = o.version.len == 0 || slice_eq_str(o.version, "1.0.0") || slice_eq_str(o.version, "0.0.1");
        bool open = eq_nocase(o.type, "application/openmetrics-text") && version_1;
        bool text = eq_nocase(o.type, "text/plain") || eq_nocase(o.type, "text/*") || eq_nocase(o.type, "*/*");
        if ((!open && !text) || o.weight <= best_weight)
            continue;
        best = open ? METRICS_OPENMETRICS : METRICS_TEXT;
        best_weight = o.weight;
    }
    return best;
}

const char *metrics_content_type(enum metrics_format format)
{
    return format == METRICS_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                         : "text/plain; version=0.0.4; charset=utf-8";
}
