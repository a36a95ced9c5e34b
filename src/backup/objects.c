/*
 * objects.c - contents under their SHA-256: a file of any backup with the same bytes is the same object, and
 * `sha256sum` alone can tell whether it is whole.
 */
#include <openssl/evp.h>
#include <stdio.h>

#include "backup/backup_internal.h"
#include "base/assert.h"
#include "base/mem.h"

enum { COPY_BYTES = 1 << 20 };

void hash_text(const struct content_hash *hash, char out[HASH_TEXT])
{
    for (int i = 0; i < HASH_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", hash->bytes[i]);
}

static int digit_of(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hash_parse(struct slice text, struct content_hash *out)
{
    if (text.len != 2 * HASH_BYTES)
        return false;
    for (int i = 0; i < HASH_BYTES; i++) {
        int high = digit_of(text.data[2 * i]), low = digit_of(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void object_path(const char *dest, const struct content_hash *hash, char out[BACKUP_PATH_BYTES])
{
    char text[HASH_TEXT];
    hash_text(hash, text);
    int n = snprintf(out, BACKUP_PATH_BYTES, "%s/objects/%.2s/%s", dest, text, text);
    assert(n > 0 && n < BACKUP_PATH_BYTES); /* dest_open bounds dest */
}

/* ---- copying and hashing at once ---- */

struct copier {
    EVP_MD_CTX *sha;
    uint8_t *buffer;
    struct file *from, *to; /* to: NULL, only read */
    uint64_t bytes;         /* copied */
};

static enum err copy_all(struct copier *c, struct errmsg *why)
{
    size_t got;
    do {
        TRY(file_pread(c->from, c->buffer, COPY_BYTES, c->bytes, &got, why));
        if (got && EVP_DigestUpdate(c->sha, c->buffer, got) != 1)
            return err_set(why, ERR_UNSUPPORTED, "SHA-256 is not available");
        if (got && c->to)
            TRY(file_pwrite(c->to, c->buffer, got, c->bytes, why));
        c->bytes += got;
    } while (got == COPY_BYTES);
    return c->to ? file_sync(c->to, false, why) : ERR_OK;
}

/* to: a path or NULL. */
static enum err copy_hashed(struct fs *fs, const char *from, const char *to, struct content_hash *hash, uint64_t *bytes,
                            struct errmsg *why)
{
    struct copier c = {.sha = EVP_MD_CTX_new(), .buffer = mem_alloc(COPY_BYTES)};
    enum err err = !c.sha || EVP_DigestInit_ex(c.sha, EVP_sha256(), NULL) != 1
                       ? err_set(why, ERR_UNSUPPORTED, "SHA-256 is not available")
                       : fs_open(fs, from, FS_READ, &c.from, why);
    if (err == ERR_OK && to)
        err = fs_open(fs, to, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &c.to, why);
    if (err == ERR_OK)
        err = copy_all(&c, why);
    enum err close_err = file_close(c.to, err == ERR_OK ? why : NULL);
    enum err ignored = file_close(c.from, NULL);
    (void)ignored; /* nothing was written to it */
    if (err == ERR_OK && close_err == ERR_OK && EVP_DigestFinal_ex(c.sha, hash->bytes, NULL) != 1)
        err = err_set(why, ERR_UNSUPPORTED, "SHA-256 is not available");
    *bytes = c.bytes;
    EVP_MD_CTX_free(c.sha);
    mem_free(c.buffer);
    return err == ERR_OK ? close_err : err;
}

enum err object_store(struct fs *fs, const char *dest, const char *from, bool check, struct backup_file *file,
                      bool *fresh, struct errmsg *why)
{
    char tmp[BACKUP_PATH_BYTES], path[BACKUP_PATH_BYTES], folder[BACKUP_PATH_BYTES];
    struct fs_stat st;
    TRY(join_path(dest, "objects/new.tmp", tmp, why));
    /* After a power cut in the middle of a rename it may be a second name of an object: not to be written on. */
    enum err err = fs_unlink(fs, tmp, why);
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        return err;
    TRY(copy_hashed(fs, from, tmp, &file->hash, &file->bytes, why));
    object_path(dest, &file->hash, path);
    *fresh = !(fs_stat_path(fs, path, &st, NULL) == ERR_OK && st.bytes == file->bytes) ||
             (check && object_fetch(fs, dest, file, NULL, NULL) != ERR_OK);
    if (!*fresh)
        return fs_unlink(fs, tmp, why);
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    TRY(fs_mkdir_all(fs, folder, why));
    TRY(fs_rename(fs, tmp, path, why));
    return fs_sync_dir(fs, folder, why);
}

enum err object_fetch(struct fs *fs, const char *dest, const struct backup_file *file, const char *to,
                      struct errmsg *why)
{
    char path[BACKUP_PATH_BYTES];
    struct content_hash hash;
    uint64_t bytes;
    object_path(dest, &file->hash, path);
    TRY(copy_hashed(fs, path, to, &hash, &bytes, why));
    if (bytes != file->bytes)
        return err_set(why, ERR_CORRUPT, "%s: %llu bytes, %llu were written", path, (unsigned long long)bytes,
                       (unsigned long long)file->bytes);
    if (memcmp(hash.bytes, file->hash.bytes, HASH_BYTES) != 0)
        return err_set(why, ERR_CORRUPT, "%s: not the bytes that were written", path);
    return ERR_OK;
}
