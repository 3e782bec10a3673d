/* SPDX-License-Identifier: MIT */
/*
 * stacks.h - where threads sleep: stacks of the kernel and of the program, read from the target's
 * memory while it runs. Nobody is stopped, so that only stacks of threads that sleep are read, and
 * only those hold whose thread has not run until afterwards: the caller looks again and drops the
 * others. A thread that works in the kernel has a stack as well, from where its call was made: that
 * part stands still until the call is over.
 */
#ifndef GOTRACE_STACKS_H
#define GOTRACE_STACKS_H

#include "names.h"
#include "snapshot.h"

/* One thread whose stack is wanted. */
struct stack_want {
	const struct thread_row *t;
	bool is_in_call; /* the runtime says so, and where user code made it: */
	bool is_foreign; /* of C code, on the system stack */
	bool is_running; /* its registers tell nothing: begin where the call was made */
	int m;           /* index of its M, -1: none */
	uint64_t call_pc, call_sp, call_fp;
};

struct stacks;

/* NULL: no memory. names is borrowed, and must know functions. */
struct stacks *stacks_new(const struct target *t, struct names *names);
void stacks_free(struct stacks *s);

/*
 * Those of a snapshot that is about to be emitted. m_of: index of the M of each thread, -1: none.
 */
void stacks_take(struct stacks *s, struct snapshot *snap, const int *m_of);
/* What is known of one of its threads, after its M row; names first. */
void stacks_emit(struct stacks *s, const struct thread_row *t, uint64_t now_ns, source_emit_fn emit,
		 void *arg);

/* The pure part: is this still the same sleep? */
bool stack_holds(const struct thread_row *before, const struct thread_row *after);

#endif
