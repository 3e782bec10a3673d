/* SPDX-License-Identifier: MIT */
/*
 * errno.c - the address of errno, computed at each call.
 *
 * Alone in its file, and never part of link-time optimisation: a compiler that saw the body could keep
 * the address of a thread-local word across a call that changes the thread.
 */
#include "include/grt/errno.h"

#undef errno

__attribute__((noinline)) int *grt_errno_location(void)
{
	int *at = __errno_location();

	__asm__ volatile("" : "+r"(at) : : "memory");
	return at;
}
