/* SPDX-License-Identifier: MIT */
/*
 * heap.h - the process's heap, arranged for what gotrace does with it. For main only: a library must not
 * change the heap of the program that it is linked to.
 */
#ifndef GOTRACE_HEAP_H
#define GOTRACE_HEAP_H

/* Once, before anything large is allocated. What the system refuses costs time only. */
void heap_arrange(void);

#endif
