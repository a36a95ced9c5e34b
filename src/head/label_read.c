/*
 * label_read.c - label names and values, from the index alone.
 *
 * Without matchers the lists of names and values are the answer.  With matchers there are two ways: from
 * the values (has any series of this one what is asked for?), cheap when most have; and from the series
 * (which pairs do they have?), whose cost is known.  The first is tried until it has cost a share of the second.
 * A limit ends either way as soon as there is enough: any so many are as good.
 */
#include <stdlib.h>

#include "head/select_internal.h"

struct texts {
    struct slice *list;
    size_t count, capacity;
};

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void texts_add(struct texts *t, struct slice text)
{
    t->list = mem_grow(t->list, &t->capacity, t->count + 1, sizeof *t->list);
    t->list[t->count++] = text;
}

/* In order, each once; frees the list.  visit NULL: only that. */
static void texts_visit(struct texts *t, uint64_t limit, name_visit visit, void *ctx)
{
    if (t->count)
        qsort(t->list, t->count, sizeof *t->list, by_bytes);
    uint64_t shown = 0;
    for (size_t i = 0; visit && i < t->count && (!limit || shown < limit); i++) {
        if (i && slice_eq(t->list[i], t->list[i - 1]))
            continue;
        shown++;
        if (!visit(ctx, t->list[i]))
            break;
    }
    mem_free(t->list);
}

/* ---- from the series ---- */

enum { BATCH = 1024 };

/* Pairs of the matching series, each told once. */
struct marking {
    struct head *h;
    uint8_t *seen; /* [pairs] */
    uint32_t pairs;
    bool (*met)(struct marking *m, uint32_t id); /* false: enough */
    bool enough;
    uint32_t name; /* of head->names; whose values are gathered */
    uint32_t names;
    uint8_t *names_seen;   /* [names] */
    uint64_t found, limit; /* limit 0: none */
    struct texts *out;
};

static inline const uint8_t *id_get(const uint8_t *p, uint32_t *id)
{
    uint32_t v = *p & 0x7f;
    for (unsigned shift = 7; *p++ >= 0x80; shift += 7)
        v |= (uint32_t)(*p & 0x7f) << shift;
    *id = v;
    return p;
}

/* Series of one page come together, so its label bytes are looked up once. */
static void mark(struct marking *m, const series_ref *refs, size_t count)
{
    const uint8_t *bytes = NULL;
    uint32_t page = 0, len, id;
    for (size_t i = 0; i < count && !m->enough; i++) {
        const struct series_line *line = line_of(m->h, refs[i]);
        if (refs[i] / PAGE_SERIES != page) {
            page = refs[i] / PAGE_SERIES;
            bytes = vec_read(&page_of(m->h, page)->labels, &len);
        }
        const uint8_t *at = bytes + line->labels;
        for (uint32_t k = 0; k < line->label_count; k++) {
            at = id_get(at, &id);
            if (id < m->pairs && !m->seen[id]) { /* others were created meanwhile */
                m->seen[id] = 1;
                m->enough = m->enough || !m->met(m, id);
            }
        }
    }
}

/* Piece by piece, because a piece's lines stay in the cache between the look at the time and at the labels. */
static void mark_candidates(struct marking *m, struct refs *refs, const struct selector *sel)
{
    m->pairs = atomic_load(&m->h->pair_count);
    m->seen = mem_array(m->pairs, 1);
    for (size_t i = 0; i < refs->count && !m->enough; i += BATCH) {
        struct refs part = {.list = refs->list + i, .count = refs->count - i < BATCH ? refs->count - i : BATCH};
        keep_in_time(m->h, &part, sel->mint_ms, sel->maxt_ms);
        mark(m, part.list, part.count);
    }
    mem_free(m->seen);
}

static bool enough(struct marking *m)
{
    return m->limit && m->found >= m->limit;
}

static bool name_met(struct marking *m, uint32_t id)
{
    uint32_t name = pair_of(m->h, id)->name;
    if (name >= m->names || m->names_seen[name]) /* the first: it came meanwhile */
        return true;
    m->names_seen[name] = 1;
    m->found++;
    return !enough(m) && m->found < m->names;
}

static bool value_met(struct marking *m, uint32_t id)
{
    const struct pair *p = pair_of(m->h, id);
    if (p->name != m->name)
        return true;
    texts_add(m->out, p->label.value);
    m->found++;
    return !enough(m);
}

