/* SPDX-License-Identifier: MIT */
/* fatal.c - see fatal.h. write(2) and a buffer on the stack: the heap may be what is broken. */
#include "fatal.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "types.h"

/* schedtrace.c; above this file. */
__attribute__((weak)) void sched_dump(void);

static u32 is_dying;

static void say(const char *prefix, const char *fmt, va_list ap)
{
	char line[1024];
	size_t n = strlen(prefix);
	int more;

	memcpy(line, prefix, n);
	more = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	n += more < 0                              ? 0
	     : (size_t)more < sizeof(line) - n - 1 ? (size_t)more
						   : sizeof(line) - n - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

void warn_(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void fatal_(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("fatal error: ", fmt, ap);
	va_end(ap);
	_exit(FATAL_EXIT);
}

void throw_(const char *fmt, ...)
{
	void *frames[BACKTRACE_FRAMES];
	va_list ap;

	va_start(ap, fmt);
	say("fatal error: ", fmt, ap);
	va_end(ap);
	if (__atomic_exchange_n(&is_dying, 1, __ATOMIC_SEQ_CST) == 0) {
		warn_("\nruntime stack:");
		backtrace_symbols_fd(frames, backtrace(frames, BACKTRACE_FRAMES), STDERR_FILENO);
		if (sched_dump)
			sched_dump();
	}
	_exit(FATAL_EXIT);
}
