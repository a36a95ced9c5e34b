/* Label sets: order, hashes, the builder, names. */
#include "model/label.h"

#include <criterion/criterion.h>

#include "base/random.h"

static struct labels set_of(struct arena *a, const char *const *pairs, int count)
{
    struct labels_builder b;
    labels_builder_init(&b, a, NULL);
    for (int i = 0; i < count; i++)
        labels_builder_set(&b, slice_str(pairs[2 * i]), slice_str(pairs[2 * i + 1]));
    return labels_builder_finish(&b);
}

Test(labels, are_equal_whatever_the_order_of_setting)
{
    struct arena a;
    arena_init(&a, NULL);
    struct labels x = set_of(&a, (const char *[]){"b", "2", "a", "1", "c", "3"}, 3);
    struct labels y = set_of(&a, (const char *[]){"c", "3", "b", "9", "a", "1", "b", "2"}, 4);
    cr_expect(labels_eq(&x, &y));
    cr_expect_eq(labels_cmp(&x, &y), 0);
    cr_expect(slice_eq_str(labels_get(&x, slice_str("b")), "2"));
    cr_expect_eq(labels_get(&x, slice_str("nope")).len, 0);
    arena_deinit(&a);
}

Test(labels, builder_keeps_hash_and_order_through_random_steps)
{
    struct arena a;
    arena_init(&a, NULL);
    struct random_seeded r;
    random_seeded_init(&r, 42);
    struct labels_builder b;
    labels_builder_init(&b, &a, NULL);
    char want[26] = {0}; /* value of the label 'a' + i; 0 = missing */
    for (int step = 0; step < 2000; step++) {
        uint64_t dice = random_u64(&r.base);
        uint8_t name = (uint8_t)('a' + dice % 26), value = (uint8_t)('0' + (dice >> 8) % 10);
        bool set = dice >> 63;
        if (set)
            labels_builder_set(&b, slice_of(&name, 1), slice_of(&value, 1));
        else
            labels_builder_del(&b, slice_of(&name, 1));
        want[name - 'a'] = set ? (char)value : 0;
    }
    struct labels l = labels_builder_finish(&b);
    struct hash128 sum = {0};
    uint32_t at = 0;
    for (int i = 0; i < 26; i++) {
        if (!want[i])
            continue;
        uint8_t name = (uint8_t)('a' + i);
        cr_assert_lt(at, l.count);
        cr_expect_eq(l.list[at]->name.data[0], name);
        cr_expect_eq(l.list[at]->value.data[0], want[i]);
        sum = hash128_add(sum, l.list[at++]->hash);
    }
    cr_expect_eq(at, l.count);
    cr_expect(hash128_eq(sum, l.hash));
    arena_deinit(&a);
}

Test(labels, print_as_prometheus_does)
{
    struct arena a;
    arena_init(&a, NULL);
    struct {
        struct labels l;
        const char *want;
    } rows[] = {
        {set_of(&a, (const char *[]){"__name__", "up"}, 1), "up"},
        {set_of(&a, (const char *[]){"__name__", "up", "job", "a\"b\\c\n"}, 2), "up{job=\"a\\\"b\\\\c\\n\"}"},
        {set_of(&a, (const char *[]){"job", "x", "a", "y"}, 2), "{a=\"y\", job=\"x\"}"},
        {set_of(&a, NULL, 0), "{}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf out = {0};
        labels_print(&rows[i].l, &out);
        cr_expect_str_eq(buf_cstr(&out), rows[i].want);
        buf_deinit(&out);
    }
    arena_deinit(&a);
}

Test(labels, filter_copies_only_when_something_goes)
{
    struct arena a;
    arena_init(&a, NULL);
    struct labels l = set_of(&a, (const char *[]){"a", "1", "b", "2", "c", "3"}, 3);
    struct labels same = set_of(&a, (const char *[]){"a", "1", "b", "2", "c", "3"}, 3);
    cr_expect(labels_eq(&l, &same));
    struct labels want = set_of(&a, (const char *[]){"a", "1", "c", "3"}, 2);
    struct labels_builder b;
    labels_builder_init(&b, &a, &l);
    labels_builder_del(&b, slice_str("b"));
    struct labels got = labels_builder_finish(&b);
    cr_expect(labels_eq(&got, &want));
    cr_expect_eq(l.count, 3, "the base is untouched");
    arena_deinit(&a);
}

Test(names, follow_the_legacy_rules)
{
    cr_expect(label_name_valid_legacy(slice_str("_a9")));
    cr_expect_not(label_name_valid_legacy(slice_str("9a")));
    cr_expect_not(label_name_valid_legacy(slice_str("a:b")));
    cr_expect(metric_name_valid_legacy(slice_str("a:b")));
    cr_expect_not(metric_name_valid_legacy(slice_str("")));
}

Test(utf8, accepts_rfc_3629_and_nothing_else)
{
    const char *good[] = {"", "plain ascii, longer than eight", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"};
    const char *bad[] = {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "ok\xe2\x82"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(utf8_valid(slice_str(good[i])), "good %zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(utf8_valid(slice_str(bad[i])), "bad %zu", i);
}
