/* walk.c - see select_internal.h. */
#include "head/select_internal.h"

enum { CHECK_EVERY = 4096, SCAN_VALUES_MAX = 16384, SCAN_FACTOR = 4 };

/* The term with the fewest candidates drives; one that would have to test many values is tested series by series. */
static enum err driver_choose(struct walk *w)
{
    bool known;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < w->term_count; i++) {
            struct term *t = &w->terms[i];
            if (pass == 0)
                term_begin(w->h, t, &w->sel->matchers[i]);
            if (!t->needs_value || (pass == 1 && t->pairs))
                continue;
            uint64_t values = t->name ? vec_count(&t->name->pairs) : 0;
            bool few = values <= SCAN_VALUES_MAX || term_prefix(t).len > 0;
            known = pass == 0 && term_literals(w->h, t);
            if (pass == 1 && few && (!w->driver || values * SCAN_FACTOR < w->driver->series)) {
                TRY(term_scan(w->h, t, w->cancel));
                known = true;
            }
            if (known && (!w->driver || t->series < w->driver->series))
                w->driver = t;
            w->nothing = w->nothing || !t->name || (known && t->series == 0);
            if (w->nothing)
                return ERR_OK;
        }
    return ERR_OK;
}

enum err walk_begin(struct walk *w, struct head *h, const struct selector *sel, struct cancel *cancel)
{
    *w = (struct walk){.h = h, .sel = sel, .cancel = cancel, .term_count = sel->matcher_count, .page = 1};
    w->pair_limit = atomic_load(&h->pair_count);
    w->terms = mem_array((size_t)sel->matcher_count + 1, sizeof *w->terms);
    enum err err = driver_choose(w);
    if (err != ERR_OK)
        walk_end(w);
    for (uint32_t i = 0; err == ERR_OK && !w->nothing && i < w->term_count; i++)
        w->terms[i].verdicts = mem_array(w->pair_limit, 1);
    return err;
}

void walk_end(struct walk *w)
{
    for (uint32_t i = 0; i < w->term_count; i++)
        term_deinit(&w->terms[i]);
    mem_free(w->terms);
    w->terms = NULL;
    w->term_count = 0;
}

static bool candidate_next(struct walk *w)
{
    if (w->driver) {
        while (!postings_next(&w->at, w->end, &w->ref)) {
            uint32_t len;
            if (w->pair == w->driver->pair_count)
                return false;
            w->at = vec_read(&pair_of(w->h, w->driver->pairs[w->pair++])->postings, &len);
            w->end = w->at + len;
            w->ref = 0;
        }
        return true;
    }
    while (w->page < atomic_load_explicit(&w->h->page_count, memory_order_acquire)) {
        if (w->slot < get_relaxed(&page_of(w->h, w->page)->slots)) {
            w->ref = w->page * PAGE_SERIES + w->slot++;
            return true;
        }
        w->page++;
        w->slot = 0;
    }
    return false;
}

static bool in_time(struct walk *w, uint32_t page)
{
    if (page != w->time_page) {
        w->time_page = page;
        w->in_time = page_has_time(page_of(w->h, page), w->sel->mint_ms, w->sel->maxt_ms);
    }
    return w->in_time;
}

/* `given`: the term that is known to be satisfied, or NULL. */
static bool accepts(struct walk *w, series_ref ref, const struct term *given)
{
    uint32_t ids[LABEL_COUNT_MAX], count = 0;
    if (!series_alive(line_of(w->h, ref)) || !in_time(w, ref / PAGE_SERIES))
        return false;
    for (uint32_t i = 0; i < w->term_count; i++) {
        if (&w->terms[i] == given)
            continue;
        if (!count)
            count = series_pairs(w->h, ref, ids);
        for (uint32_t k = 0; k < count; k++)
            if (ids[k] >= w->pair_limit)
                return false; /* created meanwhile: the next query sees it */
        if (!term_accepts(w->h, &w->terms[i], ids, count))
            return false;
    }
    return true;
}

bool walk_accepts(struct walk *w, series_ref ref)
{
    return !w->nothing && accepts(w, ref, NULL);
}

enum err walk_next(struct walk *w, series_ref *out, uint32_t max, uint32_t *count)
{
    *count = 0;
    while (!w->nothing && *count < max && candidate_next(w)) {
        if (++w->looked % CHECK_EVERY == 0)
            TRY(cancel_check(w->cancel));
        if (accepts(w, w->ref, w->driver))
            out[(*count)++] = w->ref;
    }
    return ERR_OK;
}
