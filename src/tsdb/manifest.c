/*
 * manifest.c - prints and parses the manifest; the contract is in manifest.h.
 *
 *     gnomon manifest 1
 *     id 0123456789abcdef
 *     checkpoint 4711
 *     flushed 1700000000000
 *     block 01HF7YAT00TTTTTTTTTTTTTTTT level 0 mint 1699992000000 maxt 1699999199999 seq 4700 series 10 samples 4800
 * bytes 9000 quarantined 01HF... level ... bytes 9000 why index: checksum of section labels end 89abcdef CRC-32C of all
 * lines before this one
 *
 * Replaced whole instead of appended to: it changes a few times an hour and has a line of 120 bytes per
 * block, and a file that is never appended to has no torn tail.
 */
#include "tsdb/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/mem.h"

enum { MANIFEST_BYTES_MAX = 64 << 20, LINE_BYTES_MAX = 1024 };

void manifest_deinit(struct manifest *m)
{
    mem_free(m->blocks);
    *m = (struct manifest){.flushed_ms = INT64_MIN};
}

void manifest_copy(struct manifest *to, const struct manifest *from)
{
    *to = *from;
    to->blocks = mem_array(from->block_count + 1, sizeof *to->blocks);
    to->block_capacity = from->block_count + 1;
    if (from->block_count)
        memcpy(to->blocks, from->blocks, from->block_count * sizeof *to->blocks);
}

struct manifest_block *manifest_find(struct manifest *m, const struct block_id *id)
{
    for (size_t i = 0; i < m->block_count; i++)
        if (block_id_eq(&m->blocks[i].id, id))
            return &m->blocks[i];
    return NULL;
}

void manifest_add(struct manifest *m, const struct manifest_block *block)
{
    m->blocks = mem_grow(m->blocks, &m->block_capacity, m->block_count + 1, sizeof *m->blocks);
    m->blocks[m->block_count++] = *block;
}

void manifest_remove(struct manifest *m, const struct block_id *id)
{
    struct manifest_block *b = manifest_find(m, id);
    if (!b)
        return;
    size_t i = (size_t)(b - m->blocks);
    memmove(b, b + 1, (m->block_count - i - 1) * sizeof *b);
    m->block_count--;
}

static int by_time(const void *a, const void *b)
{
    const struct manifest_block *x = a, *y = b;
    if (x->mint_ms != y->mint_ms)
        return x->mint_ms < y->mint_ms ? -1 : 1;
    return memcmp(x->id.bytes, y->id.bytes, sizeof x->id.bytes);
}

void manifest_sort(struct manifest *m)
{
    if (m->block_count > 1)
        qsort(m->blocks, m->block_count, sizeof *m->blocks, by_time);
}

void manifest_block_of(const struct block_meta *meta, struct manifest_block *out)
{
    *out = (struct manifest_block){
        .id = meta->id,
        .level = meta->level,
        .mint_ms = meta->mint_ms,
        .maxt_ms = meta->maxt_ms,
        .seq_max = meta->seq_max,
        .series = meta->series,
        .samples = meta->samples,
        .bytes = meta->index.bytes + meta->data.bytes,
    };
}

/* ---- printing ---- */

static void block_print(const struct manifest_block *b, struct buf *out)
{
    char id[BLOCK_ID_TEXT];
    block_id_text(&b->id, id);
    buf_printf(out,
               "%s %s level %u mint %" PRId64 " maxt %" PRId64 " seq %" PRIu64 " series %" PRIu64 " samples %" PRIu64
               " bytes %" PRIu64,
               b->quarantined[0] ? "quarantined" : "block", id, b->level, b->mint_ms, b->maxt_ms, b->seq_max, b->series,
               b->samples, b->bytes);
    if (b->quarantined[0])
        buf_printf(out, " why %s", b->quarantined);
    buf_u8(out, '\n');
}

void manifest_print(const struct manifest *m, struct buf *out)
{
    size_t start = out->len;
    buf_printf(out, "gnomon manifest 1\nid %016" PRIx64 "\ncheckpoint %" PRIu64 "\n", m->id, m->checkpoint);
    if (m->flushed_ms != INT64_MIN)
        buf_printf(out, "flushed %" PRId64 "\n", m->flushed_ms);
    for (size_t i = 0; i < m->block_count; i++)
        block_print(&m->blocks[i], out);
    buf_printf(out, "end %08x\n", crc32c(0, out->data + start, out->len - start));
}

/* ---- parsing ---- */

struct parser {
    const char *p, *end; /* of the line */
    unsigned line;
    struct errmsg *why;
};

static enum err bad(struct parser *s, const char *what)
{
    return err_set(s->why, ERR_CORRUPT, "line %u: %s", s->line, what);
}

/* Takes "word " or the last word off the line. */
static bool take(struct parser *s, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
        return false;
    if (s->p + n < s->end && s->p[n] != ' ')
        return false;
    s->p += n + (s->p + n < s->end);
    return true;
}

static bool take_i64(struct parser *s, const char *word, int64_t *out)
{
    if (!take(s, word))
        return false;
    char *after;
    *out = strtoll(s->p, &after, 10); /* the text ends with a zero byte, and lines with '\n' */
    bool good = after > s->p && after <= s->end && (after == s->end || *after == ' ');
    s->p = after < s->end ? after + 1 : s->end;
    return good;
}

