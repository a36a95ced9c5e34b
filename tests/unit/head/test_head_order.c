/* Label sets of many series in the order of labels_cmp, whatever their texts look like. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "head/order_internal.h"

#define START INT64_C(1700000000000)
enum { SERIES = 700 };

static series_ref series_add(struct head *h, struct head_appender *a, const struct labels *l)
{
    struct buf canonical = {0};
    for (uint32_t k = 0; k < l->count; k++) {
        struct slice name = l->list[k]->name, value = l->list[k]->value;
        buf_u8(&canonical, 0x0a);
        buf_varint(&canonical, 4 + name.len + value.len);
        buf_u8(&canonical, 0x0a);
        buf_varint(&canonical, name.len);
        buf_slice(&canonical, name);
        buf_u8(&canonical, 0x12);
        buf_varint(&canonical, value.len);
        buf_slice(&canonical, value);
    }
    buf_le64(&canonical, 0);
    buf_le64(&canonical, 0);
    canonical.len -= SERIES_HASH_SLACK;
    struct head_row row = {.time_ms = START, .bits = 1};
    struct hash128 hash = series_hash(head_hash_key(h), canonical.data, canonical.len);
    head_create_begin(a);
    cr_assert_eq(head_series_get(a, buf_view(&canonical), hash, row.time_ms, NULL, &row.ref), ERR_OK);
    head_create_end(a);
    cr_assert_eq(head_append(a, &row, 1, NULL), 0);
    buf_deinit(&canonical);
    return row.ref;
}

/* Names on both sides of __name__, values that begin alike, that begin another, with zero bytes, long ones. */
static struct labels labels_random(struct random *random, struct arena *arena)
{
    static const char *const names[] = {"Zone", "__name__", "a", "job", "path", "z"};
    static const char *const values[] = {"a",
                                         "ab",
                                         "abcdefgh",
                                         "abcdefghi",
                                         "abcdefgha",
                                         "b",
                                         "host-1:90",
                                         "host-1:91",
                                         "\xc3\xa9",
                                         "\xff",
                                         "0",
                                         "10",
                                         "9",
                                         "/api/v1/x",
                                         "/api/v1/xyz_abc_de",
                                         "/api/v1/xyz_abc_df"};
    struct labels_builder b;
    labels_builder_init(&b, arena, NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (random_u64(random) % 4)
            labels_builder_set(&b, slice_str(names[i]), slice_str(values[random_u64(random) % 16]));
    labels_builder_set(&b, SLICE_LIT("nul"), slice_of("\0\0x", random_u64(random) % 3 + 1));
    return labels_builder_finish(&b);
}

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(a, b);
}

Test(head_order, sorts_many_label_sets_as_comparing_them_does)
{
    struct random_seeded random;
    struct arena arena;
    struct head_options o;
    struct head *h;
    struct refs refs = {0};
    struct labels want[SERIES], got[SERIES];
    series_ref out[SERIES];
    random_seeded_init(&random, 5);
    arena_init(&arena, NULL);
    head_options_default(&o);
    o.random = &random.base;
    cr_assert_eq(head_new(&o, &h, NULL), ERR_OK);
    struct head_appender *a = head_appender_new(h);
    head_appender_enter(a, 1);
    for (int i = 0; i < SERIES; i++) {
        struct labels l = labels_random(&random.base, &arena);
        series_ref ref = series_add(h, a, &l);
        bool known = false;
        for (size_t k = 0; k < refs.count; k++)
            known = known || refs.list[k] == ref;
        refs.list = mem_grow(refs.list, &refs.capacity, refs.count + 1, sizeof *refs.list);
        if (!known) {
            want[refs.count] = l;
            refs.list[refs.count++] = ref;
        }
    }
    qsort(want, refs.count, sizeof *want, by_labels);
    cr_assert_eq(series_labels_all(h, &refs, NULL, true, &arena, NULL, got, out), ERR_OK);
    for (size_t i = 0; i < refs.count; i++) {
        struct labels of_ref = series_labels(h, out[i], &arena);
        cr_assert(labels_eq(&got[i], &want[i]), "place %zu", i);
        cr_assert(labels_eq(&got[i], &of_ref), "place %zu", i);
        cr_assert(hash128_eq(got[i].hash, want[i].hash), "place %zu", i);
    }
    cr_assert_eq(series_labels_all(h, &refs, NULL, false, &arena, NULL, got, out), ERR_OK);
    for (size_t i = 0; i < refs.count; i++)
        cr_assert_eq(out[i], refs.list[i], "as they were");

    struct slice needed[] = {SLICE_LIT("job"), SLICE_LIT("path"), SLICE_LIT("nobody has it")};
    struct selector few = {.projected = true, .needed = needed, .needed_count = 3};
    cr_assert_eq(series_labels_all(h, &refs, &few, true, &arena, NULL, got, out), ERR_OK);
    for (size_t i = 0; i < refs.count; i++) {
        cr_assert(hash128_eq(got[i].hash, want[i].hash), "the hash of place %zu is that of all labels", i);
        uint32_t count = 0;
        for (uint32_t k = 0; k < want[i].count; k++) {
            struct slice name = want[i].list[k]->name;
            if (slice_eq(name, needed[0]) || slice_eq(name, needed[1]) || slice_eq(name, SLICE_LIT("__name__")))
                cr_assert(count < got[i].count && label_eq(got[i].list[count++], want[i].list[k]), "place %zu", i);
        }
        cr_assert_eq(got[i].count, count, "place %zu", i);
    }

    struct mem_budget budget = {.limit = 10000};
    struct arena small;
    arena_init(&small, &budget);
    cr_expect_eq(series_labels_all(h, &refs, NULL, true, &small, NULL, got, out), ERR_LIMIT);
    arena_deinit(&small);
    cr_expect_eq(atomic_load(&budget.used), 0, "what was taken is given back");
    refs_deinit(&refs);
    head_appender_leave(a);
    head_appender_free(a);
    head_free(h);
    arena_deinit(&arena);
}
