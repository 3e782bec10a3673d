/* SPDX-License-Identifier: MIT */
/*
 * stack.h - guarded stacks for goroutines, without a VMA each.
 *
 * Stacks are carved from large mappings, [guard STACK_GUARD][usable], and never given back to the
 * kernel as address space; a dead G keeps its stack, and its G lives at the top of it.
 * The guard is MADV_GUARD_INSTALL where it was proven once at start to fault (qemu-user accepts
 * the call and guards nothing), else mprotect, said aloud once.
 */
#ifndef GRT_STACK_H
#define GRT_STACK_H

#include "types.h"

void stack_init(size_t usable_bytes); /* 0: STACK_SIZE; rounded up to pages */
size_t stack_usable(void);
/* A zeroed, guarded stack; false if the kernel gives no memory (-> errno). */
bool stack_new(struct stack *ret);
/* Which guard does `addr` lie in? Async-signal-safe. */
bool stack_guard_hit(const struct stack *s, const void *addr);
bool stack_guard_is_cheap(void); /* MADV_GUARD_INSTALL works */

#endif
