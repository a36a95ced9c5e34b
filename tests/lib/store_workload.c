/* store_workload.c - the contract is in store_workload.h. */
#include "lib/store_workload.h"

#include <stdio.h>
#include <stdlib.h>

#include "backup/backup.h"
#include "tsdb/checkpoint.h"
#include "tsdb/snapshot_internal.h"
#include "tsdb/tsdb_internal.h"

enum { STEP_MS = 15000, HOUR_MS = 3600000, SNAPSHOTS = 2, BACKUPS = 2 };

/*
 * Two snapshots: a name is in the list only when it was handed out, so it must hold what was acknowledged
 * then; one that a crash cut off is there whole under its name, or not at all.
 */
static struct {
    struct store_sim *then; /* what the store had to remember when it was asked for */
    char name[TSDB_SNAPSHOT_NAME];
} taken[SNAPSHOTS];

/* A backup that was reported as made is there whole, whatever came later; another one may be. */
static struct {
    struct store_sim *then;
    char name[BACKUP_NAME_BYTES];
} kept[BACKUPS];

static void backup_take(struct store_sim *s, int i)
{
    struct backup_report report;
    struct backup_options o = {.fs = s->o.fs,
                               .clock = &s->clock.base,
                               .random = &s->random.base,
                               .dir = "data",
                               .dest = "copies",
                               .full = i > 0};
    if (kept[i].then || !tsdb_ready(s->db))
        return;
    kept[i].then = store_sim_fork(s, "");
    if (backup_make(&o, &report, NULL) == ERR_OK)
        snprintf(kept[i].name, sizeof kept[i].name, "%s", report.name);
}

static void snapshot_take(struct store_sim *s, int i)
{
    if (taken[i].then || !tsdb_ready(s->db))
        return;
    clock_fake_advance(&s->clock, 1000); /* each has a second of its own, by which it is found again */
    taken[i].then = store_sim_fork(s, "");
    enum err may_fail = tsdb_snapshot(s->db, TSDB_SNAPSHOT_PROMETHEUS, false, taken[i].name, NULL);
    if (may_fail != ERR_OK)
        taken[i].name[0] = 0;
    clock_fake_advance(&s->clock, 1000);
}

static void fail(const char *context, const char *what, const char *text)
{
    fprintf(stderr, "%s: snapshot or backup: %s: %s\n", context, what, text);
    abort();
}

struct look {
    struct store_sim *s;
    const char *context;
    bool found[SNAPSHOTS];
    unsigned count;
};

static void snapshot_check(struct look *l, struct store_sim *then, const char *name)
{
    struct errmsg why = {0};
    snprintf(then->dir, sizeof then->dir, "data/snapshots/%s", name);
    then->sim = l->s->sim;
    then->o.fs = fs_sim_fs(l->s->sim);
    if (store_sim_open(then, &why) != ERR_OK)
        fail(l->context, "does not open", why.text);
    store_sim_check(then, l->context);
    if (store_sim_close(then, &why) != ERR_OK)
        fail(l->context, "does not close", why.text);
}

static bool snapshot_visit(void *ctx, const char *name)
{
    struct look *l = ctx;
    int64_t made_ms;
    if (!snapshot_name_parse(name, &made_ms))
        fail(l->context, "no name", name);
    for (int i = 0; i < SNAPSHOTS; i++) {
        struct store_sim *then = taken[i].then;
        if (!then || clock_now_ms(&then->clock.base) / 1000 != made_ms / 1000)
            continue;
        snapshot_check(l, then, name);
        l->found[i] = true;
        l->count++;
    }
    return true;
}

unsigned store_workload_check_snapshots(struct store_sim *s, const char *context)
{
    struct errmsg why = {0};
    char copy[256];
    snprintf(copy, sizeof copy, "%s", context);
    struct look l = {.s = s, .context = copy};
    if (tsdb_snapshots(s->db, snapshot_visit, &l, &why) != ERR_OK)
        fail(copy, "no list", why.text);
    for (int i = 0; i < SNAPSHOTS; i++)
        if (taken[i].name[0] && !l.found[i])
            fail(copy, "lost", taken[i].name);
    return l.count;
}

