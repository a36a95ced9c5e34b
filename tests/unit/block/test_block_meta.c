/* ULIDs and meta.json. */
#include "block/block_meta.h"

#include <criterion/criterion.h>

static struct block_meta example(void)
{
    struct block_meta m = {.level = 2,
                           .mint_ms = -5,
                           .maxt_ms = 1700000000000,
                           .seq_min = 7,
                           .seq_max = UINT64_MAX,
                           .series = 3,
                           .chunks = 4,
                           .samples = 99,
                           .histogram_samples = 1,
                           .index = {1000, 0xdeadbeef},
                           .data = {2000, 1},
                           .source_count = 2};
    for (unsigned i = 0; i < 16; i++) {
        m.id.bytes[i] = (uint8_t)(i * 17);
        m.sources[0].bytes[i] = (uint8_t)i;
        m.sources[1].bytes[i] = (uint8_t)(255 - i);
    }
    return m;
}

Test(block_id, text_is_a_ulid)
{
    struct random_seeded r;
    random_seeded_init(&r, 1);
    struct block_id id = block_id_new(1469918176385, &r.base), back; /* the time of the ULID specification's example */
    char text[BLOCK_ID_TEXT];
    block_id_text(&id, text);
    cr_expect_eq(strncmp(text, "01ARYZ6S41", 10), 0, "%s", text);
    cr_expect(block_id_parse(slice_str(text), &back) && block_id_eq(&id, &back));
    cr_expect_not(block_id_parse(SLICE_LIT("81ARYZ6S41000000000000000"), &back), "25 characters");
    cr_expect_not(block_id_parse(SLICE_LIT("81ARYZ6S410000000000000000"), &back), "more than 128 bits");
    cr_expect_not(block_id_parse(SLICE_LIT("01ARYZ6S41000000000000000U"), &back), "no such digit");
}

Test(block_meta, json_comes_back)
{
    struct block_meta m = example(), back;
    struct buf text = {0};
    struct errmsg why;
    block_meta_print(&m, &text);
    cr_assert_eq(block_meta_parse(buf_view(&text), &back, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(memcmp(&m, &back, sizeof m), 0);
    for (size_t cut = 0; cut + 2 < text.len; cut++)
        cr_assert_neq(block_meta_parse(slice_of(text.data, cut), &back, &why), ERR_OK, "cut at %zu", cut);
    buf_deinit(&text);
}

Test(block_meta, unknown_keys_are_skipped_and_newer_versions_refused)
{
    struct block_meta back;
    struct errmsg why;
    const char *text = "{\"version\":1,\"new\":[{\"a\":\"}\"},-1.5e3,null,true],\"x\":{\"y\":[]},\"id\":"
                       "\"01ARYZ6S41000000000000000A\",\"min_time_ms\":-1,\"max_time_ms\":2,\"index\":{\"bytes\":1}}";
    cr_expect_eq(block_meta_parse(slice_str(text), &back, &why), ERR_OK, "%s", why.text);
    cr_expect_eq(back.mint_ms, -1);
    cr_expect_eq(block_meta_parse(SLICE_LIT("{\"version\":2}"), &back, &why), ERR_UNSUPPORTED);
    cr_expect(strstr(why.text, "newer version"));
    const char *bad[] = {"",
                         "{",
                         "[]",
                         "{}",
                         "null",
                         "{\"version\":1}",
                         "{\"version\":-1}",
                         "{\"version\":1,}",
                         "{\"version\":99999999999999999999999}",
                         "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
                         "{\"version\":1,\"id\":\"x\"}",
                         "{\"\\u0041\":1}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_neq(block_meta_parse(slice_str(bad[i]), &back, &why), ERR_OK, "%s", bad[i]);
}
