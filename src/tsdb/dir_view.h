/*
 * dir_view.h - a data directory looked at from outside: no lock, nothing changed, a server may be running.
 */
#ifndef TSDB_DIR_VIEW_H
#define TSDB_DIR_VIEW_H

#include "tsdb/manifest.h"

enum { DIR_VIEW_PATH_BYTES = 1024 };

struct dir_view {
    struct fs *fs;
    char dir[900];
    uint64_t id;                          /* 0: unknown */
    char format[160], manifest_text[320]; /* "" or what is wrong with the file */
    struct manifest manifest;             /* empty when it could not be read */
};

/* ERR_NOT_FOUND: there is no such directory.  Anything else is told in the texts. */
MUST_CHECK enum err dir_view_open(struct dir_view *v, struct fs *fs, const char *dir, struct errmsg *why);
void dir_view_close(struct dir_view *v);
/* Reads the manifest again: a running server may have changed it. */
void dir_view_refresh(struct dir_view *v);
void dir_view_path(const struct dir_view *v, char out[DIR_VIEW_PATH_BYTES], const char *a, const char *b,
                   const char *suffix);
/* ERR_OK and the id, or what is wrong with a format file's text. */
MUST_CHECK enum err format_parse(struct slice text, uint64_t *id, struct errmsg *why);
void format_print(uint64_t id, struct buf *out);

#endif
