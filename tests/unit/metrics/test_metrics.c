/* Own metrics as text: order, escapes, histograms, and the two forms side by side. */
#include "metrics/metrics.h"

#include <criterion/criterion.h>
#include <math.h>

static _Atomic uint64_t requests_ok = 41, requests_bad = 1;
static _Atomic int64_t depth = -3;

static double half(void *ctx)
{
    (void)ctx;
    return 0.5;
}

static void collect_paths(struct metric_sink *sink, void *ctx)
{
    (void)ctx;
    struct buf labels = {0};
    metric_label(&labels, "path", SLICE_LIT("a\"b\\c\nd"));
    metric_label(&labels, "code", SLICE_LIT("200"));
    metric_emit(sink, buf_cstr(&labels), 7);
    buf_deinit(&labels);
}

static struct metrics *sample(struct metric_histogram *h)
{
    static const double bounds[] = {0.1, 1, 2.5};
    *h = (struct metric_histogram){.bounds = bounds, .bound_count = 3};
    metric_observe(h, 0.1);
    metric_observe(h, 0.5);
    metric_observe(h, 100);
    struct metrics *m = metrics_new();
    metrics_add(m, &(struct metric){.name = "z_requests_total",
                                    .help = "Requests.",
                                    .kind = METRIC_COUNTER,
                                    .labels = "code=\"200\"",
                                    .u64 = &requests_ok});
    metrics_add(m,
                &(struct metric){.name = "a_depth", .help = "A \"deep\\\nthing.", .kind = METRIC_GAUGE, .i64 = &depth});
    metrics_add(m, &(struct metric){.name = "z_requests_total",
                                    .help = "Requests.",
                                    .kind = METRIC_COUNTER,
                                    .labels = "code=\"500\"",
                                    .u64 = &requests_bad});
    metrics_add(m, &(struct metric){.name = "m_seconds", .help = "Time.", .kind = METRIC_HISTOGRAM, .histogram = h});
    metrics_add(m, &(struct metric){.name = "k_scaled_seconds",
                                    .help = "Half a thousandth.",
                                    .kind = METRIC_GAUGE,
                                    .scale = 1e-3,
                                    .get = half});
    metrics_add(
        m, &(struct metric){.name = "p_hits", .help = "By path.", .kind = METRIC_COUNTER, .collect = collect_paths});
    return m;
}

static void expect_text(enum metrics_format format, const char *text)
{
    struct metric_histogram h;
    struct metrics *m = sample(&h);
    struct buf out = {0};
    metrics_render(m, format, &out);
    cr_expect_str_eq(buf_cstr(&out), text);
    buf_deinit(&out);
    metrics_free(m);
}

Test(metrics, text_is_sorted_by_family_with_help_and_type_once)
{
    expect_text(METRICS_TEXT, "# HELP a_depth A \"deep\\\\\\nthing.\n"
                              "# TYPE a_depth gauge\n"
                              "a_depth -3\n"
                              "# HELP k_scaled_seconds Half a thousandth.\n"
                              "# TYPE k_scaled_seconds gauge\n"
                              "k_scaled_seconds 0.0005\n"
                              "# HELP m_seconds Time.\n"
                              "# TYPE m_seconds histogram\n"
                              "m_seconds_bucket{le=\"0.1\"} 1\n"
                              "m_seconds_bucket{le=\"1\"} 2\n"
                              "m_seconds_bucket{le=\"2.5\"} 2\n"
                              "m_seconds_bucket{le=\"+Inf\"} 3\n"
                              "m_seconds_sum 100.6\n"
                              "m_seconds_count 3\n"
                              "# HELP p_hits By path.\n"
                              "# TYPE p_hits counter\n"
                              "p_hits{path=\"a\\\"b\\\\c\\nd\",code=\"200\"} 7\n"
                              "# HELP z_requests_total Requests.\n"
                              "# TYPE z_requests_total counter\n"
                              "z_requests_total{code=\"200\"} 41\n"
                              "z_requests_total{code=\"500\"} 1\n");
}

