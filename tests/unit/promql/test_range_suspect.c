/* What Prometheus 3.15 answered. */
#include "unit/promql/script_test.h"

#define INFO                                                                                                           \
    "expect info msg: PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "

Test(range_suspect, a_rate_of_a_name_without_a_counters_suffix_is_told)
{
    expect_script_passes(
        "load 1m\n"
        "  gauge 1 2 3 4\n"
        "  c_total 1 2 3 4\n"
        "  h {{count:1 sum:1 buckets:[1]}} {{count:2 sum:2 buckets:[2]}} {{count:3 sum:3 buckets:[3]}}\n"
        "\n"
        "eval range from 2m to 2m step 1m rate(gauge[2m])\n"
        "  " INFO "\"gauge\" (1:6)\n"
        "  {} 0.016666666666666666\n"
        "\n"
        "eval range from 3m to 3m step 1m 1 + increase(gauge[90s] offset 1m)\n"
        "  " INFO "\"gauge\" (1:14)\n"
        "  {} 2.5\n"
        "\n"
        "eval range from 2m to 2m step 1m rate(c_total[2m])\n"
        "  expect no_info\n"
        "  {} 0.016666666666666666\n"
        "\n"
        "eval range from 2m to 2m step 1m delta(gauge[2m])\n"
        "  expect no_info\n"
        "  {} 2\n"
        "\n"
        "eval range from 0 to 0 step 1m rate(gauge[2m])\n"
        "  expect no_info\n"
        "\n"
        "eval range from 2m to 2m step 1m histogram_count(rate(h[2m]))\n"
        "  expect no_info\n"
        "  {} 0.016666666666666666\n");
}

Test(range_suspect, a_subquery_has_no_place)
{
    expect_script_passes("load 1m\n"
                         "  gauge 1 2 3 4 5 6\n"
                         "\n"
                         "eval range from 5m to 5m step 1m 1 + rate(gauge[2m:1m])\n"
                         "  " INFO "\"gauge\" (1:1)\n"
                         "  {} 1.016666666666666666\n");
}
