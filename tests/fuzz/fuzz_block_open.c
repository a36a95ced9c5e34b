/*
 * fuzz_block_open.c - any bytes as the index and data files of a block, checksums not compared.
 *
 * Input: u32 length of the index file, its bytes, the rest is the data file.  Opens it, selects, reads
 * every sample, lists labels, dumps and merges it; only memory safety and bounded work are asked.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "block/block_internal.h"
#include "lib/fs_sim.h"
#include "regex/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SERIES_TRIED_MAX = 5000 };

static bool ignore_name(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return true;
}

static enum err ignore_text(void *ctx, struct slice text)
{
    *(size_t *)ctx += text.len;
    return *(size_t *)ctx < 1 << 22 ? ERR_OK : ERR_LIMIT;
}

static void read_series(struct series_set *set)
{
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        struct samples s;
        if (r->ops->read(r, i, INT64_MIN, INT64_MAX, &s, NULL) == ERR_OK)
            for (uint32_t k = 1; k < s.count; k++)
                assert(s.times_ms[k - 1] < s.times_ms[k]);
        if (r->ops->last(r, i, INT64_MIN, 1 << 20, &s, NULL) == ERR_OK)
            assert(s.count <= 1);
    }
    r->ops->close(r);
}

static void query(struct block *b, struct mem_budget *budget)
{
    struct arena arena;
    struct warnings warnings = {0};
    struct querier *q;
    struct series_set *set;
    const struct regex *re = NULL;
    arena_init(&arena, budget);
    if (regex_compile(SLICE_LIT("(metric|job)_?[0-9]+.*"), &arena, 0, &re, NULL) != ERR_OK)
        abort();
    struct matcher m[] = {{.op = MATCH_REGEX, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("x"), .regex = re},
                          {.op = MATCH_NOT_EQUAL, .name = SLICE_LIT("mode"), .value = SLICE_LIT("mode-1")},
                          {.op = MATCH_EQUAL, .name = SLICE_LIT("job"), .value = SLICE_LIT("job-1")}};
    if (block_querier(b, INT64_MIN, INT64_MAX, &q, NULL) != ERR_OK)
        abort();
    for (uint32_t n = 0; n <= 3; n++) {
        struct selector sel = {.matchers = m,
                               .matcher_count = n,
                               .mint_ms = n,
                               .maxt_ms = INT64_MAX - n,
                               .sorted = n & 1,
                               .warnings = &warnings};
        if (q->ops->select(q, &sel, &arena, NULL, &set, NULL) == ERR_OK)
            read_series(set);
        enum err ignored = q->ops->label_names(q, &sel, 0, NULL, ignore_name, NULL, NULL);
        ignored = q->ops->label_values(q, SLICE_LIT("job"), &sel, 0, NULL, ignore_name, NULL, NULL);
        (void)ignored;
    }
    q->ops->close(q);
    arena_deinit(&arena);
}

static void merge(struct block *b, struct fs *fs)
{
    struct block_writer_options o = {.id = b->toc.meta.id};
    struct block_merge_options m = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX};
    struct block_meta meta;
    struct block_writer *w;
    if (block_writer_new(fs, "out", &o, &w, NULL) != ERR_OK)
        return;
    if (block_merge(&b, 1, &m, w, NULL) == ERR_OK) {
        enum err ignored = block_writer_finish(w, &meta, NULL);
        (void)ignored;
    }
    block_writer_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || le32_get(data) > size - 4)
        return 0;
    uint32_t index = le32_get(data);
    struct fs_sim *sim = fs_sim_new();
    struct mem_budget budget = {.name = "fuzz", .limit = 256 << 20};
    struct page_cache *cache = page_cache_new(1 << 20, &budget);
    struct block *b;
    if (fs_mkdir(fs_sim_fs(sim), "b", NULL) != ERR_OK)
        abort();
    fs_sim_put(sim, "b/index", slice_of(data + 4, index));
    fs_sim_put(sim, "b/data", slice_of(data + 4 + index, size - 4 - index));
    if (block_open_flags(fs_sim_fs(sim), "b", cache, BLOCK_OPEN_TRUSTING, &b, NULL) == ERR_OK) {
        size_t dumped = 0;
        if (b->toc.meta.series <= SERIES_TRIED_MAX) {
            query(b, &budget);
            enum err ignored = block_dump(b, BLOCK_DUMP_SERIES | BLOCK_DUMP_CHUNKS, ignore_text, &dumped, NULL);
            (void)ignored;
            merge(b, fs_sim_fs(sim));
        }
        block_release(b);
    }
    page_cache_free(cache);
    assert(atomic_load(&budget.used) == 0);
    fs_sim_free(sim);
    return 0;
}
