/*
 * tombstones.c - list and file format of tombstones; the contract is in tombstones.h.
 *
 *     header   "GNOMTOMB", version u32, record count u32, id of the directory u64, next number u64, crc32c u32
 *     record   payload bytes u32, crc32c u32 (of the header's checksum, the length and the payload), payload
 *     payload  number, sequence, mint, maxt, made u64 each, matcher count u32; per matcher: operator u8,
 *              name bytes u32, name, value bytes u32, value
 *
 * All little-endian.  The file is replaced whole.  A record with a wrong checksum costs that record.
 */
#include "tsdb/tombstones.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "tsdb/matchers.h"

enum { HEADER_BYTES = 36, RECORD_HEADER_BYTES = 8, PAYLOAD_FIXED_BYTES = 44, VERSION = 1 };
static const char magic[8] = {'G', 'N', 'O', 'M', 'T', 'O', 'M', 'B'};

/* ---- list ---- */

struct tombstones *tombstones_new(void)
{
    struct tombstones *t = MEM_NEW(struct tombstones);
    t->references = 1;
    t->next_number = 1;
    t->bytes = HEADER_BYTES;
    return t;
}

static void stone_release(struct tombstone *stone)
{
    if (atomic_fetch_sub(&stone->references, 1) > 1)
        return;
    arena_deinit(&stone->arena);
    mem_free(stone);
}

struct tombstones *tombstones_copy(const struct tombstones *t)
{
    struct tombstones *copy = tombstones_new();
    copy->next_number = t->next_number;
    copy->bytes = t->bytes;
    copy->count = t->count;
    copy->capacity = t->count + 1;
    copy->list = mem_array(copy->capacity, sizeof *copy->list);
    for (size_t i = 0; i < t->count; i++) {
        copy->list[i] = t->list[i];
        atomic_fetch_add(&t->list[i]->references, 1);
    }
    return copy;
}

struct tombstones *tombstones_acquire(struct tombstones *t)
{
    atomic_fetch_add(&t->references, 1);
    return t;
}

void tombstones_release(struct tombstones *t)
{
    if (!t || atomic_fetch_sub(&t->references, 1) > 1)
        return;
    for (size_t i = 0; i < t->count; i++)
        stone_release(t->list[i]);
    mem_free(t->list);
    mem_free(t);
}

static uint64_t record_bytes(const struct tombstone *stone)
{
    uint64_t n = RECORD_HEADER_BYTES + PAYLOAD_FIXED_BYTES;
    for (uint32_t i = 0; i < stone->matcher_count; i++)
        n += 9 + stone->matchers[i].name.len + stone->matchers[i].value.len;
    return n;
}

enum err tombstones_add(struct tombstones *t, const struct tombstone *stone, struct errmsg *why)
{
    uint64_t bytes = record_bytes(stone);
    if (bytes > TOMBSTONE_BYTES_MAX || stone->matcher_count > TOMBSTONE_MATCHERS_MAX)
        return err_set(why, ERR_LIMIT, "the selector is too long to be remembered");
    if (t->count == TOMBSTONES_MAX || t->bytes + bytes > TOMBSTONES_BYTES_MAX)
        return err_set(why, ERR_LIMIT, "%zu deletions wait to be carried out; clean_tombstones makes room", t->count);
    struct tombstone *copy = MEM_NEW(struct tombstone);
    copy->references = 1;
    arena_init(&copy->arena, NULL);
    struct matcher *matchers;
    enum err err = matchers_copy(stone->matchers, stone->matcher_count, &copy->arena, &matchers, why);
    if (err != ERR_OK) {
        stone_release(copy);
        return err;
    }
    copy->matchers = matchers;
    copy->number = stone->number ? stone->number : t->next_number;
    copy->sequence = stone->sequence;
    copy->mint_ms = stone->mint_ms;
    copy->maxt_ms = stone->maxt_ms;
    copy->made_ms = stone->made_ms;
    copy->matcher_count = stone->matcher_count;
    t->next_number = copy->number >= t->next_number ? copy->number + 1 : t->next_number;
    t->list = mem_grow(t->list, &t->capacity, t->count + 1, sizeof(struct tombstone *));
    t->list[t->count++] = copy;
    t->bytes += bytes;
    return ERR_OK;
}