Test(metrics, openmetrics_names_counters_without_total_and_ends_with_eof)
{
    expect_text(METRICS_OPENMETRICS, "# HELP a_depth A \\\"deep\\\\\\nthing.\n"
                                     "# TYPE a_depth gauge\n"
                                     "a_depth -3\n"
                                     "# HELP k_scaled_seconds Half a thousandth.\n"
                                     "# TYPE k_scaled_seconds gauge\n"
                                     "k_scaled_seconds 0.0005\n"
                                     "# HELP m_seconds Time.\n"
                                     "# TYPE m_seconds histogram\n"
                                     "m_seconds_bucket{le=\"0.1\"} 1\n"
                                     "m_seconds_bucket{le=\"1.0\"} 2\n"
                                     "m_seconds_bucket{le=\"2.5\"} 2\n"
                                     "m_seconds_bucket{le=\"+Inf\"} 3\n"
                                     "m_seconds_sum 100.6\n"
                                     "m_seconds_count 3\n"
                                     "# HELP p_hits By path.\n"
                                     "# TYPE p_hits unknown\n"
                                     "p_hits{path=\"a\\\"b\\\\c\\nd\",code=\"200\"} 7\n"
                                     "# HELP z_requests Requests.\n"
                                     "# TYPE z_requests counter\n"
                                     "z_requests_total{code=\"200\"} 41\n"
                                     "z_requests_total{code=\"500\"} 1\n"
                                     "# EOF\n");
}

static bool count_visits(void *ctx, struct slice name, struct slice labels, double value)
{
    unsigned *count = ctx;
    if (slice_eq_str(name, "m_seconds_bucket") && value == 3)
        cr_expect(slice_eq_str(labels, "le=\"+Inf\""));
    if (slice_eq_str(name, "p_hits")) {
        struct buf scratch = {0};
        struct slice label;
        cr_assert(metric_label_next(&labels, &label, &scratch));
        cr_expect(slice_eq_str(label, "path") && slice_eq_str(buf_view(&scratch), "a\"b\\c\nd"));
        cr_assert(metric_label_next(&labels, &label, &scratch));
        cr_expect(slice_eq_str(label, "code") && slice_eq_str(buf_view(&scratch), "200"));
        cr_expect_not(metric_label_next(&labels, &label, &scratch));
        buf_deinit(&scratch);
    }
    return ++*count < 100;
}

Test(metrics, a_visit_sees_every_line_of_the_text)
{
    struct metric_histogram h;
    struct metrics *m = sample(&h);
    unsigned count = 0;
    metrics_visit(m, count_visits, &count);
    cr_expect_eq(count, 11);
    metrics_free(m);
}

Test(metrics, negotiation_takes_the_heaviest_type_it_can_write)
{
    static const struct {
        const char *accept;
        enum metrics_format format;
    } cases[] = {
        {"", METRICS_TEXT},
        {"*/*", METRICS_TEXT},
        {"text/html,application/xhtml+xml,*/*;q=0.8", METRICS_TEXT},
        {"application/openmetrics-text", METRICS_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
         "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,*/*;q=0.2",
         METRICS_OPENMETRICS},
        {"application/vnd.google.protobuf;q=0.9, text/plain;version=0.0.4;q=0.6, application/openmetrics-text;q=0.2",
         METRICS_TEXT},
        {"application/openmetrics-text;version=2.0.0", METRICS_TEXT},
        {"Application/OpenMetrics-Text ; Version=1.0.0", METRICS_OPENMETRICS},
        {"application/openmetrics-text;q=0", METRICS_TEXT},
        {";;;,,,q=1", METRICS_TEXT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(metrics_negotiate(slice_str(cases[i].accept)), cases[i].format, "%s", cases[i].accept);
}

static bool find_process(void *ctx, struct slice name, struct slice labels, double value)
{
    (void)labels;
    unsigned *found = ctx;
    static const char *const wanted[] = {"process_cpu_seconds_total", "process_resident_memory_bytes",
                                         "process_open_fds", "process_start_time_seconds", "process_num_threads"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (slice_eq_str(name, wanted[i])) {
            *found |= 1u << i;
            cr_expect(value > 0 && isfinite(value), "%s is %g", wanted[i], value);
        }
    return true;
}

Test(metrics, the_process_knows_its_cpu_memory_files_and_age)
{
    struct metrics *m = metrics_new();
    metrics_add_process(m);
    unsigned found = 0;
    metrics_visit(m, find_process, &found);
    cr_expect_eq(found, 0x1f);
    cr_expect_gt(process_memory_available(), 1 << 20);
    metrics_free(m);
}
