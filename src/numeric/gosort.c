/*
 * gosort.c - pattern-defeating quicksort and binary heap in the variants of Go's sort and container/heap.
 *
 * Where equal elements end up depends on every comparison and swap, so thresholds, pivot choice, the
 * seed of the pattern breaker and the order of calls are Go's: insertion sort up to 12 elements, median
 * of three from 8, of nine from 50, heap sort after log2(n) unbalanced partitions.
 */
#include "numeric/gosort.h"

#include <stdint.h>

struct sorter {
    const struct gosort_ops *ops;
    void *ctx;
};

enum { INSERTION_MAX = 12, MEDIAN_MIN = 8, NINTHER_MIN = 50, SWAPS_MAX = 4 * 3, SHIFT_STEPS_MAX = 5 };

static inline bool less(const struct sorter *s, size_t i, size_t j)
{
    return s->ops->less(s->ctx, i, j);
}

static inline void swap(const struct sorter *s, size_t i, size_t j)
{
    s->ops->swap(s->ctx, i, j);
}

static void insertion_sort(const struct sorter *s, size_t a, size_t b)
{
    for (size_t i = a + 1; i < b; i++)
        for (size_t j = i; j > a && less(s, j, j - 1); j--)
            swap(s, j, j - 1);
}

static void sift_down(const struct sorter *s, size_t root, size_t end, size_t first)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= end)
            return;
        if (child + 1 < end && less(s, first + child, first + child + 1))
            child++;
        if (!less(s, first + root, first + child))
            return;
        swap(s, first + root, first + child);
        root = child;
    }
}

static void heap_sort(const struct sorter *s, size_t a, size_t b)
{
    size_t count = b - a;
    for (size_t i = (count - 1) / 2 + 1; i-- > 0;)
        sift_down(s, i, count, a);
    for (size_t i = count; i-- > 0;) {
        swap(s, a, a + i);
        sift_down(s, 0, i, a);
    }
}

/* Scatters three elements around the middle, to spoil patterns that make partitions unbalanced. */
static void break_patterns(const struct sorter *s, size_t a, size_t b)
{
    size_t length = b - a;
    if (length < 8)
        return;
    uint64_t random = length; /* the seed of a xorshift */
    size_t mask = ((size_t)1 << (64 - __builtin_clzll(length))) - 1;
    size_t middle = a + length / 4 * 2;
    for (size_t i = middle - 1; i <= middle + 1; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t other = (size_t)random & mask;
        if (other >= length)
            other -= length;
        swap(s, i, a + other);
    }
}

static void order_two(const struct sorter *s, size_t *a, size_t *b, unsigned *swaps)
{
    if (!less(s, *b, *a))
        return;
    size_t t = *a;
    *a = *b;
    *b = t;
    ++*swaps;
}

static size_t median(const struct sorter *s, size_t a, size_t b, size_t c, unsigned *swaps)
{
    order_two(s, &a, &b, swaps);
    order_two(s, &b, &c, swaps);
    order_two(s, &a, &b, swaps);
    return b;
}

/* The pivot's index; *swaps tells how far from ascending the samples were. */
static size_t choose_pivot(const struct sorter *s, size_t a, size_t b, unsigned *swaps)
{
    size_t quarter = (b - a) / 4;
    size_t i = a + quarter, j = a + quarter * 2, k = a + quarter * 3;
    *swaps = 0;
    if (b - a < MEDIAN_MIN)
        return j;
    if (b - a >= NINTHER_MIN) {
        i = median(s, i - 1, i, i + 1, swaps);
        j = median(s, j - 1, j, j + 1, swaps);
        k = median(s, k - 1, k, k + 1, swaps);
    }
    return median(s, i, j, k, swaps);
}

static void reverse(const struct sorter *s, size_t a, size_t b)
{
    for (b--; a < b; a++, b--)
        swap(s, a, b);
}

/* Shifts a few misplaced pairs; true when everything is in order then. */
static bool partial_insertion_sort(const struct sorter *s, size_t a, size_t b)
{
    size_t i = a + 1;
    for (int step = 0; step < SHIFT_STEPS_MAX; step++) {
        while (i < b && !less(s, i, i - 1))
            i++;
        if (i == b)
            return true;
        if (b - a < NINTHER_MIN)
            return false;
        swap(s, i, i - 1);
        if (i - a >= 2)
            for (size_t j = i - 1; j >= 1 && less(s, j, j - 1); j--)
                swap(s, j, j - 1);
        if (b - i >= 2)
            for (size_t j = i + 1; j < b && less(s, j, j - 1); j++)
                swap(s, j, j - 1);
    }
    return false;
}

/* No element is smaller than the pivot: those equal to it go first.  Returns where the greater begin. */
static size_t partition_equal(const struct sorter *s, size_t a, size_t b, size_t pivot)
{
    swap(s, a, pivot);
    size_t i = a + 1, j = b - 1;
    for (;; i++, j--) {
        while (i <= j && !less(s, a, i))
            i++;
        while (i <= j && less(s, a, j))
            j--;
        if (i > j)
            return i;
        swap(s, i, j);
    }
}

