/*
 * export_csv.c - exports as CSV: one line per sample, columns as `format` names them.
 *
 *     __name__, __value__, __timestamp__[:unix_s|unix_ms|unix_ns|rfc3339|custom:<layout>], or a label
 *
 * A custom layout is one of Go's time package: numbers of its reference date (2006-01-02T15:04:05.000)
 * stand for fields; here digits of a date and time in UTC, no names of months, days or zones.
 */
#include "api/export_internal.h"
#include "numeric/timetext.h"

enum column_kind { COLUMN_LABEL, COLUMN_VALUE, COLUMN_S, COLUMN_MS, COLUMN_NS, COLUMN_RFC3339, COLUMN_CUSTOM };
enum { COLUMNS_MAX = 1000 };

struct csv_column {
    enum column_kind kind;
    struct slice text; /* name of a label, or a layout */
};

static enum err parse_time(struct slice form, struct csv_column *out, struct errmsg *why)
{
    static const struct slice custom = SLICE_LIT("custom:");
    static const struct {
        const char *name;
        enum column_kind kind;
    } forms[] = {{"", COLUMN_MS},
                 {"unix_s", COLUMN_S},
                 {"unix_ms", COLUMN_MS},
                 {"unix_ns", COLUMN_NS},
                 {"rfc3339", COLUMN_RFC3339}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (slice_eq_str(form, forms[i].name)) {
            out->kind = forms[i].kind;
            return ERR_OK;
        }
    if (!slice_starts_with(form, custom))
        return err_set(why, ERR_INVALID, "unsupported time format \"%.*s\"", SLICE_ARG(form));
    *out = (struct csv_column){COLUMN_CUSTOM, slice_from(form, custom.len)};
    return ERR_OK;
}

static enum err parse_column(struct slice text, struct csv_column *out, struct errmsg *why)
{
    static const struct slice time = SLICE_LIT("__timestamp__");
    *out = (struct csv_column){COLUMN_LABEL, text};
    if (slice_eq_str(text, "__value__"))
        out->kind = COLUMN_VALUE;
    else if (slice_eq(text, time))
        out->kind = COLUMN_MS;
    else if (slice_starts_with(text, time) && text.data[time.len] == ':')
        return parse_time(slice_from(text, time.len + 1), out, why);
    return ERR_OK;
}

enum err export_csv_columns(struct export *e, struct slice format, struct errmsg *why)
{
    uint32_t count = 1;
    if (!format.len)
        return err_set(why, ERR_INVALID, "missing `format` arg");
    for (size_t i = 0; i < format.len; i++)
        count += format.data[i] == ',' && count <= COLUMNS_MAX;
    if (count > COLUMNS_MAX)
        return err_set(why, ERR_INVALID, "more than %d columns", COLUMNS_MAX);
    e->columns = ARENA_ARRAY(e->stream.r->arena, struct csv_column, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *comma = format.len ? memchr(format.data, ',', format.len) : NULL;
        size_t len = comma ? (size_t)(comma - format.data) : format.len;
        TRY(parse_column(slice_of(format.data, len), &e->columns[i], why));
        format = slice_from(format, len + (comma != NULL));
    }
    e->column_count = count;
    return ERR_OK;
}

/* ---- one field ---- */

/* In quotes when it has to be, quotes doubled. */
static void put_text(struct buf *out, struct slice s)
{
    bool plain = true;
    for (size_t i = 0; i < s.len && plain; i++)
        plain = s.data[i] != '"' && s.data[i] != ',' && s.data[i] != '\n' && s.data[i] != '\r';
    if (plain) {
        buf_slice(out, s);
        return;
    }
    buf_u8(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '"')
            buf_u8(out, '"');
        buf_u8(out, s.data[i]);
    }
    buf_u8(out, '"');
}

static bool take(struct slice *layout, const char *field)
{
    if (!slice_starts_with(*layout, slice_str(field)))
        return false;
    *layout = slice_from(*layout, strlen(field));
    return true;
}

