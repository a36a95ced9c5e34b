/* head.c - making and freeing a head, its appenders, its figures. */
#include "head/head_internal.h"

void head_options_default(struct head_options *o)
{
    *o = (struct head_options){
        .random = random_system(),
        .exemplars_max = 100000,
        .metadata_max = 100000,
        .cut_series = 1 << 16,
        .seal_samples = 64,
    };
}

enum err head_new(const struct head_options *o, struct head **out, struct errmsg *why)
{
    (void)why;
    assert(o->random != NULL);
    struct head *h = MEM_NEW(struct head);
    int64_t bytes = 0;
    h->options = *o;
    h->options.random = NULL;
    series_hash_key_init(&h->key, series_hash_best(), o->random);
    epochs_init(&h->epochs);
    mutex_init(&h->create);
    mutex_init(&h->stock);
    atomic_store(&h->floor_ms, NO_TIME);
    h->frozen_ms = INT64_MIN;
    h->maintain_page = 1;
    h->deferred_last = &h->deferred;
    segments_init(h);
    tags_init(&h->series_index, &bytes);
    bytes_add(&h->bytes_index, bytes);
    pairs_init(h);
    h->families = families_new(o->metadata_max);
    h->exemplars = exemplars_new(o->exemplars_max);
    *out = h;
    return ERR_OK;
}

void head_free(struct head *h)
{
    if (!h)
        return;
    assert(!h->appenders && !h->cut);
    epochs_deinit(&h->epochs);
    segments_deinit(h);
    pairs_deinit(h);
    families_free(h->families);
    exemplars_free(h->exemplars);
    deferred_free(h);
    tags_deinit(&h->series_index);
    mem_free(atomic_load(&h->aliases.block));
    mem_free(h->free_pages);
    mem_free(h->left_pages);
    series_hash_key_deinit(&h->key);
    mutex_deinit(&h->create);
    mutex_deinit(&h->stock);
    if (h->options.budget)
        mem_budget_give(h->options.budget, (size_t)atomic_load(&h->budget_taken));
    mem_free(h);
}

const struct head_lines *head_lines(struct head *h)
{
    return &h->lines;
}

const struct series_hash_key *head_hash_key(struct head *h)
{
    return &h->key;
}

/* ---- appenders ---- */

struct head_appender *head_appender_new(struct head *h)
{
    struct head_appender *a = MEM_NEW(struct head_appender);
    a->head = h;
    a->epoch.brief = true;
    epoch_slot_add(&h->epochs, &a->epoch);
    mutex_lock(&h->stock);
    a->next = h->appenders;
    h->appenders = a;
    mutex_unlock(&h->stock);
    return a;
}

static void counts_add(struct head_counts *to, struct head_counts *from)
{
    count_add(&to->samples, get_relaxed(&from->samples));
    count_add(&to->out_of_order, get_relaxed(&from->out_of_order));
    count_add(&to->duplicate, get_relaxed(&from->duplicate));
    count_add(&to->replaced, get_relaxed(&from->replaced));
    count_add(&to->predicted, get_relaxed(&from->predicted));
    count_add(&to->looked_up, get_relaxed(&from->looked_up));
    count_add(&to->histograms, get_relaxed(&from->histograms));
    count_add(&to->exemplars, get_relaxed(&from->exemplars));
    count_add(&to->exemplars_dropped, get_relaxed(&from->exemplars_dropped));
    count_add(&to->metadata_updates, get_relaxed(&from->metadata_updates));
    count_add(&to->metadata_dropped, get_relaxed(&from->metadata_dropped));
}

void head_appender_free(struct head_appender *a)
{
    if (!a)
        return;
    struct head *h = a->head;
    tail_lines_give(h, a->lines, a->line_count);
    mutex_lock(&h->stock);
    struct head_appender **link = &h->appenders;
    while (*link != a)
        link = &(*link)->next;
    *link = a->next;
    counts_add(&h->gone, &a->counts);
    mutex_unlock(&h->stock);
    epoch_slot_remove(&h->epochs, &a->epoch);
    mem_free(a);
}

void head_appender_enter(struct head_appender *a, uint64_t stream)
{
    a->stream = stream;
    epoch_enter(&a->head->epochs, &a->epoch);
}

void head_appender_leave(struct head_appender *a)
{
    epoch_leave(&a->epoch);
    epoch_tidy(&a->head->epochs);
}

void head_lookup_prefetch(struct head_appender *a, struct hash128 hash)
{
    tags_prefetch(&a->head->series_index, hash.lo);
}

void head_lookup_prefetch_line(struct head_appender *a, struct hash128 hash)
{
    struct tag_walk w;
    uint32_t id = tags_first(&w, &a->head->series_index, hash.lo);
    if (id && !(id & ALIAS_BIT))
        __builtin_prefetch(line_of(a->head, id), 1);
}

series_ref head_lookup(struct head_appender *a, struct hash128 hash)
{
    return series_find(a->head, hash);
}

void head_count_found(struct head_appender *a, uint64_t predicted, uint64_t looked_up)
{
    count_add(&a->counts.predicted, predicted);
    count_add(&a->counts.looked_up, looked_up);
}

