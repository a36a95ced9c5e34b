/*
 * limits.c - which series may still be made: asked once per new series, before anything of it is stored.
 *
 * The bounds of one metric and of the values of one label cost a walk over its labels, so that is only
 * done when one of them is set.
 */
#include "head/limits_internal.h"

static bool refuse(struct head_appender *a, enum head_limit limit, uint64_t max, struct slice offender)
{
    a->refusal = (struct head_refusal){limit, max, offender};
    return false;
}

void head_day(struct head *h, int64_t day)
{
    if (day == h->day)
        return;
    h->day = day;
    h->day_active = get_relaxed(&h->series);
    h->day_created = get_relaxed(&h->series_created);
}

/* Label pairs in the head whose name is this one. */
static uint64_t values_of(struct head *h, struct slice name)
{
    const struct label_name *n = name_find(h, name);
    return n ? vec_count(&n->pairs) : 0;
}

static bool label_allowed(struct head_appender *a, uint32_t index, struct slice wire)
{
    struct head *h = a->head;
    const struct head_options *o = &h->options;
    uint32_t id = index < LABEL_CACHE ? a->cached_pair[index] : 0;
    struct pair *p = id ? pair_of(h, id) : NULL;
    struct slice name, value;
    if (!p || !p->wire || !slice_eq(slice_of(p->wire, p->wire_bytes), wire))
        p = (id = pair_find_bytes(h, wire)) ? pair_of(h, id) : NULL;
    if (!wire_parse(wire, &name, &value))
        return true; /* canonical bytes always parse */
    bool is_name = slice_eq(name, SLICE_LIT(METRIC_NAME));
    if (is_name && o->series_per_metric_max && p && get_relaxed(&p->series) >= o->series_per_metric_max)
        return refuse(a, HEAD_LIMIT_METRIC, o->series_per_metric_max, value);
    if (!is_name && o->values_per_label_max && !p && values_of(h, name) >= o->values_per_label_max)
        return refuse(a, HEAD_LIMIT_VALUES, o->values_per_label_max, name);
    return true;
}

static bool labels_allowed(struct head_appender *a, struct slice canonical)
{
    const uint8_t *at = canonical.data, *end = at + canonical.len;
    for (uint32_t i = 0; at < end; i++) {
        uint64_t len;
        if (!(at = varint_get(at + 1, end, &len)))
            return true;
        if (!label_allowed(a, i, slice_of(at, len)))
            return false;
        at += len;
    }
    return true;
}

bool series_allowed(struct head_appender *a, struct slice canonical)
{
    struct head *h = a->head;
    const struct head_options *o = &h->options;
    uint64_t series = get_relaxed(&h->series);
    if (o->series_max && series >= o->series_max)
        return refuse(a, HEAD_LIMIT_SERIES, o->series_max, (struct slice){0});
    if (o->daily_series_max &&
        h->day_active + get_relaxed(&h->series_created) - h->day_created >= o->daily_series_max)
        return refuse(a, HEAD_LIMIT_DAILY, o->daily_series_max, (struct slice){0});
    if (o->new_series_bytes_max && (uint64_t)head_bytes(h) >= o->new_series_bytes_max)
        return refuse(a, HEAD_LIMIT_MEMORY, o->new_series_bytes_max, (struct slice){0});
    return (!o->series_per_metric_max && !o->values_per_label_max) || labels_allowed(a, canonical);
}

const struct head_refusal *head_refusal(const struct head_appender *a)
{
    return &a->refusal;
}
