/*
 * exec.h - one query being executed: its grid, its operators, its workers.
 *
 * A resolved tree becomes a tree of operators (plan.c).  Every operator has two phases:
 *   prepare   finds out which series it may yield, in evaluation order (labels, name-drop flags); those
 *             that need all rows of an input before the first of their own (aggregations, joins ...)
 *             read them here.
 *   tile      computes any run of its rows - one series over all steps of its grid - into a batch.
 *             Rows depend on nothing but their own input rows, so tiles may be made by many workers.
 * op_stream() reads all rows of an operator, tile by tile in order; each row is read exactly once,
 * because samples are counted and annotations made on the way.  What is read twice is kept in a
 * matrix first.
 *
 * Ownership: everything hangs on the arena of the execution or of one of its workers.
 * Threads:   prepare runs on the query's thread; tile on any, each with a worker of its own.
 */
#ifndef PROMQL_EXEC_H
#define PROMQL_EXEC_H

#include "base/lock.h"
#include "promql/ast.h"
#include "promql/batch.h"
#include "promql/engine.h"
#include "promql/notes.h"
#include "promql/step_kernels.h"

/* a - b, stopping at the ends of time: `@` takes any time. */
static inline int64_t time_sub(int64_t a, int64_t b)
{
    int64_t t;
    if (__builtin_sub_overflow(a, b, &t))
        return b > 0 ? INT64_MIN : INT64_MAX;
    return t;
}

/* The steps of an expression: start, start + step, ... <= end. */
struct grid {
    int64_t start_ms, step_ms, end_ms; /* step > 0 */
    uint32_t count;                    /* at least 1 */
};
enum { GRID_STEPS_MAX = 1 << 24 }; /* of a query or a subquery; past it "too many samples" */
struct grid grid_make(int64_t start_ms, int64_t end_ms, int64_t step_ms);
static inline int64_t grid_time(const struct grid *g, uint32_t step)
{
    return g->start_ms + (int64_t)step * g->step_ms;
}
/* One step, as Prometheus asks it (start = end): results keep the order of evaluation. */
static inline bool grid_is_instant(const struct grid *g)
{
    return g->start_ms == g->end_ms;
}

/* What rows cost in the reference's currency, points; kept per tile and combined in the order of rows. */
struct tally {
    uint64_t points; /* of the rows made */
    uint64_t full;   /* rows with something at every step, if the operator counts_steps */
    uint64_t peak;   /* most points held at once: rows made so far and the window in hand */
    uint64_t queryable, read;
    uint64_t left, left_peak; /* smoothed selectors: windows that are held to the end, and the most of it */
};

/* Below what an operator stands: decides how its samples are counted. */
enum op_scope { SCOPE_ROOT, SCOPE_INVARIANT, SCOPE_SUBQUERY };

/* How the reference counts what evaluating an operator holds in memory; see cost.c. */
enum cost_kind {
    COST_STEPS, /* step by step, from vectors gathered to a vector made */
    COST_INFO,
    COST_TIMESTAMP,
    COST_SELECT,
    COST_SMOOTHED,
    COST_RANGE,
    COST_AGGREGATE,
    COST_PASS,
    COST_INVARIANT,
    COST_NONE
};

/* Cells of rows that are not full and sizes of histograms, step by step; one worker's share of an operator's. */
struct step_counts {
    uint64_t *cells, *sizes; /* [grid.count]; NULL until needed */
};
enum { STEP_COUNTS_MAX = 1 << 16, READ_BY_NOBODY = UINT32_MAX };

struct exec;
struct worker;
struct oper;

/* How many rows an operator has and what it keeps, as far as that can be said before it runs; see explain.c. */
enum op_role {
    ROLE_ROWS, /* as many as its largest input, streamed */
    ROLE_ONE_ROW,
    ROLE_GROUPS,         /* a few numbers for each group and step */
    ROLE_GROUPS_OF_KEPT, /* groups, once all rows of the input are there */
    ROLE_KEEPS,          /* its inputs' rows and its own */
    ROLE_JOIN,           /* one side */
    ROLE_SET,            /* the left side of or; else a bit for each signature and step */
};

struct oper_ops {
    const char *name; /* as plans show it */
    enum op_role role;
    enum cost_kind cost;
    enum err (*prepare)(struct oper *op);
    enum err (*tile)(struct oper *op, struct worker *w, uint32_t first, struct batch *b); /* b->rows rows */
    void (*worker_close)(struct oper *op, void *state);                                   /* may be NULL */
    bool (*skip)(struct oper *op, const uint64_t *wanted);                                /* see op_skip; may be NULL */
};

