/*
 * block_verify.c - every byte of a block looked at; the contract is in block.h.
 *
 * First the files as a whole (lengths, digests against meta.json), then every structure through the
 * same readers that queries use: label order, dictionary order, postings against labels, columns,
 * chunks, counts.  A finding is a line; after REPORT_LINES_MAX of them only the count goes on.
 */
#include <inttypes.h>

#include "base/crc32c.h"
#include "block/block_internal.h"
#include "chunk/chunk.h"

enum { REPORT_LINES_MAX = 100, READ_BYTES = 1 << 18, STEP_SERIES = 64, CACHE_BYTES = 8 << 20 };

struct verify {
    struct block *block;
    struct block_verify_result *result;
    struct buf *report;                /* may be NULL */
    uint64_t *pair_sums, *pair_counts; /* over the label pages: sum of mixed ordinals, number of them */
    int64_t mint_ms, maxt_ms;
    uint64_t histogram_samples;
    const struct block_verify_steps *steps; /* never NULL */
    uint64_t bytes_told;
    enum err stopped;   /* what a step said */
    struct errmsg last; /* of series_finding */
    uint64_t repeated;  /* findings that are counted and not told */
};

static void PRINTF_LIKE(2, 3) finding(struct verify *v, const char *fmt, ...)
{
    v->result->errors++;
    if (!v->report || v->result->errors - v->repeated > REPORT_LINES_MAX)
        return;
    va_list args;
    va_start(args, fmt);
    buf_vprintf(v->report, fmt, args);
    va_end(args);
    buf_u8(v->report, '\n');
}

/* What a series met; when its neighbours meet the same (a page that many are on), only the first is told. */
static void series_finding(struct verify *v, uint32_t ordinal, const struct errmsg *why)
{
    if (strcmp(v->last.text, why->text) == 0) {
        v->result->errors++;
        v->repeated++;
        return;
    }
    finding(v, "series %" PRIu32 ": %s", ordinal, why->text);
    v->last = *why;
}

/* Tells what was read since the last time; false: stop. */
static bool step(struct verify *v, uint64_t more)
{
    uint64_t read = atomic_load_explicit(&v->block->stats.bytes_read, memory_order_relaxed);
    uint64_t bytes = read - v->bytes_told + more;
    v->bytes_told = read;
    if (v->stopped == ERR_OK && v->steps->step)
        v->stopped = v->steps->step(v->steps->ctx, bytes);
    return v->stopped == ERR_OK;
}

/* Digest of a whole file against meta.json. */
static void verify_file(struct verify *v, const struct page_file *f, const struct block_file_meta *want)
{
    uint8_t *bytes = (uint8_t *)mem_alloc(READ_BYTES);
    uint32_t crc = 0;
    struct errmsg why;
    enum err err = ERR_OK;
    for (uint64_t at = 0; at < f->bytes && err == ERR_OK && step(v, READ_BYTES); at += READ_BYTES) {
        size_t n = f->bytes - at < READ_BYTES ? (size_t)(f->bytes - at) : READ_BYTES;
        err = file_pread_all(f->file, bytes, n, at, &why);
        if (err == ERR_OK)
            crc = crc32c(crc, bytes, n);
    }
    mem_free(bytes);
    if (v->stopped != ERR_OK)
        return;
    if (err != ERR_OK)
        finding(v, "%s: %s", f->name, why.text);
    else if (f->bytes != want->bytes || crc != want->crc)
        finding(v, "%s: %" PRIu64 " bytes with digest %08" PRIx32 ", meta.json says %" PRIu64 " and %08" PRIx32,
                f->name, f->bytes, crc, want->bytes, want->crc);
}

/* meta.json must be, byte for byte, what the writer prints for what the index says. */
static void verify_meta(struct verify *v, struct fs *fs, const char *dir)
{
    struct block_meta meta;
    struct errmsg why;
    struct buf path = {0}, text = {0}, want = {0};
    if (block_meta_read(fs, dir, &meta, &why) != ERR_OK) {
        finding(v, "%s", why.text);
        return;
    }
    verify_file(v, &v->block->index, &meta.index);
    verify_file(v, &v->block->data, &meta.data);
    struct block_meta toc = v->block->toc.meta;
    toc.index = meta.index;
    block_meta_print(&toc, &want);
    buf_printf(&path, "%s/meta.json", dir);
    if (fs_read_file(fs, buf_cstr(&path), want.len + 1, &text, &why) != ERR_OK ||
        !slice_eq(buf_view(&text), buf_view(&want)))
        finding(v, "meta.json does not agree with the index");
    buf_deinit(&path);
    buf_deinit(&text);
    buf_deinit(&want);
}

/* Ordinals are summed up mixed, so that two lists with equal sums and counts are the same list. */
static uint64_t mix(uint64_t v)
{
    v = (v + 1) * UINT64_C(0xbf58476d1ce4e5b9);
    v ^= v >> 27;
    v *= UINT64_C(0x94d049bb133111eb);
    return v ^ v >> 31;
}