static void backup_check(struct store_sim *s, struct store_sim *then, const char *name, const char *context)
{
    struct errmsg why = {0};
    struct buf out = {0};
    uint64_t problems = 0;
    enum err err = backup_restore(s->o.fs, "copies", name, "restored", &out, &problems, &why);
    if (err != ERR_OK || problems)
        fail(context, err != ERR_OK ? why.text : "is not restored whole", buf_cstr(&out));
    buf_deinit(&out);
    snprintf(then->dir, sizeof then->dir, "restored");
    then->sim = s->sim;
    then->o.fs = s->o.fs;
    if (store_sim_open(then, &why) != ERR_OK)
        fail(context, "does not open", why.text);
    store_sim_check(then, context);
    if (store_sim_close(then, &why) != ERR_OK || fs_remove_all(s->o.fs, "restored", &why) != ERR_OK)
        fail(context, "does not close", why.text);
}

unsigned store_workload_check_backups(struct store_sim *s, const char *context)
{
    struct errmsg why = {0};
    struct buf out = {0};
    uint64_t problems = 0;
    unsigned count = 0;
    char copy[256];
    snprintf(copy, sizeof copy, "%s", context);
    enum err err = backup_verify(s->o.fs, "copies", &out, &problems, &why);
    if (problems)
        fail(copy, "is damaged", buf_cstr(&out));
    buf_deinit(&out);
    for (int i = 0; i < BACKUPS; i++) {
        if (!kept[i].name[0])
            continue;
        if (err != ERR_OK)
            fail(copy, "the list is lost", why.text);
        backup_check(s, kept[i].then, kept[i].name, copy);
        count++;
    }
    return count;
}

void store_workload_free(struct store_sim *s)
{
    for (int i = 0; i < BACKUPS; i++) {
        if (kept[i].then)
            store_sim_free(kept[i].then);
        memset(&kept[i], 0, sizeof kept[i]);
    }
    for (int i = 0; i < SNAPSHOTS; i++) {
        if (taken[i].then)
            store_sim_free(taken[i].then);
        memset(&taken[i], 0, sizeof taken[i]);
    }
    store_sim_free(s);
}

struct store_sim *store_workload_new(uint64_t seed)
{
    struct store_sim *s = store_sim_new(seed);
    s->o.checkpoint_bytes = 6000;
    s->o.block_range_max_ms = 6 * HOUR_MS;
    s->o.wal.segment_bytes = seed % 3 == 2 ? 4096 : 8192;
    s->o.retention_ms = seed % 2 ? 3 * HOUR_MS : 0;
    s->o.snapshots_age_ms = 0;
    s->o.idle_series_min = seed % 4 == 1 ? 0 : 3; /* targets that are gone leave at once, or never */
    return s;
}

/* A range of some series, all of one, a sample written where one was deleted; now and then the disk follows. */
static void deletes(struct store_sim *s, int i, int64_t now)
{
    if (i % 16 == 6)
        store_sim_delete(s, 2, 3, now - 5400000, now - 20000);
    else
        store_sim_delete(s, WORKLOAD_SERIES + 1, 1, INT64_MIN, INT64_MAX);
    store_sim_write(s, 2, 2, now - 1800000 - i);
    if (i % 16 != 6)
        return;
    enum err may_fail = tsdb_clean_tombstones(s->db, NULL);
    (void)may_fail;
}

/* A rule that says what holds anyway: its way through the store is walked, the model need not know. */
static void rules(struct store_sim *s)
{
    const struct matcher m = {.op = MATCH_EQUAL, .name = SLICE_LIT("id"), .value = SLICE_LIT("3")};
    struct tsdb_rule rule = {.selector = {&m, 1}, .keep_ms = s->o.retention_ms};
    struct tsdb_affected affected[2];
    enum err may_fail = tsdb_set_rules(s->db, &rule, 1, NULL);
    if (may_fail == ERR_OK)
        may_fail = tsdb_rules_dry_run(s->db, &rule, 1, NULL, affected, NULL);
    (void)may_fail;
}

/* One after the other, with little between: what is new is told alone, and the next builds upon that. */
static void checkpoints(struct store_sim *s)
{
    clock_fake_advance(&s->clock, 1000);
    mutex_lock(&s->db->head_work);
    enum err may_fail = tsdb_ready(s->db) ? checkpoint_take(s->db, false, NULL) : ERR_OK;
    (void)may_fail;
    mutex_unlock(&s->db->head_work);
}

