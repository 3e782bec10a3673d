/* SPDX-License-Identifier: MIT */
/*
 * overflow_test.c - the handler of faults alone, under an M made by hand: what it takes for an
 * overflow, and that anything else gets to whoever had the signal before. Last words, too.
 */
#include "../sched/runtime_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "../../runtime/context.h"
#include "../../runtime/fatal.h"
#include "../../runtime/fault.h"
#include "../../runtime/stack.h"

#define GOID 42
#define HANDLER_EXIT 43
#define SURVIVED_EXIT 44

static struct child child;
static struct m m = { .id = 7 };
static struct g g = { .goid = GOID };
static struct context system_stack;
static char *volatile no_address;
static volatile int never;

/* --- given ------------------------------------------------------------------------------------ */

static void given_handler(int nr, int flags, void *handler)
{
	struct sigaction sa = { .sa_flags = flags };

	if (flags & SA_SIGINFO)
		sa.sa_sigaction = (void (*)(int, siginfo_t *, void *))(uintptr_t)handler;
	else
		sa.sa_handler = (void (*)(int))(uintptr_t)handler;
	EXPECT_EQ(sigaction(nr, &sa, NULL), 0);
}

/* A thread of the runtime that runs a goroutine, and the handler on top of what was there. */
static void given_m_with_g(void)
{
	static char signal_stack[SIGNAL_STACK_SIZE] __attribute__((aligned(64)));

	stack_init(0);
	EXPECT(stack_new(&g.stack), "no stack");
	m.curg = &g;
	m_self_tls = &m;
	fault_init();
	fault_thread_init(signal_stack);
}

static void given_default_handlers(void)
{
	given_handler(SIGSEGV, 0, (void *)SIG_DFL);
	given_handler(SIGBUS, 0, (void *)SIG_DFL);
}

static void on_goroutine_stack(void (*fn)(void *))
{
	struct context ctx;

	context_make(&ctx, g.stack.hi, fn, NULL);
	context_switch(&system_stack, &ctx);
}

static void back_to_system_stack(void)
{
	struct context ctx;

	context_switch(&ctx, &system_stack);
}

/* --- bodies ----------------------------------------------------------------------------------- */

__attribute__((noinline)) static int recurse(int n)
{
	volatile char frame[64];

	frame[0] = (char)n;
	return never ? n : recurse(n + 1) + frame[0];
}

static void overflow(void *arg)
{
	(void)arg;
	recurse(1);
}

static void write_to_no_address(void *arg)
{
	(void)arg;
	*no_address = 1;
}

static void write_to_own_guard(void *arg)
{
	(void)arg;
	*(volatile char *)(g.stack.lo - 1) = 1;
}

static void handler_with_info(int nr, siginfo_t *info, void *uc)
{
	_exit(nr == SIGSEGV && info->si_addr == no_address && uc ? HANDLER_EXIT : 1);
}

static void handler_without_info(int nr)
{
	_exit(nr == SIGSEGV ? HANDLER_EXIT : 1);
}

static void overflow_with_a_handler_before(void)
{
	given_handler(SIGSEGV, SA_SIGINFO, handler_with_info);
	given_handler(SIGBUS, 0, (void *)SIG_DFL);
	given_m_with_g();
	on_goroutine_stack(overflow);
}

static void fault_with_info_handler_before(void)
{
	given_handler(SIGSEGV, SA_SIGINFO, handler_with_info);
	given_m_with_g();
	on_goroutine_stack(write_to_no_address);
}

static void fault_with_plain_handler_before(void)
{
	given_handler(SIGSEGV, 0, handler_without_info);
	given_m_with_g();
	on_goroutine_stack(write_to_no_address);
}

/* Not from the goroutine's stack: a pointer that went astray. */
static void guard_is_written_from_elsewhere(void)
{
	given_default_handlers();
	given_m_with_g();
	write_to_own_guard(NULL);
}

static void guard_is_written_from_its_stack(void)
{
	given_default_handlers();
	given_m_with_g();
	on_goroutine_stack(write_to_own_guard);
}

static void m_runs_no_goroutine(void)
{
	given_default_handlers();
	given_m_with_g();
	m.curg = NULL;
	on_goroutine_stack(write_to_own_guard);
}

static void *fault_in_thread(void *arg)
{
	write_to_no_address(arg);
	return NULL;
}

static void thread_without_m(void)
{
	pthread_t t;

	given_default_handlers();
	given_m_with_g();
	EXPECT_EQ(pthread_create(&t, NULL, fault_in_thread, NULL), 0);
	pthread_join(t, NULL);
}

static void signal_is_sent(int nr)
{
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), nr);
}

static void send_segv_twice(void *arg)
{
	(void)arg;
	signal_is_sent(SIGSEGV);
	signal_is_sent(SIGSEGV);
	back_to_system_stack();
}

static void sent_and_default(void)
{
	given_default_handlers();
	given_m_with_g();
	on_goroutine_stack(send_segv_twice);
	_exit(SURVIVED_EXIT);
}

static void sent_and_ignored(void)
{
	given_handler(SIGSEGV, 0, (void *)SIG_IGN);
	given_m_with_g();
	on_goroutine_stack(send_segv_twice);
	_exit(SURVIVED_EXIT);
}

static void fault_and_ignored(void)
{
	given_handler(SIGSEGV, 0, (void *)SIG_IGN);
	given_m_with_g();
	on_goroutine_stack(write_to_no_address);
	_exit(SURVIVED_EXIT);
}

