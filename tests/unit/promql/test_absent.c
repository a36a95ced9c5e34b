/* What Prometheus 3.15 answered. */
#include "unit/promql/script_test.h"

Test(absent, labels_come_from_equal_matchers_in_the_order_of_the_index)
{
    expect_script_passes("load 1m\n"
                         "  m{a=\"1\"} 1 1 1\n"
                         "\n"
                         "eval instant at 1m absent(m{a=\"2\"})\n"
                         "  {a=\"2\"} 1\n"
                         "\n"
                         "eval instant at 1m absent(m{a=\"2\",a!=\"1\"})\n"
                         "  {} 1\n"
                         "\n"
                         "eval instant at 1m absent(m{a!=\"1\",a=\"2\"})\n"
                         "  {} 1\n"
                         "\n"
                         "eval instant at 1m absent(m{a!=\"\",a=\"2\"})\n"
                         "  {a=\"2\"} 1\n"
                         "\n"
                         "eval range from 1m to 1m step 1m absent(m{a=~\"2|\",a=\"2\"})\n"
                         "  {a=\"2\"} 1\n"
                         "\n"
                         "eval instant at 1m absent(m{a=\"2\",a=\"2\",b=\"\",c=\"3\"})\n"
                         "  {c=\"3\"} 1\n");
}
