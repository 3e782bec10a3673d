/* SPDX-License-Identifier: MIT */
/* Another process's memory in bulk, with holes in it; and which sites are armed. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../tools/target/target.h"

enum { PLACES = 2500, HOLE_EVERY = 7 }; /* more than two calls' worth */

static uint64_t numbers[PLACES];
static uint8_t *fence; /* one page, and none behind it */
static struct target child;

/* A child that has what we have, and waits. */
static int setup(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	(void)state;
	for (int i = 0; i < PLACES; i++)
		numbers[i] = 1000003ull * (uint64_t)(i + 1);
	fence = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(fence + page, page);
	memset(fence, 0x5a, page);
	child.pid = fork();
	if (child.pid == 0)
		for (;;)
			pause();
	child.via_tid = child.pid;
	child.pidfd = (int)syscall(SYS_pidfd_open, child.pid, 0);
	/* From here on ours differ: what is read is the child's. */
	memset(numbers, 0, sizeof(numbers));
	return child.pid > 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
	close(child.pidfd);
	return 0;
}

static void test_holes_read_as_zeros_and_the_rest_in_full(void **state)
{
	static struct target_read r[PLACES];
	static uint64_t got[PLACES];
	int holes = 0;

	(void)state;
	memset(got, 0xff, sizeof(got));
	for (int i = 0; i < PLACES; i++) {
		bool is_hole = i % HOLE_EVERY == 3;

		r[i] = (struct target_read){ is_hole ? 16 : (uintptr_t)&numbers[i], &got[i], 8 };
		holes += is_hole;
	}

	assert_int_equal(target_read_many(&child, r, PLACES), PLACES - holes);

	for (int i = 0; i < PLACES; i++)
		assert_int_equal(got[i], i % HOLE_EVERY == 3 ? 0 : 1000003ull * (uint64_t)(i + 1));
}

static void test_half_a_place_is_none(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t half[16], whole[16];
	struct target_read r[] = {
		{ (uintptr_t)fence + page - 8, half, sizeof(half) },
		{ (uintptr_t)fence + page - 16, whole, sizeof(whole) },
	};

	(void)state;
	memset(half, 0xff, sizeof(half));
	assert_int_equal(target_read_many(&child, r, 2), 1);

	for (size_t i = 0; i < sizeof(half); i++) {
		assert_int_equal(half[i], 0);
		assert_int_equal(whole[i], 0x5a);
	}
	assert_int_equal(target_read_many(&child, NULL, 0), 0);
}

static void test_sites_with_a_breakpoint_are_armed(void **state)
{
	static uint8_t code[3] = { 0x90, 0xcc, 0x90 };
	struct probe_site site[3];
	struct target t = {
		.pid = getpid(), .via_tid = getpid(), .pidfd = -1, .site = site, .nsites = 3
	};
	uint64_t bitmap;

	(void)state;
	memset(site, 0, sizeof(site));
	for (int i = 0; i < 3; i++)
		site[i].addr = (uintptr_t)&code[i];
	assert_int_equal(target_read_armed(&t, &bitmap), 1);
	assert_int_equal(bitmap, 2);

	code[1] = 0x90;
	assert_int_equal(target_read_armed(&t, &bitmap), 0);
	assert_int_equal(bitmap, 0);
}

static void test_process_that_has_ended(void **state)
{
	pid_t pid = fork();
	struct target t = { .pid = pid, .via_tid = pid };
	struct target_read r = { (uintptr_t)numbers, numbers, 8 };

	(void)state;
	if (pid == 0)
		for (;;)
			pause();
	t.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(target_is_alive(&t));

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	assert_false(target_is_alive(&t));
	assert_int_equal(target_read_many(&t, &r, 1), -ESRCH);
	close(t.pidfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holes_read_as_zeros_and_the_rest_in_full),
		cmocka_unit_test(test_half_a_place_is_none),
		cmocka_unit_test(test_sites_with_a_breakpoint_are_armed),
		cmocka_unit_test(test_process_that_has_ended),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
