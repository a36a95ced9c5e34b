/*
 * stress_replay.c - a head is rebuilt by several threads while others read from it; a plain program for TSan.
 *
 * Every sample's value tells its series and time, so any reader can tell whether what it sees was ever
 * written.  Once from the records of a log, once from a checkpoint; at the end all of it must be there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/random.h"
#include "head/appender.h"

enum { SERIES = 24000, AT_ONCE = 800, ROUNDS = 8, READERS = 2, THREADS = 4, STEP_MS = 15000, FRAMES_MAX = 512 };
#define START_MS INT64_C(1700000000000)

struct frames {
    struct buf list[FRAMES_MAX];
    size_t count;
};

struct stress {
    struct head *head;
    _Atomic bool stop;
    _Atomic uint64_t reads;
};

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "stress_replay: %s\n", what);
        abort();
    }
}

static uint64_t value_of(uint64_t series, int64_t time_ms)
{
    return f64_bits(series % 3 == 0 ? (double)series : (double)(series + (uint64_t)time_ms / STEP_MS));
}

/* ---- writing ---- */

static void put_label(struct buf *out, const char *name, const char *value)
{
    size_t n = strlen(name), v = strlen(value);
    buf_u8(out, 0x0a);
    buf_varint(out, 4 + n + v);
    buf_u8(out, 0x0a);
    buf_varint(out, n);
    buf_str(out, name);
    buf_u8(out, 0x12);
    buf_varint(out, v);
    buf_str(out, value);
}

static void canonical_of(uint32_t series, struct buf *out)
{
    char metric[16], host[16], id[16];
    snprintf(metric, sizeof metric, "m%u", series % 40);
    snprintf(host, sizeof host, "h%u", series / 40);
    snprintf(id, sizeof id, "%u", series);
    buf_reset(out);
    put_label(out, "__name__", metric);
    put_label(out, "host", host);
    put_label(out, "id", id);
    size_t len = out->len;
    buf_append(out, (const uint8_t[SERIES_HASH_SLACK]){0}, SERIES_HASH_SLACK);
    out->len = len;
}

/* A request of some neighbours: a frame. */
static void write_some(struct head *head, struct head_appender *a, uint32_t first, int64_t time_ms, struct buf *records)
{
    struct head_row rows[AT_ONCE];
    struct buf canonical = {0};
    buf_u8(records, 1); /* a request */
    head_appender_enter(a, first);
    head_create_begin(a);
    for (uint32_t i = 0; i < AT_ONCE; i++) {
        canonical_of(first + i, &canonical);
        struct hash128 hash = series_hash(head_hash_key(head), canonical.data, canonical.len);
        rows[i] = (struct head_row){.time_ms = time_ms, .bits = value_of(first + i, time_ms)};
        must(head_series_get(a, buf_view(&canonical), hash, time_ms, records, &rows[i].ref) == ERR_OK, "series");
    }
    head_create_end(a);
    must(head_append(a, rows, AT_ONCE, records) == 0, "a series left");
    head_appender_leave(a);
    buf_deinit(&canonical);
}

static struct head *write_all(struct frames *log)
{
    struct head_options o;
    struct head *head;
    struct errmsg why;
    head_options_default(&o);
    o.random = random_system();
    must(head_new(&o, &head, &why) == ERR_OK, "head");
    struct head_appender *a = head_appender_new(head);
    for (int64_t round = 0; round < ROUNDS; round++)
        for (uint32_t first = 0; first < SERIES; first += AT_ONCE)
            write_some(head, a, first, START_MS + round * STEP_MS, &log->list[log->count++]);
    head_appender_free(a);
    return head;
}

static enum err keep_piece(void *ctx, struct slice records, struct errmsg *why)
{
    struct frames *pieces = ctx;
    (void)why;
    must(pieces->count < FRAMES_MAX, "more pieces than expected");
    buf_slice(&pieces->list[pieces->count++], records);
    return ERR_OK;
}

/* ---- reading ---- */

