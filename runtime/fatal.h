/* SPDX-License-Identifier: MIT */
/*
 * fatal.h - the last words of the process. Both print as Go does and exit with status 2.
 *
 * throw_: the runtime found itself in an impossible state; names the function and the fact, then
 * dumps the scheduler. fatal_: the program did something that cannot go on (deadlock, too many
 * threads, stack overflow). None allocates or takes a lock that may be held.
 */
#ifndef GRT_FATAL_H
#define GRT_FATAL_H

#define FATAL_EXIT 2

__attribute__((noreturn, cold, format(printf, 1, 2))) void throw_(const char *fmt, ...);
__attribute__((noreturn, cold, format(printf, 1, 2))) void fatal_(const char *fmt, ...);
__attribute__((cold, format(printf, 1, 2))) void warn_(const char *fmt, ...);

/* An invariant of runtime/README.md, by its number. Always on: they cost a predicted branch. */
#define MUST(cond, ...)                           \
	do {                                      \
		if (__builtin_expect(!(cond), 0)) \
			throw_(__VA_ARGS__);      \
	} while (0)

/*
 * The expensive ones, and those on hot paths: debug builds only. DEBUG_ONLY: what such a check
 * remembers, in fields that other builds do not have.
 */
#ifdef GRT_DEBUG
#define INVARIANT(nr, cond, ...) MUST(cond, "I" #nr ": " __VA_ARGS__)
#define DEBUG_ONLY(...) __VA_ARGS__
#else
#define INVARIANT(nr, cond, ...) ((void)sizeof(cond))
#define DEBUG_ONLY(...)
#endif

#endif
