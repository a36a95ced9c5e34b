/*
 * manifest.c - prints and parses the manifest; the contract is in manifest.h.
 *
 *     gnomon manifest 4
 *     id 0123456789abcdef
 *     checkpoint 4011 from 0 mint 1699990000000 maxt 1699999000000
 *     checkpoint 4711 from 0 mint 1699992000000 maxt 1700000800000
 *     checkpoint 5023 from 4711 mint 1699992000000 maxt 1700002600000
 *     log 4012
 *     flushed 1700000000000
 *     lost mint 1699992000000 maxt 1700000800000 why checkpoint 0000000000001234: ...
 *     block 01HF7YAT00TTTTTTTTTTTTTTTT level 0 mint 1699992000000 maxt 1699999199999 seq 4700 series 10 ...
 *     quarantined 01HF... level ... bytes 9000 why index: checksum of section labels
 *     quarantined 01HF... level ... bytes 9000 acknowledged why index: ...
 *     end 89abcdef       CRC-32C of all lines before this one
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

enum { MANIFEST_BYTES_MAX = 64 << 20, LINE_BYTES_MAX = 1024, VERSION = 4 };
/* What older programs read as well: as long as nothing is acknowledged, and no checkpoint is one of changes. */
enum { VERSION_PLAIN = 2, VERSION_ACKNOWLEDGED = 3 };

void manifest_deinit(struct manifest *m)
{
    mem_free(m->blocks);
    mem_free(m->checkpoints);
    mem_free(m->losses);
    *m = (struct manifest){.flushed_ms = INT64_MIN};
}

static void *list_copy(const void *list, size_t count, size_t element, size_t *capacity)
{
    void *copy = mem_array(count + 1, element);
    *capacity = count + 1;
    if (count)
        memcpy(copy, list, count * element);
    return copy;
}

void manifest_copy(struct manifest *to, const struct manifest *from)
{
    *to = *from;
    to->blocks = list_copy(from->blocks, from->block_count, sizeof *to->blocks, &to->block_capacity);
    to->losses = list_copy(from->losses, from->loss_count, sizeof *to->losses, &to->loss_capacity);
    to->checkpoints =
        list_copy(from->checkpoints, from->checkpoint_count, sizeof *to->checkpoints, &to->checkpoint_capacity);
}

/* ---- checkpoints and losses ---- */

uint64_t manifest_covered(const struct manifest *m)
{
    return m->checkpoint_count ? m->checkpoints[m->checkpoint_count - 1].sequence : 0;
}

void manifest_checkpoint_add(struct manifest *m, const struct manifest_checkpoint *c)
{
    m->checkpoints = mem_grow(m->checkpoints, &m->checkpoint_capacity, m->checkpoint_count + 1, sizeof *m->checkpoints);
    m->checkpoints[m->checkpoint_count++] = *c;
}

size_t manifest_chain(const struct manifest *m, size_t at)
{
    while (at > 0 && m->checkpoints[at].from)
        at--;
    return at;
}

/* Each file is looked at once, though several chains may have it. */
struct soundness {
    bool (*look)(void *ctx, const struct manifest_checkpoint *c);
    void *ctx;
    enum { NOT_LOOKED, SOUND, UNSOUND } *of;
};

static bool chain_sound(const struct manifest *m, size_t count, struct soundness *s)
{
    for (size_t i = manifest_chain(m, count - 1); i < count; i++) {
        if (s->of[i] == NOT_LOOKED)
            s->of[i] = s->look(s->ctx, &m->checkpoints[i]) ? SOUND : UNSOUND;
        if (s->of[i] == UNSOUND)
            return false;
    }
    return true;
}

size_t manifest_usable(const struct manifest *m, bool (*sound)(void *ctx, const struct manifest_checkpoint *c),
                       void *ctx, bool *nothing)
{
    struct soundness s = {sound, ctx, mem_array(m->checkpoint_count + 1, sizeof *s.of)};
    size_t count = m->checkpoint_count;
    for (; count > 0; count--) {
        bool log_goes_on = count == m->checkpoint_count ||
                           (m->log_first && m->log_first <= m->checkpoints[count - 1].sequence + 1);
        if (log_goes_on && chain_sound(m, count, &s))
            break;
    }
    mem_free(s.of);
    *nothing = count == 0 && m->checkpoint_count && m->log_first != 1;
    return *nothing ? m->checkpoint_count : count;
}