static void bus_error_is_sent(void)
{
	given_default_handlers();
	given_m_with_g();
	signal_is_sent(SIGBUS);
	_exit(SURVIVED_EXIT);
}

static void fatal_is_said(void)
{
	fatal_("%s is %d", "answer", GOID);
}

static void something_long_is_said(void)
{
	static char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	fatal_("%s", text);
}

static void *throw_in_thread(void *go)
{
	pthread_barrier_wait(go);
	throw_("a thread of two");
}

static void two_threads_throw(void)
{
	pthread_barrier_t go;
	pthread_t t[2];

	pthread_barrier_init(&go, NULL, 2);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(pthread_create(&t[i], NULL, throw_in_thread, &go), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
}

/* --- then ------------------------------------------------------------------------------------- */

static void assert_exit(int status)
{
	if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != status)
		fail_msg("status 0x%x:\n%s", (unsigned)child.status, child.output);
}

static void assert_killed_without_a_word(int nr)
{
	if (!WIFSIGNALED(child.status) || WTERMSIG(child.status) != nr)
		fail_msg("status 0x%x:\n%s", (unsigned)child.status, child.output);
	assert_string_equal(child.output, "");
}

static int count_in_output(const char *text)
{
	int n = 0;

	for (const char *at = child.output; (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void assert_told_as_overflow(void)
{
	assert_exit(FATAL_EXIT);
	assert_ptr_equal(strstr(child.output, "runtime: goroutine stack exceeds 65536-byte limit\n"
					      "fatal error: stack overflow\n"
					      "\n"
					      "goroutine 42 [running]:\n"),
			 child.output);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_an_overflow_is_ours_whoever_had_the_signal(void **state)
{
	(void)state;
	child_run(&child, overflow_with_a_handler_before);
	assert_told_as_overflow();
}

static void test_a_write_below_the_stack_from_it_is_an_overflow(void **state)
{
	(void)state;
	child_run(&child, guard_is_written_from_its_stack);
	assert_told_as_overflow();
}

static void test_a_write_below_the_stack_from_elsewhere_is_none(void **state)
{
	(void)state;
	child_run(&child, guard_is_written_from_elsewhere);
	assert_killed_without_a_word(SIGSEGV);
}

static void test_without_a_goroutine_there_is_no_overflow(void **state)
{
	(void)state;
	child_run(&child, m_runs_no_goroutine);
	assert_killed_without_a_word(SIGSEGV);
}

static void test_a_thread_that_is_no_m_dies_as_ever(void **state)
{
	(void)state;
	child_run(&child, thread_without_m);
	assert_killed_without_a_word(SIGSEGV);
}

static void test_another_fault_goes_to_the_handler_before(void **state)
{
	(void)state;
	child_run(&child, fault_with_info_handler_before);
	assert_exit(HANDLER_EXIT);
	child_run(&child, fault_with_plain_handler_before);
	assert_exit(HANDLER_EXIT);
}

static void test_a_signal_that_was_sent_kills_by_default(void **state)
{
	(void)state;
	child_run(&child, sent_and_default);
	assert_killed_without_a_word(SIGSEGV);
	child_run(&child, bus_error_is_sent);
	assert_killed_without_a_word(SIGBUS);
}

static void test_what_was_ignored_stays_ignored_unless_it_is_a_fault(void **state)
{
	(void)state;
	child_run(&child, sent_and_ignored);
	assert_exit(SURVIVED_EXIT);
	child_run(&child, fault_and_ignored);
	assert_killed_without_a_word(SIGSEGV);
}

static void test_last_words_are_one_line_and_a_status(void **state)
{
	(void)state;
	child_run(&child, fatal_is_said);
	assert_exit(FATAL_EXIT);
	assert_string_equal(child.output, "fatal error: answer is 42\n");
}

static void test_last_words_that_are_too_long_end_as_a_line(void **state)
{
	size_t n;

	(void)state;
	child_run(&child, something_long_is_said);
	assert_exit(FATAL_EXIT);
	n = strlen(child.output);
	assert_in_range(n, 1000, 1024);
	assert_int_equal(child.output[n - 1], '\n');
	assert_int_equal(child.output[n - 2], 'x');
}

static void test_of_two_threads_one_tells_the_story(void **state)
{
	(void)state;
	child_run(&child, two_threads_throw);
	assert_exit(FATAL_EXIT);
	assert_in_range(count_in_output("fatal error: a thread of two\n"), 1, 2);
	assert_int_equal(count_in_output("runtime stack:\n"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_overflow_is_ours_whoever_had_the_signal),
		cmocka_unit_test(test_a_write_below_the_stack_from_it_is_an_overflow),
		cmocka_unit_test(test_a_write_below_the_stack_from_elsewhere_is_none),
		cmocka_unit_test(test_without_a_goroutine_there_is_no_overflow),
		cmocka_unit_test(test_a_thread_that_is_no_m_dies_as_ever),
		cmocka_unit_test(test_another_fault_goes_to_the_handler_before),
		cmocka_unit_test(test_a_signal_that_was_sent_kills_by_default),
		cmocka_unit_test(test_what_was_ignored_stays_ignored_unless_it_is_a_fault),
		cmocka_unit_test(test_last_words_are_one_line_and_a_status),
		cmocka_unit_test(test_last_words_that_are_too_long_end_as_a_line),
		cmocka_unit_test(test_of_two_threads_one_tells_the_story),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