/* In the order of the index, which is that of creation mostly, and no more series than it takes. */
static enum err mark_walked(struct marking *m, struct walk *w, struct errmsg *why)
{
    series_ref batch[BATCH];
    uint32_t count = BATCH;
    enum err err = ERR_OK;
    m->pairs = w->pair_limit;
    m->seen = mem_array(m->pairs, 1);
    while (err == ERR_OK && count && !m->enough) {
        err = walk_next(w, batch, BATCH, &count);
        if (err == ERR_OK)
            mark(m, batch, count);
    }
    mem_free(m->seen);
    return err == ERR_OK ? ERR_OK : err_set(why, err, "select: stopped");
}

/* ---- names ---- */

static bool name_in_use(struct head *h, const struct label_name *name)
{
    uint32_t count;
    const uint32_t *ids = vec_read(&name->pairs, &count);
    for (uint32_t i = 0; i < count; i++)
        if (get_relaxed(&pair_of(h, ids[i])->series) > 0)
            return true;
    return false;
}

static enum err names_selected(struct head *h, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                               struct texts *out, struct errmsg *why)
{
    struct marking m = {.h = h, .met = name_met, .out = out};
    struct walk w;
    struct refs refs = {0};
    enum err err = walk_begin(&w, h, sel, cancel);
    if (err != ERR_OK)
        return err_set(why, err, "select: stopped");
    struct label_name *const *list = vec_read(&h->names, &m.names);
    m.limit = limit < m.names ? limit : 0;
    m.names_seen = mem_array((size_t)m.names + 1, 1);
    if (m.limit || (w.driver && w.driver->pair_count == 1))
        err = mark_walked(&m, &w, why);
    else if ((err = select_candidates(h, sel, cancel, &refs, why)) == ERR_OK)
        mark_candidates(&m, &refs, sel);
    for (uint32_t i = 0; i < m.names && err == ERR_OK; i++)
        if (m.names_seen[i])
            texts_add(out, list[i]->text);
    mem_free(m.names_seen);
    refs_deinit(&refs);
    walk_end(&w);
    return err;
}

enum err head_label_names(struct head *h, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                          name_visit visit, void *ctx, struct errmsg *why)
{
    uint32_t names;
    struct texts out = {0};
    enum err err = ERR_OK;
    if (sel->matcher_count) {
        err = names_selected(h, sel, limit, cancel, &out, why);
    } else if (head_has_time(h, sel->mint_ms, sel->maxt_ms)) {
        struct label_name *const *list = vec_read(&h->names, &names);
        for (uint32_t i = 0; i < names; i++) /* the first ones of all: there are never many */
            if (name_in_use(h, list[i]))
                texts_add(&out, list[i]->text);
    }
    texts_visit(&out, limit, err == ERR_OK ? visit : NULL, ctx);
    return err;
}

/* ---- values ---- */

enum {
    LABELS_COMMON = 8 /* of a series */,
    FEW_SERIES = 4096,
    PROBES_MIN = 4096,
    PROBE_SHARE = 32,
    NAMED_PROBES = 4, /* for each value that the selector names */
    CHECK_EVERY = 4096
};

/* Whether any series that has the pair matches; false also when the budget is spent (*budget 0). */
static bool pair_has_match(struct walk *w, uint32_t id, uint64_t *budget)
{
    uint32_t len, ref = 0;
    const uint8_t *at = vec_read(&pair_of(w->h, id)->postings, &len), *end = at + len;
    while (*budget && postings_next(&at, end, &ref)) {
        --*budget;
        if (walk_accepts(w, ref))
            return true;
    }
    return false;
}

/* Matchers on the very label need no series: they are tested on the value. */
static bool value_may(const struct selector *sel, struct slice name, struct slice value)
{
    for (uint32_t i = 0; i < sel->matcher_count; i++)
        if (slice_eq(sel->matchers[i].name, name) && !matcher_matches(&sel->matchers[i], value))
            return false;
    return true;
}

/* From the values, those that the driver names when it is about this label; *complete false: it became too dear,
 * nothing was found that counts. */
static enum err values_probed(struct walk *w, const struct label_name *of, uint64_t limit, struct texts *out,
                              bool *complete)
{
    uint32_t all, i;
    const uint32_t *ids = vec_read(&of->pairs, &all);
    bool named = w->driver && w->driver->name == of;
    uint64_t count = named ? w->driver->pair_count : all;
    uint64_t series = w->driver ? w->driver->series : get_relaxed(&w->h->series);
    uint64_t budget = series < FEW_SERIES && !named ? 0 : PROBES_MIN + series / PROBE_SHARE;
    budget += named ? NAMED_PROBES * count : 0;
    ids = named ? w->driver->pairs : ids;
    for (i = 0; i < count && budget && !(limit && out->count >= limit); i++) {
        const struct pair *p = pair_of(w->h, ids[i]);
        if (i % CHECK_EVERY == 0)
            TRY(cancel_check(w->cancel));
        if (ids[i] < w->pair_limit && get_relaxed(&p->series) && value_may(w->sel, of->text, p->label.value) &&
            pair_has_match(w, ids[i], &budget))
            texts_add(out, p->label.value);
    }
    *complete = budget > 0 || (limit && out->count >= limit);
    if (!*complete)
        out->count = 0;
    return ERR_OK;
}

