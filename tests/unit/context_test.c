/* SPDX-License-Identifier: MIT */
/* context_test.c - the floor: what a switch keeps, where it resumes, and what an unwinder sees. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "../../runtime/context.h"

#define STACK_BYTES 262144
#define FRAMES_MAX 64

/* Sanitizers follow calls and returns; here a function is left by a switch and entered by another. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RAW __attribute__((noinline, no_sanitize("address", "thread")))
#else
#define RAW __attribute__((noinline))
#endif

void context_entry(void); /* context_amd64.S: where an unwinder must stop */

static char stack_a[STACK_BYTES] __attribute__((aligned(16)));
static char stack_b[STACK_BYTES] __attribute__((aligned(16)));
static struct context here, a, b;
static const void *seen_arg;
static uintptr_t seen_frame;
static int trace[16], ntrace;

RAW static void note_and_leave(void *arg)
{
	seen_arg = arg;
	seen_frame = (uintptr_t)__builtin_frame_address(0);
	context_switch(&a, &here);
	__builtin_unreachable();
}

RAW static void test_a_new_context_calls_its_entry_on_its_stack(void **state)
{
	(void)state;
	context_make(&a, stack_a + STACK_BYTES, note_and_leave, &ntrace);

	context_switch(&here, &a);

	assert_ptr_equal(seen_arg, &ntrace);
	assert_true(seen_frame > (uintptr_t)stack_a &&
		    seen_frame < (uintptr_t)stack_a + STACK_BYTES);
	assert_int_equal(seen_frame % 16,
			 0); /* rbp is pushed on a stack that the ABI wants aligned */
}

RAW static void test_an_odd_top_is_rounded_down(void **state)
{
	(void)state;
	context_make(&a, stack_a + STACK_BYTES - 3, note_and_leave, NULL);

	context_switch(&here, &a);

	assert_int_equal(seen_frame % 16, 0);
}

RAW static void ping(void *arg)
{
	(void)arg;
	for (int i = 0;; i += 2) {
		trace[ntrace++] = i;
		context_switch(&a, ntrace >= 10 ? &here : &b);
	}
}

RAW static void pong(void *arg)
{
	(void)arg;
	for (int i = 1;; i += 2) {
		trace[ntrace++] = i;
		context_switch(&b, &a);
	}
}

RAW static void test_two_contexts_go_on_where_they_stopped(void **state)
{
	(void)state;
	ntrace = 0;
	context_make(&a, stack_a + STACK_BYTES, ping, NULL);
	context_make(&b, stack_b + STACK_BYTES, pong, NULL);

	context_switch(&here, &a);

	assert_int_equal(ntrace, 11);
	for (int i = 0; i < ntrace; i++)
		assert_int_equal(trace[i], i);
}

/* Overwrites every register that a callee must preserve, and leaves with them overwritten. */
RAW static void spoil_registers(void *arg)
{
	(void)arg;
	for (;;) {
		__asm__ volatile("movq $-1, %%rbx\n\tmovq %%rbx, %%r12\n\tmovq %%rbx, %%r13\n\t"
				 "movq %%rbx, %%r14\n\tmovq %%rbx, %%r15"
				 :
				 :
				 : "rbx", "r12", "r13", "r14", "r15");
		context_switch(&a, &here);
	}
}

/* Fill them, switch, read them: in one statement, so that no compiler can help. */
RAW static unsigned long registers_after_a_switch(void)
{
	register unsigned long wrong __asm__("rax");
	struct context *from = &here, *to = &a;

	__asm__ volatile("subq $128, %%rsp\n\t" /* the red zone */
			 "pushq %%rbp\n\tmovq %%rsp, %%rbp\n\tandq $-16, %%rsp\n\t"
			 "movq $0x11, %%rbx\n\tmovq $0x22, %%r12\n\tmovq $0x33, %%r13\n\t"
			 "movq $0x44, %%r14\n\tmovq $0x55, %%r15\n\t"
			 "call context_switch\n\t"
			 "movq %%rbp, %%rsp\n\tpopq %%rbp\n\taddq $128, %%rsp\n\t"
			 "xorq $0x11, %%rbx\n\txorq $0x22, %%r12\n\txorq $0x33, %%r13\n\t"
			 "xorq $0x44, %%r14\n\txorq $0x55, %%r15\n\t"
			 "movq %%rbx, %%rax\n\torq %%r12, %%rax\n\torq %%r13, %%rax\n\t"
			 "orq %%r14, %%rax\n\torq %%r15, %%rax"
			 : "=r"(wrong), "+D"(from), "+S"(to)
			 :
			 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15", "memory", "cc");
	return wrong;
}

RAW static void test_a_switch_keeps_what_a_callee_keeps(void **state)
{
	(void)state;
	context_make(&a, stack_a + STACK_BYTES, spoil_registers, NULL);

	assert_int_equal(registers_after_a_switch(), 0);
	assert_int_equal(registers_after_a_switch(), 0);
}

/* Rounding of SSE (mxcsr bits 13-14) and x87 (control word bits 10-11). */
#define SSE_DOWN 0x2000u
#define SSE_UP 0x4000u
#define X87_DOWN 0x0400u
#define X87_UP 0x0800u

struct rounding {
	unsigned sse;
	unsigned short x87;
};

static struct rounding rounding_inside;

RAW static struct rounding rounding_get(void)
{
	struct rounding r;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(r.sse), "=m"(r.x87));
	r.sse &= SSE_DOWN | SSE_UP;
	r.x87 &= X87_DOWN | X87_UP;
	return r;
}