bool manifest_stood_in(const struct manifest *m)
{
    if (m->checkpoint_count == 0 || m->log_first == 0)
        return false;
    size_t first = manifest_chain(m, m->checkpoint_count - 1);
    return first ? m->log_first <= m->checkpoints[first - 1].sequence + 1 : m->log_first == 1;
}

void manifest_checkpoints_trim(struct manifest *m)
{
    if (m->checkpoint_count == 0)
        return;
    size_t first = manifest_chain(m, m->checkpoint_count - 1);
    m->checkpoint_count -= first;
    memmove(m->checkpoints, m->checkpoints + first, m->checkpoint_count * sizeof *m->checkpoints);
    if (m->log_first)
        m->log_first = manifest_covered(m) + 1;
}

static void loss_widen(struct manifest_loss *l, const struct manifest_loss *by)
{
    l->mint_ms = by->mint_ms < l->mint_ms ? by->mint_ms : l->mint_ms;
    l->maxt_ms = by->maxt_ms > l->maxt_ms ? by->maxt_ms : l->maxt_ms;
}

/* The two oldest acknowledged losses become one; false: there are no two. */
static bool losses_join(struct manifest *m)
{
    struct manifest_loss *first = NULL;
    for (size_t i = 0; i < m->loss_count; i++) {
        if (!m->losses[i].acknowledged)
            continue;
        if (!first) {
            first = &m->losses[i];
            continue;
        }
        loss_widen(first, &m->losses[i]);
        memmove(&m->losses[i], &m->losses[i + 1], (m->loss_count - i - 1) * sizeof *m->losses);
        m->loss_count--;
        return true;
    }
    return false;
}

void manifest_loss_add(struct manifest *m, const struct manifest_loss *loss)
{
    for (size_t i = 0; i < m->loss_count; i++)
        if (strcmp(m->losses[i].why, loss->why) == 0 && m->losses[i].mint_ms == loss->mint_ms)
            return; /* found again by a start that did not get as far as a new checkpoint */
    if (m->loss_count < MANIFEST_LOSSES_MAX || losses_join(m)) {
        m->losses = mem_grow(m->losses, &m->loss_capacity, m->loss_count + 1, sizeof *m->losses);
        m->losses[m->loss_count++] = *loss;
        return;
    }
    size_t last = m->loss_count - 1;
    last -= m->losses[last].acknowledged; /* at most one of them is */
    loss_widen(&m->losses[last], loss);
}

struct manifest_problems manifest_problems(const struct manifest *m)
{
    struct manifest_problems p = {0};
    for (size_t i = 0; i < m->loss_count; i++)
        *(m->losses[i].acknowledged ? &p.acknowledged : &p.losses) += 1;
    for (size_t i = 0; i < m->block_count; i++) {
        const struct manifest_block *b = &m->blocks[i];
        if (b->quarantined[0] || b->problem[0])
            *(b->acknowledged ? &p.acknowledged : b->quarantined[0] ? &p.quarantined : &p.missing) += 1;
    }
    return p;
}

size_t manifest_acknowledge(struct manifest *m, int64_t mint_ms, int64_t maxt_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < m->loss_count; i++) {
        struct manifest_loss *l = &m->losses[i];
        bool now = !l->acknowledged && l->mint_ms >= mint_ms && l->maxt_ms <= maxt_ms;
        l->acknowledged = l->acknowledged || now;
        count += now;
    }
    for (size_t i = 0; i < m->block_count; i++) {
        struct manifest_block *b = &m->blocks[i];
        bool now = (b->quarantined[0] || b->problem[0]) && !b->acknowledged && b->mint_ms >= mint_ms &&
                   b->maxt_ms <= maxt_ms;
        b->acknowledged = b->acknowledged || now;
        count += now;
    }
    return count;
}

/* ---- blocks ---- */

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

/* To the end of the line, which the reason must not bring forward: it may name a path. */
static void reason_print(const char *why, struct buf *out)
{
    buf_str(out, " why ");
    for (; *why; why++)
        buf_u8(out, (unsigned char)*why < ' ' ? ' ' : (uint8_t)*why);
}

static void block_print(const struct manifest_block *b, struct buf *out)
{
    char id[BLOCK_ID_TEXT];
    block_id_text(&b->id, id);
    buf_printf(out,
               "%s %s level %u mint %" PRId64 " maxt %" PRId64 " seq %" PRIu64 " series %" PRIu64 " samples %" PRIu64
               " bytes %" PRIu64,
               b->quarantined[0] ? "quarantined" : "block", id, b->level, b->mint_ms, b->maxt_ms, b->seq_max, b->series,
               b->samples, b->bytes);
    if (b->acknowledged)
        buf_str(out, " acknowledged");
    if (b->quarantined[0])
        reason_print(b->quarantined, out);
    buf_u8(out, '\n');
}