static void verify_labels(struct verify *v)
{
    struct block *b = v->block;
    struct label_view view = {0};
    struct pair_table pairs;
    struct arena pair_arena, lists[2];
    struct labels labels, before = {0};
    struct errmsg why;
    arena_init(&pair_arena, NULL);
    arena_init(&lists[0], NULL);
    arena_init(&lists[1], NULL);
    pair_table_init(&pairs, b, &pair_arena, b->toc.meta.series);
    for (uint32_t i = 0; i < b->toc.meta.series && (i % STEP_SERIES || step(v, 0)); i++) {
        struct arena *list = &lists[i & 1];
        arena_deinit(list);
        if (label_view_load(b, &view, i, &why) != ERR_OK) {
            finding(v, "%s", why.text);
            i |= LABEL_GROUP_SERIES - 1; /* on to the next page */
            before.list = NULL;
            continue;
        }
        for (uint32_t k = 0; k < view.name_count; k++) {
            const struct toc_name *name = &b->toc.names[view.names[k].name];
            uint32_t id = label_view_id(&view.names[k], i % LABEL_GROUP_SERIES);
            if (id && id <= name->pair_count) {
                v->pair_sums[name->first_pair + id - 1] += mix(i);
                v->pair_counts[name->first_pair + id - 1]++;
            }
        }
        if (block_series_labels(&pairs, &view, i, list, &labels, &why) != ERR_OK) {
            series_finding(v, i, &why);
            before.list = NULL;
            continue;
        }
        if (before.list && block_labels_cmp(&before, &labels) >= 0)
            finding(v, "series %" PRIu32 " is not after the one before it", i);
        before = labels;
    }
    pair_table_deinit(&pairs);
    label_view_deinit(&view);
    arena_deinit(&pair_arena);
    arena_deinit(&lists[0]);
    arena_deinit(&lists[1]);
}

static void sum_ordinals(void *ctx, const int64_t *ordinals, uint32_t count)
{
    uint64_t *sum = (uint64_t *)ctx;
    for (uint32_t i = 0; i < count; i++)
        *sum += mix((uint64_t)ordinals[i]);
}

static void verify_name(struct verify *v, const struct toc_name *name)
{
    struct block *b = v->block;
    struct dict_cursor c = {0};
    struct buf before = {0};
    struct errmsg why;
    bool more = dict_seek(b, &c, name->first_pair);
    uint32_t end = name->first_pair + name->pair_count;
    for (; more && c.id < end; more = c.id + 1 < end && dict_next(b, &c)) {
        uint64_t sum = 0;
        if (c.value.len == 0 || (c.id > name->first_pair && slice_cmp(buf_view(&before), buf_view(&c.value)) >= 0))
            finding(v, "dictionary: value %" PRIu32 " of %.*s is out of order", c.id - name->first_pair,
                    SLICE_ARG(name->text));
        if (postings_walk(b, &c, sum_ordinals, &sum, &why) != ERR_OK)
            finding(v, "%s", why.text);
        else if (sum != v->pair_sums[c.id] || c.count != v->pair_counts[c.id])
            finding(v, "postings of %.*s=\"%.*s\" are not the series with that label", SLICE_ARG(name->text),
                    (int)c.value.len, (const char *)c.value.data);
        buf_reset(&before);
        buf_slice(&before, buf_view(&c.value));
    }
    if (c.err != ERR_OK)
        finding(v, "%s", c.why.text);
    buf_deinit(&before);
    dict_cursor_deinit(&c);
}

static void verify_chunk(struct verify *v, struct sample_reader *r, uint32_t ordinal, const struct chunk_entry *e,
                         int64_t *last_ms)
{
    struct samples s;
    struct errmsg why;
    struct slice payload;
    double constant;
    v->result->chunks++;
    if (sample_reader_chunk(r, e, INT64_MIN, INT64_MAX, &s, &why) != ERR_OK) {
        series_finding(v, ordinal, &why);
        return;
    }
    if (s.times_ms[0] <= *last_ms && *last_ms != INT64_MIN)
        finding(v, "series %" PRIu32 ": chunks are not in order of time", ordinal);
    *last_ms = s.times_ms[s.count - 1];
    v->mint_ms = s.times_ms[0] < v->mint_ms ? s.times_ms[0] : v->mint_ms;
    v->maxt_ms = *last_ms > v->maxt_ms ? *last_ms : v->maxt_ms;
    v->result->samples += s.count;
    v->histogram_samples += e->flags & ENTRY_HISTOGRAM ? s.count : 0;
    if (!(e->flags & (ENTRY_HISTOGRAM | ENTRY_STARTS)) && sample_reader_payload(r, e, &payload, &why) == ERR_OK &&
        chunk_constant(payload, &constant) != !!(e->flags & ENTRY_INLINE))
        finding(v, "series %" PRIu32 ": a chunk is constant in one place and not in the other", ordinal);
}

