/* SPDX-License-Identifier: MIT */
/*
 * call_raw.c - the system call instruction and nothing else: no errno, no thread-local word, so that a
 * goroutine may come back from it on whatever thread it is by then. Anyone may call.
 */
#include "syscall.h"

#if defined(__x86_64__)
long call_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#else
#error "call_raw: no port for this architecture yet"
#endif
