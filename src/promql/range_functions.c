/* range_functions.c - the table of functions of range vectors. */
#include "promql/range.h"

static const struct range_function functions[] = {
    {.id = FUNCTION_RATE, .floats = range_rate, .hist = range_rate_hist},
    {.id = FUNCTION_INCREASE, .floats = range_rate, .hist = range_rate_hist},
    {.id = FUNCTION_DELTA, .floats = range_rate, .hist = range_rate_hist},
    {.id = FUNCTION_IRATE, .floats = range_irate, .mixed = range_irate_mixed},
    {.id = FUNCTION_IDELTA, .floats = range_irate, .mixed = range_irate_mixed},
    {.id = FUNCTION_RESETS, .floats = range_changes, .mixed = range_changes_mixed},
    {.id = FUNCTION_CHANGES, .floats = range_changes, .mixed = range_changes_mixed},
    {.id = FUNCTION_SUM_OVER_TIME, .floats = range_sum, .hist = range_total_hist},
    {.id = FUNCTION_AVG_OVER_TIME, .floats = range_avg, .hist = range_total_hist},
    {.id = FUNCTION_STDDEV_OVER_TIME, .floats = range_variance},
    {.id = FUNCTION_STDVAR_OVER_TIME, .floats = range_variance},
    {.id = FUNCTION_QUANTILE_OVER_TIME, .floats = range_quantile},
    {.id = FUNCTION_MAD_OVER_TIME, .floats = range_mad},
    {.id = FUNCTION_MIN_OVER_TIME, .floats = range_extreme},
    {.id = FUNCTION_MAX_OVER_TIME, .floats = range_extreme},
    {.id = FUNCTION_TS_OF_MIN_OVER_TIME, .floats = range_extreme},
    {.id = FUNCTION_TS_OF_MAX_OVER_TIME, .floats = range_extreme},
    {.id = FUNCTION_FIRST_OVER_TIME, .floats = range_pick, .mixed = range_pick_mixed, .keeps_name = true},
    {.id = FUNCTION_LAST_OVER_TIME, .floats = range_pick, .mixed = range_pick_mixed, .keeps_name = true},
    {.id = FUNCTION_TS_OF_FIRST_OVER_TIME, .floats = range_pick, .mixed = range_pick_mixed},
    {.id = FUNCTION_TS_OF_LAST_OVER_TIME, .floats = range_pick, .mixed = range_pick_mixed},
    {.id = FUNCTION_COUNT_OVER_TIME, .floats = range_count, .mixed = range_count_mixed},
    {.id = FUNCTION_PRESENT_OVER_TIME, .floats = range_count, .mixed = range_count_mixed},
    {.id = FUNCTION_ABSENT_OVER_TIME, .floats = range_count, .mixed = range_count_mixed, .keeps_name = true},
    {.id = FUNCTION_DERIV, .floats = range_regress},
    {.id = FUNCTION_PREDICT_LINEAR, .floats = range_regress},
    {.id = FUNCTION_DOUBLE_EXPONENTIAL_SMOOTHING, .floats = range_smooth},
};

const struct range_function *range_function_find(enum function_id id)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (functions[i].id == id)
            return &functions[i];
    return NULL;
}
