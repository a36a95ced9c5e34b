/* exposition.c - series as text lines; the contract is in exposition.h. */
#include "api/exposition.h"

#include "base/utf8.h"
#include "numeric/goformat.h"

static const char *const escapes[] = {"allow-utf-8", "underscores", "dots", "values"};

const char *name_escape_text(enum name_escape escape)
{
    return escapes[escape];
}

bool name_escape_parse(struct slice text, enum name_escape *out)
{
    for (unsigned i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (slice_eq_str(text, escapes[i])) {
            *out = (enum name_escape)i;
            return true;
        }
    return false;
}

static bool plain(int32_t rune, size_t at)
{
    return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') || rune == '_' || rune == ':' ||
           (rune >= '0' && rune <= '9' && at > 0);
}

static void put_escaped(struct buf *out, int32_t rune, size_t at, enum name_escape escape)
{
    if (rune == '_' && escape != ESCAPE_UNDERSCORES)
        buf_str(out, "__");
    else if (rune == '.' && escape == ESCAPE_DOTS)
        buf_str(out, "_dot_");
    else if (plain(rune, at))
        buf_u8(out, (uint8_t)rune);
    else if (escape == ESCAPE_VALUES)
        buf_printf(out, "_%x_", (unsigned)rune);
    else
        buf_str(out, escape == ESCAPE_DOTS ? "__" : "_");
}

void exposition_name(struct buf *out, struct slice name, enum name_escape escape)
{
    if (escape == ESCAPE_NOT || metric_name_valid_legacy(name)) {
        buf_slice(out, name);
        return;
    }
    if (escape == ESCAPE_VALUES)
        buf_str(out, "U__");
    for (size_t i = 0, len; i < name.len; i += len)
        put_escaped(out, utf8_decode(name.data + i, name.data + name.len, &len), i, escape);
}

static void put_inside(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '\n')
            buf_str(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_u8(out, c);
    }
}

static void put_quoted(struct buf *out, struct slice text)
{
    buf_u8(out, '"');
    put_inside(out, text);
    buf_u8(out, '"');
}

static bool quoted(struct slice metric, enum name_escape escape)
{
    return escape == ESCAPE_NOT && !metric_name_valid_legacy(metric);
}

void exposition_type_name(struct buf *out, struct slice metric, enum name_escape escape)
{
    if (quoted(metric, escape))
        put_quoted(out, metric);
    else
        exposition_name(out, metric, escape);
}

static void put_label_name(struct buf *out, struct slice name, enum name_escape escape)
{
    if (escape == ESCAPE_NOT && !label_name_valid_legacy(name))
        put_quoted(out, name);
    else
        exposition_name(out, name, escape);
}

void exposition_series(struct buf *out, const struct labels *l, enum name_escape escape, bool instance,
                       struct exposition_part part)
{
    const char *suffix = part.suffix ? part.suffix : "";
    struct slice metric = labels_name(l);
    const char *between = "{";
    if (!quoted(metric, escape)) {
        exposition_name(out, metric, escape);
        buf_str(out, suffix);
    } else {
        buf_str(out, "{\"");
        put_inside(out, metric);
        buf_printf(out, "%s\"", suffix);
        between = ",";
    }
    for (uint32_t i = 0; i < l->count; i++) {
        if (slice_eq_str(l->list[i]->name, METRIC_NAME))
            continue;
        buf_str(out, between);
        put_label_name(out, l->list[i]->name, escape);
        buf_u8(out, '=');
        put_quoted(out, l->list[i]->value);
        between = ",";
    }
    if (instance && !labels_find(l, SLICE_LIT("instance"))) {
        buf_printf(out, "%sinstance=\"\"", between);
        between = ",";
    }
    if (part.le) {
        buf_printf(out, "%sle=\"", between);
        exposition_value(out, *part.le);
        buf_u8(out, '"');
        between = ",";
    }
    if (*between == ',')
        buf_u8(out, '}');
}

void exposition_value(struct buf *out, double v)
{
    goformat_append(out, v == 0 ? 0 : v, 'g', -1); /* Prometheus' text has no -0 */
}
