/*
 * wal_files.c - which segments there are: the ready one, spares, those a replay would need.
 *
 * The filler thread keeps one segment ready (named, header durable) and segments_spare - 1 files of
 * zeros beside it, so that switching segments costs the committer nothing and a full disk is noticed
 * while there is still room for one more segment.  Numbers only grow: making the ready segment and
 * taking it happen under files_lock, so that a segment's number says when its frames were written.
 */
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal_internal.h"
#include <stdio.h>
#include <stdlib.h>

/* Segments have their whole length from the beginning. */
static uint64_t disk_bytes(const struct wal *wal, const struct wal_segment *s)
{
    return s->bytes > wal->o.segment_bytes ? s->bytes : wal->o.segment_bytes;
}

static void count_disk(struct wal *wal)
{
    uint64_t count = wal->segment_count + wal->spares.count + (wal->ready != NULL), bytes = 0;
    for (size_t i = 0; i < wal->segment_count; i++)
        bytes += disk_bytes(wal, &wal->segments[i]);
    bytes += (wal->spares.count + (wal->ready != NULL)) * wal->o.segment_bytes;
    atomic_store_explicit(&wal->stats.segments, count, memory_order_relaxed);
    atomic_store_explicit(&wal->stats.segment_bytes, bytes, memory_order_relaxed);
}

static void segment_add(struct wal *wal, struct wal_segment segment)
{
    wal->segments = mem_grow(wal->segments, &wal->segment_capacity, wal->segment_count + 1, sizeof *wal->segments);
    wal->segments[wal->segment_count++] = segment;
}

static struct wal_segment *segment_find(struct wal *wal, uint64_t number)
{
    for (size_t i = 0; i < wal->segment_count; i++)
        if (wal->segments[i].number == number)
            return &wal->segments[i];
    return NULL;
}

static void segment_forget(struct wal *wal, struct wal_segment *segment)
{
    size_t i = (size_t)(segment - wal->segments);
    memmove(segment, segment + 1, (wal->segment_count - i - 1) * sizeof *segment);
    wal->segment_count--;
}

/* The life before may have used any number that stands in a file name. */
static void number_seen(struct wal *wal, uint64_t number)
{
    if (number >= wal->next_number)
        wal->next_number = number + 1;
}

static bool number_visit_damaged(void *ctx, const char *name)
{
    struct wal *wal = ctx;
    char *end;
    unsigned long long number = strtoull(name, &end, 16);
    if (end != name)
        number_seen(wal, number);
    return true;
}

enum err files_open(struct wal *wal, struct errmsg *why)
{
    struct segment_list found = {0};
    TRY(fs_mkdir_all(wal->o.fs, wal->dir.path, why));
    enum err err = segment_dir_list(wal->o.fs, wal->dir.path, &found, &wal->spares, why);
    for (size_t i = 0; i < found.count; i++) {
        segment_add(wal, (struct wal_segment){.number = found.list[i].number, .bytes = found.list[i].bytes});
        number_seen(wal, found.list[i].number);
    }
    segment_list_deinit(&found);
    char aside[SEGMENT_PATH_BYTES];
    snprintf(aside, sizeof aside, "%s/damaged", wal->dir.path);
    enum err ignored = fs_list(wal->o.fs, aside, number_visit_damaged, wal, NULL);
    (void)ignored; /* usually missing */
    size_t kept = 0;
    for (size_t i = 0; i < wal->spares.count; i++) {
        struct segment_name *s = &wal->spares.list[i];
        number_seen(wal, s->number);
        if (s->bytes == wal->o.segment_bytes)
            wal->spares.list[kept++] = *s;
        else
            ignored = segment_remove(&wal->dir, s->number, "spare", NULL); /* another segment size was set */
    }
    wal->spares.count = kept;
    count_disk(wal);
    return err;
}

void files_close(struct wal *wal)
{
    enum err ignored = file_close(wal->ready, NULL);
    (void)ignored; /* holds a header that was synced */
    wal->ready = NULL;
    segment_list_deinit(&wal->spares);
    mem_free(wal->segments);
    wal->segments = NULL;
}

