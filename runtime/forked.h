/* SPDX-License-Identifier: MIT */
/*
 * forked.h - the child of a raw fork has one thread and a copy of a runtime that had many: nothing of it
 * can work there. Any call says so and ends the child.
 */
#ifndef GRT_FORKED_H
#define GRT_FORKED_H

#include "types.h"

void forked_init(void);     /* once, in the parent */
extern u32 forked_is_child; /* W  the child */
__attribute__((cold, noreturn)) void forked_die(void);

/* On paths that have found no M: a forked child has none. */
static inline void forked_check(void)
{
	if (__builtin_expect(forked_is_child, 0))
		forked_die();
}

#endif
