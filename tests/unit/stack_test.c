/* SPDX-License-Identifier: MIT */
/* stack_test.c - stacks are usable to the last byte, guarded below, and cost no mapping each. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../runtime/stack.h"

#define MANY 2000
#define CHILD_FAILED 99
#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL, younger than libc's headers */

static int status_of(void (*body)(void), char *ret_said, size_t bytes)
{
	int out[2], status;
	ssize_t n, len = 0;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		signal(SIGSEGV, SIG_DFL); /* cmocka's and the sanitizer's would go on */
		signal(SIGBUS, SIG_DFL);
		body();
		_exit(0);
	}
	close(out[1]);
	while ((n = read(out[0], ret_said + len, bytes - 1 - (size_t)len)) > 0)
		len += n;
	ret_said[len] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void expect(bool cond)
{
	if (!cond)
		_exit(CHILD_FAILED);
}

static int maps_count(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int c, n = 0;

	expect(f != NULL);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static void test_every_byte_is_usable_and_zero(void **state)
{
	struct stack s;

	(void)state;
	stack_init(0);
	assert_true(stack_new(&s));

	assert_int_equal(s.hi - s.lo, STACK_SIZE);
	assert_int_equal(stack_usable(), STACK_SIZE);
	for (char *at = s.lo; at < s.hi; at++)
		assert_int_equal(*at, 0);
	memset(s.lo, 1, (size_t)(s.hi - s.lo));
}

static void test_sizes_are_rounded_up_to_pages(void **state)
{
	struct stack s;

	(void)state;
	stack_init(100001);
	assert_int_equal(stack_usable(), 102400);
	assert_true(stack_new(&s));
	assert_int_equal(s.hi - s.lo, 102400);
}

static void test_only_the_guard_below_counts_as_a_hit(void **state)
{
	struct stack s;

	(void)state;
	stack_init(0);
	assert_true(stack_new(&s));

	assert_true(stack_guard_hit(&s, s.lo - 1));
	assert_true(stack_guard_hit(&s, s.lo - STACK_GUARD));
	assert_false(stack_guard_hit(&s, s.lo - STACK_GUARD - 1));
	assert_false(stack_guard_hit(&s, s.lo));
	assert_false(stack_guard_hit(&s, s.hi));
	assert_false(stack_guard_hit(&s, NULL));
}

/* The kernel must fail where the program would die: at both ends of the guard, and nowhere else. */
static void expect_a_guarded_stack(void)
{
	int zero = open("/dev/zero", O_RDONLY);
	struct stack s;

	expect(stack_new(&s));
	for (int i = 0; i < 2; i++) {
		char *at = i == 0 ? s.lo - 1 : s.lo - STACK_GUARD;

		errno = 0;
		expect(read(zero, at, 1) == -1 && errno == EFAULT);
	}
	expect(read(zero, s.lo, 1) == 1);
	expect(read(zero, s.hi - 1, 1) == 1);
	close(zero);
}

static void guards_of_many_stacks(void)
{
	int before;

	stack_init(0);
	before = maps_count();
	for (int i = 0; i < MANY; i++)
		expect_a_guarded_stack();
	if (stack_guard_is_cheap())
		expect(maps_count() - before < 16);
}

static void test_many_stacks_are_all_guarded_in_few_mappings(void **state)
{
	char said[4096];

	(void)state;
	assert_int_equal(status_of(guards_of_many_stacks, said, sizeof(said)), 0);
}

static void write_below(void)
{
	struct stack s;

	stack_init(0);
	expect(stack_new(&s));
	s.lo[-1] = 1;
}

static void test_a_write_below_is_a_fault(void **state)
{
	char said[4096];
	int status = status_of(write_below, said, sizeof(said));

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

/* madvise(, , MADV_GUARD_INSTALL) gives `action`; all else is as before. */
static void guard_install_is(u32 action)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GUARD_INSTALL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
}

static void old_kernel(void)
{
	guard_install_is(SECCOMP_RET_ERRNO | EINVAL);
	stack_init(0);
	expect(!stack_guard_is_cheap());
	for (int i = 0; i < 10; i++)
		expect_a_guarded_stack();
}

static void emulator_that_lies(void)
{
	guard_install_is(SECCOMP_RET_ERRNO | 0); /* "done", and nothing done */
	stack_init(0);
	expect(!stack_guard_is_cheap());
	expect_a_guarded_stack();
}

static void said_once(const char *said)
{
	const char *first = strstr(said, "guards of stacks cost a mapping each");

	assert_non_null(first);
	assert_null(strstr(first + 1, "guards of stacks"));
}

static void test_an_old_kernel_gets_mprotect_and_says_so_once(void **state)
{
	char said[4096];

	(void)state;
	assert_int_equal(status_of(old_kernel, said, sizeof(said)), 0);
	said_once(said);
}

static void test_a_guard_that_does_not_guard_is_not_believed(void **state)
{
	char said[4096];

	(void)state;
	assert_int_equal(status_of(emulator_that_lies, said, sizeof(said)), 0);
	said_once(said);
}

static void locked_memory(void)
{
	stack_init(0);
	expect(mlockall(MCL_FUTURE | MCL_ONFAULT) == 0);
	for (int i = 0; i < 10; i++)
		expect_a_guarded_stack();
}

static void test_locked_memory_is_guarded_too(void **state)
{
	struct rlimit r;
	char said[4096];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &r), 0);
	if (geteuid() != 0 && r.rlim_cur != RLIM_INFINITY)
		skip();
	assert_int_equal(status_of(locked_memory, said, sizeof(said)), 0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* Address space ends: stack_new says so, and the next call does not give a wrong stack. */
static void no_memory(void)
{
	struct rlimit r = { 0, 0 };
	struct stack s;
	int got = 0;

	stack_init(0);
	expect(stack_new(&s));
	expect(setrlimit(RLIMIT_AS, &r) == 0);
	while (stack_new(&s)) {
		s.hi[-1] = 1;
		expect(++got < 100000);
	}
	expect(errno == ENOMEM);
	expect(got > 0);
	expect(!stack_new(&s));
}

static void test_no_memory_is_told(void **state)
{
	char said[4096];

	(void)state;
	assert_int_equal(status_of(no_memory, said, sizeof(said)), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_byte_is_usable_and_zero),
		cmocka_unit_test(test_sizes_are_rounded_up_to_pages),
		cmocka_unit_test(test_only_the_guard_below_counts_as_a_hit),
		cmocka_unit_test(test_many_stacks_are_all_guarded_in_few_mappings),
		cmocka_unit_test(test_a_write_below_is_a_fault),
		cmocka_unit_test(test_an_old_kernel_gets_mprotect_and_says_so_once),
		cmocka_unit_test(test_a_guard_that_does_not_guard_is_not_believed),
		cmocka_unit_test(test_locked_memory_is_guarded_too),
#if !defined(__SANITIZE_ADDRESS__) && \
	!defined(__SANITIZE_THREAD__) /* their shadow is address space */
		cmocka_unit_test(test_no_memory_is_told),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