void tombstones_remove(struct tombstones *t, size_t index)
{
    assert(index < t->count);
    t->bytes -= record_bytes(t->list[index]);
    stone_release(t->list[index]);
    t->count--;
    memmove(t->list + index, t->list + index + 1, (t->count - index) * sizeof(struct tombstone *));
}

/* ---- printing ---- */

static void text_print(struct slice text, struct buf *out)
{
    buf_le32(out, (uint32_t)text.len);
    buf_slice(out, text);
}

static void stone_print(const struct tombstone *stone, uint32_t seed, struct buf *out)
{
    size_t start = out->len;
    buf_le64(out, 0); /* length and checksum, when they are known */
    buf_le64(out, stone->number);
    buf_le64(out, stone->sequence);
    buf_le64(out, (uint64_t)stone->mint_ms);
    buf_le64(out, (uint64_t)stone->maxt_ms);
    buf_le64(out, (uint64_t)stone->made_ms);
    buf_le32(out, stone->matcher_count);
    for (uint32_t i = 0; i < stone->matcher_count; i++) {
        buf_u8(out, (uint8_t)stone->matchers[i].op);
        text_print(stone->matchers[i].name, out);
        text_print(stone->matchers[i].value, out);
    }
    uint8_t *p = out->data + start;
    size_t payload = out->len - start - RECORD_HEADER_BYTES;
    le32_put(p, (uint32_t)payload);
    uint32_t crc = crc32c(seed, p, 4);
    le32_put(p + 4, crc32c(crc, p + RECORD_HEADER_BYTES, payload));
}

void tombstones_print(const struct tombstones *t, uint64_t dir_id, struct buf *out)
{
    size_t start = out->len;
    buf_append(out, magic, sizeof magic);
    buf_le32(out, VERSION);
    buf_le32(out, (uint32_t)t->count);
    buf_le64(out, dir_id);
    buf_le64(out, t->next_number);
    uint32_t seed = crc32c(0, out->data + start, HEADER_BYTES - 4);
    buf_le32(out, seed);
    for (size_t i = 0; i < t->count; i++)
        stone_print(t->list[i], seed, out);
}

/* ---- parsing ---- */

struct cursor {
    const uint8_t *p, *end;
};

static bool take_u32(struct cursor *c, uint32_t *out)
{
    if (c->end - c->p < 4)
        return false;
    *out = le32_get(c->p);
    c->p += 4;
    return true;
}

static uint64_t take_u64(struct cursor *c)
{
    uint64_t v = le64_get(c->p);
    c->p += 8;
    return v;
}

static bool take_text(struct cursor *c, struct slice *out)
{
    uint32_t len;
    if (!take_u32(c, &len) || (size_t)(c->end - c->p) < len)
        return false;
    *out = slice_of(c->p, len);
    c->p += len;
    return true;
}

/* Texts are borrowed from the payload. */
static bool stone_parse(struct slice payload, struct tombstone *out, struct matcher *matchers)
{
    struct cursor c = {payload.data, payload.data + payload.len};
    if (payload.len < PAYLOAD_FIXED_BYTES)
        return false;
    out->number = take_u64(&c);
    out->sequence = take_u64(&c);
    out->mint_ms = (int64_t)take_u64(&c);
    out->maxt_ms = (int64_t)take_u64(&c);
    out->made_ms = (int64_t)take_u64(&c);
    if (!take_u32(&c, &out->matcher_count) || out->matcher_count > TOMBSTONE_MATCHERS_MAX)
        return false;
    for (uint32_t i = 0; i < out->matcher_count; i++) {
        if (c.p == c.end || *c.p > MATCH_NOT_REGEX)
            return false;
        matchers[i] = (struct matcher){.op = (enum match_op) * c.p++};
        if (!take_text(&c, &matchers[i].name) || !take_text(&c, &matchers[i].value))
            return false;
    }
    out->matchers = matchers;
    return c.p == c.end && out->number > 0 && out->number < UINT64_MAX && out->mint_ms <= out->maxt_ms;
}