void head_series_print(struct head *h, series_ref ref, struct buf *out)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct labels labels = series_labels(h, ref, &arena);
    labels_print(&labels, out);
    arena_deinit(&arena);
}

/* ---- memory and figures ---- */

int64_t head_bytes(struct head *h)
{
    return get_relaxed(&h->bytes_lines) + get_relaxed(&h->bytes_columns) + get_relaxed(&h->bytes_tails) +
           get_relaxed(&h->bytes_chunks) + get_relaxed(&h->bytes_side) + get_relaxed(&h->bytes_index) +
           get_relaxed(&h->bytes_labels) + get_relaxed(&h->bytes_postings);
}

/* The budget follows in steps of a MiB, as single allocations of the hot path cannot be refused. */
enum err head_room(struct head_appender *a, struct errmsg *why)
{
    enum { STEP = 1 << 20 };
    struct head *h = a->head;
    struct mem_budget *budget = h->options.budget;
    if (!budget)
        return ERR_OK;
    int64_t taken = get_relaxed(&h->budget_taken), change = head_bytes(h) - taken;
    if (change > -STEP && change < STEP)
        return ERR_OK;
    if (!atomic_compare_exchange_strong(&h->budget_taken, &taken, taken + change))
        return ERR_OK; /* somebody else is at it */
    if (change < 0) {
        mem_budget_give(budget, (size_t)-change);
        return ERR_OK;
    }
    if (mem_budget_take(budget, (size_t)change))
        return ERR_OK;
    atomic_fetch_sub(&h->budget_taken, change);
    return err_set(why, ERR_NO_MEMORY, "out of memory: recent samples hold %lld bytes and %s has no more",
                   (long long)head_bytes(h), budget->name);
}

static void stats_of_pages(struct head *h, struct head_stats *out)
{
    uint32_t pages = atomic_load_explicit(&h->page_count, memory_order_acquire);
    out->pages = pages ? pages - 1 : 0;
    for (uint32_t page = 1; page < pages; page++) {
        struct page *p = page_of(h, page);
        mutex_lock(&p->lock);
        int64_t low = p->side_min_ms, high = p->side_max_ms;
        if (p->end > p->start) {
            int64_t first = column_at(p, p->start);
            low = first < low ? first : low;
            high = p->last_ms > high ? p->last_ms : high;
        }
        mutex_unlock(&p->lock);
        out->mint_ms = low < out->mint_ms ? low : out->mint_ms;
        out->maxt_ms = high > out->maxt_ms ? high : out->maxt_ms;
    }
}

static void stats_of_appenders(struct head *h, struct head_stats *out)
{
    struct head_counts sum = {0};
    mutex_lock(&h->stock);
    counts_add(&sum, &h->gone);
    for (struct head_appender *a = h->appenders; a; a = a->next)
        counts_add(&sum, &a->counts);
    mutex_unlock(&h->stock);
    out->samples = sum.samples;
    out->samples_out_of_order = sum.out_of_order;
    out->samples_duplicate = sum.duplicate;
    out->samples_replaced = sum.replaced;
    out->predicted = sum.predicted;
    out->looked_up = sum.looked_up;
    out->histograms = sum.histograms;
    out->exemplars = sum.exemplars;
    out->exemplars_dropped = sum.exemplars_dropped;
    out->metadata_updates = sum.metadata_updates;
    out->metadata_dropped = sum.metadata_dropped;
}

void head_stats(struct head *h, struct head_stats *out)
{
    *out = (struct head_stats){.mint_ms = INT64_MAX, .maxt_ms = INT64_MIN};
    stats_of_appenders(h, out);
    stats_of_pages(h, out);
    out->series = get_relaxed(&h->series);
    out->series_created = get_relaxed(&h->series_created);
    out->series_removed = get_relaxed(&h->series_removed);
    out->replay_lost = get_relaxed(&h->replay_lost);
    out->cuts = get_relaxed(&h->cuts);
    out->chunks_sealed = get_relaxed(&h->chunks_sealed);
    out->chunks = get_relaxed(&h->chunks);
    out->aliases = vec_count(&h->aliases);
    out->aliases -= out->aliases > 0;
    out->label_pairs = get_relaxed(&h->pair_count) - 1;
    out->label_names = vec_count(&h->names);
    out->metadata_held = families_count(h->families);
    out->exemplars_held = exemplars_count(h->exemplars);
    out->bytes_lines = (uint64_t)get_relaxed(&h->bytes_lines);
    out->bytes_columns = (uint64_t)get_relaxed(&h->bytes_columns);
    out->bytes_tails = (uint64_t)get_relaxed(&h->bytes_tails);
    out->bytes_chunks = (uint64_t)get_relaxed(&h->bytes_chunks);
    out->bytes_side = (uint64_t)get_relaxed(&h->bytes_side);
    out->bytes_index = (uint64_t)get_relaxed(&h->bytes_index);
    out->bytes_labels = (uint64_t)get_relaxed(&h->bytes_labels);
    out->bytes_postings = (uint64_t)get_relaxed(&h->bytes_postings);
    out->bytes = (uint64_t)head_bytes(h);
}