/* files_lock held.  False: it could not be moved and stays. */
static bool retire(struct wal *wal, const struct wal_segment *s)
{
    struct errmsg why = {0};
    enum err err;
    if (s->damaged) {
        err = segment_set_aside(&wal->dir, s->number, &why);
        if (err == ERR_OK)
            atomic_fetch_add_explicit(&wal->stats.quarantined, 1, memory_order_relaxed);
    } else if (!s->poisoned && s->bytes <= wal->o.segment_bytes && wal->spares.count < wal->o.segments_spare) {
        err = segment_to_spare(&wal->dir, s->number, &why);
        if (err == ERR_OK) {
            struct segment_list *l = &wal->spares;
            l->list = mem_grow(l->list, &l->capacity, l->count + 1, sizeof *l->list);
            l->list[l->count++] = (struct segment_name){s->number, wal->o.segment_bytes};
            atomic_fetch_add_explicit(&wal->stats.segments_recycled, 1, memory_order_relaxed);
        }
    } else {
        err = segment_remove(&wal->dir, s->number, "wal", &why);
        if (err == ERR_OK)
            atomic_fetch_add_explicit(&wal->stats.segments_removed, 1, memory_order_relaxed);
    }
    if (err != ERR_OK)
        log_warn("wal", "segment could not be retired", "segment=%016llx err=\"%s\"", (unsigned long long)s->number,
                 why.text);
    return err == ERR_OK;
}

/* What the reader found in a segment; NULL when it did not see it. */
static const struct wal_segment_info *info_find(const struct wal_report *report, uint64_t number)
{
    for (uint64_t i = 0; report && i < report->segments_done; i++)
        if (report->list[i].number == number)
            return &report->list[i];
    return NULL;
}

void files_scan_done(struct wal *wal, const struct wal_report *report, uint64_t last_sequence)
{
    mutex_lock(&wal->files_lock);
    for (size_t i = 0; i < wal->segment_count; i++) {
        struct wal_segment s = wal->segments[i];
        const struct wal_segment_info *info = info_find(report, s.number);
        s.last_sequence = info ? info->last_sequence : last_sequence;
        s.damaged = info && info->damaged;
        s.bytes = info && info->frames ? info->used : s.bytes;
        wal->segments[i] = s;
    }
    count_disk(wal);
    mutex_unlock(&wal->files_lock);
}

enum err files_settle(struct wal *wal, struct errmsg *why)
{
    mutex_lock(&wal->files_lock);
    enum err err = ERR_OK;
    for (size_t i = 0; i < wal->segment_count && err == ERR_OK; i++)
        err = segment_settle(&wal->dir, wal->segments[i].number, why);
    if (err == ERR_OK && wal->segment_count > 0)
        err = fs_sync_dir(wal->o.fs, wal->dir.path, why);
    mutex_unlock(&wal->files_lock);
    return err;
}

/* ---- making segments ---- */

/* files_lock held. */
static enum err make_segment(struct wal *wal, struct file **out, uint64_t *number, struct errmsg *why)
{
    uint64_t made = wal->next_number++, spare = 0;
    if (wal->spares.count > 0)
        spare = wal->spares.list[--wal->spares.count].number;
    enum err err = segment_create(&wal->dir, made, spare, out, why);
    if (err != ERR_OK)
        return err_wrap(why, err, "make log segment");
    *number = made;
    if (!spare)
        atomic_fetch_add_explicit(&wal->stats.segments_made, 1, memory_order_relaxed);
    return ERR_OK;
}

enum err files_next(struct wal *wal, struct file **out, uint64_t *number, struct errmsg *why)
{
    mutex_lock(&wal->files_lock);
    enum err err = ERR_OK;
    if (wal->ready) {
        *out = wal->ready;
        *number = wal->ready_number;
        wal->ready = NULL;
    } else {
        err = make_segment(wal, out, number, why);
    }
    if (err == ERR_OK)
        segment_add(wal, (struct wal_segment){.number = *number});
    count_disk(wal);
    mutex_unlock(&wal->files_lock);
    return err;
}

bool files_need_work(struct wal *wal)
{
    mutex_lock(&wal->files_lock);
    bool need = wal->o.segments_spare > 0 && (!wal->ready || wal->spares.count + 1 < wal->o.segments_spare);
    mutex_unlock(&wal->files_lock);
    return need;
}

static bool filler_stops(void *ctx)
{
    struct wal *wal = ctx;
    mutex_lock(&wal->state_lock);
    bool stopping = wal->stopping;
    mutex_unlock(&wal->state_lock);
    return stopping;
}

bool files_prepare(struct wal *wal, struct errmsg *why, enum err *err)
{
    *err = ERR_OK;
    if (!files_need_work(wal))
        return false;
    mutex_lock(&wal->files_lock);
    if (!wal->ready) {
        *err = make_segment(wal, &wal->ready, &wal->ready_number, why);
        count_disk(wal);
        mutex_unlock(&wal->files_lock);
        return *err == ERR_OK;
    }
    uint64_t number = wal->next_number++;
    mutex_unlock(&wal->files_lock);
    *err = segment_fill_spare(&wal->dir, number, filler_stops, wal, why); /* long: without the lock */
    if (*err != ERR_OK)
        return false;
    mutex_lock(&wal->files_lock);
    struct segment_list *l = &wal->spares;
    l->list = mem_grow(l->list, &l->capacity, l->count + 1, sizeof *l->list);
    l->list[l->count++] = (struct segment_name){number, wal->o.segment_bytes};
    atomic_fetch_add_explicit(&wal->stats.segments_made, 1, memory_order_relaxed);
    count_disk(wal);
    mutex_unlock(&wal->files_lock);
    return true;
}

