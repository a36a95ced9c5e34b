/*
 * export_forms.c - exports as JSON lines, as Prometheus' text and as an answer of query_range.
 *
 * JSON has no NaN and no infinities: null and "Infinity", "-Infinity" stand for them.  Native histograms
 * have a form only in the last one; the others leave them out.
 */
#include "api/export_internal.h"
#include "api/exposition.h"

#include <math.h>

static void put_value(struct buf *out, double v)
{
    if (isnan(v))
        buf_str(out, "null");
    else if (isinf(v))
        buf_str(out, v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    else
        json_number(out, v);
}

/* The samples first .. end-1 that are floats: {"metric":{},"values":[],"timestamps":[]} */
static enum err put_line(struct export *e, const struct labels *labels, const struct samples *s, uint32_t first,
                         uint32_t end)
{
    struct buf *out = &e->stream.out;
    buf_str(out, "{\"metric\":");
    json_labels(out, labels);
    for (int times = 0; times < 2; times++) {
        const char *between = times ? "],\"timestamps\":[" : ",\"values\":[";
        for (uint32_t i = first; i < end; i++) {
            if (!export_is_float(s, i))
                continue;
            buf_str(out, between);
            between = ",";
            if (times)
                buf_printf(out, "%lld", (long long)s->times_ms[i]);
            else
                put_value(out, s->values[i]);
            TRY(stream_flush(&e->stream));
        }
    }
    buf_str(out, "]}\n");
    return stream_flush(&e->stream);
}

static enum err lines_series(struct export *e, const struct labels *labels, const struct samples *s)
{
    uint32_t most = e->rows_max ? e->rows_max : s->count;
    for (uint32_t first = 0; first < s->count;) {
        uint32_t floats = 0, end = first;
        while (end < s->count && floats < most)
            floats += export_is_float(s, end++);
        if (floats)
            TRY(put_line(e, labels, s, first, end));
        first = end;
    }
    return ERR_OK;
}

const struct export_form export_lines = {"application/stream+json; charset=utf-8", NULL, lines_series, NULL};

static enum err prometheus_series(struct export *e, const struct labels *labels, const struct samples *s)
{
    struct buf *out = &e->stream.out, name = {0};
    enum err err = ERR_OK;
    exposition_series(&name, labels, ESCAPE_NOT, false, (struct exposition_part){0});
    for (uint32_t i = 0; i < s->count && err == ERR_OK; i++) {
        if (!export_is_float(s, i))
            continue;
        buf_slice(out, buf_view(&name));
        buf_u8(out, ' ');
        export_put_value(out, s->values[i]);
        buf_printf(out, " %lld\n", (long long)s->times_ms[i]);
        err = stream_flush(&e->stream);
    }
    buf_deinit(&name);
    return err;
}

const struct export_form export_prometheus = {"text/plain; charset=utf-8", NULL, prometheus_series, NULL};

static void promapi_begin(struct export *e)
{
    buf_str(&e->stream.out, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[");
}

static enum err promapi_points(struct export *e, const struct samples *s, bool floats)
{
    struct buf *out = &e->stream.out;
    const char *between = floats ? ",\"values\":[" : ",\"histograms\":[";
    bool any = false;
    for (uint32_t i = 0; i < s->count; i++) {
        if (export_is_float(s, i) != floats)
            continue;
        buf_printf(out, "%s[", any ? "," : between);
        any = true;
        json_seconds(out, s->times_ms[i]);
        buf_u8(out, ',');
        if (floats)
            json_float(out, s->values[i]);
        else
            json_histogram(out, s->hists[i]);
        buf_u8(out, ']');
        TRY(stream_flush(&e->stream));
    }
    if (any)
        buf_u8(out, ']');
    return ERR_OK;
}

static enum err promapi_series(struct export *e, const struct labels *labels, const struct samples *s)
{
    struct buf *out = &e->stream.out;
    buf_str(out, e->any ? ",{\"metric\":" : "{\"metric\":");
    e->any = true;
    json_labels(out, labels);
    TRY(promapi_points(e, s, true));
    TRY(promapi_points(e, s, false));
    buf_u8(out, '}');
    return stream_flush(&e->stream);
}

static void promapi_end(struct export *e)
{
    buf_str(&e->stream.out, "]}}");
}

const struct export_form export_promapi = {"application/stream+json; charset=utf-8", promapi_begin, promapi_series,
                                           promapi_end};
