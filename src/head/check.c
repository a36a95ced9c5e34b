/* check.c - every invariant of the head, said as assertions; only while nobody writes. */
#include "head/hist_internal.h"
#include "head/seal_internal.h"

struct check {
    struct head *head;
    uint64_t series, labels; /* alive ones; their pairs */
    struct buf canonical;
    struct tail_copy tail;
};

static void check_column(const struct page *p)
{
    assert(p->start <= p->end);
    assert(p->end - p->start <= p->capacity);
    for (uint32_t i = p->start + 1; i < p->end; i++)
        assert(column_at(p, i - 1) < column_at(p, i));
    if (p->end > p->start)
        assert(column_at(p, p->end - 1) == p->last_ms);
}

static void check_identity(struct check *c, series_ref ref)
{
    struct head *h = c->head;
    const struct series_line *x = line_of(h, ref);
    uint32_t ids[LABEL_COUNT_MAX], count = series_pairs(h, ref, ids);
    series_canonical(h, ref, &c->canonical);
    size_t len = c->canonical.len;
    buf_append(&c->canonical, (const uint8_t[SERIES_HASH_SLACK]){0}, SERIES_HASH_SLACK);
    struct hash128 hash = series_hash(&h->key, c->canonical.data, len);
    assert(count > 0 && len == get_relaxed(&x->label_bytes));
    assert(head_line_is(x, hash));
    assert(series_find(h, hash) == ref);
    for (uint32_t i = 0; i < count; i++) {
        const struct pair *p = pair_of(h, ids[i]);
        assert(p->wire && get_relaxed(&p->series) > 0);
        assert(i == 0 || slice_cmp(pair_of(h, ids[i - 1])->label.name, p->label.name) < 0);
    }
    c->labels += count;
}

static void check_side(const struct page *p, const struct side *s)
{
    assert(s->sorted <= s->count && s->count <= s->capacity);
    for (uint32_t i = 1; i < s->sorted; i++)
        assert(s->list[i - 1].time_ms < s->list[i].time_ms);
    for (uint32_t i = 1; i < s->frozen_count; i++)
        assert(s->frozen[i - 1].time_ms < s->frozen[i].time_ms);
    for (uint32_t i = 0; i < s->count; i++)
        assert(s->list[i].time_ms >= p->side_min_ms && s->list[i].time_ms <= p->side_max_ms);
}

static void check_chunks(const struct series_more *more, uint32_t tail_first)
{
    for (uint32_t i = 0; i < more->chunk_count; i++) {
        const struct head_chunk *c = &more->chunks[i];
        uint32_t *indexes = mem_array(c->count, sizeof *indexes);
        double *values = mem_array(c->count, sizeof *values);
        assert(c->count > 0 && c->end - c->first >= c->count);
        assert(c->end <= (i + 1 < more->chunk_count ? c[1].first : tail_first));
        chunk_read(c->data, c, indexes, values);
        assert(indexes[0] == c->first && indexes[c->count - 1] == c->end - 1);
        mem_free(indexes);
        mem_free(values);
    }
}

static void check_stream(struct check *c, const struct page *p, const struct series_line *x)
{
    uint32_t span = x->end - x->first, count;
    uint32_t *indexes = mem_array(span, sizeof *indexes);
    double *values = mem_array(span, sizeof *values);
    assert(x->first <= x->end && x->end <= p->end);
    tail_copy_take(c->head, x, &c->tail);
    count = tail_decode(&c->tail, indexes, values, span);
    for (uint32_t i = 1; i < count; i++)
        assert(indexes[i - 1] < indexes[i]);
    if (count) {
        assert(indexes[0] >= x->first && indexes[count - 1] == x->end - 1);
        assert(f64_bits(values[count - 1]) == x->last);
    }
    if (x->more) {
        check_chunks(x->more, x->first);
        check_side(p, &x->more->side);
    }
    mem_free(indexes);
    mem_free(values);
}

static void check_page(struct check *c, uint32_t page)
{
    struct page *p = page_of(c->head, page);
    uint32_t alive = 0;
    check_column(p);
    assert(get_relaxed(&p->slots) <= PAGE_SERIES);
    for (uint32_t slot = 0; slot < PAGE_SERIES; slot++) {
        const struct series_line *x = line_of(c->head, page * PAGE_SERIES + slot);
        if (!series_alive(x))
            continue;
        assert(slot < get_relaxed(&p->slots));
        alive++;
        check_identity(c, page * PAGE_SERIES + slot);
        check_stream(c, p, x);
    }
    assert(alive == p->alive);
    c->series += alive;
}

static uint64_t check_pair(struct head *h, uint32_t id)
{
    struct pair *p = pair_of(h, id);
    struct refs refs = {0};
    if (!p->wire || get_relaxed(&p->series) == 0)
        return 0;
    assert(pair_find(h, p->label.name, p->label.value) == id);
    postings_read(p, &refs);
    assert(refs.count == get_relaxed(&p->series));
    for (size_t i = 0; i < refs.count; i++) {
        assert(i == 0 || refs.list[i - 1] < refs.list[i]);
        assert(series_alive(line_of(h, refs.list[i])));
    }
    refs_deinit(&refs);
    return get_relaxed(&p->series);
}

void head_check(struct head *h)
{
    struct check c = {.head = h};
    uint64_t postings = 0;
    uint32_t pages = atomic_load(&h->page_count), pairs = atomic_load(&h->pair_count);
    for (uint32_t page = 1; page < pages; page++)
        check_page(&c, page);
    for (uint32_t id = 1; id < pairs; id++)
        postings += check_pair(h, id);
    assert(postings == c.labels);
    assert(c.series == get_relaxed(&h->series));
    tail_copy_deinit(&c.tail);
    buf_deinit(&c.canonical);
}
