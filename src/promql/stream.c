/*
 * stream.c - reading all rows of an operator, tile by tile.
 *
 * Whatever depends on the order of rows - visits, tallies, notes - happens tile after tile in order,
 * so results do not depend on who made a tile.
 */
#include "base/assert.h"
#include "promql/exec.h"

enum { HISTOGRAM_CELLS_MAX = 16384 }; /* of a tile, once histograms have been met: they are far larger than doubles */

/* ---- Notes of which the last one of a step counts ---- */

void worker_note_late(struct worker *w, const struct operator *op, uint32_t step, bool warning, const char *text)
{
    struct late_note *note = ARENA_NEW(&w->tile, struct late_note);
    *note = (struct late_note){.next = w->late, .op_id = op->id, .step = step, .warning = warning, .text = text};
    w->late = note;
}

/* The list runs backwards: what is met first is the last one of the tile. */
static void late_notes_keep(struct exec *x, struct worker *w)
{
    for (struct late_note *note = w->late; note; note = note->next) {
        struct operator *op = x->ops[note->op_id];
        if (!op->late)
            op->late = ARENA_ARRAY(&x->arena, struct late_note *, op->grid.count);
        struct late_note *kept = op->late[note->step];
        if (kept && kept->tile == w->tile_number)
            continue;
        if (!kept)
            kept = op->late[note->step] = ARENA_NEW(&x->arena, struct late_note);
        if (!kept->text || kept->warning != note->warning || strcmp(kept->text, note->text) != 0)
            kept->text = arena_strdup(&x->arena, slice_str(note->text));
        kept->warning = note->warning;
        kept->tile = w->tile_number;
    }
    w->late = NULL;
    w->tile_number++;
}

static void late_notes_tell(struct exec *x)
{
    for (uint32_t i = 0; i < x->op_count; i++) {
        struct operator *op = x->ops[i];
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

/* Books a finished tile: counts, notes. */
static enum err tile_account(struct exec *x, struct worker *w)
{
    bool fits = true;
    for (uint32_t i = 0; i < x->op_count; i++) {
        struct operator *op = x->ops[i];
        tally_add(&op->tally, &w->tallies[i]);
        fits = fits && op->tally.peak <= x->engine->options.samples_max;
    }
    memset(w->tallies, 0, x->op_count * sizeof *w->tallies);
    notes_merge(&x->notes, &w->notes);
    notes_clear(&w->notes);
    late_notes_keep(x, w);
    return fits ? ERR_OK : exec_too_many_samples(x->why);
}

static uint32_t tile_rows(const struct batch *b, uint32_t left)
{
    uint32_t rows = b->capacity;
    if (b->h && rows * b->steps > HISTOGRAM_CELLS_MAX)
        rows = b->steps > HISTOGRAM_CELLS_MAX ? 1 : HISTOGRAM_CELLS_MAX / b->steps;
    return rows < left ? rows : left;
}

static enum err stream_tiles(struct operator *op, struct batch *b, tile_visit visit, void *ctx)
{
    struct exec *x = op->x;
    struct worker *w = &x->workers[0];
    for (uint32_t first = 0; first < op->count; first += b->rows) {
        TRY(exec_check(x, w->why));
        batch_reset(b, tile_rows(b, op->count - first));
        TRY(op_tile(op, w, first, b));
        TRY(tile_account(x, w));
        TRY(visit(ctx, first, b));
        arena_deinit(&w->tile);
    }
    return ERR_OK;
}

enum err op_stream(struct operator *op, tile_visit visit, void *ctx)
{
    struct exec *x = op->x;
    struct batch b;
    uint32_t rows = batch_rows_for(op->grid.count);
    if (op->count == 0)
        return ERR_OK;
    if (!batch_init(&b, rows < op->count ? rows : op->count, op->grid.count, &x->budget))
        return exec_no_memory(x, x->why);
    enum err err = stream_tiles(op, &b, visit, ctx);
    late_notes_tell(x);
    notes_clear(&x->workers[0].notes);
    arena_deinit(&x->workers[0].tile);
    batch_deinit(&b);
    return err;
}

static enum err visit_nothing(void *ctx, uint32_t first, struct batch *b)
{
    (void)ctx;
    (void)first;
    (void)b;
    return ERR_OK;
}

enum err op_drain(struct operator *op, enum err err)
{
    struct errmsg later = *op->x->why;
    enum err earlier = op_stream(op, visit_nothing, NULL);
    if (earlier != ERR_OK)
        return earlier;
    *op->x->why = later;
    return err;
}
