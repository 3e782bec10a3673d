/* SPDX-License-Identifier: MIT */
/*
 * fault.c - see fault.h.
 *
 * The handler of SIGSEGV and SIGBUS runs on a signal stack, since the goroutine has none left. It
 * looks whether the address lies in the guard of the goroutine that ran. If so the process ends as
 * in Go. An overflow of a thread's system stack, where foreign code runs, is named. That one and
 * any other fault is none of ours: whoever had the signal before gets it, by default with the death
 * and the core that it would have had without us.
 */
#include "fault.h"

#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include "backtrace.h"
#include "fatal.h"
#include "stack.h"

static struct sigaction old_segv, old_bus;

static void goroutine_overflowed(const struct g *g, const void *pc)
{
	warn_("runtime: goroutine stack exceeds %lu-byte limit", (unsigned long)stack_usable());
	warn_("fatal error: stack overflow\n\ngoroutine %lu [running]:", (unsigned long)g->goid);
	backtrace_print_from(pc);
	_exit(FATAL_EXIT);
}

/*
 * Named, and then left to whoever has the signal: a core of foreign code is worth more than our
 * status.
 */
static void thread_overflowed(const struct m *m, const struct g *g, const void *pc)
{
	warn_("runtime: system stack of M%lu exceeds its %lu-byte limit", (unsigned long)m->id,
	      (unsigned long)m->g0_stack_size);
	if (g)
		warn_("\ngoroutine %lu [foreign call]:", (unsigned long)g->goid);
	backtrace_print_from(pc);
}

/*
 * The fault goes where it would have gone without us. One that was sent by kill(2) may be ignored;
 * the kernel ignores none that an instruction has caused.
 */
static void pass_on(int nr, siginfo_t *info, void *uc)
{
	struct sigaction *old = nr == SIGSEGV ? &old_segv : &old_bus;
	bool was_sent = info->si_code <= 0;

	if ((old->sa_flags & SA_SIGINFO) && old->sa_sigaction) {
		old->sa_sigaction(nr, info, uc);
	} else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
		old->sa_handler(nr);
	} else if (!was_sent || old->sa_handler == SIG_DFL) {
		/* The instruction runs again and faults again, with nobody in the way. */
		signal(nr, SIG_DFL);
		if (was_sent)
			raise(nr);
	}
}

/*
 * Did whoever runs on this stack run out of it at addr? A wild pointer into the guard from
 * elsewhere is no overflow: the stack pointer must be there or near.
 */
static bool is_overflow(const struct stack *s, const void *addr, const char *sp)
{
	return stack_guard_hit(s, addr) && sp < s->hi && sp >= s->lo - 2 * STACK_GUARD;
}

static void on_fault(int nr, siginfo_t *info, void *uc)
{
	const greg_t *regs = ((ucontext_t *)uc)->uc_mcontext.gregs;
	const char *sp = (char *)regs[REG_RSP];
	const void *pc = (void *)regs[REG_RIP];
	struct m *m = m_self();

	if (m && info->si_code > 0) {
		struct stack system = { m->g0_stack_lo, (char *)m->g0_stack_lo + m->g0_stack_size };

		if (m->curg && is_overflow(&m->curg->stack, info->si_addr, sp))
			goroutine_overflowed(m->curg, pc);
		if (is_overflow(&system, info->si_addr, sp))
			thread_overflowed(m, m->curg, pc);
	}
	pass_on(nr, info, uc);
}

void fault_init(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	backtrace_init();
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
