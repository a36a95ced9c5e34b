/* What Prometheus 3.15 answered. */
#include "unit/promql/script_test.h"

Test(range_pick, the_last_time_of_a_window_before_1970_is_0)
{
    expect_script_passes("load 1m\n"
                         "  m 1 1 1\n"
                         "\n"
                         "eval range from 0 to 0 step 1m ts_of_last_over_time(absent(m)[2m:40s])\n"
                         "  {} 0\n"
                         "\n"
                         "eval range from 0 to 0 step 1m ts_of_first_over_time(absent(m)[2m:40s])\n"
                         "  {} -80\n");
}