static uint64_t id_of(const struct labels *labels)
{
    struct slice v = labels_get(labels, SLICE_LIT("id"));
    uint64_t id = 0;
    for (size_t i = 0; i < v.len; i++)
        id = id * 10 + (v.data[i] - '0');
    return id;
}

static uint64_t check_set(struct series_set *set)
{
    struct samples got;
    struct errmsg why;
    uint64_t count = 0;
    struct series_reader *r = set->ops->reader(set);
    for (uint32_t i = 0; i < set->count; i++) {
        must(r->ops->read(r, i, INT64_MIN, INT64_MAX, &got, &why) == ERR_OK, "read");
        for (uint32_t k = 0; k < got.count; k++)
            must(f64_bits(got.values[k]) == value_of(id_of(&set->labels[i]), got.times_ms[k]),
                 "a value that was never written");
        count += got.count;
    }
    r->ops->close(r);
    return count;
}

static bool pass(void *ctx, struct slice name)
{
    (void)ctx;
    return name.len > 0;
}

static uint64_t query(struct head *head, const struct matcher *m)
{
    struct querier *q;
    struct series_set *set;
    struct errmsg why;
    struct arena arena;
    struct selector sel = {
        .matchers = m, .matcher_count = m ? 1 : 0, .mint_ms = INT64_MIN, .maxt_ms = INT64_MAX, .sorted = true};
    arena_init(&arena, NULL);
    must(head_querier(head, INT64_MIN, INT64_MAX, &q, &why) == ERR_OK, "querier");
    must(q->ops->select(q, &sel, &arena, NULL, &set, &why) == ERR_OK, "select");
    uint64_t count = check_set(set);
    must(q->ops->label_values(q, SLICE_LIT("host"), &sel, 0, NULL, pass, NULL, &why) == ERR_OK, "values");
    q->ops->close(q);
    arena_deinit(&arena);
    return count;
}

static void *read_samples(void *arg)
{
    struct stress *s = arg;
    char metric[16];
    for (uint32_t i = 0; !atomic_load(&s->stop); i++) {
        snprintf(metric, sizeof metric, "m%u", i % 40);
        query(s->head, &(struct matcher){.op = MATCH_EQUAL, .name = SLICE_LIT("__name__"), .value = slice_str(metric)});
        atomic_fetch_add(&s->reads, 1);
    }
    return NULL;
}

/* ---- both ---- */

static void rebuild(const struct frames *from, const char *what)
{
    struct stress s = {0};
    struct head_options o;
    struct head_replay_report report;
    struct errmsg why;
    pthread_t readers[READERS];
    head_options_default(&o);
    o.random = random_system();
    must(head_new(&o, &s.head, &why) == ERR_OK, "head");
    for (unsigned i = 0; i < READERS; i++)
        readers[i] = thread_start("stress", read_samples, &s);
    struct head_replay *r = head_replay_new(s.head, THREADS);
    for (size_t i = 0; i < from->count; i++) {
        must(head_replay_frame(r, buf_view(&from->list[i]), &why) == ERR_OK, why.text);
        if (i % 60 == 59)
            head_replay_settle(r); /* so that readers see the middle of it */
    }
    head_replay_finish(r, &report);
    atomic_store(&s.stop, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    must(report.damaged == 0 && report.lost == 0 && report.series == SERIES, "not all was taken");
    must(query(s.head, NULL) == (uint64_t)SERIES * ROUNDS, "not all is there");
    head_check(s.head);
    head_free(s.head);
    printf("stress_replay: %s: %zu frames, %llu queries meanwhile\n", what, from->count, (unsigned long long)s.reads);
}

static void frames_deinit(struct frames *f)
{
    for (size_t i = 0; i < f->count; i++)
        buf_deinit(&f->list[i]);
}

int main(void)
{
    static struct frames log, pieces;
    struct errmsg why;
    struct head *head = write_all(&log);
    must(head_checkpoint(head, keep_piece, &pieces, &why) == ERR_OK, "checkpoint");
    head_free(head);
    rebuild(&log, "log");
    rebuild(&pieces, "checkpoint");
    frames_deinit(&log);
    frames_deinit(&pieces);
    return 0;
}