static bool take_u64(struct parser *s, const char *word, uint64_t *out)
{
    int64_t v;
    if (!take_i64(s, word, &v) || v < 0) /* none of our counts passes 2^63 */
        return false;
    *out = (uint64_t)v;
    return true;
}

static enum err parse_block(struct parser *s, bool quarantined, struct manifest *m)
{
    struct manifest_block b = {0};
    uint64_t level = 0;
    const char *space = memchr(s->p, ' ', (size_t)(s->end - s->p));
    if (!space || !block_id_parse(slice_of(s->p, (size_t)(space - s->p)), &b.id))
        return bad(s, "a block id of 26 characters is wanted");
    s->p = space + 1;
    bool good = take_u64(s, "level", &level) && level <= BLOCK_LEVEL_MAX && take_i64(s, "mint", &b.mint_ms) &&
                take_i64(s, "maxt", &b.maxt_ms) && take_u64(s, "seq", &b.seq_max) && take_u64(s, "series", &b.series) &&
                take_u64(s, "samples", &b.samples) && take_u64(s, "bytes", &b.bytes);
    b.level = (uint32_t)level;
    if (!good || b.mint_ms > b.maxt_ms)
        return bad(s, "a block's numbers are wrong");
    if (quarantined) {
        if (!take(s, "why"))
            return bad(s, "a reason is missing");
        snprintf(b.quarantined, sizeof b.quarantined, "%.*s", (int)(s->end - s->p), s->p);
    }
    if (manifest_find(m, &b.id))
        return bad(s, "the block stands here twice");
    manifest_add(m, &b);
    return ERR_OK;
}

static enum err parse_line(struct parser *s, struct manifest *m)
{
    if (take(s, "block"))
        return parse_block(s, false, m);
    if (take(s, "quarantined"))
        return parse_block(s, true, m);
    if (take_u64(s, "checkpoint", &m->checkpoint) || take_i64(s, "flushed", &m->flushed_ms))
        return ERR_OK;
    if (take(s, "id")) {
        char *after;
        m->id = strtoull(s->p, &after, 16);
        return after == s->p + 16 ? ERR_OK : bad(s, "an id has 16 hex digits");
    }
    return bad(s, "an unknown word");
}

/* The lines before "end", once their checksum is right. */
static enum err check_whole(struct slice text, struct slice *lines, struct errmsg *why)
{
    static const char first[] = "gnomon manifest ";
    enum { END_BYTES = 13 }; /* "end 89abcdef\n" */
    if (!slice_starts_with(text, slice_str(first)) || text.len < sizeof first + END_BYTES)
        return err_set(why, ERR_CORRUPT, "this is no manifest");
    *lines = slice_of(text.data, text.len - END_BYTES);
    char want[END_BYTES + 1];
    snprintf(want, sizeof want, "end %08x\n", crc32c(0, lines->data, lines->len));
    if (memcmp(text.data + lines->len, want, END_BYTES) != 0)
        return err_set(why, ERR_CORRUPT, "the checksum in the last line is wrong");
    if (text.data[sizeof first - 1] != '1' || text.data[sizeof first] != '\n')
        return err_set(why, ERR_UNSUPPORTED, "the manifest was written by a newer version");
    return ERR_OK;
}

enum err manifest_parse(struct slice text, struct manifest *out, struct errmsg *why)
{
    struct slice lines = {0};
    TRY(check_whole(text, &lines, why));
    struct manifest m = {.flushed_ms = INT64_MIN};
    struct parser s = {.line = 1, .why = why};
    const char *p = memchr(lines.data, '\n', lines.len), *stop = (const char *)lines.data + lines.len;
    enum err err = ERR_OK;
    for (p = p ? p + 1 : stop; p < stop && err == ERR_OK; p = s.end + 1) {
        s.p = p;
        s.end = memchr(p, '\n', (size_t)(stop - p));
        s.line++;
        if (!s.end || s.end - p > LINE_BYTES_MAX)
            err = bad(&s, "the line does not end");
        else
            err = parse_line(&s, &m);
        if (err != ERR_OK)
            break;
    }
    if (err != ERR_OK) {
        manifest_deinit(&m);
        return err;
    }
    *out = m;
    return ERR_OK;
}

/* ---- files ---- */

enum err manifest_load(struct fs *fs, const char *path, struct manifest *out, struct errmsg *why)
{
    struct buf text = {.own = true};
    enum err err = fs_read_file(fs, path, MANIFEST_BYTES_MAX, &text, why);
    if (err == ERR_OK) {
        buf_cstr(&text); /* numbers are read up to a byte that is no digit */
        err = manifest_parse(buf_view(&text), out, why);
        if (err != ERR_OK)
            err = err_wrap(why, err, "%s", path);
    }
    buf_deinit(&text);
    return err;
}

enum err manifest_store(struct fs *fs, const char *path, const struct manifest *m, struct errmsg *why)
{
    struct buf text = {.own = true};
    manifest_print(m, &text);
    enum err err = fs_replace_file(fs, path, buf_view(&text), why);
    buf_deinit(&text);
    return err;
}