enum { OP_ARGS_MAX = 12 };

struct oper {
    const struct oper_ops *ops;
    struct exec *x;
    const struct node *node; /* where annotations point */
    struct grid grid;
    uint32_t id; /* index of per-worker state; rank in the order of evaluation */
    enum op_scope scope;
    enum cost_kind cost;     /* ops' own, unless made otherwise */
    bool counts_steps;       /* its cells are needed step by step */
    bool yields_nothing;     /* what it makes is only looked at */
    bool over_rows;          /* the first argument is a subquery's rows */
    uint32_t counts_id;      /* whose step_counts count: its own, or those of one that it took over from */
    uint64_t repeat;         /* how often the reference books what it looked at: once for each step it stands for */
    const uint32_t *step_of; /* the query's step that reads ours, or READ_BY_NOBODY; NULL: all are read by some */
    uint32_t arg_count;
    struct oper *args[OP_ARGS_MAX];

    /* Valid after prepare. */
    uint32_t count;              /* rows */
    const struct labels *labels; /* [count] */
    const bool *drop_name;       /* [count]: the name goes at the very end; NULL: drop_all for every row */
    bool drop_all;
    bool one_name; /* labels stay distinct without the metric's name */

    const char *remark; /* what was spared here, for plans; NULL: nothing */

    struct tally tally;      /* of all rows read so far, in order */
    struct late_note **late; /* [grid.count], or NULL: the last note of each step */
};

static inline bool op_drops_name(const struct oper *op, uint32_t row)
{
    return op->drop_name ? op->drop_name[row] : op->drop_all;
}

/* What an operator took of a worker's time, without its inputs. */
struct profile {
    int64_t ns;
    uint64_t tiles;
};

/* What one thread needs to make tiles. */
struct worker {
    struct exec *x;
    struct arena arena;              /* lives as long as the worker */
    struct arena tile;               /* histograms and notes of the tile in hand */
    void **states;                   /* [op_count], made on demand */
    struct tally *tallies;           /* [op_count], of the tile in hand: the stream's */
    struct step_counts *step_counts; /* [op_count], of all tiles */
    struct notes notes;              /* of the tile in hand */
    struct late_note *late;          /* of the tile in hand, newest first */
    uint64_t work_ns;                /* see worker_go_on */
    struct profile *profile;         /* [op_count]; NULL: nobody asked */
    int64_t inner_ns;                /* while profiling: what inputs have taken of the operator in hand */
    struct errmsg *why;              /* where errors of tiles are told */
};

/*
 * A note of which only the last one of a step is told: vector operations report one per step.
 */
struct late_note {
    struct late_note *next;
    uint32_t op_id, step;
    uint64_t tile; /* where it was made */
    bool warning;
    const char *text;
};
/* Remembers it, for op's step; told when all rows have been read, unless a later row has another. */
void worker_note_late(struct worker *w, const struct oper *op, uint32_t step, bool warning, const char *text);
/* The zeroed state of this operator in this worker, `bytes` large. */
void *worker_state(struct worker *w, const struct oper *op, size_t bytes);

struct exec {
    struct engine *engine;
    const struct query *query;
    struct mem_budget budget; /* this query's share of the engine's */
    struct arena arena;       /* the result's, too */
    struct grid grid;
    enum op_scope scope;     /* while planning */
    uint64_t repeat;         /* while planning */
    const uint32_t *step_of; /* while planning */
    int64_t lookback_ms;
    unsigned features;
    struct cancel *cancel;
    struct storage *storage;
    struct querier *querier; /* over [mint_ms, maxt_ms], what all selectors need; opened after planning */
    int64_t mint_ms, maxt_ms;
    struct notes notes;
    struct warnings warnings; /* of the storage; its readers add to it until they are closed */
    struct errmsg *why;
    const struct step_kernels *kernels;
    struct oper **ops; /* all operators, by id: the order of evaluation */
    uint32_t op_count, op_capacity;
    uint64_t work_ns;       /* since somebody asked whether to go on; see exec_go_on */
    struct mutex lock;      /* while readers are opened */
    struct worker *workers; /* [worker_count]; the first belongs to the query's thread */
    uint32_t worker_count;
    struct share *shares;                 /* see share.c */
    uint64_t series_fetched;              /* of all selections */
    struct selection *selections;         /* made so far, to be shared; see select.c */
    uint64_t *step_queryable, *step_read; /* [grid.count]; NULL unless asked for */
    struct clock *clock;                  /* while profiling */
    const struct oper *preparing;         /* while profiling: who reads */
    uint64_t skipped_cells;               /* of rows that nobody looks at; see skip.c */
    bool exact_stats;                     /* somebody looks at the numbers of samples: no estimates */
};