static bool any_acknowledged(const struct manifest *m)
{
    bool any = false;
    for (size_t i = 0; i < m->loss_count && !any; i++)
        any = m->losses[i].acknowledged;
    for (size_t i = 0; i < m->block_count && !any; i++)
        any = m->blocks[i].acknowledged;
    return any;
}

static int version_of(const struct manifest *m)
{
    for (size_t i = 0; i < m->checkpoint_count; i++)
        if (m->checkpoints[i].from)
            return VERSION;
    return any_acknowledged(m) ? VERSION_ACKNOWLEDGED : VERSION_PLAIN;
}

void manifest_print(const struct manifest *m, struct buf *out)
{
    size_t start = out->len;
    buf_printf(out, "gnomon manifest %d\nid %016" PRIx64 "\n", version_of(m), m->id);
    for (size_t i = 0; i < m->checkpoint_count; i++) {
        const struct manifest_checkpoint *c = &m->checkpoints[i];
        buf_printf(out, "checkpoint %" PRIu64 " from %" PRIu64 " mint %" PRId64 " maxt %" PRId64 "\n", c->sequence,
                   c->from, c->mint_ms, c->maxt_ms);
    }
    if (m->log_first)
        buf_printf(out, "log %" PRIu64 "\n", m->log_first);
    if (m->flushed_ms != INT64_MIN)
        buf_printf(out, "flushed %" PRId64 "\n", m->flushed_ms);
    for (size_t i = 0; i < m->loss_count; i++) {
        const struct manifest_loss *l = &m->losses[i];
        buf_printf(out, "lost mint %" PRId64 " maxt %" PRId64 "%s", l->mint_ms, l->maxt_ms,
                   l->acknowledged ? " acknowledged" : "");
        reason_print(l->why, out);
        buf_u8(out, '\n');
    }
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

/* The number after a word; word "": the number alone. */
static bool take_i64(struct parser *s, const char *word, int64_t *out)
{
    if (*word && !take(s, word))
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
    b.acknowledged = take(s, "acknowledged");
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

/* Version 1 has the number alone; 0: there is none. */
static enum err parse_checkpoint(struct parser *s, struct manifest *m)
{
    struct manifest_checkpoint c = {.mint_ms = INT64_MAX, .maxt_ms = INT64_MIN};
    uint64_t before = manifest_covered(m);
    if (!take_u64(s, "", &c.sequence))
        return bad(s, "a checkpoint's number is wrong");
    if (s->p < s->end &&
        !(take_u64(s, "from", &c.from) && take_i64(s, "mint", &c.mint_ms) && take_i64(s, "maxt", &c.maxt_ms)))
        return bad(s, "a checkpoint's numbers are wrong");
    if (c.sequence < before || (c.from && c.from != before))
        return bad(s, "a checkpoint does not build upon the one before");
    if (c.sequence)
        manifest_checkpoint_add(m, &c);
    return ERR_OK;
}

static enum err parse_loss(struct parser *s, struct manifest *m)
{
    struct manifest_loss loss = {0};
    bool good = take_i64(s, "mint", &loss.mint_ms) && take_i64(s, "maxt", &loss.maxt_ms);
    loss.acknowledged = good && take(s, "acknowledged");
    if (!good || !take(s, "why"))
        return bad(s, "a loss is told wrongly");
    snprintf(loss.why, sizeof loss.why, "%.*s", (int)(s->end - s->p), s->p);
    manifest_loss_add(m, &loss);
    return ERR_OK;
}

static enum err parse_line(struct parser *s, struct manifest *m)
{
    if (take(s, "block"))
        return parse_block(s, false, m);
    if (take(s, "quarantined"))
        return parse_block(s, true, m);
    if (take(s, "checkpoint"))
        return parse_checkpoint(s, m);
    if (take(s, "lost"))
        return parse_loss(s, m);
    if (take_u64(s, "log", &m->log_first) || take_i64(s, "flushed", &m->flushed_ms))
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
    uint8_t version = text.data[sizeof first - 1];
    if (version < '1' || version > '0' + VERSION || text.data[sizeof first] != '\n')
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