RAW static void rounding_set(unsigned sse, unsigned short x87)
{
	struct rounding r;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(r.sse), "=m"(r.x87));
	r.sse = (r.sse & ~(SSE_DOWN | SSE_UP)) | sse;
	r.x87 = (unsigned short)((r.x87 & ~(X87_DOWN | X87_UP)) | x87);
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(r.sse), "m"(r.x87));
}

RAW static void round_upward(void *arg)
{
	(void)arg;
	rounding_inside = rounding_get();
	rounding_set(SSE_UP, X87_UP);
	context_switch(&a, &here);
	rounding_inside = rounding_get();
	context_switch(&a, &here);
}

RAW static void test_rounding_modes_stay_with_their_context(void **state)
{
	struct rounding outside;

	(void)state;
	rounding_set(SSE_DOWN, X87_DOWN);
	context_make(&a, stack_a + STACK_BYTES, round_upward, NULL);

	context_switch(&here, &a);
	outside = rounding_get();
	assert_int_equal(rounding_inside.sse, 0); /* a new one starts as a program does */
	assert_int_equal(rounding_inside.x87, 0);
	assert_int_equal(outside.sse, SSE_DOWN);
	assert_int_equal(outside.x87, X87_DOWN);

	context_switch(&here, &a);
	rounding_set(0, 0);
	assert_int_equal(rounding_inside.sse, SSE_UP);
	assert_int_equal(rounding_inside.x87, X87_UP);
}

static void *frames[FRAMES_MAX];
static int nframes;

RAW static long unwind(void *arg)
{
	nframes = backtrace(frames, FRAMES_MAX);
	seen_frame = (uintptr_t)__builtin_frame_address(0);
	return (long)(intptr_t)arg + 1;
}

RAW static void call_back_on_the_system_stack(void *arg)
{
	seen_arg = (void *)context_call_on(&here, unwind, arg);
	context_switch(&a, &here);
}

static bool is_within(const void *pc, void (*fn)(void), size_t bytes)
{
	return (uintptr_t)pc > (uintptr_t)fn && (uintptr_t)pc <= (uintptr_t)fn + bytes;
}

#define ENTRY_BYTES 32   /* context_entry is shorter */
#define CALLER_BYTES 256 /* so is call_back_on_the_system_stack */

RAW static void test_an_unwinder_crosses_stacks_and_stops_at_the_entry(void **state)
{
	bool has_caller = false;

	(void)state;
	context_make(&a, stack_a + STACK_BYTES, call_back_on_the_system_stack, (void *)41);

	context_switch(&here, &a);

	assert_int_equal((intptr_t)seen_arg, 42);
	assert_false(seen_frame > (uintptr_t)stack_a &&
		     seen_frame < (uintptr_t)stack_a + STACK_BYTES);
	for (int i = 0; i < nframes; i++)
		has_caller |= is_within(frames[i], (void (*)(void))call_back_on_the_system_stack,
					CALLER_BYTES);
	assert_true(has_caller);
	assert_true(nframes >= 4 && nframes < FRAMES_MAX);
	assert_true(is_within(frames[nframes - 1], context_entry, ENTRY_BYTES));
}

#define MIGRATIONS 1000

static struct m *self_seen[2];

RAW static void look_at_self(void *arg)
{
	(void)arg;
	for (int i = 0;; i++) {
		self_seen[i & 1] = m_self();
		context_switch(&a, &here);
	}
}

static void *resume_elsewhere(void *arg)
{
	m_self_tls = arg;
	context_switch(&here, &a);
	return NULL;
}

/* Valid to compare, never looked into. */
#define M_OF(n) ((struct m *)(uintptr_t)(0x1000 * (n)))

RAW static void test_own_m_is_that_of_the_thread_it_is_on_now(void **state)
{
	pthread_t t;

	(void)state;
	context_make(&a, stack_a + STACK_BYTES, look_at_self, NULL);
	m_self_tls = M_OF(1);
	for (int i = 0; i < MIGRATIONS; i++) {
		context_switch(&here, &a);
		assert_int_equal(pthread_create(&t, NULL, resume_elsewhere, M_OF(2)), 0);
		pthread_join(t, NULL);
		assert_ptr_equal(self_seen[0], M_OF(1));
		assert_ptr_equal(self_seen[1], M_OF(2));
	}
	m_self_tls = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_context_calls_its_entry_on_its_stack),
		cmocka_unit_test(test_an_odd_top_is_rounded_down),
		cmocka_unit_test(test_two_contexts_go_on_where_they_stopped),
		cmocka_unit_test(test_a_switch_keeps_what_a_callee_keeps),
		cmocka_unit_test(test_rounding_modes_stay_with_their_context),
		cmocka_unit_test(test_an_unwinder_crosses_stacks_and_stops_at_the_entry),
		cmocka_unit_test(test_own_m_is_that_of_the_thread_it_is_on_now),
	};
	void *frame;

	backtrace(&frame, 1); /* loads the unwinder */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
