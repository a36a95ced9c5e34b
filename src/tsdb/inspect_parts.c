/*
 * inspect_parts.c - series, symbols, index and log of a data directory, in any state, without changing it.
 *
 * Long lists go out as they are made; what could not be read stands at the end, as "problems".
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tsdb/dir_store.h"
#include "tsdb/report.h"
#include "tsdb/tsdb.h"
#include "wal/wal.h"

enum { FLUSH_BYTES = 1 << 16 };

struct inspection {
    const struct tsdb_inspect_options *o;
    struct dir_store store;
    struct report report;
    struct buf text;
    struct errmsg *why;
    struct warnings warnings;
    struct querier *querier;
    struct arena arena;
};

static enum err flush(struct inspection *x, size_t at_least)
{
    if (x->text.len < at_least)
        return ERR_OK;
    enum err err = x->o->write(x->o->ctx, buf_view(&x->text));
    buf_reset(&x->text);
    return err == ERR_OK ? ERR_OK : err_set(x->why, err, "output");
}

/* ---- series ---- */

static enum err series_row(struct inspection *x, struct series_reader *r, uint32_t i, const struct labels *labels)
{
    struct samples s;
    struct buf text = {0};
    TRY(r->ops->read(r, i, INT64_MIN, INT64_MAX, &s, x->why));
    labels_print(labels, &text);
    report_row(&x->report);
    report_text(&x->report, "series", buf_view(&text));
    report_u64(&x->report, "samples", s.count);
    if (s.count) {
        report_i64(&x->report, "mint_ms", s.times_ms[0]);
        report_i64(&x->report, "maxt_ms", s.times_ms[s.count - 1]);
    }
    buf_deinit(&text);
    return flush(x, FLUSH_BYTES);
}

static enum err series_select(struct inspection *x, const struct matcher *matchers, uint32_t count,
                              struct series_set **set)
{
    struct selector sel = {.matchers = matchers,
                           .matcher_count = count,
                           .mint_ms = INT64_MIN,
                           .maxt_ms = INT64_MAX,
                           .sorted = true,
                           .warnings = &x->warnings};
    return x->querier->ops->select(x->querier, &sel, &x->arena, NULL, set, x->why);
}

static enum err inspect_series(struct inspection *x)
{
    struct series_set *set;
    TRY(series_select(x, x->o->selector.matchers, x->o->selector.count, &set));
    struct series_reader *r = set->ops->reader(set);
    enum err err = ERR_OK;
    report_section(&x->report, "series");
    uint64_t shown = x->o->limit && x->o->limit < set->count ? x->o->limit : set->count;
    for (uint32_t i = 0; err == ERR_OK && i < shown; i++)
        err = series_row(x, r, i, &set->labels[i]);
    report_section(&x->report, "total");
    report_row(&x->report);
    report_u64(&x->report, "series", set->count);
    report_u64(&x->report, "shown", shown);
    r->ops->close(r);
    return err;
}

/* ---- symbols ---- */

struct texts {
    struct arena *arena;
    struct slice *list;
    uint64_t *series; /* that have it; made by count_series */
    size_t count, capacity;
    uint64_t bytes;
};

static bool text_take(void *ctx, struct slice text)
{
    struct texts *t = ctx;
    t->list = mem_grow(t->list, &t->capacity, t->count + 1, sizeof *t->list);
    t->list[t->count++] = arena_copy(t->arena, text);
    t->bytes += text.len;
    return true;
}

static int by_text(const void *key, const void *element)
{
    return slice_cmp(*(const struct slice *)key, *(const struct slice *)element);
}

/* Values of one label come sorted. */
static enum err values_take(struct inspection *x, struct slice name, struct texts *out)
{
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &x->warnings};
    return x->querier->ops->label_values(x->querier, name, &sel, 0, NULL, text_take, out, x->why);
}

