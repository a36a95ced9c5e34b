/*
 * e2e_promqlask.c - answers queries on the data of a script, for comparing with another server bit by bit.
 *
 *     build/debug/e2e_promqlask DATA.test FEATURES < queries > answers
 *
 * A query is a line "start_ms end_ms step_ms expression" (step 0: an instant query); FEATURES is the sum of
 * enum promql_feature bits.  An answer is a line of JSON: {"error": ...}, or "type", "result" (each series with
 * its labels as text and its points; floats as hexadecimal literals), "warnings", "infos" and "stats".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "compat/script.h"
#include "compat/script_files.h"
#include "histogram/histogram.h"
#include "lib/memory_storage.h"
#include "numeric/goformat.h"
#include "promql/promql.h"

static void load_all(const struct script *script, struct memory_storage *m)
{
    for (size_t c = 0; c < script->count; c++) {
        const struct script_load *load = &script->commands[c].load;
        for (uint32_t i = 0; script->commands[c].kind == SCRIPT_LOAD && i < load->count; i++)
            for (uint32_t k = 0; k < load->series[i].values.count; k++) {
                const struct script_value *v = &load->series[i].values.list[k];
                if (!v->omitted)
                    memory_storage_append(m, &load->series[i].labels, (int64_t)k * load->step_ms, v->value, v->h, 0);
            }
    }
}

static void print_quoted(struct buf *out, struct slice s)
{
    goformat_quote(out, s);
}

static void print_histogram(struct buf *out, const struct histogram *h)
{
    struct histogram_iter it;
    buf_printf(out, "{\"count\":\"%a\",\"sum\":\"%a\",\"buckets\":[", h->count, h->sum);
    histogram_iter_init(&it, h, HISTOGRAM_ALL);
    for (bool first = true; histogram_next(&it);) {
        if (it.bucket.count == 0)
            continue;
        buf_printf(out, "%s[\"%a\",\"%a\",\"%a\"]", first ? "" : ",", it.bucket.lower, it.bucket.upper,
                   it.bucket.count);
        first = false;
    }
    buf_str(out, "]}");
}

static void print_series(struct buf *out, const struct result_series *s)
{
    buf_str(out, "{\"labels\":{");
    for (uint32_t i = 0; i < s->labels.count; i++) {
        buf_str(out, i ? "," : "");
        print_quoted(out, s->labels.list[i]->name);
        buf_str(out, ":");
        print_quoted(out, s->labels.list[i]->value);
    }
    buf_str(out, "},\"points\":[");
    for (uint32_t i = 0; i < s->point_count; i++) {
        buf_printf(out, "%s[%lld,", i ? "," : "", (long long)s->points[i].t_ms);
        if (s->points[i].h)
            print_histogram(out, s->points[i].h);
        else
            buf_printf(out, "\"%a\"", s->points[i].v);
        buf_str(out, "]");
    }
    buf_str(out, "]}");
}

static void print_texts(struct buf *out, const char *name, uint32_t count, const char *const *texts)
{
    buf_printf(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < count; i++) {
        buf_str(out, i ? "," : "");
        print_quoted(out, slice_str(texts[i]));
    }
    buf_str(out, "]");
}

static void print_result(struct buf *out, const struct result *r)
{
    buf_printf(out, "{\"type\":\"%s\",\"scalar\":\"%a\",\"string\":", value_type_name(r->type), r->scalar);
    print_quoted(out, r->string);
    buf_str(out, ",\"result\":[");
    for (uint64_t i = 0; i < r->series_count; i++) {
        buf_str(out, i ? "," : "");
        print_series(out, &r->series[i]);
    }
    buf_str(out, "]");
    print_texts(out, "warnings", r->warning_count, r->warnings);
    print_texts(out, "infos", r->info_count, r->infos);
    buf_printf(out, ",\"stats\":[%llu,%llu,%llu]}", (unsigned long long)r->stats.total_queryable_samples,
               (unsigned long long)r->stats.samples_read, (unsigned long long)r->stats.peak_samples);
}

static void answer(struct engine *e, const char *line, struct buf *out)
{
    struct exec_params p = {0};
    struct query *q = NULL;
    struct result *r = NULL;
    struct errmsg why;
    char *at;
    p.start_ms = strtoll(line, &at, 10);
    p.end_ms = strtoll(at, &at, 10);
    p.step_ms = strtoll(at, &at, 10);
    enum err err = promql_parse(e, slice_str(at + strspn(at, " ")), &q, &why);
    if (err == ERR_OK)
        err = promql_exec(e, q, &p, NULL, &r, &why);
    if (err == ERR_OK) {
        print_result(out, r);
    } else {
        buf_str(out, "{\"error\":");
        print_quoted(out, slice_str(why.text));
        buf_str(out, "}");
    }
    promql_result_free(r);
    promql_query_free(q);
}

static void answer_all(struct engine *e)
{
    char *line = NULL;
    size_t capacity = 0;
    struct buf out = {0};
    while (getline(&line, &capacity, stdin) > 0) {
        line[strcspn(line, "\n")] = 0;
        buf_reset(&out);
        answer(e, line, &out);
        puts(buf_cstr(&out));
        fflush(stdout);
    }
    free(line);
    buf_deinit(&out);
}

int main(int argc, char **argv)
{
    struct buf text = {0};
    struct script script;
    struct errmsg why;
    if (argc != 3)
        return fprintf(stderr, "usage: e2e_promqlask DATA.test FEATURES\n"), 2;
    if (script_read(argv[1], &text, &why) != ERR_OK || script_parse(buf_view(&text), &script, &why) != ERR_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], why.text), 2;
    struct memory_storage *m = memory_storage_new();
    load_all(&script, m);
    struct engine_options o;
    engine_options_default(&o);
    o.storage = memory_storage_storage(m);
    o.features = (unsigned)strtoul(argv[2], NULL, 0);
    struct engine *e = engine_new(&o);
    answer_all(e);
    engine_free(e);
    memory_storage_free(m);
    script_deinit(&script);
    buf_deinit(&text);
    return 0;
}