static enum err header_check(struct slice text, uint64_t dir_id, struct errmsg *why)
{
    if (text.len < HEADER_BYTES || memcmp(text.data, magic, sizeof magic) != 0)
        return err_set(why, ERR_CORRUPT, "this is no file of tombstones");
    if (le32_get(text.data + HEADER_BYTES - 4) != crc32c(0, text.data, HEADER_BYTES - 4))
        return err_set(why, ERR_CORRUPT, "the checksum of the header is wrong");
    if (le32_get(text.data + 8) != VERSION)
        return err_set(why, ERR_UNSUPPORTED, "the tombstones were written by a newer version");
    if (le64_get(text.data + 16) != dir_id)
        return err_set(why, ERR_CORRUPT, "the tombstones belong to another data directory");
    return ERR_OK;
}

static void damage(uint64_t *count, struct errmsg *why, size_t offset, const char *what)
{
    if ((*count)++ == 0)
        err_set(why, ERR_CORRUPT, "offset %zu: %s", offset, what);
}

/* One record at *at, which moves past it; false: nothing more can be found. */
static bool record_parse(struct slice text, uint32_t seed, size_t *at, struct matcher *matchers, struct tombstones *t,
                         uint64_t *damaged, struct errmsg *why)
{
    struct tombstone stone = {0};
    struct errmsg reason = {0};
    size_t start = *at;
    uint32_t len = text.len - start >= RECORD_HEADER_BYTES ? le32_get(text.data + start) : UINT32_MAX;
    if (len > TOMBSTONE_BYTES_MAX || text.len - start - RECORD_HEADER_BYTES < len) {
        damage(damaged, why, start, "the file ends within a tombstone, or its length is wrong");
        return false;
    }
    struct slice payload = slice_of(text.data + start + RECORD_HEADER_BYTES, len);
    uint32_t crc = crc32c(crc32c(seed, text.data + start, 4), payload.data, payload.len);
    *at = start + RECORD_HEADER_BYTES + len;
    if (crc != le32_get(text.data + start + 4))
        damage(damaged, why, start, "the checksum of a tombstone is wrong");
    else if (!stone_parse(payload, &stone, matchers) || (t->count && stone.number <= t->list[t->count - 1]->number))
        damage(damaged, why, start, "a tombstone breaks the format");
    else if (tombstones_add(t, &stone, &reason) != ERR_OK)
        damage(damaged, why, start, reason.text);
    return true;
}

enum err tombstones_parse(struct slice text, uint64_t dir_id, struct tombstones **out, uint64_t *damaged,
                          struct errmsg *why)
{
    *damaged = 0;
    TRY(header_check(text, dir_id, why));
    struct tombstones *t = tombstones_new();
    struct matcher *matchers = mem_array(TOMBSTONE_MATCHERS_MAX, sizeof *matchers);
    uint32_t count = le32_get(text.data + 12), seed = le32_get(text.data + HEADER_BYTES - 4);
    uint64_t next = le64_get(text.data + 24);
    size_t at = HEADER_BYTES;
    bool more = true;
    for (uint32_t i = 0; i < count && more; i++)
        more = record_parse(text, seed, &at, matchers, t, damaged, why);
    if (more && at != text.len)
        damage(damaged, why, at, "bytes follow the last tombstone");
    t->next_number = next > t->next_number && next < UINT64_MAX ? next : t->next_number;
    mem_free(matchers);
    *out = t;
    return ERR_OK;
}
