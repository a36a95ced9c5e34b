/*
 * lexer_internal.h - what the files of the lexer share.
 *
 * The cursor reads runes and takes the last one back; from `start` to `pos` stands the token so far.
 */
#ifndef PROMQL_LEXER_INTERNAL_H
#define PROMQL_LEXER_INTERNAL_H

#include "promql/lexer.h"

enum { RUNE_EOF = -1, RUNE_ERROR = 0xfffd, RUNE_MAX = 0x10ffff };

/* ---- Runes ---- */

int32_t lexer_rune(struct slice s,
                   uint32_t *width); /* of s, not empty; a byte that starts none is RUNE_ERROR, width 1 */
bool lexer_is_space(int32_t r);
bool lexer_is_digit(int32_t r);
bool lexer_is_alpha(int32_t r); /* letters of ASCII and _ */
bool lexer_is_alnum(int32_t r);
bool lexer_in_set(const char *set, int32_t r); /* set: ASCII */

/* ---- Cursor ---- */

int32_t lexer_read(struct lexer *l);                 /* RUNE_EOF at the end */
void lexer_unread(struct lexer *l);                  /* takes the last lexer_read back; once */
int32_t lexer_peek(struct lexer *l);                 /* counts as a read that was taken back */
bool lexer_accept(struct lexer *l, const char *set); /* reads one rune of the set, if it comes next */
void lexer_accept_run(struct lexer *l, const char *set);
void lexer_skip_spaces(struct lexer *l);
struct slice lexer_pending(const struct lexer *l); /* the token so far */

/* ---- Tokens and errors ---- */

void lexer_emit(struct lexer *l, enum token_kind kind);
/* Replaces a token emitted in the same step: the error wins, but stands behind that token. */
void lexer_fail(struct lexer *l, const char *text);
void lexer_fail_rune(struct lexer *l, const char *text, int32_t r); /* text 'r' */
void lexer_fail_unicode(struct lexer *l, const char *before, int32_t r,
                        const char *after);                 /* before U+0061 'a' after */
void lexer_fail_pending(struct lexer *l, const char *text); /* text "token so far" */

/* TOKEN_EOF: none.  Case does not matter; inside [ ] only those of durations count. */
enum token_kind lexer_keyword(struct slice word, bool in_brackets);

/* ---- Tokens of more than two characters; the first is read already, or comes next where said ---- */

void lexer_comment(struct lexer *l);
void lexer_string(struct lexer *l, int32_t quote);
void lexer_number_or_duration(struct lexer *l); /* comes next */
void lexer_word(struct lexer *l);               /* comes next */
bool lexer_starts_duration_keyword(int32_t r);
bool lexer_duration_keyword(struct lexer *l); /* false: some other word, nothing was emitted */

#endif
