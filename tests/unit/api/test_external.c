/* External labels: what readers of several servers tell this one by. */
#include <criterion/criterion.h>

#include "api/external.h"

static struct labels make(struct arena *a, const char *const *pairs, uint32_t count)
{
    struct labels_builder b;
    labels_builder_init(&b, a, NULL);
    for (uint32_t i = 0; i < count; i++)
        labels_builder_set(&b, slice_str(pairs[2 * i]), slice_str(pairs[2 * i + 1]));
    return labels_builder_finish(&b);
}

static void expect(const struct labels *l, const char *text)
{
    struct buf out = {0};
    for (uint32_t i = 0; i < l->count; i++)
        buf_printf(&out, "%s%.*s=%.*s", i ? "," : "", SLICE_ARG(l->list[i]->name), SLICE_ARG(l->list[i]->value));
    cr_expect_str_eq(buf_cstr(&out), text);
    buf_deinit(&out);
}

static struct external_labels parsed(struct arena *a, const char *const *items, uint32_t count)
{
    struct external_labels e;
    struct errmsg why = {0};
    cr_assert_eq(external_parse(items, count, a, &e, &why), ERR_OK, "%s", why.text);
    return e;
}

Test(external, are_added_in_order_unless_the_series_has_them)
{
    struct arena a;
    struct external_room room = {0};
    arena_init(&a, NULL);
    struct external_labels e = parsed(&a, (const char *const[]){"zone=z=1", "cluster=eu", "empty="}, 3);
    struct labels plain = make(&a, (const char *const[]){"__name__", "up", "job", "x"}, 2);
    struct labels own = make(&a, (const char *const[]){"__name__", "up", "cluster", "us", "instance", "i"}, 3);
    struct labels none = {0};
    expect(external_merge(&e, &plain, &room), "__name__=up,cluster=eu,job=x,zone=z=1");
    expect(external_merge(&e, &own, &room), "__name__=up,cluster=us,instance=i,zone=z=1");
    expect(external_merge(&e, &none, &room), "cluster=eu,zone=z=1");
    expect(external_append(&e, &plain, &room), "__name__=up,job=x,cluster=eu,instance=,zone=z=1");
    expect(external_append(&e, &own, &room), "__name__=up,cluster=us,instance=i,zone=z=1");
    external_room_deinit(&room);
    struct external_labels nothing = parsed(&a, NULL, 0);
    cr_expect_eq(external_merge(&nothing, &plain, &room), &plain);
    cr_expect_eq(external_append(&nothing, &plain, &room), &plain);
    arena_deinit(&a);
}

Test(external, what_a_reader_asks_of_them_is_undone)
{
    struct arena a;
    arena_init(&a, NULL);
    struct external_labels e = parsed(&a, (const char *const[]){"cluster=eu"}, 1);
    struct matcher m[] = {{.op = MATCH_EQUAL, .name = SLICE_LIT("cluster"), .value = SLICE_LIT("eu")},
                          {.op = MATCH_EQUAL, .name = SLICE_LIT("cluster"), .value = SLICE_LIT("us")},
                          {.op = MATCH_NOT_EQUAL, .name = SLICE_LIT("cluster"), .value = SLICE_LIT("eu")},
                          {.op = MATCH_EQUAL, .name = SLICE_LIT("job"), .value = SLICE_LIT("eu")}};
    external_filter(&e, m, 4);
    cr_expect_eq(m[0].value.len, 0);
    cr_expect(m[1].value.len == 2 && m[2].value.len == 2 && m[3].value.len == 2);
    arena_deinit(&a);
}

Test(external, are_shown_where_thanos_looks)
{
    struct arena a;
    struct buf out = {0};
    arena_init(&a, NULL);
    struct external_labels e = parsed(&a, (const char *const[]){"b=x\"y", "a=1"}, 2);
    external_print_yaml(&e, &out);
    cr_expect_str_eq(buf_cstr(&out), "global:\n  external_labels:\n    \"a\": \"1\"\n    \"b\": \"x\\\"y\"\n");
    buf_deinit(&out);
    arena_deinit(&a);
}

Test(external, what_names_no_label_is_refused)
{
    static const char *const bad[][2] = {{"a", "is not name=value"},
                                         {"=a", "does not name a label"},
                                         {"__name__=a", "does not name"},
                                         {"\xff=a", "does not name"},
                                         {"a=\xff", "is not UTF-8"}};
    struct arena a;
    struct external_labels e;
    struct errmsg why = {0};
    arena_init(&a, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_expect_eq(external_parse(&bad[i][0], 1, &a, &e, &why), ERR_INVALID);
        cr_expect(strstr(why.text, bad[i][1]), "%s", why.text);
    }
    cr_expect_eq(external_parse((const char *const[]){"a=1", "a=2"}, 2, &a, &e, &why), ERR_INVALID);
    arena_deinit(&a);
}
