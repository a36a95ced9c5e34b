/*
 * import.c - POST /api/v1/import: lines of VictoriaMetrics' JSON export become samples; /api/v1/import/prometheus:
 * lines of text.
 *
 * A worker reads line after line into a batch; a full batch is written, and the worker waits until it is
 * on disk, so that memory stays at one batch beside the body and a sender is slowed to what the disk does.
 * As with remote write, what is good is stored and the answer names what is not.  Sending the same again
 * is harmless.
 */
#include "api/api_internal.h"
#include "api/import_line.h"
#include "ingest/ingest.h"
#include "numeric/goparse.h"

enum { BATCH_BYTES = 256 << 10 };

struct import {
    struct wal_ticket ticket;
    struct api *api;
    struct http_request *r;
    struct ingest_batch *batch;
    size_t batch_bytes_max;
    struct arena arena; /* of one line */
    struct import_line line;
    bool is_text;                     /* lines of the text exposition formats */
    int64_t now_ms;                   /* of lines of text that name no time */
    const struct ingest_label *extra; /* extra_label=name=value */
    uint32_t extra_count;
    uint64_t line_number, lines_bad, samples, samples_rejected;
    struct errmsg first;         /* what was wrong first */
    int status;                  /* of the answer, when the import ended before its last line */
    struct ingest_result result; /* of the last write */
    struct mutex lock;
    struct cond durable;
    bool done;              /* guarded by lock: the ticket was called */
    enum err ticket_err;    /* guarded by lock */
    struct errmsg log_said; /* guarded by lock */
};

/* ---- a batch ---- */

/* On the committer's thread. */
static void on_ticket(struct wal_ticket *ticket, enum err err, const struct errmsg *why)
{
    struct import *im = (struct import *)ticket;
    mutex_lock(&im->lock);
    im->done = true;
    im->ticket_err = err;
    if (err != ERR_OK)
        im->log_said = *why;
    cond_signal(&im->durable);
    mutex_unlock(&im->lock);
}

static enum err wait_durable(struct import *im, struct errmsg *why)
{
    mutex_lock(&im->lock);
    while (!im->done)
        cond_wait(&im->durable, &im->lock);
    enum err err = im->ticket_err;
    if (err != ERR_OK)
        err_set(why, ERR_UNAVAILABLE, "not stored: %s", im->log_said.text);
    im->status = err != ERR_OK ? 503 : im->status;
    mutex_unlock(&im->lock);
    return err == ERR_OK ? ERR_OK : ERR_UNAVAILABLE;
}

static void remember(struct import *im, const char *text)
{
    if (!im->first.text[0])
        err_set(&im->first, ERR_INVALID, "%s", text);
}

static void count_result(struct import *im)
{
    im->samples += im->result.samples;
    for (unsigned i = 0; i < INGEST_REASONS; i++)
        im->samples_rejected += i == INGEST_DROPPED ? 0 : im->result.rejected[i];
    if (im->result.why.text[0])
        remember(im, im->result.why.text);
}

/* Writes what is in the batch and waits; an error ends the import. */
static enum err flush(struct import *im, struct errmsg *why)
{
    if (!ingest_batch_bytes(im->batch))
        return ERR_OK;
    im->status = 503;
    if (!disk_has_room(im->api))
        return err_set(why, ERR_UNAVAILABLE, "not stored: the disk has less free space than storage.min-free-disk");
    im->done = false;
    mutex_lock(&im->api->import_lane);
    bool pending = ingest_batch_write(im->batch, &im->ticket, &im->result);
    mutex_unlock(&im->api->import_lane);
    im->status = ingest_status(&im->result);
    if (im->result.err != ERR_OK)
        return err_set(why, im->result.err, "%s", im->result.why.text);
    if (pending)
        TRY(wait_durable(im, why));
    count_result(im);
    return im->status == 429 ? err_set(why, ERR_LIMIT, "%s", im->result.why.text) : ERR_OK;
}

/* ---- a line ---- */

/* An extra label takes the place of one with its name. */
static enum err add_extra(struct import *im, struct errmsg *why)
{
    struct import_line *line = &im->line;
    for (uint32_t e = 0; e < im->extra_count; e++) {
        uint32_t i = 0;
        while (i < line->label_count && !slice_eq(line->labels[i].name, im->extra[e].name))
            i++;
        if (i == IMPORT_LABELS_MAX)
            return err_set(why, ERR_INVALID, "too many labels");
        line->labels[i] = im->extra[e];
        line->label_count += i == line->label_count;
    }
    return ERR_OK;
}

/* The samples of a line, in as many batches as they need.  *fatal: the import ends. */
static enum err take_samples(struct import *im, bool *fatal, struct errmsg *why)
{
    struct import_line *line = &im->line;
    int64_t t_ms;
    double value;
    ingest_batch_series(im->batch, line->labels, line->label_count);
    while (line->taken < line->samples) {
        enum err err = import_line_next(line, &t_ms, &value, why);
        if (err != ERR_OK) {
            ingest_batch_series(im->batch, NULL, 0);
            return err;
        }
        ingest_batch_sample(im->batch, t_ms, value);
        if (ingest_batch_bytes(im->batch) < im->batch_bytes_max)
            continue;
        ingest_batch_series_end(im->batch);
        if ((err = flush(im, why)) != ERR_OK) {
            *fatal = true;
            return err;
        }
        ingest_batch_series(im->batch, line->labels, line->label_count);
    }
    ingest_batch_series_end(im->batch);
    return ERR_OK;
}

