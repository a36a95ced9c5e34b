/*
 * exposition.c - a registry as text: Prometheus' format 0.0.4 and OpenMetrics 1.0.
 *
 * They differ where a strict parser looks: OpenMetrics names a counter's family without _total, writes
 * every number as a float, escapes quotes in HELP, and ends with "# EOF".  A counter whose name does
 * not end in _total has no place in OpenMetrics and is "unknown" there.
 */
#include "metrics/metrics.h"

#include "metrics/metrics_internal.h"
#include "numeric/goformat.h"

static const char *kind_word(enum metric_kind kind)
{
    static const char *const words[] = {"counter", "gauge", "histogram", "summary"};
    return words[kind];
}

static bool ends_with_total(const char *name)
{
    size_t n = strlen(name);
    return n > 6 && !strcmp(name + n - 6, "_total");
}

static void help_text(struct buf *out, const char *help, bool quotes)
{
    for (const char *p = help; *p; p++) {
        if (*p == '\n')
            buf_str(out, "\\n");
        else if (*p == '\\' || (*p == '"' && quotes))
            buf_printf(out, "\\%c", *p);
        else
            buf_u8(out, (uint8_t)*p);
    }
}

struct text {
    struct buf *out;
    enum metrics_format format;
};

static bool text_sample(struct metric_sink *sink, const char *suffix, const char *labels, const char *le, double value)
{
    struct text *t = sink->ctx;
    buf_printf(t->out, "%s%s", sink->family->name, suffix);
    if (*labels || *le)
        buf_printf(t->out, "{%s%s%s%s%s}", labels, *labels && *le ? "," : "", *le ? "le=\"" : "", le, *le ? "\"" : "");
    char number[GOFORMAT_BYTES_MAX];
    size_t n = goformat_float(number, value, 'g', -1);
    buf_u8(t->out, ' ');
    buf_append(t->out, number, n);
    buf_u8(t->out, '\n');
    return true;
}

static void family_head(const struct text *t, const struct family *f)
{
    int name_bytes = (int)strlen(f->name);
    const char *kind = kind_word(f->kind);
    if (t->format == METRICS_OPENMETRICS && f->kind == METRIC_COUNTER) {
        if (ends_with_total(f->name))
            name_bytes -= 6;
        else
            kind = "unknown";
    }
    buf_printf(t->out, "# HELP %.*s ", name_bytes, f->name);
    help_text(t->out, f->help, t->format == METRICS_OPENMETRICS);
    buf_printf(t->out, "\n# TYPE %.*s %s\n", name_bytes, f->name, kind);
}

void metrics_render(const struct metrics *m, enum metrics_format format, struct buf *out)
{
    struct text t = {out, format};
    for (size_t i = 0; i < m->family_count; i++) {
        family_head(&t, &m->families[i]);
        struct metric_sink sink = {.sample = text_sample, .ctx = &t, .float_le = format == METRICS_OPENMETRICS};
        family_walk(&m->families[i], &sink);
    }
    if (format == METRICS_OPENMETRICS)
        buf_str(out, "# EOF\n");
}

struct visit {
    metric_visit visit;
    void *ctx;
    struct buf name, labels;
};

static bool visit_sample(struct metric_sink *sink, const char *suffix, const char *labels, const char *le, double value)
{
    struct visit *v = sink->ctx;
    buf_reset(&v->name);
    buf_reset(&v->labels);
    buf_printf(&v->name, "%s%s", sink->family->name, suffix);
    buf_str(&v->labels, labels);
    if (*le)
        metric_label(&v->labels, "le", slice_str(le));
    return v->visit(v->ctx, buf_view(&v->name), buf_view(&v->labels), value);
}

void metrics_visit(const struct metrics *m, metric_visit visit, void *ctx)
{
    struct visit v = {.visit = visit, .ctx = ctx};
    struct metric_sink sink = {.sample = visit_sample, .ctx = &v};
    for (size_t i = 0; i < m->family_count && !sink.stopped; i++)
        family_walk(&m->families[i], &sink);
    buf_deinit(&v.name);
    buf_deinit(&v.labels);
}

void metric_label(struct buf *labels, const char *name, struct slice value)
{
    buf_printf(labels, "%s%s=\"", labels->len ? "," : "", name);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = value.data[i];
        if (byte == '\n')
            buf_str(labels, "\\n");
        else if (byte == '\\' || byte == '"')
            buf_printf(labels, "\\%c", byte);
        else
            buf_u8(labels, byte);
    }
    buf_u8(labels, '"');
}

bool metric_label_next(struct slice *labels, struct slice *name, struct buf *scratch)
{
    const uint8_t *equals = labels->len ? memchr(labels->data, '=', labels->len) : NULL;
    if (!equals)
        return false;
    *name = slice_of(labels->data, (size_t)(equals - labels->data));
    size_t i = name->len + 2; /* past =" */
    buf_reset(scratch);
    for (; i < labels->len && labels->data[i] != '"'; i++) {
        uint8_t byte = labels->data[i];
        if (byte == '\\' && i + 1 < labels->len) {
            byte = labels->data[++i];
            byte = byte == 'n' ? '\n' : byte;
        }
        buf_u8(scratch, byte);
    }
    i += i < labels->len; /* past the closing quote */
    i += i < labels->len && labels->data[i] == ',';
    *labels = slice_from(*labels, i < labels->len ? i : labels->len);
    return true;
}
