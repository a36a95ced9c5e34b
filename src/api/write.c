/*
 * write.c - remote write: from a body to an answer that is only given once the samples are durable.
 *
 * Decoding and appending happen on the loop (a body is some 150 us of work); then the request is parked
 * until the log's ticket is done.  A large body (32 MiB of new series are 0.3 s) would hold up everybody
 * else on the loop: it goes to a worker, two at a time, and into the lane that imports use.  Which status makes a
 * sender retry and which makes it drop decides over data: 5xx only for what may succeed later, 4xx for what never will
 * (docs/api.md).
 */
#include "api/api_internal.h"
#include "base/bytes.h"
#include "ingest/ingest.h"

enum { LARGE_BYTES = 2 << 20 }; /* decoded; known series: 2 ms, new ones: 20 ms */

struct write {
    struct wal_ticket ticket;
    struct http_request *r;
    struct api *api;
    bool version2;
    struct ingest *ingest;
    struct ingest_result result;
};

static struct slice trim(struct slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static struct slice take_part(struct slice *s)
{
    const uint8_t *semicolon = s->len ? memchr(s->data, ';', s->len) : NULL;
    struct slice part = slice_of(s->data, semicolon ? (size_t)(semicolon - s->data) : s->len);
    *s = slice_from(*s, part.len + (semicolon != NULL));
    return trim(part);
}

/* The message that the type names; ERR_UNSUPPORTED with the text of the 415. */
static enum err check_type(struct slice type, bool *version2, struct errmsg *why)
{
    static const struct slice proto = SLICE_LIT("proto=");
    *version2 = false;
    struct slice rest = type, media = take_part(&rest);
    if (!type.len)
        return ERR_OK;
    if (!slice_eq_str(media, "application/x-protobuf"))
        return err_set(why, ERR_UNSUPPORTED,
                       "expected application/x-protobuf as the first (media) part, got %.*s content-type",
                       SLICE_ARG(type));
    while (rest.len) {
        struct slice parameter = take_part(&rest);
        if (!parameter.len || !memchr(parameter.data, '=', parameter.len))
            return err_set(why, ERR_UNSUPPORTED,
                           "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be "
                           "key-values, got %.*s in %.*s content-type",
                           SLICE_ARG(parameter), SLICE_ARG(type));
        if (!slice_starts_with(parameter, proto))
            continue;
        struct slice message = slice_from(parameter, proto.len);
        *version2 = slice_eq_str(message, "io.prometheus.write.v2.Request");
        if (!*version2 && !slice_eq_str(message, "prometheus.WriteRequest"))
            return err_set(why, ERR_UNSUPPORTED,
                           "got %.*s content type; remote write protobuf message %.*s is not accepted by this server, "
                           "supported: io.prometheus.write.v2.Request,prometheus.WriteRequest",
                           SLICE_ARG(type), SLICE_ARG(message));
    }
    return ERR_OK;
}

/* By what the headers say, even if the bytes are of the other kind. */
static enum ingest_encoding encoding_of(const struct http_request *r)
{
    return slice_eq_str(http_request_header(r, "Content-Encoding"), "zstd") ? INGEST_ZSTD : INGEST_SNAPPY;
}

/* zstd is VictoriaMetrics' own; the text is Prometheus'. */
static enum err check_headers(struct http_request *r, bool *version2, struct errmsg *why)
{
    struct slice encoding = http_request_header(r, "Content-Encoding");
    if (encoding.len && !slice_eq_str(encoding, "snappy") && encoding_of(r) != INGEST_ZSTD)
        return err_set(why, ERR_UNSUPPORTED,
                       "%.*s encoding (compression) is not accepted by this server; only snappy is acceptable",
                       SLICE_ARG(encoding));
    return check_type(http_request_header(r, "Content-Type"), version2, why);
}

/* A sender of 2.0 counts what it reads here; without it, it takes everything for lost. */
static void tell_written(struct http_request *r, const struct ingest_result *result)
{
    bool stored = result->err == ERR_OK;
    http_header(r, "X-Prometheus-Remote-Write-Samples-Written",
                arena_printf(r->arena, "%u", stored ? result->samples : 0));
    http_header(r, "X-Prometheus-Remote-Write-Histograms-Written",
                arena_printf(r->arena, "%u", stored ? result->histograms : 0));
    http_header(r, "X-Prometheus-Remote-Write-Exemplars-Written",
                arena_printf(r->arena, "%u", stored ? result->exemplars : 0));
}

static void respond(struct http_request *r, const struct write *w)
{
    const struct ingest_result *result = &w->result;
    int status = ingest_status(result);
    if (w->version2)
        tell_written(r, result);
    if (status == 503 || status == 429)
        http_header(r, "Retry-After", "1");
    if (status == 204) {
        http_respond(r, 204, (struct slice){0});
        return;
    }
    http_header(r, "X-Content-Type-Options", "nosniff");
    api_text(r, status, arena_printf(r->arena, "%s\n", result->why.text));
}

static void on_durable(struct http_request *r, void *ctx)
{
    respond(r, ctx);
}

/* On the committer's thread: quick. */
static void on_ticket(struct wal_ticket *ticket, enum err err, const struct errmsg *why)
{
    struct write *w = (struct write *)ticket;
    if (err != ERR_OK) {
        w->result.err = ERR_UNAVAILABLE; /* the log may work again later; what was sent is sent again */
        err_set(&w->result.why, err, "not stored: %s", why->text);
    }
    http_wake(w->r, on_durable, w);
}

/* By the length that the body says; it may be nonsense. */
static bool is_large(const struct http_request *r)
{
    return ingest_decoded_bytes(encoding_of(r), r->body) >= LARGE_BYTES;
}

static bool write_into(struct write *w, unsigned lane)
{
    struct ingest_request request = {
        .lane = lane,
        .encoding = encoding_of(w->r),
        .version2 = w->version2,
        .body = w->r->body,
        .stream = (uint64_t)(uintptr_t)w->r, /* one request at a time per connection, in the same memory */
        .ticket = &w->ticket,
    };
    return ingest_write(w->ingest, &request, &w->result);
}

/* On a worker. */
static void write_large(struct http_request *r, void *ctx)
{
    struct write *w = ctx;
    struct api *api = w->api;
    http_park(r); /* first: once the ticket is out, the committer may wake it at any time */
    mutex_lock(&api->import_lane);
    bool pending = write_into(w, http_server_loops(api->server) + 1);
    mutex_unlock(&api->import_lane);
    if (!pending)
        http_wake(r, on_durable, w);
}

void write_answered(struct api *api, const struct http_request *r)
{
    if (is_large(r))
        gate_leave(&api->large_writes, r);
}

/* vmagent before 1.116 asks an empty request whether zstd is understood; later ones try it. */
static bool is_handshake(struct http_request *r)
{
    bool asked = false;
    if (r->body.len == 0)
        http_param_get(r, "get_vm_proto_version", &asked);
    return asked;
}

void on_write(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct errmsg why = {0};
    if (is_handshake(r)) {
        api_text(r, 200, "1");
        return;
    }
    struct ingest *ingest = atomic_load_explicit(&api->ingest, memory_order_acquire);
    bool version2 = false;
    if (check_headers(r, &version2, &why) != ERR_OK) {
        atomic_fetch_add_explicit(&api->writes_refused, 1, memory_order_relaxed);
        api_text(r, 415, arena_printf(r->arena, "%s\n", why.text));
        return;
    }
    if (!ingest || !disk_has_room(api)) {
        http_header(r, "Retry-After", ingest ? "5" : "1");
        api_text(r, 503,
                 ingest ? "not stored: the disk has less free space than storage.min-free-disk\n"
                        : "Service Unavailable\n");
        return;
    }
    struct write *w = ARENA_NEW(r->arena, struct write);
    w->ticket.done = on_ticket;
    w->r = r;
    w->api = api;
    w->version2 = version2;
    w->ingest = ingest;
    if (is_large(r))
        gate_enter(&api->large_writes, r, write_large, w);
    else if (write_into(w, r->loop))
        http_park(r); /* a wake from the committer is served by this same loop, so it cannot come too early */
    else
        respond(r, w);
}
