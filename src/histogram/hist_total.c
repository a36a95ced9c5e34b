/*
 * hist_total.c - compensated sums and means of many histograms.
 *
 * The mean is sum / count while the sum stays finite in every field; from the first overflow on it is
 * carried along as a mean itself, scaled by (count - 1) / count before each addition of h / count.
 */
#include <math.h>

#include "histogram/hist_internal.h"

struct histogram_total {
    struct hist_work work;
    struct hist_work trial; /* of the next sum, in case it overflows */
    double count;           /* histograms so far; only means need it */
    bool any;               /* something was added: compensation exists */
    bool is_mean;           /* work is the mean, not the sum */
};

struct histogram_total *histogram_total_new(struct arena *arena, const struct histogram *first)
{
    struct histogram_total *t = ARENA_NEW(arena, struct histogram_total);
    hist_work_init(&t->work, arena, first, true);
    t->count = 1;
    return t;
}

enum err histogram_total_add(struct histogram_total *t, const struct histogram *h, unsigned *notes)
{
    unsigned ignored = 0;
    t->any = true;
    return hist_work_add(&t->work, h, 1, notes ? notes : &ignored);
}

static bool buf_overflows(const struct hist_buf *b)
{
    for (uint32_t i = 0; i < b->bucket_count; i++)
        if (isinf(b->buckets[i]))
            return true;
    return false;
}

static bool overflows(const struct hist_work *w)
{
    if (isinf(w->zero_count.v) || isinf(w->count.v) || isinf(w->sum.v))
        return true;
    for (uint32_t i = 0; i < w->custom.count; i++)
        if (isinf(w->custom.bounds[i]))
            return true;
    return buf_overflows(&w->side[0]) || buf_overflows(&w->side[1]);
}

/* Divides (by > 0) or multiplies everything, what was lost included. */
static void work_scale(struct hist_work *w, double by, bool divide)
{
    struct hist_sum *sums[3] = {&w->zero_count, &w->count, &w->sum};
    for (int i = 0; i < 3; i++) {
        sums[i]->v = divide ? sums[i]->v / by : sums[i]->v * by;
        sums[i]->c = divide ? sums[i]->c / by : sums[i]->c * by;
    }
    for (int i = 0; i < 2; i++) {
        struct hist_buf *b = &w->side[i];
        for (uint32_t n = 0; n < b->bucket_count; n++) {
            b->buckets[n] = divide ? b->buckets[n] / by : b->buckets[n] * by;
            b->comp[n] = divide ? b->comp[n] / by : b->comp[n] * by;
        }
    }
}

enum err histogram_total_add_mean(struct histogram_total *t, const struct histogram *h, unsigned *notes)
{
    unsigned ignored = 0;
    notes = notes ? notes : &ignored;
    t->count++;
    t->any = true;
    if (!t->is_mean) {
        hist_work_copy(&t->trial, &t->work);
        enum err err = hist_work_add(&t->trial, h, 1, notes);
        if (err != ERR_OK)
            return err;
        if (!overflows(&t->trial)) {
            struct hist_work done = t->work;
            t->work = t->trial;
            t->trial = done;
            return ERR_OK;
        }
        t->is_mean = true;
        work_scale(&t->work, t->count - 1, true);
    }
    work_scale(&t->work, (t->count - 1) / t->count, false);
    return hist_work_add(&t->work, histogram_div(t->work.arena, h, t->count), 1, notes);
}

/* Adds what was lost to everything. */
static const struct histogram *finish(struct histogram_total *t)
{
    struct hist_work *w = &t->work;
    if (t->any) {
        w->zero_count.v += w->zero_count.c;
        w->count.v += w->count.c;
        w->sum.v += w->sum.c;
        for (int i = 0; i < 2; i++)
            for (uint32_t n = 0; n < w->side[i].bucket_count; n++)
                w->side[i].buckets[n] += w->side[i].comp[n];
    }
    return hist_work_result(w);
}

const struct histogram *histogram_total_sum(struct histogram_total *t)
{
    return finish(t);
}

const struct histogram *histogram_total_mean(struct histogram_total *t)
{
    if (!t->is_mean)
        work_scale(&t->work, t->count, true);
    return finish(t);
}
