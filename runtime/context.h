/* SPDX-License-Identifier: MIT */
/*
 * context.h - the machine-dependent floor: switch stacks, call on another stack, find the own M.
 * One .S file per architecture (context_amd64.S; context_arm64.S has its place).
 *
 * A context is the stack pointer of a suspended flow of control; what a C callee must preserve
 * (rbx rbp r12-r15, mxcsr and x87 control word) lies at that address. Nothing else is saved: a
 * switch is an ordinary function call for the compiler.
 */
#ifndef GRT_CONTEXT_H
#define GRT_CONTEXT_H

struct m;

struct context {
	void *sp;
};

/* Suspend into *from, resume *to. Returns when somebody switches back to *from. */
void context_switch(struct context *from, const struct context *to);

/*
 * Make *ctx such that switching to it calls entry(arg) on the stack that ends below `top`
 * (16-byte aligned). entry must not return. Unwinders stop there.
 */
void context_make(struct context *ctx, void *top, void (*entry)(void *), void *arg);

/*
 * Run fn(arg) on the suspended system stack `on` (below its stack pointer), return its value. The
 * unwinder can walk from fn back to the caller.
 */
long context_call_on(const struct context *on, long (*fn)(void *), void *arg);

/*
 * The calling thread's M, NULL for a thread that the runtime does not own. The thread-local word
 * is read anew at each use: a goroutine may be on another thread after any switch, and compilers
 * keep addresses of __thread variables across calls.
 */
extern __thread struct m *m_self_tls __attribute__((tls_model("initial-exec")));

static inline struct m *m_self(void)
{
#if defined(__x86_64__)
	struct m *m;

	__asm__ volatile("movq m_self_tls@gottpoff(%%rip), %0\n\tmovq %%fs:(%0), %0" : "=r"(m));
	return m;
#else
#error "context: no port for this architecture yet"
#endif
}

#endif
