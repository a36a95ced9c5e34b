/* engine.c - an engine and its options; the contract is in promql/promql.h. */
#include "promql/engine.h"

#include "base/assert.h"
#include "promql/crew.h"
#include "promql/query_internal.h"
#include "promql/step_kernels.h"

void engine_options_default(struct engine_options *o)
{
    *o = (struct engine_options){
        .lookback_ms = 5 * 60 * 1000,
        .default_interval_ms = 60 * 1000,
        .samples_max = 50000000,
        .query_length_max = 1 << 20,
        .depth_max = 1000,
    };
}

struct engine *engine_new(const struct engine_options *o)
{
    assert(o->lookback_ms > 0 && o->default_interval_ms > 0);
    struct engine *e = MEM_NEW(struct engine);
    e->options = *o;
    e->kernels = step_kernels_best();
    if (o->workers > 1)
        e->crew = crew_new(o->workers - 1);
    return e;
}

void engine_free(struct engine *e)
{
    if (e)
        crew_free(e->crew);
    mem_free(e);
}

enum err promql_parse(struct engine *e, struct slice text, struct query **out, struct errmsg *why)
{
    struct parse_options options = {
        .features = e->options.features,
        .length_max = e->options.query_length_max,
        .depth_max = e->options.depth_max,
        .budget = e->options.budget,
    };
    return query_parse(text, &options, out, why);
}
