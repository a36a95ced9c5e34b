/*
 * vm.c - runs a program: yes or no by sets of instructions, groups by backtracking or by Pike's machine.
 *
 * Groups follow Go's leftmost-first rule: threads are kept in order of preference, and the first that
 * matches at the end of the text wins.  For small products of program and text a backtracker that never
 * visits (instruction, offset) twice is faster; Pike's machine does the others.  Both are linear in text
 * times program.
 */
#include "base/assert.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "regex/regex_internal.h"

enum { STACK_INSTS = 256, VISITED_BITS_MAX = 1 << 18 };

/* The rune at s->data[at], -1 at the end; *len is 0 there. */
static int32_t rune_at(struct slice s, size_t at, size_t *len)
{
    *len = 0;
    return at < s.len ? utf8_decode(s.data + at, s.data + s.len, len) : -1;
}

/* As much of the rune before s->data[at] as assertions want to know. */
static int32_t rune_before(struct slice s, size_t at)
{
    return at == 0 ? -1 : s.data[at - 1] < 0x80 ? s.data[at - 1] : RUNE_ERROR;
}

/* ---- Yes or no ---- */

static bool set_has_match(const struct program *prog, const struct inst_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (prog->insts[set->dense[i]].kind == INST_MATCH)
            return true;
    return false;
}

static bool match_with(const struct program *prog, struct slice s, uint32_t *work)
{
    uint32_t n = prog->inst_count;
    struct inst_set now = {work, work + n, 0}, next = {work + 2 * (size_t)n, work + 3 * (size_t)n, 0};
    uint32_t *stack = work + 4 * (size_t)n;
    size_t at = 0, len;
    int32_t rune = rune_at(s, at, &len);
    program_follow(prog, &now, prog->start, empty_flags_between(-1, rune), stack);
    while (rune >= 0 && now.count > 0) {
        size_t after_len;
        int32_t after = rune_at(s, at + len, &after_len);
        unsigned flags = empty_flags_between(rune, after);
        next.count = 0;
        for (uint32_t i = 0; i < now.count; i++) {
            const struct inst *inst = &prog->insts[now.dense[i]];
            if (inst_matches(prog, inst, rune))
                program_follow(prog, &next, inst->out, flags, stack);
        }
        struct inst_set t = now;
        now = next;
        next = t;
        at += len;
        len = after_len;
        rune = after;
    }
    return rune < 0 && set_has_match(prog, &now);
}

bool vm_match(const struct program *prog, struct slice s)
{
    uint32_t small[6 * STACK_INSTS + 1];
    size_t count = 6 * (size_t)prog->inst_count + 1;
    uint32_t *work = prog->inst_count <= STACK_INSTS ? small : mem_alloc(count * sizeof *work);
    memset(work, 0, 4 * (size_t)prog->inst_count * sizeof *work);
    bool matches = match_with(prog, s, work);
    if (work != small)
        mem_free(work);
    return matches;
}

/* ---- Groups by backtracking ---- */

enum { RESTORE = UINT32_MAX };

/* Either "continue at inst and offset", or "set slot `slot` back to offset". */
struct job {
    uint32_t inst, slot;
    size_t offset;
};

struct backtracker {
    const struct program *prog;
    struct slice text;
    uint64_t *visited; /* one bit per (instruction, offset) */
    struct job *jobs;  /* few at first, heap when there are more */
    struct job few[64];
    size_t job_count, job_capacity;
    size_t *offsets;
    uint32_t offset_count;
};

static void push_job(struct backtracker *b, uint32_t inst, uint32_t slot, size_t offset)
{
    if (b->job_count == b->job_capacity) {
        struct job *more = mem_alloc(b->job_capacity * 2 * sizeof *more);
        memcpy(more, b->jobs, b->job_count * sizeof *more);
        if (b->jobs != b->few)
            mem_free(b->jobs);
        b->jobs = more;
        b->job_capacity *= 2;
    }
    b->jobs[b->job_count++] = (struct job){inst, slot, offset};
}

static bool visit(struct backtracker *b, uint32_t inst, size_t at)
{
    size_t bit = inst * (b->text.len + 1) + at;
    uint64_t mask = UINT64_C(1) << (bit & 63);
    if (b->visited[bit >> 6] & mask)
        return false;
    b->visited[bit >> 6] |= mask;
    return true;
}

/* Follows the preferred path from inst on, leaving the others as jobs; true when it matches at the end. */
static bool backtrack_from(struct backtracker *b, uint32_t i, size_t at)
{
    while (visit(b, i, at)) {
        const struct inst *inst = &b->prog->insts[i];
        size_t len;
        switch (inst->kind) {
        case INST_MATCH:
            return at == b->text.len;
        case INST_ALT:
            push_job(b, inst->arg, 0, at);
            break;
        case INST_CAPTURE:
            if (inst->arg < b->offset_count) {
                push_job(b, RESTORE, inst->arg, b->offsets[inst->arg]);
                b->offsets[inst->arg] = at;
            }
            break;
        case INST_EMPTY: {
            unsigned flags = empty_flags_between(rune_before(b->text, at), rune_at(b->text, at, &len));
            if ((inst->arg & flags) != inst->arg)
                return false;
            break;
        }
        default: {
            int32_t rune = rune_at(b->text, at, &len);
            if (rune < 0 || !inst_matches(b->prog, inst, rune))
                return false;
            at += len;
            break;
        }
        }
        i = inst->out;
    }
    return false;
}

