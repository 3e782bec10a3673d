/* SPDX-License-Identifier: MIT */
/* overflow_test.c - a stack overflow is told as one, whatever its frames; any other fault is not. */
#include "runtime_test.h"

#define BIG_FRAME 65536

static struct child child;
static volatile int never; /* recursion has an end, or the compiler makes a loop of it */

__attribute__((noinline)) static int recurse_big(int n)
{
	volatile char frame[BIG_FRAME];

	frame[0] = (char)n;
	frame[BIG_FRAME - 1] = (char)n;
	return never ? n : recurse_big(n + 1) + frame[0];
}

__attribute__((noinline)) static int recurse_small(int n)
{
	volatile char frame[16];

	frame[0] = (char)n;
	return never ? n : recurse_small(n + 1) + frame[0];
}

static void big(void *arg)
{
	(void)arg;
	recurse_big(1);
}

static void small(void *arg)
{
	(void)arg;
	recurse_small(1);
}

static void null_write(void *arg)
{
	(void)arg;
	*(volatile int *)(intptr_t)never = 1;
}

static long foreign_overflow(void *arg)
{
	(void)arg;
	return recurse_small(1);
}

static void foreign(void *arg)
{
	grt_blocking_call(foreign_overflow, arg);
}

static long foreign_overflow_big(void *arg)
{
	(void)arg;
	return recurse_big(1);
}

static void foreign_big(void *arg)
{
	grt_blocking_call(foreign_overflow_big, arg);
}

static void (*body)(void *);

static int start_and_wait(void *arg)
{
	(void)arg;
	grt_go(body, NULL);
	while (!never)
		grt_sleep(1000000000);
	return 0;
}

static int directly(void *arg)
{
	body(arg);
	return 0;
}

static void in_goroutine(void)
{
	grt_run(start_and_wait, NULL);
}

static void in_main(void)
{
	grt_run(directly, NULL);
}

/* Below the headline: the innermost functions, by name. */
static void assert_names_in_backtrace(const char *headline, const char *function, int n)
{
	char *line = strstr(child.output, headline);

	assert_non_null(line);
	for (int i = 0; i < n; i++) {
		line = strchr(line, '\n');
		assert_non_null(line);
		line++;
		if (strncmp(line, function, strlen(function)) != 0 || line[strlen(function)] != '+')
			fail_msg("not in %s:\n%s", function, child.output);
	}
}

static void assert_is_told(const char *goroutine, const char *function, int n)
{

	if (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != 2)
		fail_msg("status 0x%x:\n%s", (unsigned)child.status, child.output);
	assert_non_null(strstr(child.output, "runtime: goroutine stack exceeds 65536-byte limit\n"
					     "fatal error: stack overflow\n\n"));
	assert_names_in_backtrace(goroutine, function, n);
}

static void assert_is_an_ordinary_fault(void)
{
	assert_null(strstr(child.output, "stack overflow\n\ngoroutine"));
#ifdef __SANITIZE_ADDRESS__
	assert_int_not_equal(child.status, 0); /* its own report, its own status */
#else
	assert_true(WIFSIGNALED(child.status));
	assert_int_equal(WTERMSIG(child.status), SIGSEGV);
#endif
}

static void small_frames(void **state)
{
	(void)state;
	body = small;
	child_run(&child, in_goroutine);
	assert_is_told("goroutine 2 [running]:", "recurse_small", 10);
}

static void frames_as_large_as_the_stack(void **state)
{
	(void)state;
	body = big;
	child_run(&child, in_goroutine);
	assert_is_told("goroutine 2 [running]:", "recurse_big", 1); /* the first is too large */
}

static void on_the_main_goroutine(void **state)
{
	(void)state;
	body = small;
	child_run(&child, in_main);
	assert_is_told("goroutine 1 [running]:", "recurse_small", 10);
}

static void a_null_pointer_is_no_overflow(void **state)
{
	(void)state;
	body = null_write;
	child_run(&child, in_goroutine);
	assert_is_an_ordinary_fault();
}

static void assert_thread_is_named(const char *function)
{
	assert_is_an_ordinary_fault();
	assert_non_null(strstr(child.output, "runtime: system stack of M"));
	assert_names_in_backtrace("goroutine 2 [foreign call]:", function, 3);
}

static void foreign_code_overflows_a_threads_stack(void **state)
{
	(void)state;
	body = foreign;
	child_run(&child, in_goroutine);
	assert_thread_is_named("recurse_small");
}

static void foreign_frames_as_large_as_a_guard(void **state)
{
	(void)state;
	body = foreign_big;
	child_run(&child, in_goroutine);
	assert_thread_is_named("recurse_big");
}

/* What a program had installed before grt_run. */
#define OWN_STATUS 7

static void own_handler(int nr)
{
	_exit(nr == SIGSEGV ? OWN_STATUS : 1);
}

static void own_handler_info(int nr, siginfo_t *info, void *uc)
{
	(void)uc;
	_exit(nr == SIGSEGV && info->si_addr == NULL ? OWN_STATUS : 1);
}

static void in_goroutine_with_a_handler(void)
{
	struct sigaction sa = { .sa_handler = own_handler };

	sigaction(SIGSEGV, &sa, NULL);
	in_goroutine();
}

static void in_goroutine_with_a_handler_of_three(void)
{
	struct sigaction sa = { .sa_sigaction = own_handler_info, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &sa, NULL);
	in_goroutine();
}

static void a_handler_from_before_gets_other_faults(void **state)
{
	(void)state;
	body = null_write;
	child_run(&child, in_goroutine_with_a_handler);
	assert_true(WIFEXITED(child.status));
	assert_int_equal(WEXITSTATUS(child.status), OWN_STATUS);
	child_run(&child, in_goroutine_with_a_handler_of_three);
	assert_true(WIFEXITED(child.status));
	assert_int_equal(WEXITSTATUS(child.status), OWN_STATUS);
}

static void a_handler_from_before_gets_no_overflow(void **state)
{
	(void)state;
	body = small;
	child_run(&child, in_goroutine_with_a_handler);
	assert_is_told("goroutine 2 [running]:", "recurse_small", 10);
}

/* Sent, and not a fault: an ignored signal stays ignored, any other ends the process. */
static int send_signal(void *arg)
{
	(void)arg;
	raise(SIGSEGV);
	return 0;
}

static void with_the_signal_ignored(void)
{
	signal(SIGSEGV, SIG_IGN);
	_exit(grt_run(send_signal, NULL) == 0 ? 0 : 1);
}

static void with_the_signal_default(void)
{
	signal(SIGSEGV, SIG_DFL);
	grt_run(send_signal, NULL);
}

static void a_signal_that_was_sent_acts_as_before(void **state)
{
	(void)state;
	child_run(&child, with_the_signal_ignored);
	assert_int_equal(child.status, 0);
	child_run(&child, with_the_signal_default);
	assert_true(WIFSIGNALED(child.status));
	assert_int_equal(WTERMSIG(child.status), SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_frames),
		cmocka_unit_test(frames_as_large_as_the_stack),
		cmocka_unit_test(on_the_main_goroutine),
		cmocka_unit_test(a_null_pointer_is_no_overflow),
		cmocka_unit_test(foreign_code_overflows_a_threads_stack),
		cmocka_unit_test(foreign_frames_as_large_as_a_guard),
		cmocka_unit_test(a_handler_from_before_gets_other_faults),
		cmocka_unit_test(a_handler_from_before_gets_no_overflow),
		cmocka_unit_test(a_signal_that_was_sent_acts_as_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
