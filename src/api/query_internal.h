/*
 * query_internal.h - a query on its way from parameters to answer.
 */
#ifndef API_QUERY_INTERNAL_H
#define API_QUERY_INTERNAL_H

#include "api/api_internal.h"

struct query_request {
    struct api *api;
    struct slice text;
    struct exec_params exec;
    bool range;
    bool stats, per_step;
    const char *stats_warning; /* NULL: none */
    double round;              /* 10 to the power of round_digits; 0: nothing is rounded */
    uint64_t limit;            /* series; 0 = none */
    int64_t timeout_ns;
    int64_t entered_ns, started_ns; /* monotonic: asked for a slot, got to a worker */
    struct running_query running;
    bool vm_stats, trace; /* what VictoriaMetrics adds to the envelope: asked for, and by its parameters */
};

/* The members that VictoriaMetrics adds to the envelope, in r's arena; NULL when they were not asked for (query_vm.c).
 */
void query_vm_params(struct http_request *r, struct query_request *q);
const char *query_vm_members(struct http_request *r, const struct query_request *q, const struct result *result);

/* ,"plan":{...} (query_plan.c). */
void json_plan(struct buf *out, const struct query_plan *plan, const struct query_stats *stats);

/* The whole success answer (query_answer.c). */
void query_answer(struct http_request *r, const struct query_request *q, struct result *result);

#endif