/* .000 keeps its zeros, .999 drops them at the end. */
static bool put_fraction(struct buf *out, struct slice *layout, int milliseconds)
{
    size_t digits = 1;
    if (layout->len < 2 || layout->data[0] != '.' || (layout->data[1] != '0' && layout->data[1] != '9'))
        return false;
    uint8_t kind = layout->data[1];
    while (digits < layout->len && layout->data[digits] == kind)
        digits++;
    if (digits < layout->len && layout->data[digits] >= '0' && layout->data[digits] <= '9')
        return false; /* ".01" is a point and a month */
    char text[] = ".000000000";
    size_t len = digits < sizeof text ? digits : sizeof text - 1;
    for (int i = 3, rest = milliseconds; i > 0; i--, rest /= 10)
        text[i] = (char)('0' + rest % 10);
    while (kind == '9' && len > 0 && (text[len - 1] == '0' || text[len - 1] == '.'))
        len--;
    buf_append(out, text, len);
    *layout = slice_from(*layout, digits);
    return true;
}

static void put_layout(struct buf *out, struct slice layout, int64_t t_ms)
{
    struct timetext_date d;
    int64_t seconds = t_ms / 1000 - (t_ms % 1000 < 0);
    timetext_date(seconds, &d);
    while (layout.len) {
        if (take(&layout, "2006"))
            buf_printf(out, "%04lld", (long long)d.year);
        else if (take(&layout, "01"))
            buf_printf(out, "%02d", d.month);
        else if (take(&layout, "02"))
            buf_printf(out, "%02d", d.day);
        else if (take(&layout, "15"))
            buf_printf(out, "%02d", d.hour);
        else if (take(&layout, "04"))
            buf_printf(out, "%02d", d.minute);
        else if (take(&layout, "05"))
            buf_printf(out, "%02d", d.second);
        else if (!put_fraction(out, &layout, (int)(t_ms - seconds * 1000))) {
            buf_u8(out, layout.data[0]);
            layout = slice_from(layout, 1);
        }
    }
}

/* Whole seconds, as VictoriaMetrics. */
static void put_rfc3339(struct buf *out, int64_t t_ms)
{
    char text[TIMETEXT_BYTES_MAX];
    buf_append(out, text, timetext_rfc3339_print(text, t_ms - (t_ms % 1000 + 1000) % 1000));
}

static void put_field(struct buf *out, const struct csv_column *c, const struct labels *labels, int64_t t_ms, double v)
{
    switch (c->kind) {
    case COLUMN_LABEL:
        put_text(out, labels_get(labels, c->text));
        break;
    case COLUMN_VALUE:
        export_put_value(out, v);
        break;
    case COLUMN_S:
        buf_printf(out, "%lld", (long long)(t_ms / 1000));
        break;
    case COLUMN_MS:
        buf_printf(out, "%lld", (long long)t_ms);
        break;
    case COLUMN_NS:
        buf_printf(out, "%lld%s", (long long)t_ms, t_ms ? "000000" : "");
        break;
    case COLUMN_RFC3339:
        put_rfc3339(out, t_ms);
        break;
    case COLUMN_CUSTOM:
        put_layout(out, c->text, t_ms);
        break;
    }
}

static enum err csv_series(struct export *e, const struct labels *labels, const struct samples *s)
{
    struct buf *out = &e->stream.out;
    for (uint32_t i = 0; i < s->count; i++) {
        if (!export_is_float(s, i))
            continue;
        for (uint32_t c = 0; c < e->column_count; c++) {
            if (c)
                buf_u8(out, ',');
            put_field(out, &e->columns[c], labels, s->times_ms[i], s->values[i]);
        }
        buf_u8(out, '\n');
        TRY(stream_flush(&e->stream));
    }
    return ERR_OK;
}

const struct export_form export_csv = {"text/csv; charset=utf-8", NULL, csv_series, NULL};
