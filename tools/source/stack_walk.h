/* SPDX-License-Identifier: MIT */
/*
 * stack_walk.h - user stacks of many threads, by unwind rows over pages read in bulk. All walk at
 * once: one that needs a page waits, and when nobody can go on the pages are read with one call.
 */
#ifndef GOTRACE_STACK_WALK_H
#define GOTRACE_STACK_WALK_H

#include "stacks.h"

#define STACK_FRAMES 48 /* deeper ones are cut: the inner frames say what it waits for */

struct stack {
	uint8_t n;
	uint8_t call_at;             /* the frame where user code made the call; n: none */
	uint8_t jump_at;             /* the frame that went to another stack; n: none */
	uint8_t flags[STACK_FRAMES]; /* GRT_FRAME_* but SYSTEM */
	uint64_t pc[STACK_FRAMES];
};

struct stack_walk;

struct stack_walk *stack_walk_new(const struct target *t, struct maps *maps); /* NULL: no memory */
void stack_walk_free(struct stack_walk *w);
/* ret: a stack for each of n. */
void stack_walk_all(struct stack_walk *w, const struct stack_want *want, struct stack *ret,
		    uint32_t n);

#endif
