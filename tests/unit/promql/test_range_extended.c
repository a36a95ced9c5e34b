/* What Prometheus 3.15 answered. */
#include "unit/promql/script_test.h"

Test(range_extended, a_smoothed_window_whose_samples_all_lie_behind_it_is_empty)
{
    expect_script_passes("load 1m\n"
                         "  k 1 2 3\n"
                         "  nh {{count:1 sum:1 buckets:[1]}} {{count:2 sum:2 buckets:[2]}}\n"
                         "\n"
                         "eval range from 0 to 0 step 1m increase(k[1m7s] smoothed offset 1m)\n"
                         "\n"
                         "eval range from 0 to 0 step 1m increase(nh[1m7s] smoothed offset 1m)\n"
                         "\n");
}

Test(range_extended, histograms_of_other_bounds_are_reconciled_with_an_info_for_each_step)
{
    expect_script_passes(
        "load 1m\n"
        "  h {{schema:-53 count:2 sum:2 custom_values:[1 2] buckets:[1 1]}} "
        "{{schema:-53 count:4 sum:4 custom_values:[1 5] buckets:[2 2]}}\n"
        "\n"
        "eval range from 30s to 30s step 1m h smoothed\n"
        "  expect info msg: PromQL info: mismatched custom buckets were reconciled during subtraction (1:1)\n"
        "  expect info msg: PromQL info: mismatched custom buckets were reconciled during addition (1:1)\n"
        "  h {{schema:-53 count:3 sum:3 custom_values:[1] buckets:[1.5 1.5]}}\n");
}
