/*
 * stress_block.c - many threads read one block through a page cache that is far too small, while other
 * threads open and close the same block; for ThreadSanitizer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/lock.h"
#include "lib/block_gen.h"
#include "lib/fs_sim.h"

enum { THREADS = 3, ROUNDS = 2 };

struct shared {
    struct fs *fs;
    struct page_cache *cache;
    struct block *block;
    const struct gen_set *set;
    struct warnings warnings;
};

static void read_block(struct shared *s, struct block *b, uint32_t seed)
{
    struct querier *q;
    struct series_set *set;
    struct arena arena;
    struct selector sel = {.mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .warnings = &s->warnings};
    arena_init(&arena, NULL);
    enum err err = block_querier(b, INT64_MIN, INT64_MAX, &q, NULL);
    assert(err == ERR_OK);
    err = q->ops->select(q, &sel, &arena, NULL, &set, NULL);
    assert(err == ERR_OK && set->count == s->set->count);
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t k = 0; k < set->count; k++) {
        uint32_t i = (k * 31 + seed) % set->count;
        struct samples got;
        err = r->ops->read(r, i, INT64_MIN, INT64_MAX, &got, NULL);
        assert(err == ERR_OK && !gen_samples_differ(&s->set->series[i].samples, &got, INT64_MIN, INT64_MAX));
    }
    r->ops->close(r);
    q->ops->close(q);
    arena_deinit(&arena);
}

static void *reader(void *arg)
{
    struct shared *s = (struct shared *)arg;
    for (uint32_t i = 0; i < ROUNDS; i++)
        read_block(s, s->block, i);
    return NULL;
}

static void *opener(void *arg)
{
    struct shared *s = (struct shared *)arg;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct block *b;
        enum err err = block_open(s->fs, "b", s->cache, &b, NULL);
        assert(err == ERR_OK);
        read_block(s, b, i * 7);
        block_release(b);
    }
    return NULL;
}

int main(void)
{
    struct fs_sim *sim = fs_sim_new();
    struct gen_set set;
    struct block_meta meta;
    struct block_writer_options o = {.id = {{1}}, .zstd_level = 3, .chunk_samples_max = 60};
    struct shared s = {.fs = fs_sim_fs(sim), .cache = page_cache_new(40000, NULL), .set = &set};
    pthread_t threads[2 * THREADS];
    gen_set_make(&set,
                 &(struct gen_options){
                     .seed = 5, .targets = 6, .metrics = 30, .scrapes = 300, .step_ms = 1000, .histograms = true});
    gen_set_write(&set, s.fs, "b", &o, INT64_MIN, INT64_MAX, &meta);
    enum err err = block_open(s.fs, "b", s.cache, &s.block, NULL);
    assert(err == ERR_OK);
    for (int i = 0; i < 2 * THREADS; i++)
        threads[i] = thread_start("stress", i % 2 ? opener : reader, &s);
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    struct page_cache_stats stats;
    page_cache_stats(s.cache, &stats);
    printf("stress_block: %llu hits, %llu misses, %llu evictions\n", (unsigned long long)stats.hits,
           (unsigned long long)stats.misses, (unsigned long long)stats.evictions);
    assert(s.warnings.count == 0 && stats.evictions > 0);
    block_release(s.block);
    page_cache_free(s.cache);
    gen_set_free(&set);
    fs_sim_free(sim);
    return 0;
}
