/* SPDX-License-Identifier: MIT */
/*
 * heap.c - see heap.h.
 *
 * To attach, libbpf reads the kernel's type information, 5.5 MB, and copies it: 3,000 pages, each touched for the
 * first time. Under a hypervisor with shadow page tables such a touch takes 12 us, and reading took 50 ms of
 * the 140 that an attach had; with huge pages it takes 12. What is freed is kept: who reads a second time, or
 * looks at 10,000 threads once a second, needs the same again. Where memory is fragmented, the kernel may
 * have to move pages to make the eight of them: in our time.
 */
#include "heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAP_BYTES (16 << 20)
#define PAGE_BYTES ((uintptr_t)4096)

void heap_arrange(void)
{
	uintptr_t start = ((uintptr_t)sbrk(0) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1), end;
	void *volatile grown;

	mallopt(M_MMAP_THRESHOLD, HEAP_BYTES);
	mallopt(M_TRIM_THRESHOLD, 2 * HEAP_BYTES);
	mallopt(M_TOP_PAD, HEAP_BYTES);
	/* Just more than there is: a page touched here keeps the huge page around it from being one. */
	grown = malloc(mallinfo2().keepcost + 1);
	free(grown);
	mallopt(M_TOP_PAD, HEAP_BYTES / 16);
	end = (uintptr_t)sbrk(0);
	if (end > start)
		madvise((void *)start, end - start, MADV_HUGEPAGE);
}
