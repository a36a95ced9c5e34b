/* top.c - see top.h: a heap whose root leaves when something larger comes. */
#include "api/top.h"

#include <stdlib.h>

#include "base/mem.h"

void top_init(struct top *t, size_t most)
{
    *t = (struct top){.most = most};
}

void top_deinit(struct top *t)
{
    mem_free(t->list);
    *t = (struct top){0};
}

/* Below 0: a stands before b in the answer. */
static int order(const void *x, const void *y)
{
    const struct top_entry *a = x, *b = y;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    int c = slice_cmp(a->name, b->name);
    return c ? c : slice_cmp(a->value, b->value);
}

static void swap(struct top_entry *a, struct top_entry *b)
{
    struct top_entry spare = *a;
    *a = *b;
    *b = spare;
}

/* A parent stands behind both of its children in the answer. */
static void sink(struct top *t)
{
    for (size_t i = 0, last;; i = last) {
        last = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->count; child++)
            if (order(&t->list[child], &t->list[last]) > 0)
                last = child;
        if (last == i)
            return;
        swap(&t->list[i], &t->list[last]);
    }
}

void top_offer(struct top *t, struct slice name, struct slice value, uint64_t count)
{
    struct top_entry entry = {name, value, count};
    if (t->count == t->most) {
        if (t->most && order(&entry, &t->list[0]) < 0) {
            t->list[0] = entry;
            sink(t);
        }
        return;
    }
    t->list = mem_grow(t->list, &t->capacity, t->count + 1, sizeof *t->list);
    size_t i = t->count++;
    t->list[i] = entry;
    for (; i && order(&t->list[i], &t->list[(i - 1) / 2]) > 0; i = (i - 1) / 2)
        swap(&t->list[i], &t->list[(i - 1) / 2]);
}

void top_sort(struct top *t)
{
    if (t->count)
        qsort(t->list, t->count, sizeof *t->list, order);
}
