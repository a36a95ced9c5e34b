/* federate_format.c - which form of /federate a client wants, from its Accept header. */
#include <stdlib.h>
#include <strings.h>

#include "api/federate.h"

enum { CLAUSES_MAX = 64 };

struct clause {
    struct slice type, version, proto, encoding, escaping;
    double weight;
};

static struct slice trim(struct slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t' || s.data[0] == '"'))
        s = slice_from(s, 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t' || s.data[s.len - 1] == '"'))
        s.len--;
    return s;
}

/* Takes the part before the next separator off the front. */
static struct slice take(struct slice *s, char separator)
{
    const uint8_t *at = s->len ? memchr(s->data, separator, s->len) : NULL;
    struct slice part = slice_of(s->data, at ? (size_t)(at - s->data) : s->len);
    *s = slice_from(*s, part.len + (at != NULL));
    return trim(part);
}

static double weight_of(struct slice text)
{
    char digits[8] = "";
    if (text.len >= sizeof digits)
        return 0;
    memcpy(digits, text.data, text.len);
    return strtod(digits, NULL);
}

static struct clause clause_parse(struct slice text)
{
    struct clause c = {.type = take(&text, ';'), .weight = 1};
    while (text.len) {
        struct slice value = take(&text, ';'), name = take(&value, '=');
        value = trim(value);
        if (slice_eq_str(name, "q"))
            c.weight = weight_of(value);
        else if (slice_eq_str(name, "version"))
            c.version = value;
        else if (slice_eq_str(name, "proto"))
            c.proto = value;
        else if (slice_eq_str(name, "encoding"))
            c.encoding = value;
        else if (slice_eq_str(name, "escaping"))
            c.escaping = value;
    }
    return c;
}

/* The clauses by weight, in the client's order among equals. */
static unsigned clauses_parse(struct slice accept, struct clause *list)
{
    unsigned count = 0;
    while (accept.len && count < CLAUSES_MAX) {
        struct clause c = clause_parse(take(&accept, ','));
        unsigned at = count++;
        for (; at > 0 && list[at - 1].weight < c.weight; at--)
            list[at] = list[at - 1];
        list[at] = c;
    }
    return count;
}

static bool is_protobuf(const struct clause *c)
{
    return slice_eq_str(c->type, "application/vnd.google.protobuf") &&
           slice_eq_str(c->proto, "io.prometheus.client.MetricFamily") && slice_eq_str(c->encoding, "delimited");
}

static bool is_text(const struct clause *c)
{
    bool exact = slice_eq_str(c->type, "text/plain");
    if (!exact && !slice_eq_str(c->type, "text/*") && !slice_eq_str(c->type, "*/*"))
        return false;
    return slice_eq_str(c->version, "0.0.4") || (exact && !c->version.len);
}

struct federate_format federate_negotiate(struct slice accept)
{
    struct clause list[CLAUSES_MAX];
    struct federate_format f = {.escape = ESCAPE_UNDERSCORES};
    unsigned count = clauses_parse(accept, list);
    for (unsigned i = 0; i < count; i++) {
        name_escape_parse(list[i].escaping, &f.escape); /* also of a clause that we cannot serve */
        f.protobuf = is_protobuf(&list[i]);
        if (f.protobuf || is_text(&list[i]))
            break;
    }
    return f;
}

const char *federate_content_type(struct http_request *r, struct federate_format format)
{
    return arena_printf(
        r->arena, "%s; escaping=%s",
        format.protobuf ? "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
                        : "text/plain; version=0.0.4; charset=utf-8",
        name_escape_text(format.escape));
}