static bool is_blank(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strchr(" \t\r", s.data[i]) || !s.data[i])
            return false;
    return true;
}

/* An error ends the import; a bad line does not. */
static enum err take_line(struct import *im, struct slice text, struct errmsg *why)
{
    bool fatal = false;
    im->line_number++;
    if (is_blank(text))
        return ERR_OK;
    arena_deinit(&im->arena);
    enum err err = im->is_text ? import_text_parse(&im->line, text, im->now_ms, &im->arena, why)
                               : import_line_parse(&im->line, text, &im->arena, why);
    if (err == ERR_OK)
        err = add_extra(im, why);
    if (err == ERR_OK && im->line.samples)
        err = take_samples(im, &fatal, why);
    if (err == ERR_OK || fatal)
        return err;
    im->lines_bad++;
    err_wrap(why, err, "line %llu", (unsigned long long)im->line_number);
    remember(im, why->text);
    return ERR_OK;
}

static enum err take_lines(struct import *im, struct slice body, struct errmsg *why)
{
    while (body.len) {
        const uint8_t *newline = memchr(body.data, '\n', body.len);
        struct slice line = slice_of(body.data, newline ? (size_t)(newline - body.data) : body.len);
        body = slice_from(body, line.len + (newline != NULL));
        TRY(cancel_check(&im->r->cancel));
        TRY(take_line(im, line, why));
    }
    return flush(im, why);
}

/* ---- the answer ---- */

static void respond(struct import *im, enum err err, const struct errmsg *why)
{
    struct http_request *r = im->r;
    unsigned long long stored = im->samples, lines = im->lines_bad, samples = im->samples_rejected;
    if (err == ERR_OK && !lines && !samples) {
        http_respond(r, 204, (struct slice){0});
        return;
    }
    http_header(r, "X-Content-Type-Options", "nosniff");
    if (err == ERR_OK) {
        api_text(r, 400,
                 arena_printf(r->arena, "%llu lines and %llu samples rejected, %llu samples stored; %s\n", lines,
                              samples, stored, im->first.text));
        return;
    }
    http_header(r, "Retry-After", "1");
    api_text(r, im->status ? im->status : 503,
             arena_printf(r->arena, "%llu samples stored, then: %s; send it again\n", stored, why->text));
}

static enum err parse_extra(struct import *im, struct errmsg *why)
{
    struct slice *texts;
    uint32_t count = http_param_all(im->r, "extra_label", &texts);
    struct ingest_label *list = ARENA_ARRAY(im->r->arena, struct ingest_label, count ? count : 1);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *equals = texts[i].len ? memchr(texts[i].data, '=', texts[i].len) : NULL;
        if (!equals)
            return err_set(why, ERR_INVALID, "`extra_label` query arg must have the format `name=value`; got %.*s",
                           (int)(texts[i].len < 64 ? texts[i].len : 64), (const char *)texts[i].data);
        size_t name = (size_t)(equals - texts[i].data);
        list[i] = (struct ingest_label){slice_of(texts[i].data, name), slice_from(texts[i], name + 1)};
    }
    im->extra = list;
    im->extra_count = count;
    return ERR_OK;
}

/* timestamp=ms is the time of lines that name none. */
static enum err parse_now(struct import *im, struct errmsg *why)
{
    bool given;
    struct slice text = http_param_get(im->r, "timestamp", &given);
    im->now_ms = clock_now_ms(im->api->o.clock);
    if (given && text.len && goparse_int(text, 10, &im->now_ms, NULL) != ERR_OK)
        return err_set(why, ERR_INVALID, "timestamp must be whole milliseconds");
    return ERR_OK;
}

static void import_run(struct import *im)
{
    struct errmsg why = {0};
    if (parse_extra(im, &why) != ERR_OK || parse_now(im, &why) != ERR_OK) {
        api_text(im->r, 400, arena_printf(im->r->arena, "%s\n", why.text));
        return;
    }
    enum err err = take_lines(im, im->r->body, &why);
    respond(im, err, &why);
}

static void run(struct http_request *r, struct api *api, bool is_text)
{
    struct ingest *ingest = atomic_load_explicit(&api->ingest, memory_order_acquire);
    if (!ingest) {
        http_header(r, "Retry-After", "1");
        api_text(r, 503, "Service Unavailable\n");
        return;
    }
    struct import *im = MEM_NEW(struct import);
    uint64_t half = config_bytes(api->o.config, OPT_WEB_MAX_BODY_SIZE) / 2;
    im->ticket.done = on_ticket;
    im->api = api;
    im->r = r;
    im->is_text = is_text;
    im->batch = ingest_batch_new(ingest, http_server_loops(api->server) + 1);
    im->batch_bytes_max = half < BATCH_BYTES ? (size_t)half : BATCH_BYTES;
    arena_init(&im->arena, NULL);
    mutex_init(&im->lock);
    cond_init(&im->durable);
    import_run(im);
    cond_deinit(&im->durable);
    mutex_deinit(&im->lock);
    arena_deinit(&im->arena);
    ingest_batch_free(im->batch);
    mem_free(im);
}

static void run_lines(struct http_request *r, void *ctx)
{
    run(r, ctx, false);
}

static void run_text(struct http_request *r, void *ctx)
{
    run(r, ctx, true);
}

void on_import(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    gate_enter(&api->imports, r, run_lines, api);
}

void on_import_text(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    gate_enter(&api->imports, r, run_text, api);
}