static inline bool exec_has(const struct exec *x, enum promql_feature feature)
{
    return x->features & feature;
}
static inline bool exec_delays_names(const struct exec *x)
{
    return x->features & PROMQL_DELAYED_NAME_REMOVAL;
}

MUST_CHECK enum err exec_open_querier(struct exec *x);
/* A reader of a set; workers may ask side by side. */
struct series_reader *exec_reader(struct exec *x, struct series_set *set);
/* Planning: samples with mint <= t <= maxt will be read. */
void exec_needs(struct exec *x, int64_t mint_ms, int64_t maxt_ms);
void exec_workers_start(struct exec *x, uint32_t count); /* after planning */
void exec_workers_stop(struct exec *x);

/* Whether to go on; ERR_CANCELED and ERR_TIMEOUT with their text. */
MUST_CHECK enum err exec_check(struct exec *x, struct errmsg *why);
/*
 * The same, asked once per WORK_NS of work, which is counted in nanoseconds that it takes at most, more or less.  Every
 * loop over rows, cells or samples says what it does: exec_go_on in prepare and in visits of tiles, which come one at a
 * time; worker_go_on while tiles are made.
 */
enum { WORK_NS = 2000000 };
MUST_CHECK static inline enum err exec_go_on(struct exec *x, uint64_t work_ns)
{
    x->work_ns += work_ns;
    if (x->work_ns < WORK_NS)
        return ERR_OK;
    x->work_ns = 0;
    return exec_check(x, x->why);
}
MUST_CHECK static inline enum err worker_go_on(struct worker *w, uint64_t work_ns)
{
    w->work_ns += work_ns;
    if (w->work_ns < WORK_NS)
        return ERR_OK;
    w->work_ns = 0;
    return exec_check(w->x, w->why);
}
/* For callbacks that can only say yes or no: when the query is over, the rest is answered with no at once. */
struct going {
    struct exec *x;
    enum err err;
};
static inline bool going_on(struct going *g, uint64_t work_ns)
{
    if (g->err == ERR_OK)
        g->err = exec_go_on(g->x, work_ns);
    return g->err == ERR_OK;
}
/* "query processing would load too many samples into memory ..." */
enum err exec_too_many_samples(struct errmsg *why);
/* Whether so many steps are allowed. */
bool grid_fits(int64_t start_ms, int64_t end_ms, int64_t step_ms);

/* Memory whose size depends on the data; NULL past the query's budget: then return exec_no_memory. */
void *exec_alloc(struct exec *x, size_t count, size_t bytes);
void *worker_alloc(struct worker *w, size_t count, size_t bytes); /* the same, for as long as the worker */
enum err exec_no_memory(struct exec *x, struct errmsg *why);

/* A new operator of a kind that embeds struct oper first; its arguments are made before it, in order of evaluation. */
void *op_new(struct exec *x, size_t bytes, const struct oper_ops *ops, const struct node *node,
             const struct grid *grid);
void op_args(struct oper *op, uint32_t count, struct oper *const *args);
/* Where its notes point: the start of its node, or of another one. */
struct note_place op_place(const struct oper *op);
struct note_place op_place_at(const struct oper *op, const struct node *node);
MUST_CHECK enum err op_prepare(struct oper *op);
MUST_CHECK enum err op_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b);

/*
 * After prepare: only rows whose bit is set will be looked at, the others may be left without a point.  False: the
 * operator makes all of them, because they are made already or may have notes to tell.
 */
bool op_skip(struct oper *op, const uint64_t *wanted);
bool op_skip_input(struct oper *op, const uint64_t *wanted); /* as ops->skip: row for row those of the first input */

/* A row in points: floats count one, histograms by size. */
uint64_t batch_row_points(const struct batch *b, uint32_t row);

/* All rows in order.  The batch is valid until visit returns. */
typedef enum err (*tile_visit)(void *ctx, uint32_t first, struct batch *b);
MUST_CHECK enum err op_stream(struct oper *op, tile_visit visit, void *ctx);
/* Reads all rows for nothing but their errors: those of an earlier sibling come before `err` of a later one. */
enum err op_drain(struct oper *op, enum err err);

/*
 * parallel.c, in prepare: make(ctx, w, i) for all i < count by any worker in any order, side by side where all of it
 * takes `work_ns` and that pays.  What depends on the order is done afterwards; errors are those of worker_go_on.
 */
MUST_CHECK enum err exec_parallel(struct exec *x, uint32_t count, uint64_t work_ns,
                                  enum err (*make)(void *ctx, struct worker *w, uint32_t item), void *ctx);

