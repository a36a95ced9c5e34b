/* report.c - the contract is in report.h. */
#include "tsdb/report.h"

#include <inttypes.h>

#include "base/assert.h"

void report_begin(struct report *r, struct buf *out, bool json)
{
    *r = (struct report){.out = out, .json = json};
    if (json)
        buf_u8(out, '{');
}

static void row_close(struct report *r)
{
    if (r->row_open)
        buf_u8(r->out, r->json ? '}' : '\n');
    r->row_open = false;
}

static void section_close(struct report *r)
{
    row_close(r);
    if (r->json && r->in_section)
        buf_u8(r->out, ']');
}

void report_end(struct report *r)
{
    section_close(r);
    if (r->json)
        buf_str(r->out, "}\n");
}

void report_section(struct report *r, const char *name)
{
    bool first = !r->in_section;
    section_close(r);
    r->in_section = true;
    r->section = name;
    r->first_row = true;
    if (r->json)
        buf_printf(r->out, "%s\"%s\":[", first ? "" : ",", name);
}

void report_row(struct report *r)
{
    assert(r->in_section);
    row_close(r);
    if (r->json)
        buf_str(r->out, r->first_row ? "{" : ",{");
    else
        buf_printf(r->out, "%s:", r->section);
    r->row_open = true;
    r->first_row = false;
    r->first_field = true;
}

static void key_put(struct report *r, const char *key)
{
    assert(r->row_open);
    if (r->json)
        buf_printf(r->out, "%s\"%s\":", r->first_field ? "" : ",", key);
    else
        buf_printf(r->out, " %s=", key);
    r->first_field = false;
}

/* Bytes as they may stand in JSON and on a terminal: control characters and non-ASCII as \u00XX. */
static void escaped(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.data[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(out, "\\u%04x", c);
        else
            buf_u8(out, c);
    }
}

void report_text(struct report *r, const char *key, struct slice value)
{
    key_put(r, key);
    bool plain =
        !r->json && value.len > 0 && !memchr(value.data, ' ', value.len) && !memchr(value.data, '"', value.len);
    if (!plain)
        buf_u8(r->out, '"');
    escaped(r->out, value);
    if (!plain)
        buf_u8(r->out, '"');
}

void report_str(struct report *r, const char *key, const char *value)
{
    report_text(r, key, slice_str(value));
}

void report_i64(struct report *r, const char *key, int64_t value)
{
    key_put(r, key);
    buf_printf(r->out, "%" PRId64, value);
}

void report_u64(struct report *r, const char *key, uint64_t value)
{
    key_put(r, key);
    buf_printf(r->out, "%" PRIu64, value);
}
