/* SPDX-License-Identifier: MIT */
/*
 * foreign_stack_test.c - foreign code has the thread's system stack, whole, and whatever watches stacks
 * (a sanitizer, an unwinder) knows it.
 */
#include "runtime_test.h"

#include <execinfo.h>

#define LARGE (700u << 10)
#define FRAMES_MAX 64

static struct child child;

#ifdef __SANITIZE_ADDRESS__
/* The mode in which it must know each stack. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=1";
}
#endif

static long jump_back(void *arg)
{
	volatile char frame[2000];
	jmp_buf home;

	frame[0] = 1;
	if (setjmp(home) == 0)
		longjmp(home, 1);
	return (long)(intptr_t)arg + frame[0];
}

static int jump_in_foreign_code(void *arg)
{
	(void)arg;
	for (long i = 0; i < 100; i++) {
		EXPECT_EQ(grt_blocking_call(jump_back, (void *)i), i + 1);
		grt_yield();
	}
	return 0;
}

static void jumper(void)
{
	grt_run(jump_in_foreign_code, NULL);
}

static void foreign_code_may_jump_and_nobody_complains(void **state)
{
	(void)state;
	child_run(&child, jumper);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.output, "");
}

#ifndef __SANITIZE_THREAD__ /* its own state takes most of a thread's stack */
static long fill(void *arg)
{
	volatile char large[LARGE];

	for (size_t i = 0; i < LARGE; i += 512)
		large[i] = (char)(intptr_t)arg;
	return large[LARGE - 512];
}

RUNTIME_TEST(foreign_code_has_a_large_stack, 2)
{
	for (long i = 1; i <= 10; i++) {
		EXPECT_EQ(grt_blocking_call(fill, (void *)i), i);
		grt_yield();
	}
}
#endif

static long nested(void *arg)
{
	return grt_blocking_call(jump_back, arg) + 1;
}

RUNTIME_TEST(a_foreign_call_in_a_foreign_call_is_a_plain_call, 1)
{
	EXPECT_EQ(grt_blocking_call(nested, (void *)40), 42);
}

static void *frames[FRAMES_MAX];

static long look_around(void *arg)
{
	(void)arg;
	return backtrace(frames, FRAMES_MAX);
}

static bool is_in(const void *pc, int (*fn)(void *), size_t bytes)
{
	return (uintptr_t)pc - (uintptr_t)fn < bytes;
}

#define CALLER_BYTES 512 /* more than the function below has */

__attribute__((noinline)) static int call_from_here(void *arg)
{
	long n;

	(void)arg;
	n = grt_blocking_call(look_around, NULL);
	for (long i = 0; i < n; i++)
		if (is_in(frames[i], call_from_here, CALLER_BYTES))
			return (int)n;
	return 0;
}

RUNTIME_TEST(an_unwinder_finds_the_goroutine_that_called, 1)
{
	int n;

	backtrace(frames, 1); /* loads the unwinder */
	n = call_from_here(NULL);
	EXPECT(n > 0 && n < FRAMES_MAX, "%d frames, none of the caller", n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_code_may_jump_and_nobody_complains),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(foreign_code_has_a_large_stack),
#endif
		cmocka_unit_test(a_foreign_call_in_a_foreign_call_is_a_plain_call),
		cmocka_unit_test(an_unwinder_finds_the_goroutine_that_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
