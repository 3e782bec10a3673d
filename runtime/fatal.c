/* SPDX-License-Identifier: MIT */
/* fatal.c - see fatal.h. write(2) and a buffer on the stack: the heap may be what is broken. */
#include "fatal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backtrace.h"
#include "types.h"

#define DYING_S 5 /* how long a thread waits for the last words of another */

/* schedtrace.c; above this file. */
__attribute__((weak)) void sched_dump(void);

static i32 dying_tid; /* A  who says the last words; 0: nobody */

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

/*
 * One thread tells the story; a second one waits, and the same one again, from sched_dump, is cut
 * short.
 */
void throw_(const char *fmt, ...)
{
	i32 teller = 0, self = (i32)syscall(SYS_gettid);
	va_list ap;

	va_start(ap, fmt);
	say("fatal error: ", fmt, ap);
	va_end(ap);
	if (__atomic_compare_exchange_n(&dying_tid, &teller, self, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST)) {
		warn_("\nruntime stack:");
		backtrace_print();
		if (sched_dump)
			sched_dump();
	} else if (teller != self) {
		sleep(DYING_S);
	}
	_exit(FATAL_EXIT);
}