/* Rows kept for random access. */
struct matrix {
    uint32_t rows, steps, stride, words;
    double *v;                   /* [rows * stride] */
    uint64_t *present;           /* [rows * words] */
    const struct histogram ***h; /* [rows]: NULL, or [steps] */
};
MUST_CHECK enum err matrix_init(struct matrix *m, struct exec *x, uint32_t rows, uint32_t steps);
MUST_CHECK enum err matrix_read(struct matrix *m, struct oper *op);
void tally_add(struct tally *to, const struct tally *rows);
MUST_CHECK enum err matrix_row_hists(struct matrix *m, struct exec *x, uint32_t row); /* makes m->h[row] */
/* Copies b->rows rows from `first` on; every operator that keeps a matrix makes its tiles so. */
void matrix_tile(const struct matrix *m, uint32_t first, struct batch *b);
static inline double *matrix_v(const struct matrix *m, uint32_t row)
{
    return m->v + (size_t)row * m->stride;
}
static inline uint64_t *matrix_present(const struct matrix *m, uint32_t row)
{
    return m->present + (size_t)row * m->words;
}

/* A map from 128-bit hash to a number; open addressing, in the arena of the execution. */
struct hash_map {
    struct exec *x;
    struct hash_entry *entries;
    size_t size, count; /* size: a power of two, at least twice the count */
};
struct hash_entry {
    struct hash128 key;
    uint32_t value; /* what was put, + 1; 0 = free */
};
MUST_CHECK enum err hash_map_init(struct hash_map *m, struct exec *x, size_t count); /* room for count entries */
/* Puts value under key unless there is one; `*found` is the one that is there. */
MUST_CHECK enum err hash_map_put(struct hash_map *m, struct hash128 key, uint32_t value, uint32_t *found);
bool hash_map_get(const struct hash_map *m, struct hash128 key, uint32_t *value);

/* Rows that come into being one by one, found again by their labels. */
struct rowset {
    struct exec *x;
    uint32_t count, capacity, steps;
    struct labels *labels;
    bool *drop_name;
    double **v;
    uint64_t **present;
    const struct histogram ***h; /* [count]: NULL, or [steps] */
    struct hash_map by_labels;
};
MUST_CHECK enum err rowset_init(struct rowset *r, struct exec *x, uint32_t steps);
/* The row with these labels, made when there is none. */
MUST_CHECK enum err rowset_row(struct rowset *r, const struct labels *labels, bool drop_name, uint32_t *row);
/* A row of its own, whatever there is. */
MUST_CHECK enum err rowset_append(struct rowset *r, const struct labels *labels, bool drop_name, uint32_t *row);
MUST_CHECK enum err rowset_put_hist(struct rowset *r, uint32_t row, uint32_t step, const struct histogram *h);
static inline void rowset_put(struct rowset *r, uint32_t row, uint32_t step, double v)
{
    r->v[row][step] = v;
    bits_set(r->present[row], step);
}
static inline bool rowset_has(const struct rowset *r, uint32_t row, uint32_t step)
{
    return bits_get(r->present[row], step);
}
void rowset_tile(const struct rowset *r, uint32_t first, struct batch *b);
/* The operator's rows are those of the set. */
void op_series_rowset(struct oper *op, const struct rowset *r);

/* The values of a scalar operator, one per step. */
MUST_CHECK enum err op_scalar(struct oper *op, const double **out);

/* Points that evaluating an operator held in the end, and at most. */
struct cost {
    int64_t held, peak;
};
struct cost op_cost(const struct oper *op);
/* Samples that count in the statistics of a query. */
void op_samples(const struct oper *op, uint64_t *queryable, uint64_t *read);
/* Adds to the statistics of one step of op's grid. */
void exec_count_step(struct exec *x, const struct oper *op, uint32_t step, uint64_t queryable, uint64_t read);

/* Expression to operator; NODE_STRING has none. */
MUST_CHECK enum err plan_op(struct exec *x, const struct node *n, const struct grid *g, struct oper **out);
/* What a NODE_SUBQUERY evaluates, on its own grid; NULL when that has no step. */
/* `scope`: SCOPE_SUBQUERY below a function; SCOPE_INVARIANT when the rows themselves are the answer. */
MUST_CHECK enum err plan_subquery(struct exec *x, const struct node *n, const struct grid *g, enum op_scope scope,
                                  struct oper **out);

/* A copy that lives in the arena. */
const struct histogram *histogram_keep(struct arena *arena, const struct histogram *h);

#endif
