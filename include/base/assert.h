/*
 * assert.h - what only our own bug can break; stays on in release builds.
 *
 * assert() prints the condition and the place, then aborts.  assert_slow() is for whole-structure
 * checks (x_check()); it is compiled in when ASSERT_SLOW is defined (debug, sanitizer, fuzz builds).
 * Bytes from disk or network are never asserted: they are ERR_CORRUPT or ERR_INVALID.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

__attribute__((noreturn, cold)) void assert_failed(const char *condition, const char *file, int line);

#undef assert
#define assert(condition)                                                                          \
    (__builtin_expect(!!(condition), 1) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

#ifdef ASSERT_SLOW
#define assert_slow(condition) assert(condition)
#else
#define assert_slow(condition) ((void)0)
#endif

#endif
