/* SPDX-License-Identifier: MIT */
/* backtrace.h - the way to here, in names, for the last words of a process. */
#ifndef GRT_BACKTRACE_H
#define GRT_BACKTRACE_H

#include <stdbool.h>

#define BACKTRACE_FRAMES 64

/* The first use loads the unwinder: not a thing to do in a signal handler. */
void backtrace_init(void);
/* The calling thread's frames, to stderr. For a thread that is about to end its process. */
void backtrace_print(void);
/*
 * The same in a signal handler: from the interrupted instruction at `pc` on, where the handler was
 * entered with SA_SIGINFO. Allocates nothing.
 */
void backtrace_print_from(const void *pc);

#endif
