/* SPDX-License-Identifier: MIT */
/*
 * syscall.h - into and out of calls that may block. For io.c and net.c.
 *
 *   call_enter(nr, arg);  r = the syscall;  call_exit();
 *
 * Between the two the goroutine may lose its P and the code must not touch the scheduler; after
 * call_exit it has a P again, perhaps on another thread. Legal on foreign threads and before
 * grt_run: both do nothing there. They never change errno.
 */
#ifndef GRT_SYSCALL_H
#define GRT_SYSCALL_H

#include "types.h"

void call_enter(i64 nr, u64 arg);
void call_enter_block(i64 nr, u64 arg); /* gives the P up at once: for what surely blocks */
void call_exit(void);

/* Raw system call, -errno on failure; nothing but the instruction. Inline: a return after a system call
 * costs more than the stores of entering it. */
static inline long call_raw(long nr, long a, long b, long c, long d, long e, long f)
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

/* Enter, raw call, exit. A FIFO, a file, a lock: whatever blocks. */
long call_syscall(long nr, long a, long b, long c, long d, long e, long f);

#endif
