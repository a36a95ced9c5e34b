/* backup_internal.h - lists of files and contents named by their SHA-256. */
#ifndef BACKUP_BACKUP_INTERNAL_H
#define BACKUP_BACKUP_INTERNAL_H

#include "backup/backup.h"

enum { BACKUP_PATH_BYTES = 1024, BACKUP_FILE_BYTES = 200, HASH_BYTES = 32, HASH_TEXT = 65, LIST_BYTES_MAX = 256 << 20 };

struct content_hash {
    uint8_t bytes[HASH_BYTES];
};

struct backup_file {
    char path[BACKUP_FILE_BYTES]; /* relative to the data directory */
    uint64_t bytes;
    int64_t mtime_ms;
    struct content_hash hash;
};

struct backup_list {
    int64_t made_ms;
    struct backup_file *files;
    size_t count, capacity;
};

/* ---- list.c: backups/<name> ---- */
void list_deinit(struct backup_list *l);
void list_add(struct backup_list *l, const struct backup_file *file);
const struct backup_file *list_find(const struct backup_list *l, const char *path); /* sorted by path */
void list_sort(struct backup_list *l);
void list_print(const struct backup_list *l, struct buf *out);
/* ERR_CORRUPT with the line; nothing in it can name a place outside of a directory. */
MUST_CHECK enum err list_parse(struct slice text, struct backup_list *out, struct errmsg *why);
MUST_CHECK enum err list_load(struct fs *fs, const char *dest, const char *name, struct backup_list *out,
                              struct errmsg *why);
bool path_is_safe(const char *path);
bool backup_name_is_safe(const char *name);

/* ---- objects.c: objects/<2 digits>/<SHA-256> ---- */
void hash_text(const struct content_hash *hash, char out[HASH_TEXT]);
bool hash_parse(struct slice text, struct content_hash *out);
void object_path(const char *dest, const struct content_hash *hash, char out[BACKUP_PATH_BYTES]);
/*
 * Copies `from` into the store under the name of its content; *fresh: it was not there, or not sound, which is looked at
 * when `check` (else only its length).
 */
MUST_CHECK enum err object_store(struct fs *fs, const char *dest, const char *from, bool check,
                                 struct backup_file *file, bool *fresh, struct errmsg *why);
/* Copies an object out (to NULL: only reads it) and checks length and hash: ERR_CORRUPT, ERR_NOT_FOUND. */
MUST_CHECK enum err object_fetch(struct fs *fs, const char *dest, const struct backup_file *file, const char *to,
                                 struct errmsg *why);

/* ---- dest.c: the destination as a whole ---- */
struct dest {
    struct fs *fs;
    const char *path;
    struct file *lock;
    bool format_damaged; /* or missing, but a backup is there: whatever else is read has checksums of its own */
};
/* Checks the format file (makes a new destination when `make`), takes the lock when `make`. */
MUST_CHECK enum err dest_open(struct dest *d, struct fs *fs, const char *path, bool make, struct errmsg *why);
void dest_close(struct dest *d);
/* Names of backups, oldest first. */
MUST_CHECK enum err dest_names(const struct dest *d, struct fs_names *out, struct errmsg *why);
MUST_CHECK enum err join_path(const char *a, const char *b, char out[BACKUP_PATH_BYTES], struct errmsg *why);

#endif
