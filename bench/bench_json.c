/*
 * bench_json.c - what it costs to write an answer: one sample of a matrix, one label set, one name.
 */
#include <stdio.h>

#include "api/api_internal.h"
#include "base/clock.h"
#include "base/mem.h"

enum { POINTS = 1000000, SETS = 200000 };

static void report(const char *what, int64_t ns, uint64_t count, uint64_t bytes)
{
    printf("json %-28s %7.1f ns/op %6.1f bytes/op %8.0f MB/s\n", what, (double)ns / (double)count,
           (double)bytes / (double)count, (double)bytes * 1000 / (double)ns);
}

static void points(const char *what, double first, double step)
{
    struct buf out = {0};
    int64_t start_ns = clock_mono_ns(clock_system());
    uint64_t bytes = 0;
    for (int64_t i = 0; i < POINTS; i++) {
        buf_u8(&out, '[');
        json_seconds(&out, 1700000000000 + i * 15000);
        buf_u8(&out, ',');
        json_float(&out, first + step * (double)i);
        buf_append(&out, "],", 2);
        if (out.len >= ANSWER_PIECE_BYTES) {
            bytes += out.len;
            buf_reset(&out);
        }
    }
    report(what, clock_mono_ns(clock_system()) - start_ns, POINTS, bytes + out.len);
    buf_deinit(&out);
}

static void label_sets(void)
{
    struct arena arena;
    struct labels_builder b;
    struct buf out = {0};
    arena_init(&arena, NULL);
    labels_builder_init(&b, &arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"), SLICE_LIT("http_request_duration_seconds_bucket"));
    labels_builder_set(&b, SLICE_LIT("handler"), SLICE_LIT("/api/v1/query_range"));
    labels_builder_set(&b, SLICE_LIT("instance"), SLICE_LIT("10.12.7.33:9090"));
    labels_builder_set(&b, SLICE_LIT("job"), SLICE_LIT("prometheus"));
    labels_builder_set(&b, SLICE_LIT("le"), SLICE_LIT("0.25"));
    labels_builder_set(&b, SLICE_LIT("namespace"), SLICE_LIT("monitoring"));
    struct labels labels = labels_builder_finish(&b);
    int64_t start_ns = clock_mono_ns(clock_system());
    uint64_t bytes = 0;
    for (int i = 0; i < SETS; i++) {
        json_labels(&out, &labels);
        bytes += out.len;
        buf_reset(&out);
    }
    report("label set of six", clock_mono_ns(clock_system()) - start_ns, SETS, bytes);
    start_ns = clock_mono_ns(clock_system());
    bytes = 0;
    for (int i = 0; i < SETS; i++) {
        json_string_html(&out, SLICE_LIT("http_request_duration_seconds_bucket"));
        bytes += out.len;
        buf_reset(&out);
    }
    report("name", clock_mono_ns(clock_system()) - start_ns, SETS, bytes);
    arena_deinit(&arena);
    buf_deinit(&out);
}

int main(void)
{
    points("sample, counter", 1000, 1);
    points("sample, 17 digits", 0.1, 1.0 / 3);
    label_sets();
    return 0;
}
