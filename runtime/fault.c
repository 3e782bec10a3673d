/* SPDX-License-Identifier: MIT */
/*
 * fault.c - see fault.h.
 *
 * The handler of SIGSEGV and SIGBUS runs on a signal stack, since the goroutine has none left. It looks
 * whether the address lies in the guard of the goroutine that ran. If so the process ends as in Go; if
 * not, the fault is none of ours: whoever had the signal before gets it, by default with the death and
 * the core that it would have had without us.
 */
#include "fault.h"

#include <execinfo.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include "fatal.h"
#include "stack.h"

static struct sigaction old_segv, old_bus;

/* From the interrupted instruction on: the handler's own frames tell nothing. */
static void overflow(const struct g *g, const void *at)
{
	void *frames[BACKTRACE_FRAMES];
	int n, first = 0;

	warn_("runtime: goroutine stack exceeds %lu-byte limit", (unsigned long)stack_usable());
	warn_("fatal error: stack overflow\n\ngoroutine %lu [running]:", (unsigned long)g->goid);
	n = backtrace(frames, BACKTRACE_FRAMES);
	while (first < n && frames[first] != at)
		first++;
	if (first == n)
		first = 0;
	if (n > first)
		backtrace_symbols_fd(frames + first, n - first, STDERR_FILENO);
	_exit(FATAL_EXIT);
}

/* The fault goes where it would have gone without us. */
static void pass_on(int nr, siginfo_t *info, void *uc)
{
	struct sigaction *old = nr == SIGSEGV ? &old_segv : &old_bus;

	if ((old->sa_flags & SA_SIGINFO) && old->sa_sigaction) {
		old->sa_sigaction(nr, info, uc);
	} else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
		old->sa_handler(nr);
	} else {
		/* The instruction runs again and faults again, with nobody in the way. */
		signal(nr, SIG_DFL);
		if (info->si_code <= 0)
			raise(nr);
	}
}

static void on_fault(int nr, siginfo_t *info, void *uc)
{
	struct m *m = m_self();
	struct g *g = m ? m->curg : NULL;
	const greg_t *regs = ((ucontext_t *)uc)->uc_mcontext.gregs;
	char *sp = (char *)regs[REG_RSP];

	/* A wild pointer into the guard from elsewhere is no overflow: the stack pointer must be near. */
	if (g && info->si_code > 0 && stack_guard_hit(&g->stack, info->si_addr) &&
	    sp < g->stack.hi && sp >= g->stack.lo - 2 * STACK_GUARD)
		overflow(g, (void *)regs[REG_RIP]);
	pass_on(nr, info, uc);
}

void fault_init(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	void *frame;

	/* The first call loads the unwinder: not a thing to do on a signal stack. */
	backtrace(&frame, 1);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGSEGV, &sa, &old_segv);
	sigaction(SIGBUS, &sa, &old_bus);
}

void fault_thread_init(void *mem)
{
	stack_t ss = { .ss_sp = mem,
		       .ss_size = SIGNAL_STACK_SIZE,
		       .ss_flags = mem ? 0 : SS_DISABLE };

	sigaltstack(&ss, NULL);
}
