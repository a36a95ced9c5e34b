/*
 * export_internal.h - /api/v1/export: samples as they lie, in one of four forms.
 */
#ifndef API_EXPORT_INTERNAL_H
#define API_EXPORT_INTERNAL_H

#include "api/selection.h"
#include "api/stream.h"
#include "numeric/goformat.h"

struct export
{
    struct api *api;
    struct stream stream;
    struct match_list match;
    int64_t start_ms, end_ms;
    uint32_t rows_max; /* samples in a line of JSON; 0: all of a series */
    const struct export_form *form;
    struct csv_column *columns; /* of CSV */
    uint32_t column_count;
    bool any; /* a series has been written */
};

/* How an export looks; each may be NULL.  A series comes in one or more runs of samples. */
struct export_form {
    const char *content_type;
    void (*begin)(struct export *e);
    enum err (*series)(struct export *e, const struct labels *labels, const struct samples *samples);
    void (*end)(struct export *e);
};
extern const struct export_form export_lines, export_prometheus, export_promapi, export_csv;

/* format=__name__,job,__value__,__timestamp__:unix_s into e->columns. */
MUST_CHECK enum err export_csv_columns(struct export *e, struct slice format, struct errmsg *why);

static inline bool export_is_float(const struct samples *s, uint32_t i)
{
    return !(s->hists && s->hists[i]);
}

/* As query results print it: digits, an exponent only below 1e-6 and from 1e21 on. */
static inline void export_put_value(struct buf *out, double v)
{
    double size = v < 0 ? -v : v;
    goformat_append(out, v, size != 0 && (size < 1e-6 || size >= 1e21) && size <= 1.7976931348623157e308 ? 'e' : 'f',
                    -1);
}

#endif
