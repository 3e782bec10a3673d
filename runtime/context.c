/* SPDX-License-Identifier: MIT */
/* context.c - the part of context.h that C can say. */
#include "context.h"

#include <stdint.h>
#include <string.h>

__thread struct m *m_self_tls;

#if defined(__x86_64__)

/* context_amd64.S draws this. */
struct frame {
	uint32_t mxcsr, fpucw;
	uint64_t r15, r14, r13, r12, rbx, rbp, rip;
};
_Static_assert(sizeof(struct frame) == 64, "context_amd64.S counts on it");

#define MXCSR_DEFAULT 0x1f80u
#define FPUCW_DEFAULT 0x037fu

void context_entry(void);

void context_make(struct context *ctx, void *top, void (*entry)(void *), void *arg)
{
	/* rsp at entry is 16-byte aligned, and context_entry makes a call. */
	struct frame *f = (struct frame *)((uintptr_t)top & ~(uintptr_t)15) - 1;

	memset(f, 0, sizeof(*f));
	f->mxcsr = MXCSR_DEFAULT;
	f->fpucw = FPUCW_DEFAULT;
	f->r12 = (uintptr_t)entry;
	f->r13 = (uintptr_t)arg;
	f->rip = (uintptr_t)context_entry;
	ctx->sp = f;
}

#endif
