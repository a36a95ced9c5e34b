/*
 * stream.c - reading all rows of an operator, tile by tile, with as many workers as there are.
 *
 * Any worker makes any tile; whatever depends on the order of rows - visits, tallies, notes, which error
 * is told - happens tile after tile in order, by whoever comes by when the next one is ready.  So results
 * do not depend on the number of workers.  Making a tile costs far more than folding it.
 */
#include "base/assert.h"
#include "base/lock.h"
#include "promql/crew.h"
#include "promql/exec.h"
#include "promql/explain.h"

enum {
    HISTOGRAM_CELLS_MAX = 16384, /* of a tile, once histograms have been met: they are far larger than doubles */
    PARALLEL_CELLS_MIN = 32768,
    SLOTS_PER_WORKER = 4,
};

/* ---- Notes of which the last one of a step counts ---- */

void worker_note_late(struct worker *w, const struct oper *op, uint32_t step, bool warning, const char *text)
{
    struct late_note *note = ARENA_NEW(&w->tile, struct late_note);
    *note = (struct late_note){.next = w->late, .op_id = op->id, .step = step, .warning = warning, .text = text};
    w->late = note;
}

/* The list runs backwards: what is met first is the last one of the tile. */
static void late_notes_keep(struct exec *x, const struct late_note *notes, uint64_t tile)
{
    for (const struct late_note *note = notes; note; note = note->next) {
        struct oper *op = x->ops[note->op_id];
        if (!op->late)
            op->late = ARENA_ARRAY(&x->arena, struct late_note *, op->grid.count);
        struct late_note *kept = op->late[note->step];
        if (kept && kept->tile == tile)
            continue;
        if (!kept)
            kept = op->late[note->step] = ARENA_NEW(&x->arena, struct late_note);
        if (!kept->text || kept->warning != note->warning || strcmp(kept->text, note->text) != 0)
            kept->text = arena_strdup(&x->arena, slice_str(note->text));
        kept->warning = note->warning;
        kept->tile = tile;
    }
}

static void late_notes_tell(struct exec *x)
{
    for (uint32_t i = 0; i < x->op_count; i++) {
        struct oper *op = x->ops[i];
        for (uint32_t s = 0; op->late && s < op->grid.count; s++) {
            const struct late_note *note = op->late[s];
            if (note && note->warning)
                notes_warn(&x->notes, op_place(op), "%s", note->text);
            else if (note)
                notes_info(&x->notes, op_place(op), "%s", note->text);
        }
        op->late = NULL;
    }
}

/* ---- Tiles ---- */

/* A tile on its way from the worker that made it to the one that folds it. */
struct slot {
    struct batch b;
    uint32_t first;
    bool made;
    enum err err;
    struct errmsg why;
    struct arena arena; /* histograms, notes */
    struct tally *tallies;
    struct notes notes;
    struct late_note *late;
};

struct stream {
    struct oper *op;
    tile_visit visit;
    void *ctx;
    struct mutex lock;
    struct cond changed;
    struct slot *slots; /* a ring: tile t is in slot t % slot_count */
    uint32_t slot_count;
    uint32_t next_row;     /* first row of the next tile to make; this and the rest guarded by lock */
    uint64_t made, folded; /* tiles begun, tiles done with */
    bool folding, stopped;
    uint32_t waiting;
    enum err err; /* of the earliest tile that failed */
};

static void slot_init(struct slot *slot, struct exec *x)
{
    arena_init(&slot->arena, &x->budget);
    notes_init(&slot->notes, &slot->arena);
    slot->tallies = ARENA_ARRAY(&x->arena, struct tally, x->op_count + 1);
}

static void slot_deinit(struct slot *slot)
{
    arena_deinit(&slot->arena);
    batch_deinit(&slot->b);
}

/* Rows for the next tile: few once histograms have been met. */
static uint32_t tile_rows(const struct batch *b, uint32_t left)
{
    uint32_t rows = b->capacity;
    if (b->h && rows * b->steps > HISTOGRAM_CELLS_MAX)
        rows = b->steps > HISTOGRAM_CELLS_MAX ? 1 : HISTOGRAM_CELLS_MAX / b->steps;
    return rows < left ? rows : left;
}

/* The worker fills the slot's memory as if it were its own. */
static void tile_make(struct stream *s, struct worker *w, struct slot *slot)
{
    w->tile = slot->arena;
    w->tallies = slot->tallies;
    w->why = &slot->why;
    notes_init(&w->notes, &w->tile);
    w->late = NULL;
    slot->err = exec_check(w->x, &slot->why);
    if (slot->err == ERR_OK)
        slot->err = op_tile(s->op, w, slot->first, &slot->b);
    slot->arena = w->tile;
    slot->notes = w->notes;
    slot->late = w->late;
    arena_init(&w->tile, &w->x->budget);
}

