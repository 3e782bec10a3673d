/* SPDX-License-Identifier: MIT */
/*
 * fmt.h - numbers as people read them: short, one unit, never wider than promised. Text of the
 * target (names, paths) passes through fmt_clean, so that nothing in it reaches the terminal as a
 * command.
 */
#ifndef GOTRACE_FMT_H
#define GOTRACE_FMT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FMT_BYTES 32 /* enough for any number here */

/* 0 .. 9999, 10k .. 999k, 1.0M ..: at most 4 characters up to 10^15. Rounds down. Returns buf. */
char *fmt_count(char buf[FMT_BYTES], uint64_t n);
/* 850ns 1.2us 86us 4.1ms 12ms 4.1s 41s 12m05s 3h12m 5d03h: at most 6 characters up to 99 days. */
char *fmt_duration(char buf[FMT_BYTES], uint64_t ns);
/* n per ns -> whole events a second, rounded; below one a second one decimal: 0.3. */
char *fmt_rate(char buf[FMT_BYTES], uint64_t n, uint64_t ns);
/* Copy text; control characters become \xNN. Cut to columns characters, ending in "~" when cut. */
void fmt_clean(char *buf, size_t bytes, const char *text, unsigned int columns);
/* Words wrapped to so many columns; further lines are indented by two. Ends the line. */
void fmt_wrapped(FILE *out, const char *text, unsigned int columns);

#endif
