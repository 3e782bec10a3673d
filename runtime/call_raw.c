/* SPDX-License-Identifier: MIT */
/* call_raw.c - the instruction that enters the kernel; errno is not involved. */
#include "syscall.h"

long call_raw(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#else
#error "call_raw: no port for this architecture yet"
#endif
}