/* Books a tile - counts, notes - and shows it; tiles come here one by one, in order. */
static enum err tile_fold(struct stream *s, struct slot *slot)
{
    struct exec *x = s->op->x;
    bool fits = true;
    for (uint32_t i = 0; i < x->op_count; i++) {
        struct oper *op = x->ops[i];
        tally_add(&op->tally, &slot->tallies[i]);
        fits = fits && op->tally.peak <= x->engine->options.samples_max;
    }
    memset(slot->tallies, 0, x->op_count * sizeof *slot->tallies);
    notes_merge(&x->notes, &slot->notes);
    late_notes_keep(x, slot->late, s->folded + 1);
    enum err err = slot->err;
    if (err != ERR_OK)
        *x->why = slot->why;
    else if (!fits)
        err = exec_too_many_samples(x->why);
    else
        err = s->visit(s->ctx, slot->first, &slot->b);
    arena_deinit(&slot->arena);
    return err;
}

static bool may_fold(const struct stream *s)
{
    return !s->folding && s->folded < s->made && s->slots[s->folded % s->slot_count].made;
}

static bool may_make(const struct stream *s)
{
    return s->next_row < s->op->count && s->made - s->folded < s->slot_count;
}

static void wake(struct stream *s)
{
    if (s->waiting)
        cond_broadcast(&s->changed);
}

/* Whoever folds works for the one who reads. */
static enum err fold_profiled(struct stream *s, struct worker *w, struct slot *slot)
{
    struct profile_frame frame = profile_begin(w);
    enum err err = tile_fold(s, slot);
    profile_end(w, w->x->preparing, frame);
    return err;
}

static void stream_fold(struct stream *s, struct worker *w) REQUIRES(s->lock)
{
    struct slot *slot = &s->slots[s->folded % s->slot_count];
    s->folding = true;
    mutex_unlock(&s->lock);
    enum err err = w->profile ? fold_profiled(s, w, slot) : tile_fold(s, slot);
    mutex_lock(&s->lock);
    slot->made = false;
    s->folding = false;
    s->folded++;
    if (err != ERR_OK) {
        s->err = err;
        s->stopped = true;
    }
    wake(s);
}

static void stream_make(struct stream *s, struct worker *w) REQUIRES(s->lock)
{
    struct slot *slot = &s->slots[s->made++ % s->slot_count];
    batch_reset(&slot->b, tile_rows(&slot->b, s->op->count - s->next_row));
    slot->first = s->next_row;
    s->next_row += slot->b.rows;
    mutex_unlock(&s->lock);
    tile_make(s, w, slot);
    mutex_lock(&s->lock);
    slot->made = true;
    wake(s);
}

/* Folds what is ready, else makes the next tile, until all are folded or one has failed. */
static void stream_work(void *ctx, unsigned worker)
{
    struct stream *s = ctx;
    struct worker *w = &s->op->x->workers[worker];
    mutex_lock(&s->lock);
    while (!s->stopped && (s->next_row < s->op->count || s->folded < s->made)) {
        if (may_fold(s)) {
            stream_fold(s, w);
        } else if (may_make(s)) {
            stream_make(s, w);
        } else {
            s->waiting++;
            cond_wait(&s->changed, &s->lock);
            s->waiting--;
        }
    }
    wake(s);
    mutex_unlock(&s->lock);
}

/* Helpers pay when there are enough tiles to share and enough cells to make waking them worthwhile. */
static uint32_t helpers_for(const struct oper *op, uint32_t rows)
{
    struct exec *x = op->x;
    uint64_t cells = (uint64_t)op->count * op->grid.count;
    uint32_t tiles = op->count / rows;
    if (x->worker_count < 2 || cells < PARALLEL_CELLS_MIN || tiles < 2 || x->step_queryable)
        return 0;
    return x->worker_count - 1 < tiles - 1 ? x->worker_count - 1 : tiles - 1;
}

enum err op_stream(struct oper *op, tile_visit visit, void *ctx)
{
    struct exec *x = op->x;
    uint32_t rows = batch_rows_for(op->grid.count), helpers = helpers_for(op, rows);
    struct stream s = {.op = op, .visit = visit, .ctx = ctx};
    if (op->count == 0)
        return ERR_OK;
    s.slot_count = helpers ? (helpers + 1) * SLOTS_PER_WORKER : 1;
    s.slots = ARENA_ARRAY(&x->arena, struct slot, s.slot_count);
    mutex_init(&s.lock);
    cond_init(&s.changed);
    for (uint32_t i = 0; i < s.slot_count && s.err == ERR_OK; i++) {
        slot_init(&s.slots[i], x);
        if (!batch_init(&s.slots[i].b, rows < op->count ? rows : op->count, op->grid.count, &x->budget))
            s.err = exec_no_memory(x, x->why);
    }
    if (s.err == ERR_OK && helpers)
        crew_run(x->engine->crew, helpers, stream_work, &s);
    else if (s.err == ERR_OK)
        stream_work(&s, 0);
    late_notes_tell(x);
    for (uint32_t i = 0; i < s.slot_count; i++)
        slot_deinit(&s.slots[i]);
    cond_deinit(&s.changed);
    mutex_deinit(&s.lock);
    return s.err;
}

static enum err visit_nothing(void *ctx, uint32_t first, struct batch *b)
{
    (void)ctx;
    (void)first;
    (void)b;
    return ERR_OK;
}

enum err op_drain(struct oper *op, enum err err)
{
    struct errmsg later = *op->x->why;
    enum err earlier = op_stream(op, visit_nothing, NULL);
    if (earlier != ERR_OK)
        return earlier;
    *op->x->why = later;
    return err;
}