/* What an operator asks for: the model need not know of any of it. */
static void administer(struct store_sim *s)
{
    const struct matcher m = {.op = MATCH_EQUAL, .name = SLICE_LIT("id"), .value = SLICE_LIT("4")};
    const struct tsdb_selector selector = {&m, 1};
    char name[TSDB_SNAPSHOT_NAME];
    struct tsdb_acknowledged done;
    enum err may_fail = tsdb_verify_start(s->db, false, NULL);
    may_fail = tsdb_expel(s->db, &selector, 1, NULL); /* its samples are in blocks then */
    if (tsdb_snapshot(s->db, TSDB_SNAPSHOT_VICTORIAMETRICS, true, name, NULL) == ERR_OK)
        may_fail = tsdb_snapshot_delete(s->db, name, NULL);
    may_fail = tsdb_acknowledge(s->db, INT64_MIN, INT64_MAX, &done, NULL);
    (void)may_fail;
}

/* Scrapes with new series, late samples, changed values; hours that pass; what the background does. */
static void step(struct store_sim *s, int i)
{
    int64_t now = clock_now_ms(&s->clock.base);
    store_sim_write(s, 0, WORKLOAD_SERIES / 2 + (uint32_t)(i % 6), now);
    if (i % 3 == 1)
        store_sim_write(s, WORKLOAD_SERIES, 3, now + 1000); /* another target, in the same frame */
    if (i % 7 == 3)
        store_sim_write(s, 0, 2, now - 2 * HOUR_MS - i); /* late */
    if (i % 7 == 5)
        store_sim_write(s, 1, 2, now); /* the time is known: the last write wins */
    if (i % 8 == 6)
        deletes(s, i, now);
    store_sim_commit(s);
    clock_fake_advance(&s->clock, i % 4 == 3 ? 40 * 60000 : STEP_MS);
    if (i % 4 == 3)
        tsdb_run_once(s->db);
    if (i % 11 >= 2 && i % 11 <= 5)
        checkpoints(s);
    if (i % 11 == 10) {
        enum err may_fail = tsdb_flush(s->db, NULL);
        (void)may_fail;
    }
    if (i == 12)
        rules(s);
    if (i == 20)
        administer(s);
    if (i == 14 || i == 33)
        backup_take(s, i == 33);
    if (i == 9 || i == 29)
        snapshot_take(s, i == 29);
}

void store_workload_run(struct store_sim *s, int steps)
{
    for (int i = 0; i < steps && !fs_sim_is_off(s->sim); i++)
        step(s, i);
}

void store_workload_defer(struct store_sim *s, int steps)
{
    for (int i = 0; i < steps && !fs_sim_is_off(s->sim); i++) {
        int64_t now = clock_now_ms(&s->clock.base);
        store_sim_write(s, (uint32_t)i % 4, WORKLOAD_SERIES, now);
        if (i % 2)
            store_sim_write(s, 2, 3, now); /* the last write wins */
        store_sim_commit(s);
        clock_fake_advance(&s->clock, STEP_MS);
    }
}

/* ---- damage ---- */

static void checkpoint_hurt(struct store_sim *s, const struct manifest_checkpoint *c, uint64_t seed)
{
    static uint8_t copy[1 << 20];
    char name[CHECKPOINT_NAME_BYTES], path[128];
    checkpoint_name(c, name);
    snprintf(path, sizeof path, "data/checkpoints/%s", name);
    struct slice bytes = fs_sim_bytes(s->sim, path);
    if (bytes.len == 0 || bytes.len > sizeof copy || seed % 3 == 0) {
        enum err may_fail = fs_unlink(fs_sim_fs(s->sim), path, NULL);
        (void)may_fail; /* missing already: the power went off in an earlier life */
        return;
    }
    memcpy(copy, bytes.data, bytes.len);
    size_t len = seed % 3 == 1 ? seed % bytes.len : bytes.len;
    copy[seed / 3 % bytes.len] ^= (uint8_t)(1u << seed % 8);
    fs_sim_put(s->sim, path, slice_of(copy, len));
}

bool store_workload_rot(struct store_sim *s, uint64_t seed)
{
    struct manifest m;
    if (manifest_load(fs_sim_fs(s->sim), "data/MANIFEST", &m, NULL) != ERR_OK || m.checkpoint_count == 0)
        return true; /* cut off before there was one */
    /* The newest, or one of those that it builds upon. */
    size_t last = m.checkpoint_count - 1, at = last - seed / 5 % (last - manifest_chain(&m, last) + 1);
    bool stands_in = m.log_first == 1 || (at > 0 && m.log_first <= m.checkpoints[at - 1].sequence + 1);
    checkpoint_hurt(s, &m.checkpoints[at], seed);
    manifest_deinit(&m);
    return stands_in;
}
