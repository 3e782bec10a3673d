/* SPDX-License-Identifier: MIT */
/*
 * diag.h - words to the user, and exit codes. Lower case, what failed, subject, why:
 *
 *   gotrace: cannot attach to pid 4711: permission denied
 *   hint: run as root, or give gotrace CAP_BPF and CAP_PERFMON
 *
 * A hint is printed only after it was checked to be true on this machine. In JSON mode an error is
 * one JSON object on stderr.
 */
#ifndef GOTRACE_DIAG_H
#define GOTRACE_DIAG_H

#include <stdbool.h>
#include <stddef.h>

enum exit_code {
	EXIT_FINE = 0,
	EXIT_CHECK = 1, /* a check failed */
	EXIT_USAGE = 2,
	EXIT_LOST = 3,      /* events were lost */
	EXIT_NO_TARGET = 4, /* no such process, or not a Go or libgrt program */
	EXIT_NOT_PERMITTED = 5,
	EXIT_SYSTEM = 6, /* anything else: out of memory, disk full, kernel refused */
};

void diag_json(bool on);
/* Say nothing for now: a trial whose failure is no news. */
void diag_quiet(bool on);
/*
 * Into a buffer of the caller's instead of stderr, the first message only; NULL: to stderr again. For
 * who uses these rooms as a library. Of the calling thread.
 */
void diag_capture(char *buf, size_t bytes);
/* Each prints one line on stderr. diag_error returns `code`, for `return diag_error(...)`. */
__attribute__((format(printf, 2, 3))) int diag_error(enum exit_code code, const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void diag_hint(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void diag_warn(const char *fmt, ...);
/*
 * After an error on what the user wrote: the text once more, and below it "^~~" under `bytes` bytes from
 * `at` on; at the end of the text: one column behind it. In JSON mode an object with text, at, bytes.
 */
void diag_point(const char *text, size_t at, size_t bytes);

#endif
