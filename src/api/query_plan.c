/*
 * query_plan.c - explain=1 and analyze=1: the member "plan" of a query's data.
 *
 * Prometheus' clients pass over members they do not know.  The answer is bounded: the engine leaves operators out past
 * some hundreds, expressions are cut.
 */
#include <inttypes.h>

#include "api/query_internal.h"

enum { EXPRESSION_MAX = 200 };

/* Cut between characters. */
static struct slice cut(struct slice text)
{
    size_t len = EXPRESSION_MAX;
    if (text.len <= len)
        return text;
    while (len > 0 && (text.data[len] & 0xc0) == 0x80)
        len--;
    return slice_of(text.data, len);
}

static void json_expected(struct buf *out, const struct plan_expected *e)
{
    buf_printf(out, "\"expected\":{\"series\":%" PRIu64 ",\"samples\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", e->series,
               e->samples, e->bytes);
}

static void json_operator(struct buf *out, const struct plan_operator *p, bool analyzed)
{
    buf_printf(out, "{\"id\":%" PRIu32 ",\"operator\":", p->id);
    json_string_html(out, slice_str(p->name));
    buf_str(out, ",\"expression\":");
    json_string_html(out, cut(p->expression));
    buf_str(out, ",\"inputs\":[");
    for (uint32_t i = 0; i < p->input_count; i++)
        buf_printf(out, i ? ",%" PRIu32 : "%" PRIu32, p->inputs[i]);
    buf_printf(out, "],\"steps\":%" PRIu32 ",", p->steps);
    json_expected(out, &p->expected);
    if (p->spared) {
        buf_str(out, ",\"spared\":");
        json_string_html(out, slice_str(p->spared));
    }
    if (analyzed) {
        buf_printf(out,
                   ",\"actual\":{\"series\":%" PRIu64 ",\"points\":%" PRIu64 ",\"samples\":%" PRIu64
                   ",\"tiles\":%" PRIu64 ",\"seconds\":",
                   p->rows, p->points, p->samples, p->tiles);
        json_number(out, p->seconds);
        buf_u8(out, '}');
    }
    buf_u8(out, '}');
}

void json_plan(struct buf *out, const struct query_plan *plan, const struct query_stats *stats)
{
    buf_printf(out, ",\"plan\":{\"steps\":%" PRIu32 ",", plan->steps);
    json_expected(out, &plan->expected);
    if (plan->analyzed) {
        buf_printf(out,
                   ",\"actual\":{\"series\":%" PRIu64 ",\"samples\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":",
                   stats->series_fetched, stats->samples_read, stats->peak_bytes);
        json_number(out, stats->exec_total_s);
        buf_u8(out, '}');
    }
    buf_str(out, ",\"operators\":[");
    for (uint32_t i = 0; i < plan->count; i++) {
        if (i)
            buf_u8(out, ',');
        json_operator(out, &plan->operators[i], plan->analyzed);
    }
    buf_printf(out, "],\"omitted\":%" PRIu32 "}", plan->omitted);
}
