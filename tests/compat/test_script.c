/* The runner itself: what it reads, and that wrong answers do not pass. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/mem.h"
#include "compat/script_run.h"
#include "model/value.h"

static struct script_series series_of(const char *line, struct arena *arena)
{
    struct script_series s = {0};
    struct errmsg why = {""};
    cr_assert_eq(script_parse_series(slice_str(line), arena, &s, &why), ERR_OK, "%s: %s", line, why.text);
    return s;
}

static void expect_values(const char *line, const char *want)
{
    struct arena arena;
    struct buf b = {0};
    arena_init(&arena, NULL);
    struct script_series s = series_of(line, &arena);
    for (uint32_t i = 0; i < s.values.count; i++) {
        const struct script_value *v = &s.values.list[i];
        buf_str(&b, i ? " " : "");
        if (v->omitted)
            buf_str(&b, "_");
        else if (v->h)
            buf_printf(&b, "h%g", v->h->count);
        else if (value_is_stale(v->value))
            buf_str(&b, "stale");
        else
            buf_printf(&b, "%g", v->value);
    }
    cr_expect_str_eq(buf_cstr(&b), want, "%s\n want %s\n got  %s", line, want, buf_cstr(&b));
    buf_deinit(&b);
    arena_deinit(&arena);
}

Test(compat_script, sequences_of_values_are_spelled_out)
{
    expect_values("m", "");
    expect_values("m 1 -2.5 1e3", "1 -2.5 1000");
    expect_values("m Inf -inf NaN", "inf -inf nan");
    expect_values("m _ _x3 stale", "_ _ _ _ stale");
    expect_values("m 1x3", "1 1 1 1");
    expect_values("m 1+2x3 10-1.5x2", "1 3 5 7 10 8.5 7");
    expect_values("m -1-1x2 stalex1", "-1 -2 -3 stale stale");
    expect_values("m{a=\"b } c\"} 1", "1");
    expect_values("{\"m.x\", a='b'} 1", "1");
    expect_values("m {{}} {{count:2 sum:1 buckets:[1 1]}}x1", "h0 h2 h2");
    expect_values("m {{schema:0 count:1 buckets:[1]}}+{{schema:0 count:2 buckets:[2]}}x2", "h1 h3 h5");
}

Test(compat_script, broken_lines_are_refused)
{
    static const char *const lines[] = {"m 1x", "m x3",         "m 1+x3", "m {{", "m {{foo:1}}", "m {{buckets:[1}}",
                                        "m 1y", "m{a=~\"b\"} 1"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arena arena;
        struct script_series s = {0};
        struct errmsg why = {""};
        arena_init(&arena, NULL);
        cr_expect_eq(script_parse_series(slice_str(lines[i]), &arena, &s, &why), ERR_INVALID, "%s", lines[i]);
        cr_expect(why.text[0] != 0);
        arena_deinit(&arena);
    }
}

Test(compat_script, histograms_have_their_fields)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct script_series s =
        series_of("m {{schema:1 sum:2.5 count:7 z_bucket:1 z_bucket_w:0.01 offset:-2 buckets:[1 2] "
                  "n_offset:3 n_buckets:[3] counter_reset_hint:gauge}}",
                  &arena);
    const struct script_value *v = &s.values.list[0];
    cr_assert(v->hint_given && v->h->reset_hint == RESET_GAUGE);
    cr_assert(v->h->schema == 1 && v->h->sum == 2.5 && v->h->count == 7);
    cr_assert(v->h->zero_count == 1 && v->h->zero_threshold == 0.01);
    cr_assert(v->h->positive_count == 2 && v->h->positive_spans[0].offset == -2 && v->h->positive[1] == 2);
    cr_assert(v->h->negative_count == 1 && v->h->negative_spans[0].offset == 3 && v->h->negative[0] == 3);
    arena_deinit(&arena);
}

static const char EXAMPLE[] = "# a comment\n"
                              "clear\n"
                              "load 5m\n"
                              "  m{a=\"1\"} 1 2\n"
                              "  # between\n"
                              "\n"
                              "load_with_nhcb 1m\n"
                              "  s@st -1m _x2 0s+30sx1\n"
                              "  s    1 2 3 4 5\n"
                              "\n"
                              "eval instant at 1h30m sum(m) by (a)\n"
                              "  expect no_info\n"
                              "  expect warn msg: PromQL warning: x (1:5)\n"
                              "  {a=\"1\"} 3\n"
                              "\n"
                              "eval range from 0 to 10m step 5m  m + 1\n"
                              "  {a=\"1\"} 2 3\n"
                              "\n"
                              "eval_fail instant at 0 m + on() n\n"
                              "  expected_fail_regexp found dup.*\n"
                              "\n"
                              "eval instant at 10s \"a\"\n"
                              "  expect string \"a\\n\"\n"
                              "\n"
                              "eval instant at 1m m[1m]\n"
                              "  expect range vector from 10s to 30s step 10s\n"
                              "  m 1 2 3\n"
                              "\n"
                              "eval instant at 1m 010\n"
                              "  010\n";

Test(compat_script, commands_are_read_with_their_lines)
{
    struct script s;
    struct errmsg why = {""};
    cr_assert_eq(script_parse(slice_str(EXAMPLE), &s, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(s.count, 9);
    cr_assert(s.commands[0].kind == SCRIPT_CLEAR && s.commands[0].line == 2);
    cr_assert(s.commands[1].kind == SCRIPT_LOAD && s.commands[1].load.step_ms == 300000);
    const struct script_load *nhcb = &s.commands[2].load;
    cr_assert(nhcb->with_nhcb && nhcb->count == 1 && nhcb->series[0].start_offsets.count == 5);
    cr_assert(nhcb->series[0].start_offsets.list[0].value == -60000 && nhcb->series[0].start_offsets.list[2].omitted);
    cr_assert(nhcb->series[0].start_offsets.list[4].value == 30000);
    const struct script_eval *sum = &s.commands[3].eval, *range = &s.commands[4].eval, *fail = &s.commands[5].eval;
    cr_assert(s.commands[3].line == 11 && sum->eval_ms == 5400000 && slice_eq_str(sum->expr, "sum(m) by (a)"));
    cr_assert(sum->expects[EXPECT_NO_INFO].count == 1 && sum->expects[EXPECT_WARN].count == 1 && sum->count == 1);
    cr_assert(range->range && range->end_ms == 600000 && range->step_ms == 300000 &&
              slice_eq_str(range->expr, "m + 1"));
    cr_assert(fail->expects[EXPECT_FAIL].count == 1 && fail->expects[EXPECT_FAIL].list[0].regex);
    cr_assert(slice_eq_str(s.commands[6].eval.string, "a\n"));
    cr_assert(s.commands[7].eval.range_vector && s.commands[7].eval.eval_ms == 30000);
    cr_assert(s.commands[8].eval.has_scalar && s.commands[8].eval.scalar == 8);
    script_deinit(&s);
}

static const char DATA[] = "load 1m\n"
                           "  m{a=\"1\"} 1 2 3 4\n"
                           "  m{a=\"2\"} 10 20 30 40\n"
                           "\n";

static void expect_outcome(const char *eval, bool passes)
{
    struct buf text = {0};
    struct script s;
    struct script_report report;
    struct errmsg why = {""};
    buf_printf(&text, "%s%s", DATA, eval);
    cr_assert_eq(script_parse(buf_view(&text), &s, &why), ERR_OK, "%s: %s", eval, why.text);
    script_run(&s, &report);
    cr_expect(report.passed == passes && report.failed == !passes, "%s: %u passed, %u failed: %s", eval, report.passed,
              report.failed, report.failed ? report.failures[0].text : "");
    script_report_deinit(&report);
    script_deinit(&s);
    buf_deinit(&text);
}

Test(compat_script, right_answers_pass)
{
    expect_outcome("eval instant at 1m m\n m{a=\"1\"} 2\n m{a=\"2\"} 20\n", true);
    expect_outcome("eval instant at 1m m\n m{a=\"1\"} 2.000001\n m{a=\"2\"} 20\n", true);
    expect_outcome("eval range from 0 to 2m step 1m sum(m)\n {} 11 22 33\n", true);
    expect_outcome("eval instant at 1m 1 + 1\n 2\n", true);
    expect_outcome("eval instant at 1m nope\n", true);
    expect_outcome("eval instant at 1m m + on() m\n expect fail regex: found duplicate series\n", true);
    expect_outcome("eval instant at 1m sort_desc(m)\n expect ordered\n m{a=\"2\"} 20\n m{a=\"1\"} 2\n", true);
    expect_outcome("eval instant at 1m quantile(2, m)\n expect warn\n {} Inf\n", true);
}

Test(compat_script, wrong_answers_fail)
{
    expect_outcome("eval instant at 1m m\n m{a=\"1\"} 2\n", false);
    expect_outcome("eval instant at 1m m\n m{a=\"1\"} 2\n m{a=\"2\"} 21\n", false);
    expect_outcome("eval instant at 1m m\n m{a=\"1\"} 2\n m{a=\"2\"} 20\n m{a=\"3\"} 1\n", false);
    expect_outcome("eval instant at 1m m\n {a=\"1\"} 2\n {a=\"2\"} 20\n", false);
    expect_outcome("eval range from 0 to 2m step 1m sum(m)\n {} 11 22\n", false);
    expect_outcome("eval range from 0 to 2m step 1m sum(m)\n {} 11 22 33 44\n", false);
    expect_outcome("eval range from 0 to 2m step 1m sum(m)\n {} 11 _ 33\n", false);
    expect_outcome("eval range from 0 to 2m step 1m sum(m)\n {} 11 22 34\n", false);
    expect_outcome("eval instant at 1m 1 + 1\n 3\n", false);
    expect_outcome("eval instant at 1m 1 + 1\n {} 2\n", false);
    expect_outcome("eval instant at 1m m\n expect fail\n", false);
    expect_outcome("eval instant at 1m m + on() m\n expect fail msg: found duplicate series\n", false);
    expect_outcome("eval instant at 1m m + on() m\n", false);
    expect_outcome("eval instant at 1m sort_desc(m)\n expect ordered\n m{a=\"1\"} 2\n m{a=\"2\"} 20\n", false);
    expect_outcome("eval instant at 1m quantile(2, m)\n expect no_warn\n {} Inf\n", false);
    expect_outcome("eval instant at 1m quantile(2, m)\n expect warn msg: x\n {} Inf\n", false);
    expect_outcome("eval instant at 1m sum(m)\n expect info\n {} 22\n", false);
}