bool vm_backtrack(const struct program *prog, struct slice s, size_t *offsets, uint32_t offset_count)
{
    uint64_t visited[VISITED_BITS_MAX / 64];
    struct backtracker b;
    b.prog = prog;
    b.text = s;
    b.visited = visited;
    b.jobs = b.few;
    b.job_count = 0;
    b.job_capacity = sizeof b.few / sizeof b.few[0];
    b.offsets = offsets;
    b.offset_count = offset_count;
    memset(visited, 0, (prog->inst_count * (s.len + 1) + 63) / 64 * 8);
    bool matches = backtrack_from(&b, prog->start, 0);
    while (!matches && b.job_count > 0) {
        struct job job = b.jobs[--b.job_count];
        if (job.inst == RESTORE)
            b.offsets[job.slot] = job.offset;
        else
            matches = backtrack_from(&b, job.inst, job.offset);
    }
    if (b.jobs != b.few)
        mem_free(b.jobs);
    return matches;
}

/* ---- Groups by Pike's machine ---- */

struct pike {
    const struct program *prog;
    struct slice text;
    uint32_t offset_count;
    struct inst_set now, next;
    size_t *now_offsets, *next_offsets; /* [instruction][offset_count] of the thread that waits there */
    size_t *current;                    /* of the thread that is being followed */
    struct job *jobs;
};

/* Adds the threads that begin at inst, preferred ones first; those there already came from better ones. */
static void pike_follow(struct pike *p, uint32_t start, size_t at, unsigned flags)
{
    size_t depth = 0, bytes = p->offset_count * sizeof(size_t);
    p->jobs[depth++] = (struct job){start, 0, 0};
    while (depth > 0) {
        struct job job = p->jobs[--depth];
        if (job.inst == RESTORE) {
            p->current[job.slot] = job.offset;
            continue;
        }
        if (inst_set_has(&p->next, job.inst))
            continue;
        inst_set_add(&p->next, job.inst);
        const struct inst *inst = &p->prog->insts[job.inst];
        if (inst->kind == INST_ALT) {
            p->jobs[depth++] = (struct job){inst->arg, 0, 0};
            p->jobs[depth++] = (struct job){inst->out, 0, 0};
        } else if (inst->kind == INST_CAPTURE) {
            if (inst->arg < p->offset_count) {
                p->jobs[depth++] = (struct job){RESTORE, inst->arg, p->current[inst->arg]};
                p->current[inst->arg] = at;
            }
            p->jobs[depth++] = (struct job){inst->out, 0, 0};
        } else if (inst->kind == INST_EMPTY) {
            if ((inst->arg & flags) == inst->arg)
                p->jobs[depth++] = (struct job){inst->out, 0, 0};
        } else {
            memcpy(p->next_offsets + (size_t)job.inst * p->offset_count, p->current, bytes);
        }
    }
}

static void pike_swap(struct pike *p)
{
    struct inst_set t = p->now;
    size_t *offsets = p->now_offsets;
    p->now = p->next;
    p->now_offsets = p->next_offsets;
    p->next = t;
    p->next_offsets = offsets;
    p->next.count = 0;
}

static bool pike_run(struct pike *p, size_t *offsets)
{
    size_t at = 0, len, bytes = p->offset_count * sizeof(size_t);
    int32_t rune = rune_at(p->text, at, &len);
    memcpy(p->current, offsets, bytes);
    pike_follow(p, p->prog->start, 0, empty_flags_between(-1, rune));
    pike_swap(p);
    while (rune >= 0 && p->now.count > 0) {
        size_t after_len;
        int32_t after = rune_at(p->text, at + len, &after_len);
        unsigned flags = empty_flags_between(rune, after);
        for (uint32_t i = 0; i < p->now.count; i++) {
            uint32_t index = p->now.dense[i];
            if (!inst_matches(p->prog, &p->prog->insts[index], rune))
                continue;
            memcpy(p->current, p->now_offsets + (size_t)index * p->offset_count, bytes);
            pike_follow(p, p->prog->insts[index].out, at + len, flags);
        }
        pike_swap(p);
        at += len;
        len = after_len;
        rune = after;
    }
    for (uint32_t i = 0; rune < 0 && i < p->now.count; i++)
        if (p->prog->insts[p->now.dense[i]].kind == INST_MATCH) {
            memcpy(offsets, p->now_offsets + (size_t)p->now.dense[i] * p->offset_count, bytes);
            return true;
        }
    return false;
}

bool vm_pike(const struct program *prog, struct slice s, size_t *offsets, uint32_t offset_count)
{
    size_t n = prog->inst_count;
    uint32_t *sets = mem_array(4 * n, sizeof *sets);
    size_t *all = mem_array((2 * n + 1) * offset_count, sizeof *all);
    struct pike p = {.prog = prog,
                     .text = s,
                     .offset_count = offset_count,
                     .now = {sets, sets + n, 0},
                     .next = {sets + 2 * n, sets + 3 * n, 0},
                     .now_offsets = all,
                     .next_offsets = all + n * offset_count,
                     .current = all + 2 * n * offset_count,
                     .jobs = mem_array(3 * n + 1, sizeof(struct job))};
    bool matches = pike_run(&p, offsets);
    mem_free(sets);
    mem_free(all);
    mem_free(p.jobs);
    return matches;
}

bool vm_submatch(const struct program *prog, struct slice s, size_t *offsets, uint32_t offset_count)
{
    for (uint32_t i = 0; i < offset_count; i++)
        offsets[i] = SIZE_MAX;
    if (s.len < VISITED_BITS_MAX && prog->inst_count * (s.len + 1) <= VISITED_BITS_MAX)
        return vm_backtrack(prog, s, offsets, offset_count);
    return vm_pike(prog, s, offsets, offset_count);
}