static enum err count_series(struct inspection *x, struct slice name, struct texts *t, uint64_t *all)
{
    struct series_set *set;
    struct matcher has = {.op = MATCH_NOT_EQUAL, .name = name};
    TRY(series_select(x, &has, 1, &set));
    t->series = mem_array(t->count + 1, sizeof *t->series);
    *all = set->count;
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t k = 0; k < set->labels[i].count; k++) {
            const struct label *label = set->labels[i].list[k];
            if (!slice_eq(label->name, name) || t->count == 0)
                continue;
            const struct slice *found = bsearch(&label->value, t->list, t->count, sizeof *t->list, by_text);
            if (found)
                t->series[found - t->list]++;
        }
    return ERR_OK;
}

static void texts_deinit(struct texts *t)
{
    mem_free(t->list);
    mem_free(t->series);
}

static enum err inspect_values(struct inspection *x)
{
    struct texts values = {.arena = &x->arena};
    uint64_t series = 0;
    struct slice name = slice_str(x->o->name);
    enum err err = values_take(x, name, &values);
    if (err == ERR_OK)
        err = count_series(x, name, &values, &series);
    report_section(&x->report, "values");
    for (size_t i = 0; err == ERR_OK && i < values.count && (x->o->limit == 0 || i < x->o->limit); i++) {
        report_row(&x->report);
        report_text(&x->report, "value", values.list[i]);
        report_u64(&x->report, "series", values.series[i]);
        err = flush(x, FLUSH_BYTES);
    }
    texts_deinit(&values);
    return err;
}

static enum err inspect_names(struct inspection *x)
{
    struct texts names = {.arena = &x->arena};
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &x->warnings};
    enum err err = x->querier->ops->label_names(x->querier, &sel, 0, NULL, text_take, &names, x->why);
    report_section(&x->report, "symbols");
    for (size_t i = 0; err == ERR_OK && i < names.count; i++) {
        struct arena arena; /* values can be many: of one name at a time */
        arena_init(&arena, NULL);
        struct texts values = {.arena = &arena};
        err = values_take(x, names.list[i], &values);
        report_row(&x->report);
        report_text(&x->report, "name", names.list[i]);
        report_u64(&x->report, "values", values.count);
        report_u64(&x->report, "bytes", values.bytes);
        texts_deinit(&values);
        arena_deinit(&arena);
    }
    texts_deinit(&names);
    return err;
}

/* ---- index ---- */

static enum err inspect_index(struct inspection *x)
{
    report_section(&x->report, "index");
    for (size_t i = 0; i < x->store.count; i++) {
        struct block_index_info info;
        char id[BLOCK_ID_TEXT];
        const struct block_meta *m = block_meta(x->store.blocks[i]);
        block_id_text(&m->id, id);
        block_index_info(x->store.blocks[i], &info);
        report_row(&x->report);
        report_str(&x->report, "block", id);
        report_u64(&x->report, "bytes", m->index.bytes);
        report_u64(&x->report, "series", m->series);
        report_u64(&x->report, "chunks", m->chunks);
        report_u64(&x->report, "time_columns", info.time_columns);
        report_u64(&x->report, "label_names", info.label_names);
        report_u64(&x->report, "label_pairs", info.label_pairs);
        for (uint32_t k = 0; k < BLOCK_SECTIONS; k++) {
            char key[40];
            snprintf(key, sizeof key, "%s_pages", info.sections[k].name);
            report_u64(&x->report, key, info.sections[k].pages);
            snprintf(key, sizeof key, "%s_bytes", info.sections[k].name);
            report_u64(&x->report, key, info.sections[k].bytes);
        }
        TRY(flush(x, FLUSH_BYTES));
    }
    return ERR_OK;
}

/* ---- log ---- */

static void frame_row(struct inspection *x, const struct wal_frame *frame)
{
    char segment[24];
    snprintf(segment, sizeof segment, "%016llx", (unsigned long long)frame->segment);
    report_row(&x->report);
    report_u64(&x->report, "sequence", frame->sequence);
    report_str(&x->report, "segment", segment);
    report_u64(&x->report, "offset", frame->offset);
    report_u64(&x->report, "bytes", frame->payload.len);
    if (frame->lost_before)
        report_u64(&x->report, "lost_before", frame->lost_before);
}

