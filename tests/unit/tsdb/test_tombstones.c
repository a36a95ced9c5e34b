/* The file of tombstones: what goes in comes out, and every damage is told. */
#include "tsdb/tombstones.h"

#include <criterion/criterion.h>

#include "regex/regex.h"
#include "storage/querier.h"

enum { DIR = 77 };

static struct tombstones *three(void)
{
    struct tombstones *t = tombstones_new();
    struct matcher m[3] = {
        {.op = MATCH_EQUAL, .name = SLICE_LIT("__name__"), .value = SLICE_LIT("up")},
        {.op = MATCH_NOT_REGEX, .name = SLICE_LIT("job"), .value = SLICE_LIT("a|b.*")},
        {.op = MATCH_NOT_EQUAL, .name = SLICE_LIT("ö"), .value = SLICE_LIT("\0\n\"")},
    };
    for (uint32_t i = 0; i < 3; i++) {
        struct tombstone stone = {.sequence = 5 + i,
                                  .mint_ms = i ? (int64_t)i * 1000 : INT64_MIN,
                                  .maxt_ms = INT64_MAX - i,
                                  .made_ms = 1700000000000,
                                  .matchers = m,
                                  .matcher_count = i + 1};
        cr_assert_eq(tombstones_add(t, &stone, NULL), ERR_OK);
    }
    return t;
}

static void expect_same(const struct tombstone *a, const struct tombstone *b)
{
    cr_expect(a->number == b->number && a->sequence == b->sequence && a->mint_ms == b->mint_ms &&
              a->maxt_ms == b->maxt_ms && a->made_ms == b->made_ms && a->matcher_count == b->matcher_count);
    for (uint32_t i = 0; i < a->matcher_count && i < b->matcher_count; i++)
        cr_expect(a->matchers[i].op == b->matchers[i].op && slice_eq(a->matchers[i].name, b->matchers[i].name) &&
                  slice_eq(a->matchers[i].value, b->matchers[i].value));
}

Test(tombstones, come_back_as_they_were)
{
    struct tombstones *t = three(), *back;
    struct buf text = {0};
    struct errmsg why = {0};
    uint64_t damaged;
    tombstones_print(t, DIR, &text);
    cr_expect_eq(text.len, t->bytes);
    cr_assert_eq(tombstones_parse(buf_view(&text), DIR, &back, &damaged, &why), ERR_OK, "%s", why.text);
    cr_assert_eq(back->count, 3);
    cr_expect_eq(damaged, 0);
    cr_expect_eq(back->next_number, 4);
    for (size_t i = 0; i < 3; i++)
        expect_same(t->list[i], back->list[i]);
    cr_expect(matcher_matches(&back->list[1]->matchers[1], SLICE_LIT("c")));
    cr_expect_not(matcher_matches(&back->list[1]->matchers[1], SLICE_LIT("bx")));
    tombstones_remove(back, 1);
    buf_reset(&text);
    tombstones_print(back, DIR, &text);
    cr_expect_eq(text.len, back->bytes);
    tombstones_release(back);
    tombstones_release(t);
    buf_deinit(&text);
}

Test(tombstones, every_flipped_bit_is_noticed_and_costs_one_record_at_most)
{
    struct tombstones *t = three();
    struct buf text = {0};
    tombstones_print(t, DIR, &text);
    for (size_t i = 0; i < text.len * 8; i++) {
        struct tombstones *back = NULL;
        uint64_t damaged = 0;
        text.data[i / 8] ^= (uint8_t)(1 << i % 8);
        enum err err = tombstones_parse(buf_view(&text), DIR, &back, &damaged, NULL);
        cr_expect(err != ERR_OK || damaged > 0, "bit %zu", i);
        cr_expect(err != ERR_OK || back->count + damaged >= 1);
        for (size_t k = 0; back && k < back->count; k++)
            expect_same(back->list[k], t->list[back->list[k]->number - 1]);
        tombstones_release(back);
        text.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t len = 0; len < text.len; len++) {
        struct tombstones *back = NULL;
        uint64_t damaged = 0;
        enum err err = tombstones_parse(slice_of(text.data, len), DIR, &back, &damaged, NULL);
        cr_expect(err != ERR_OK || damaged > 0, "length %zu", len);
        tombstones_release(back);
    }
    tombstones_release(t);
    buf_deinit(&text);
}

Test(tombstones, of_another_directory_or_version_are_refused)
{
    struct tombstones *t = three(), *back;
    struct buf text = {0};
    uint64_t damaged;
    tombstones_print(t, DIR, &text);
    cr_expect_eq(tombstones_parse(buf_view(&text), DIR + 1, &back, &damaged, NULL), ERR_CORRUPT);
    text.data[8] = 2;
    cr_expect_eq(tombstones_parse(buf_view(&text), DIR, &back, &damaged, NULL), ERR_CORRUPT,
                 "not a version, but damage");
    tombstones_release(t);
    buf_deinit(&text);
}

Test(tombstones, selectors_without_end_are_refused)
{
    struct tombstones *t = tombstones_new();
    struct buf value = {0};
    for (int i = 0; i < TOMBSTONE_BYTES_MAX; i++)
        buf_u8(&value, 'x');
    struct matcher m = {.op = MATCH_EQUAL, .name = SLICE_LIT("a"), .value = buf_view(&value)};
    struct tombstone stone = {.matchers = &m, .matcher_count = 1};
    cr_expect_eq(tombstones_add(t, &stone, NULL), ERR_LIMIT);
    m = (struct matcher){.op = MATCH_REGEX, .name = SLICE_LIT("a"), .value = SLICE_LIT("(")};
    cr_expect_eq(tombstones_add(t, &stone, NULL), ERR_INVALID);
    cr_expect_eq(t->count, 0);
    tombstones_release(t);
    buf_deinit(&value);
}