static void verify_samples(struct verify *v)
{
    struct sample_reader r;
    struct errmsg why;
    uint64_t chunks = 0;
    sample_reader_init(&r, v->block, NULL, NULL);
    for (uint32_t i = 0; i < v->block->toc.meta.series && (i % STEP_SERIES || step(v, 0)); i++) {
        const struct chunk_entry *e;
        uint32_t count;
        int64_t last_ms = INT64_MIN;
        v->result->series++;
        if (sample_reader_entries(&r, i, &e, &count, &why) != ERR_OK) {
            series_finding(v, i, &why);
            continue;
        }
        chunks += count;
        for (uint32_t k = 0; k < count; k++)
            verify_chunk(v, &r, i, &e[k], &last_ms);
    }
    sample_reader_deinit(&r);
    if (v->stopped != ERR_OK)
        return;
    const struct block_meta *m = &v->block->toc.meta;
    if (chunks != m->chunks || v->result->samples != m->samples || v->histogram_samples != m->histogram_samples)
        finding(v,
                "%" PRIu64 " chunks with %" PRIu64 " samples (%" PRIu64 " histograms), the index says %" PRIu64
                ", %" PRIu64 " (%" PRIu64 ")",
                chunks, v->result->samples, v->histogram_samples, m->chunks, m->samples, m->histogram_samples);
    if (v->result->samples && (v->mint_ms != m->mint_ms || v->maxt_ms != m->maxt_ms))
        finding(v, "samples from %" PRId64 " to %" PRId64 ", the index says %" PRId64 " to %" PRId64, v->mint_ms,
                v->maxt_ms, m->mint_ms, m->maxt_ms);
}

/* Whom the damage concerns that was met. */
static void tell_damage(struct verify *v)
{
    struct block_damage d;
    struct buf names = {.limit = 4096};
    struct arena arena;
    arena_init(&arena, NULL);
    if (block_damage_find(v->block, NULL, &arena, &d, NULL) == ERR_OK && d.places) {
        finding(v, "damaged: %s", d.text);
        for (uint32_t i = 0; i < d.named; i++)
            buf_printf(&names, "%s%s", i ? ", " : ": ", d.names[i]);
        if (d.series)
            finding(v, "%" PRIu64 " series may lack samples from %" PRId64 " to %" PRId64 " ms%.*s", d.series,
                    d.mint_ms, d.maxt_ms, (int)names.len, (const char *)names.data);
        v->result->damaged_series = d.series;
    }
    buf_deinit(&names);
    arena_deinit(&arena);
}

/* The block in use learns what was found. */
static void tell_live(struct verify *v)
{
    if (!v->steps->live)
        return;
    for (uint32_t i = 0; i < v->block->damage_count; i++) /* nobody else has v->block */
        if (v->block->damage[i].repaired)
            block_note_repaired(v->steps->live, v->block->damage[i].kind, v->block->damage[i].number);
        else
            block_note_damage(v->steps->live, v->block->damage[i].kind, v->block->damage[i].number);
}

enum err block_verify(struct fs *fs, const char *dir, const struct block_verify_steps *steps,
                      struct block_verify_result *out, struct buf *report, struct errmsg *why)
{
    static const struct block_verify_steps none;
    struct verify v = {
        .result = out, .report = report, .steps = steps ? steps : &none, .mint_ms = INT64_MAX, .maxt_ms = INT64_MIN};
    struct page_cache *cache = page_cache_new(CACHE_BYTES, NULL);
    struct errmsg broken;
    *out = (struct block_verify_result){0};
    if (block_open(fs, dir, cache, &v.block, &broken) != ERR_OK) {
        finding(&v, "%s", broken.text);
        page_cache_free(cache);
        return ERR_OK;
    }
    size_t pairs = (size_t)v.block->toc.pair_count + 1;
    v.pair_sums = (uint64_t *)mem_array(pairs, sizeof *v.pair_sums);
    v.pair_counts = (uint64_t *)mem_array(pairs, sizeof *v.pair_counts);
    verify_meta(&v, fs, dir);
    verify_labels(&v);
    for (uint32_t i = 0; i < v.block->toc.name_count && step(&v, 0); i++)
        verify_name(&v, &v.block->toc.names[i]);
    verify_samples(&v);
    if (v.stopped == ERR_OK)
        tell_damage(&v);
    tell_live(&v);
    out->pages = atomic_load(&v.block->stats.pages_read);
    uint64_t distinct = out->errors - v.repeated;
    if (report && distinct > REPORT_LINES_MAX)
        buf_printf(report, "... and %" PRIu64 " more\n", distinct - REPORT_LINES_MAX);
    mem_free(v.pair_sums);
    mem_free(v.pair_counts);
    block_release(v.block);
    page_cache_free(cache);
    return v.stopped == ERR_OK ? ERR_OK : err_set(why, v.stopped, "the check was stopped");
}
