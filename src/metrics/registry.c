/*
 * registry.c - families sorted by name, and reading the value of each member.
 */
#include "metrics/metrics.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "metrics/metrics_internal.h"
#include "numeric/goformat.h"

const double metric_seconds_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60};
const uint32_t metric_seconds_bound_count = sizeof metric_seconds_bounds / sizeof *metric_seconds_bounds;

void metric_observe(struct metric_histogram *h, double value)
{
    assert(h->bound_count <= METRIC_BOUNDS_MAX);
    uint32_t i = 0;
    while (i < h->bound_count && value > h->bounds[i])
        i++;
    atomic_fetch_add_explicit(&h->counts[i], 1, memory_order_relaxed);
    uint64_t old = atomic_load_explicit(&h->sum_bits, memory_order_relaxed), sum;
    do {
        sum = f64_bits(f64_from_bits(old) + value);
    } while (
        !atomic_compare_exchange_weak_explicit(&h->sum_bits, &old, sum, memory_order_relaxed, memory_order_relaxed));
}

struct metrics *metrics_new(void)
{
    struct metrics *m = MEM_NEW(struct metrics);
    arena_init(&m->arena, NULL);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->family_count; i++)
        mem_free(m->families[i].members);
    mem_free(m->families);
    arena_deinit(&m->arena);
    mem_free(m);
}

static bool name_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:";
    return *name && strchr(letters, *name) &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "_:0123456789")] == '\0';
}

static struct family *family_of(struct metrics *m, const struct metric *metric)
{
    size_t low = 0, high = m->family_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(m->families[mid].name, metric->name);
        if (c == 0) {
            assert(m->families[mid].kind == metric->kind);
            return &m->families[mid];
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    m->families = mem_grow(m->families, &m->family_capacity, m->family_count + 1, sizeof *m->families);
    memmove(m->families + low + 1, m->families + low, (m->family_count - low) * sizeof *m->families);
    m->family_count++;
    m->families[low] = (struct family){
        .name = arena_strdup(&m->arena, slice_str(metric->name)),
        .help = arena_strdup(&m->arena, slice_str(metric->help)),
        .kind = metric->kind,
    };
    return &m->families[low];
}

void metrics_add(struct metrics *m, const struct metric *metric)
{
    int sources = (metric->u64 != NULL) + (metric->i64 != NULL) + (metric->get != NULL) + (metric->collect != NULL) +
                  (metric->histogram != NULL);
    assert(sources == 1);
    assert(name_valid(metric->name));
    struct family *f = family_of(m, metric);
    f->members = mem_grow(f->members, &f->member_capacity, f->member_count + 1, sizeof *f->members);
    struct metric *member = &f->members[f->member_count++];
    *member = *metric;
    member->name = f->name;
    member->help = f->help;
    member->labels = arena_strdup(&m->arena, slice_str(metric->labels ? metric->labels : ""));
    member->scale = metric->scale == 0 ? 1 : metric->scale;
}

static void put(struct metric_sink *sink, const char *suffix, const char *labels, const char *le, double value)
{
    if (!sink->stopped)
        sink->stopped = !sink->sample(sink, suffix, labels, le, value);
}

void metric_emit(struct metric_sink *sink, const char *labels, double value)
{
    put(sink, "", labels, "", value * sink->member->scale);
}

void metric_emit_summary(struct metric_sink *sink, const char *labels, double sum, uint64_t count)
{
    assert(sink->family->kind == METRIC_SUMMARY);
    put(sink, "_sum", labels, "", sum);
    put(sink, "_count", labels, "", (double)count);
}

void metric_emit_histogram(struct metric_sink *sink, const char *labels, const struct metric_histogram *h)
{
    assert(sink->family->kind == METRIC_HISTOGRAM);
    uint64_t total = 0; /* counted up here, so that buckets and count agree whatever is observed meanwhile */
    for (uint32_t i = 0; i <= h->bound_count; i++) {
        total += atomic_load_explicit(&h->counts[i], memory_order_relaxed);
        char le[GOFORMAT_BYTES_MAX + 1] = "+Inf";
        if (i < h->bound_count) {
            size_t n =
                sink->float_le ? goformat_openmetrics(le, h->bounds[i]) : goformat_float(le, h->bounds[i], 'g', -1);
            le[n] = '\0';
        }
        put(sink, "_bucket", labels, le, (double)total);
    }
    put(sink, "_sum", labels, "", f64_from_bits(atomic_load_explicit(&h->sum_bits, memory_order_relaxed)));
    put(sink, "_count", labels, "", (double)total);
}

static void member_walk(struct metric_sink *sink, const struct metric *metric)
{
    sink->member = metric;
    if (metric->collect)
        metric->collect(sink, metric->ctx);
    else if (metric->histogram)
        metric_emit_histogram(sink, metric->labels, metric->histogram);
    else if (metric->get)
        metric_emit(sink, metric->labels, metric->get(metric->ctx));
    else if (metric->u64)
        metric_emit(sink, metric->labels, (double)atomic_load_explicit(metric->u64, memory_order_relaxed));
    else
        metric_emit(sink, metric->labels, (double)atomic_load_explicit(metric->i64, memory_order_relaxed));
}

void family_walk(const struct family *family, struct metric_sink *sink)
{
    sink->family = family;
    for (size_t i = 0; i < family->member_count && !sink->stopped; i++)
        member_walk(sink, &family->members[i]);
}