static void damage_rows(struct inspection *x, const struct wal_report *report)
{
    report_section(&x->report, "damage");
    for (uint64_t i = 0; i < report->damage_count && i < WAL_DAMAGE_MAX; i++) {
        char segment[24];
        snprintf(segment, sizeof segment, "%016llx", (unsigned long long)report->damage[i].segment);
        report_row(&x->report);
        report_str(&x->report, "segment", segment);
        report_u64(&x->report, "offset", report->damage[i].offset);
        report_u64(&x->report, "bytes", report->damage[i].bytes);
        report_str(&x->report, "what", report->damage[i].what);
    }
    report_section(&x->report, "total");
    report_row(&x->report);
    report_u64(&x->report, "frames", report->frames);
    report_u64(&x->report, "lost_frames", report->lost_frames);
    report_u64(&x->report, "damaged_places", report->damage_count);
}

static enum err inspect_frames(struct inspection *x)
{
    char path[DIR_VIEW_PATH_BYTES];
    struct wal_reader *reader;
    struct buf buffer = {0};
    struct wal_frame frame;
    uint64_t shown = 0;
    dir_view_path(&x->store.view, path, "wal", "", "");
    TRY(wal_reader_open(x->store.view.fs, path, x->store.view.id, 0, &reader, x->why));
    report_section(&x->report, "frames");
    enum err err = ERR_OK, got;
    while (err == ERR_OK && (got = wal_reader_next(reader, &buffer, &frame, NULL)) != ERR_NOT_FOUND &&
           got != ERR_UNSUPPORTED) {
        if (got != ERR_OK || (x->o->limit && shown++ >= x->o->limit))
            continue;
        frame_row(x, &frame);
        err = flush(x, FLUSH_BYTES);
    }
    damage_rows(x, wal_reader_report(reader));
    wal_reader_close(reader);
    buf_deinit(&buffer);
    return err;
}

/* ---- all of it ---- */

static enum err inspect_one(struct inspection *x)
{
    switch (x->o->what) {
    case TSDB_INSPECT_SERIES:
        return inspect_series(x);
    case TSDB_INSPECT_SYMBOLS:
        return x->o->name ? inspect_values(x) : inspect_names(x);
    case TSDB_INSPECT_INDEX:
        return inspect_index(x);
    case TSDB_INSPECT_WAL:
        break;
    }
    return inspect_frames(x);
}

static void problem_rows(struct inspection *x)
{
    struct slice lines = buf_view(&x->store.problems);
    report_section(&x->report, "problems");
    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.data, '\n', lines.len);
        size_t n = end ? (size_t)(end - lines.data) : lines.len;
        report_row(&x->report);
        report_text(&x->report, "problem", slice_of(lines.data, n));
        lines = slice_from(lines, n + (end != NULL));
    }
    for (uint32_t i = 0; i < x->warnings.count; i++) {
        report_row(&x->report);
        report_str(&x->report, "problem", x->warnings.list[i]);
    }
}

enum err tsdb_inspect_part(struct fs *fs, const char *dir, const struct tsdb_inspect_options *o, struct errmsg *why)
{
    struct errmsg own;
    struct inspection *x = MEM_NEW(struct inspection);
    *x = (struct inspection){.o = o, .why = why ? why : &own};
    bool with_log = o->what == TSDB_INSPECT_SERIES || o->what == TSDB_INSPECT_SYMBOLS;
    arena_init(&x->arena, NULL);
    enum err err = dir_store_open(&x->store, fs, dir, with_log, x->why);
    if (err == ERR_OK)
        err = dir_store_querier(&x->store, &x->querier, x->why);
    if (err == ERR_OK) {
        report_begin(&x->report, &x->text, o->json);
        err = inspect_one(x);
        problem_rows(x);
        report_end(&x->report);
        enum err written = flush(x, 0);
        err = err == ERR_OK ? written : err;
    }
    if (x->querier)
        x->querier->ops->close(x->querier);
    arena_deinit(&x->arena);
    dir_store_close(&x->store);
    buf_deinit(&x->text);
    mem_free(x);
    return err;
}
