/*
 * self_scrape.c - the server as its own target: own metrics written into the own store, on a thread.
 *
 * What a Prometheus would store after scraping /metrics: every sample with job="gnomon" and the listen
 * address as instance, and up, scrape_duration_seconds, scrape_samples_scraped beside them.
 */
#include "api/api_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "ingest/ingest.h"

enum { LABELS_MAX = 32 };

struct self_scrape {
    struct api *api;
    struct ingest_batch *batch;
    char *instance;
    int64_t interval_ms;
    pthread_t thread;
    struct mutex lock;
    struct cond changed;
    bool stopping; /* guarded by lock */
};

/* What one round collects; the values of labels live in the arena. */
struct round {
    struct self_scrape *s;
    struct arena arena;
    int64_t t_ms;
    uint64_t samples;
};

static void add_sample(struct round *round, struct slice name, struct ingest_label *labels, uint32_t count,
                       double value)
{
    labels[count++] = (struct ingest_label){SLICE_LIT(METRIC_NAME), name};
    labels[count++] = (struct ingest_label){SLICE_LIT("job"), SLICE_LIT("gnomon")};
    labels[count++] = (struct ingest_label){SLICE_LIT("instance"), slice_str(round->s->instance)};
    ingest_batch_add(round->s->batch, labels, count, round->t_ms, value);
}

static bool visit(void *ctx, struct slice name, struct slice text, double value)
{
    struct round *round = ctx;
    struct ingest_label labels[LABELS_MAX + 3];
    struct buf scratch = {0};
    struct slice label;
    uint32_t count = 0;
    while (count < LABELS_MAX && metric_label_next(&text, &label, &scratch))
        labels[count++] = (struct ingest_label){label, arena_copy(&round->arena, buf_view(&scratch))};
    buf_deinit(&scratch);
    add_sample(round, name, labels, count, value);
    round->samples++;
    return true;
}

static void add_own(struct round *round, const char *name, double value)
{
    struct ingest_label labels[3];
    add_sample(round, slice_str(name), labels, 0, value);
}

static void scrape(struct self_scrape *s)
{
    struct clock *clock = s->api->o.clock;
    struct round round = {.s = s, .t_ms = clock_now_ms(clock)};
    struct ingest_result result;
    int64_t start_ns = clock_mono_ns(clock);
    arena_init(&round.arena, NULL);
    metrics_visit(s->api->o.metrics, visit, &round);
    add_own(&round, "up", 1);
    add_own(&round, "scrape_samples_scraped", (double)round.samples);
    add_own(&round, "scrape_duration_seconds", (double)(clock_mono_ns(clock) - start_ns) * 1e-9);
    ingest_batch_write(s->batch, NULL, &result);
    arena_deinit(&round.arena);
    if (result.err != ERR_OK)
        log_warn("api", "own metrics were not stored", "err=\"%s\"", result.why.text);
}

/* False when it is time to stop. */
static bool wait_for_turn(struct self_scrape *s)
{
    struct clock *clock = s->api->o.clock;
    int64_t wait_ms = s->interval_ms - clock_now_ms(clock) % s->interval_ms;
    int64_t end_ns = clock_mono_ns(clock) + wait_ms * 1000000, left_ns;
    mutex_lock(&s->lock);
    while (!s->stopping && (left_ns = end_ns - clock_mono_ns(clock)) > 0)
        cond_wait_ns(&s->changed, &s->lock, left_ns);
    bool go_on = !s->stopping;
    mutex_unlock(&s->lock);
    return go_on;
}

static void *run(void *arg)
{
    struct self_scrape *s = arg;
    do
        scrape(s);
    while (wait_for_turn(s));
    return NULL;
}

/* "localhost:8428" for ":8428", else the first listen address. */
static char *instance_of(const struct config *config)
{
    uint32_t count;
    const char *const *list = config_list(config, OPT_WEB_LISTEN_ADDRESS, &count);
    struct buf text = {0};
    buf_printf(&text, "%s%s", count && list[0][0] != ':' ? "" : "localhost", count ? list[0] : "");
    char *copy = mem_strdup(buf_cstr(&text));
    buf_deinit(&text);
    return copy;
}

void api_self_scrape_start(struct api *api)
{
    int64_t interval_ms = config_duration_ms(api->o.config, OPT_SELF_SCRAPE_INTERVAL);
    struct ingest *ingest = atomic_load(&api->ingest);
    if (interval_ms <= 0 || !ingest)
        return;
    struct self_scrape *s = MEM_NEW(struct self_scrape);
    s->api = api;
    s->interval_ms = interval_ms;
    s->batch = ingest_batch_new(ingest, http_server_loops(api->server));
    s->instance = instance_of(api->o.config);
    mutex_init(&s->lock);
    cond_init(&s->changed);
    s->thread = thread_start("self-scrape", run, s);
    api->self_scrape = s;
}

void api_self_scrape_stop(struct api *api)
{
    struct self_scrape *s = api->self_scrape;
    if (!s)
        return;
    mutex_lock(&s->lock);
    s->stopping = true;
    cond_signal(&s->changed);
    mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    cond_deinit(&s->changed);
    mutex_deinit(&s->lock);
    ingest_batch_free(s->batch);
    mem_free(s->instance);
    mem_free(s);
    api->self_scrape = NULL;
}
