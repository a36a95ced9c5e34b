/*
 * block_meta.h - what a block is, in one small file that people can read: meta.json.
 *
 * A block is a directory {meta.json, index, data}: immutable, self-contained, sorted by
 * block_labels_cmp.  Its id is a ULID (48 bits of Unix ms, 80 random bits), also the directory's name.
 * Blocks may overlap in time; where two hold a sample of the same series and time, the block with the
 * higher seq_max wins.  Layout: docs/formats/block.md.
 *
 * Threads: plain values.
 */
#ifndef BLOCK_BLOCK_META_H
#define BLOCK_BLOCK_META_H

#include "base/fs.h"
#include "base/random.h"
#include "model/label.h"

enum { BLOCK_ID_TEXT = 27, BLOCK_SOURCES_MAX = 64, BLOCK_LEVEL_MAX = 15 };

struct block_id {
    uint8_t bytes[16];
};
struct block_id block_id_new(int64_t now_ms, struct random *random);
void block_id_text(const struct block_id *id, char text[BLOCK_ID_TEXT]); /* 26 characters, terminated */
bool block_id_parse(struct slice text, struct block_id *out);
static inline bool block_id_eq(const struct block_id *a, const struct block_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct block_file_meta {
    uint64_t bytes;
    uint32_t crc; /* crc32c of the whole file, for offline verification */
};

struct block_meta {
    struct block_id id;
    uint32_t level;            /* 0: cut from the head; +1 per merge of a whole level */
    int64_t mint_ms, maxt_ms;  /* of the samples, inclusive; an empty block is never written */
    uint64_t seq_min, seq_max; /* numbers of the flushes that the samples came from: who wins over whom */
    uint64_t series, chunks, samples, histogram_samples; /* samples counts both kinds */
    struct block_file_meta index, data;
    uint32_t source_count; /* level 0 blocks that went into it; 0 when more than fit */
    struct block_id sources[BLOCK_SOURCES_MAX];
};

void block_meta_print(const struct block_meta *meta, struct buf *out);
MUST_CHECK enum err block_meta_parse(struct slice text, struct block_meta *out, struct errmsg *why);
MUST_CHECK enum err block_meta_read(struct fs *fs, const char *dir, struct block_meta *out, struct errmsg *why);

/* Order of series inside a block: metric name, job, instance, then labels_cmp. */
int block_labels_cmp(const struct labels *a, const struct labels *b);

#endif
