/* The example in docs/formats/block.md is what the writer writes, and it decodes. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "block/block.h"
#include "lib/fs_sim.h"

static const int64_t times[] = {1000, 16000, 31000};
static const double requests[] = {10, 12.5, 40}, ups[] = {1, 1, 1};

/* The bytes of a fenced block "```hex NAME": lines of offset, two spaces, bytes in hex, optionally "; text". */
static struct buf hex_of(const char *text, const char *name)
{
    struct buf out = {0};
    char fence[32];
    snprintf(fence, sizeof fence, "```hex %s\n", name);
    const char *p = strstr(text, fence);
    cr_assert(p, "%s", fence);
    for (p = strchr(p, '\n') + 1; strncmp(p, "```", 3) != 0; p = strchr(p, '\n') + 1) {
        unsigned byte;
        int used = 0;
        const char *q = strchr(p, ' '), *end = q + strcspn(q, ";\n");
        unsigned offset;
        cr_assert_eq(sscanf(p, "%x", &offset), 1);
        cr_assert_eq(offset, out.len, "the line of %04x is at %04zx", offset, out.len);
        while (q + 2 <= end && sscanf(q, " %2x%n", &byte, &used) == 1) {
            buf_u8(&out, (uint8_t)byte);
            q += used;
            while (*q == ' ')
                q++;
        }
    }
    return out;
}

static struct buf doc(void)
{
    struct buf text = {0};
    struct errmsg why;
    cr_assert_eq(fs_read_file(fs_posix(), "docs/formats/block.md", 1 << 20, &text, &why), ERR_OK, "%s", why.text);
    buf_cstr(&text);
    return text;
}

static struct block_id example_id(void)
{
    return (struct block_id){{0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
}

static void write_example(struct fs *fs)
{
    struct errmsg why;
    struct block_writer *w;
    struct block_meta meta;
    struct arena arena;
    struct block_writer_options o = {.id = example_id(), .seq_min = 1, .seq_max = 5};
    struct labels_builder b;
    struct samples s = {.count = 3, .times_ms = times, .values = requests};
    arena_init(&arena, NULL);
    cr_assert_eq(block_writer_new(fs, "example", &o, &w, &why), ERR_OK);
    labels_builder_init(&b, &arena, NULL);
    labels_builder_set(&b, SLICE_LIT("job"), SLICE_LIT("node"));
    labels_builder_set(&b, SLICE_LIT("instance"), SLICE_LIT("a:9100"));
    labels_builder_set(&b, SLICE_LIT("__name__"), SLICE_LIT("requests"));
    labels_builder_set(&b, SLICE_LIT("code"), SLICE_LIT("200"));
    struct labels l = labels_builder_finish(&b);
    cr_assert_eq(block_writer_series(w, &l, &why), ERR_OK);
    cr_assert_eq(block_writer_samples(w, &s, &why), ERR_OK);
    labels_builder_set(&b, SLICE_LIT("__name__"), SLICE_LIT("up"));
    labels_builder_del(&b, SLICE_LIT("code"));
    l = labels_builder_finish(&b);
    s.values = ups;
    cr_assert_eq(block_writer_series(w, &l, &why), ERR_OK);
    cr_assert_eq(block_writer_samples(w, &s, &why), ERR_OK);
    cr_assert_eq(block_writer_finish(w, &meta, &why), ERR_OK);
    block_writer_free(w);
    arena_deinit(&arena);
}

static void expect_bytes(struct fs_sim *sim, const char *path, const struct buf *want)
{
    struct slice got = fs_sim_bytes(sim, path);
    size_t i = 0;
    while (i < got.len && i < want->len && got.data[i] == want->data[i])
        i++;
    cr_expect(i == got.len && i == want->len, "%s differs from the document at byte %zu", path, i);
    if (i == got.len && i == want->len)
        return;
    for (size_t k = 0; k < got.len; k++) { /* what to put into the document */
        if (k % 16 == 0)
            fprintf(stderr, "\n%04zx ", k);
        fprintf(stderr, " %02x", got.data[k]);
    }
    fprintf(stderr, "\n");
}

Test(block_format, the_documented_example_is_what_is_written)
{
    struct fs_sim *sim = fs_sim_new();
    struct buf text = doc(), index = hex_of((char *)text.data, "index"), data = hex_of((char *)text.data, "data");
    write_example(fs_sim_fs(sim));
    expect_bytes(sim, "example/data", &data);
    expect_bytes(sim, "example/index", &index);
    struct slice meta = fs_sim_bytes(sim, "example/meta.json");
    buf_reset(&index);
    buf_slice(&index, meta);
    cr_expect(strstr((char *)text.data, buf_cstr(&index)), "meta.json is in the document as\n%s", buf_cstr(&index));
    buf_deinit(&text);
    buf_deinit(&index);
    buf_deinit(&data);
    fs_sim_free(sim);
}

Test(block_format, the_documented_example_decodes)
{
    struct fs_sim *sim = fs_sim_new();
    struct buf text = doc(), index = hex_of((char *)text.data, "index"), data = hex_of((char *)text.data, "data");
    struct page_cache *cache = page_cache_new(1 << 16, NULL);
    struct block *b;
    struct errmsg why;
    struct querier *q;
    struct series_set *set;
    struct arena arena;
    struct samples s;
    struct matcher m = {.op = MATCH_EQUAL, .name = SLICE_LIT("code"), .value = SLICE_LIT("200")};
    struct selector sel = {.matchers = &m, .matcher_count = 1, .mint_ms = 0, .maxt_ms = 100000};
    arena_init(&arena, NULL);
    cr_assert_eq(fs_mkdir(fs_sim_fs(sim), "b", &why), ERR_OK);
    fs_sim_put(sim, "b/index", buf_view(&index));
    fs_sim_put(sim, "b/data", buf_view(&data));
    cr_assert_eq(block_open(fs_sim_fs(sim), "b", cache, &b, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(block_querier(b, 0, 100000, &q, &why), ERR_OK);
    cr_assert_eq(q->ops->select(q, &sel, &arena, NULL, &set, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(set->count, 1);
    cr_expect(slice_eq_str(labels_name(&set->labels[0]), "requests"));
    struct series_reader *r = set->ops->reader(set);
    cr_assert_eq(r->ops->read(r, 0, 0, 100000, &s, &why), ERR_OK);
    cr_assert_eq(s.count, 3);
    cr_expect_arr_eq(s.times_ms, times, sizeof times);
    cr_expect_arr_eq(s.values, requests, sizeof requests);
    r->ops->close(r);
    q->ops->close(q);
    block_release(b);
    page_cache_free(cache);
    arena_deinit(&arena);
    buf_deinit(&text);
    buf_deinit(&index);
    buf_deinit(&data);
    fs_sim_free(sim);
}