/* Smaller elements before the pivot, the others after it; returns the pivot's new index. */
static size_t partition(const struct sorter *s, size_t a, size_t b, size_t pivot, bool *was_partitioned)
{
    swap(s, a, pivot);
    size_t i = a + 1, j = b - 1;
    *was_partitioned = true;
    for (;; i++, j--) {
        while (i <= j && less(s, i, a))
            i++;
        while (i <= j && !less(s, j, a))
            j--;
        if (i > j)
            break;
        swap(s, i, j);
        *was_partitioned = false;
    }
    swap(s, j, a);
    return j;
}

/* Sorts a..b-1; recursion takes the smaller part, so its depth is at most log2(n). */
static void quick_sort(const struct sorter *s, size_t a, size_t b, unsigned bad_pivots_left)
{
    bool balanced = true, partitioned = true;
    for (;;) {
        size_t length = b - a;
        if (length <= INSERTION_MAX) {
            insertion_sort(s, a, b);
            return;
        }
        if (bad_pivots_left == 0) {
            heap_sort(s, a, b);
            return;
        }
        if (!balanced) {
            break_patterns(s, a, b);
            bad_pivots_left--;
        }
        unsigned swaps;
        size_t pivot = choose_pivot(s, a, b, &swaps);
        if (swaps == SWAPS_MAX) { /* descending, it seems */
            reverse(s, a, b);
            pivot = b - 1 - (pivot - a);
            swaps = 0;
        }
        if (balanced && partitioned && swaps == 0 && partial_insertion_sort(s, a, b))
            return;
        if (a > 0 && !less(s, a - 1, pivot)) {
            a = partition_equal(s, a, b, pivot);
            continue;
        }
        size_t middle = partition(s, a, b, pivot, &partitioned);
        size_t left = middle - a, right = b - middle;
        balanced = (left < right ? left : right) >= length / 8;
        if (left < right) {
            quick_sort(s, a, middle, bad_pivots_left);
            a = middle + 1;
        } else {
            quick_sort(s, middle + 1, b, bad_pivots_left);
            b = middle;
        }
    }
}

void gosort_sort(const struct gosort_ops *ops, void *ctx, size_t count)
{
    if (count <= 1)
        return;
    struct sorter s = {ops, ctx};
    quick_sort(&s, 0, count, 64 - (unsigned)__builtin_clzll(count));
}

void gosort_heap_init(const struct gosort_ops *ops, void *ctx, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        gosort_heap_down(ops, ctx, i, count);
}

void gosort_heap_up(const struct gosort_ops *ops, void *ctx, size_t i)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!ops->less(ctx, i, parent))
            return;
        ops->swap(ctx, parent, i);
        i = parent;
    }
}

bool gosort_heap_down(const struct gosort_ops *ops, void *ctx, size_t i, size_t count)
{
    size_t start = i;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= count)
            break;
        if (child + 1 < count && ops->less(ctx, child + 1, child))
            child++;
        if (!ops->less(ctx, child, i))
            break;
        ops->swap(ctx, i, child);
        i = child;
    }
    return i > start;
}

void gosort_heap_fix(const struct gosort_ops *ops, void *ctx, size_t i, size_t count)
{
    if (!gosort_heap_down(ops, ctx, i, count))
        gosort_heap_up(ops, ctx, i);
}

/* ---- Natural order ---- */

struct chunk {
    struct slice text; /* a run of digits, or of anything else */
    int64_t number;
    bool is_number; /* digits that fit an int64 */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool chunk_next(struct slice *rest, struct chunk *out)
{
    if (rest->len == 0)
        return false;
    bool digits = is_digit(rest->data[0]);
    size_t len = 0;
    *out = (struct chunk){.is_number = digits};
    for (; len < rest->len && is_digit(rest->data[len]) == digits; len++) {
        int digit = rest->data[len] - '0';
        if (out->is_number && (__builtin_mul_overflow(out->number, 10, &out->number) ||
                               __builtin_add_overflow(out->number, digit, &out->number)))
            out->is_number = false;
    }
    out->text = slice_of(rest->data, len);
    *rest = slice_from(*rest, len);
    return true;
}

bool gosort_natural_less(struct slice a, struct slice b)
{
    struct chunk x, y;
    while (chunk_next(&a, &x)) {
        if (!chunk_next(&b, &y))
            return false;
        bool numbers = x.is_number && y.is_number;
        if (numbers && x.number != y.number)
            return x.number < y.number;
        if (!numbers && !slice_eq(x.text, y.text))
            return slice_cmp(x.text, y.text) < 0;
        if (a.len == 0) /* equal so far: the shorter first, and a when both end here */
            return true;
        if (b.len == 0)
            return false;
    }
    return false;
}