/* Values of a label that any of the series has, by way of the values' lists: cheap for a label that few series have. */
static void values_intersect(struct head *h, const struct label_name *of, const struct refs *refs,
                             const struct selector *sel, struct texts *out)
{
    uint32_t count, pages = atomic_load_explicit(&h->page_count, memory_order_acquire);
    const uint32_t *ids = vec_read(&of->pairs, &count);
    uint64_t *slots = mem_array(pages, sizeof *slots);
    for (size_t i = 0; i < refs->count; i++)
        if (refs->list[i] / PAGE_SERIES < pages)
            slots[refs->list[i] / PAGE_SERIES] |= UINT64_C(1) << refs->list[i] % PAGE_SERIES;
    for (uint32_t i = 0; i < count; i++) {
        const struct pair *p = pair_of(h, ids[i]);
        uint32_t len, ref = 0;
        const uint8_t *at = vec_read(&p->postings, &len), *end = at + len;
        bool found = false;
        while (!found && postings_next(&at, end, &ref))
            found = ref / PAGE_SERIES < pages && slots[ref / PAGE_SERIES] >> ref % PAGE_SERIES & 1 &&
                    series_alive(line_of(h, ref)) &&
                    page_has_time(page_of(h, ref / PAGE_SERIES), sel->mint_ms, sel->maxt_ms);
        if (found)
            texts_add(out, p->label.value);
    }
    mem_free(slots);
}

static uint64_t series_of_name(struct head *h, const struct label_name *of)
{
    uint32_t count;
    uint64_t series = 0;
    const uint32_t *ids = vec_read(&of->pairs, &count);
    for (uint32_t i = 0; i < count; i++)
        series += get_relaxed(&pair_of(h, ids[i])->series);
    return series;
}

/* All values: from the lists of the values or from the pairs of the series, by what there is to read. */
static enum err values_all(struct head *h, const struct label_name *of, const struct selector *sel,
                           struct cancel *cancel, struct marking *m, struct errmsg *why)
{
    struct refs refs = {0};
    enum err err = select_candidates(h, sel, cancel, &refs, why);
    if (err == ERR_OK && series_of_name(h, of) < refs.count * LABELS_COMMON) {
        values_intersect(h, of, &refs, sel, m->out);
    } else if (err == ERR_OK) {
        mark_candidates(m, &refs, sel);
    }
    refs_deinit(&refs);
    return err;
}

static uint32_t name_number(struct head *h, const struct label_name *of)
{
    uint32_t count;
    const uint32_t *ids = vec_read(&of->pairs, &count);
    return count ? pair_of(h, ids[0])->name : UINT32_MAX;
}

static enum err values_selected(struct head *h, const struct label_name *of, const struct selector *sel, uint64_t limit,
                                struct cancel *cancel, struct texts *out, struct errmsg *why)
{
    struct marking m = {.h = h, .met = value_met, .out = out, .name = name_number(h, of)};
    struct walk w;
    bool complete = false;
    m.limit = limit < vec_count(&of->pairs) ? limit : 0;
    enum err err = walk_begin(&w, h, sel, cancel);
    if (err == ERR_OK)
        err = values_probed(&w, of, limit, out, &complete);
    if (err != ERR_OK)
        err_set(why, err, "select: stopped");
    else if (!complete && m.limit)
        err = mark_walked(&m, &w, why);
    else if (!complete)
        err = values_all(h, of, sel, cancel, &m, why);
    walk_end(&w);
    return err;
}

enum err head_label_values(struct head *h, struct slice name, const struct selector *sel, uint64_t limit,
                           struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    const struct label_name *of = name_find(h, name);
    struct texts out = {0};
    uint32_t count;
    enum err err = ERR_OK;
    if (!of)
        return ERR_OK;
    if (sel->matcher_count) {
        err = values_selected(h, of, sel, limit, cancel, &out, why);
    } else if (head_has_time(h, sel->mint_ms, sel->maxt_ms)) {
        const uint32_t *ids = vec_read(&of->pairs, &count);
        for (uint32_t i = 0; i < count && !(limit && out.count >= limit); i++)
            if (get_relaxed(&pair_of(h, ids[i])->series) > 0)
                texts_add(&out, pair_of(h, ids[i])->label.value);
    }
    texts_visit(&out, limit, err == ERR_OK ? visit : NULL, ctx);
    return err;
}
