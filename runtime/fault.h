/* SPDX-License-Identifier: MIT */
/* fault.h - tells the overflow of a goroutine's stack from any other fault. */
#ifndef GRT_FAULT_H
#define GRT_FAULT_H

/* Install the handler of SIGSEGV and SIGBUS. Once. */
void fault_init(void);
/* Give the calling thread a signal stack of SIGNAL_STACK_SIZE bytes at `mem`; NULL takes it back. */
void fault_thread_init(void *mem);

#endif