/* ---- what a replay needs ---- */

void files_note(struct wal *wal, uint64_t number, uint64_t bytes, uint64_t last_sequence)
{
    mutex_lock(&wal->files_lock);
    struct wal_segment *s = segment_find(wal, number);
    if (s) {
        s->bytes = bytes;
        s->last_sequence = last_sequence;
    }
    mutex_unlock(&wal->files_lock);
}

void files_poison(struct wal *wal, uint64_t number)
{
    mutex_lock(&wal->files_lock);
    struct wal_segment *s = segment_find(wal, number);
    if (s)
        s->poisoned = true;
    mutex_unlock(&wal->files_lock);
    atomic_fetch_add_explicit(&wal->stats.poisoned_segments, 1, memory_order_relaxed);
}

void files_drop(struct wal *wal, uint64_t number)
{
    mutex_lock(&wal->files_lock);
    struct wal_segment *s = segment_find(wal, number);
    if (s && segment_remove(&wal->dir, number, "wal", NULL) == ERR_OK)
        segment_forget(wal, s); /* else it stays listed and goes with the next truncation */
    count_disk(wal);
    mutex_unlock(&wal->files_lock);
}

/* files_lock held. */
static void retire_truncated(struct wal *wal)
{
    size_t kept = 0, last = wal->segment_count;
    for (size_t i = 0; i < last; i++) {
        struct wal_segment s = wal->segments[i];
        bool in_use = i + 1 == last; /* the active one */
        if (s.last_sequence == 0 && !wal->newest_told)
            in_use = true; /* nothing is in it, but it would be missed: it may be the one that was opened last */
        if (in_use || s.last_sequence >= wal->truncated || !retire(wal, &s))
            wal->segments[kept++] = s;
    }
    wal->segment_count = kept;
    count_disk(wal);
}

void files_truncate(struct wal *wal, uint64_t sequence)
{
    mutex_lock(&wal->files_lock);
    if (sequence > wal->truncated)
        wal->truncated = sequence;
    if (wal->pins == 0) /* else when the last pin goes */
        retire_truncated(wal);
    mutex_unlock(&wal->files_lock);
}

/* commit_lock held, so that the active segment ends in a whole frame. */
void files_pin(struct wal *wal, struct wal_pin *out)
{
    mutex_lock(&wal->files_lock);
    *out = (struct wal_pin){.list = mem_array(wal->segment_count + 1, sizeof *out->list)};
    for (size_t i = 0; i < wal->segment_count; i++) {
        const struct wal_segment *s = &wal->segments[i];
        bool active = wal->active && s->number == wal->active_number;
        bool known = s->bytes > 0 && !s->poisoned && !s->damaged;
        out->list[out->count++] = (struct wal_pin_segment){s->number,
                                                           active  ? wal->active_offset
                                                           : known ? s->bytes
                                                                   : UINT64_MAX,
                                                           active || !s->last_sequence ? UINT64_MAX : s->last_sequence};
    }
    wal->pins++;
    mutex_unlock(&wal->files_lock);
}

void files_unpin(struct wal *wal)
{
    mutex_lock(&wal->files_lock);
    if (--wal->pins == 0)
        retire_truncated(wal);
    mutex_unlock(&wal->files_lock);
}

uint64_t files_kept_bytes(struct wal *wal, uint64_t sequence)
{
    uint64_t bytes = 0;
    mutex_lock(&wal->files_lock);
    for (size_t i = 0; i < wal->segment_count; i++)
        if (i + 1 == wal->segment_count || wal->segments[i].last_sequence >= sequence)
            bytes += disk_bytes(wal, &wal->segments[i]);
    mutex_unlock(&wal->files_lock);
    return bytes;
}

uint64_t files_replay_bytes(struct wal *wal)
{
    uint64_t bytes = 0;
    mutex_lock(&wal->files_lock);
    for (size_t i = 0; i < wal->segment_count; i++)
        bytes += wal->segments[i].bytes;
    mutex_unlock(&wal->files_lock);
    return bytes + atomic_load_explicit(&wal->active_bytes, memory_order_relaxed);
}
