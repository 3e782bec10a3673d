/* SPDX-License-Identifier: MIT */
/*
 * limits_test.c - limits of threads from a cgroup tree made of plain files, and from /proc's text.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/source/limits.h"
#include "cgroups.h"

static void limit_is(const char *path, uint64_t max, uint64_t used)
{
	uint64_t got_max, got_used;

	limits_cgroup_read(root, path, &got_max, &got_used);
	assert_int_equal(got_max, max);
	assert_int_equal(got_used, used);
}

static void test_the_nearest_limit_above_counts(void **state)
{
	(void)state;
	put("/a", "pids.max", "100\n");
	put("/a", "pids.current", "95\n");
	put("/a/b", "pids.max", "50\n");
	put("/a/b", "pids.current", "10\n");
	put("/a/b/c", "pids.max", "max\n");
	put("/a/b/c", "pids.current", "10\n");
	limit_is("/a/b/c", 100, 95);
	limit_is("/a/b", 100, 95);
	put("/a", "pids.current", "20\n");
	limit_is("/a/b/c", 50, 10);
}

static void test_none_is_told_apart_from_a_number(void **state)
{
	(void)state;
	put("/open", "pids.max", "max\n");
	put("/open", "pids.current", "7\n");
	limit_is("/open", LIMITS_NONE, LIMITS_NONE);
	limit_is("/not/there", LIMITS_NONE, LIMITS_NONE);
	put("/empty", "pids.max", "");
	put("/empty", "pids.current", "7\n");
	limit_is("/empty", LIMITS_NONE, LIMITS_NONE);
}

/* A limit may be lowered below what is there: nothing is nearer than that. */
static void test_a_limit_already_passed_is_the_nearest(void **state)
{
	(void)state;
	put("/over", "pids.max", "5\n");
	put("/over", "pids.current", "9\n");
	limit_is("/over", 5, 9);
	put("/over/below", "pids.max", "100\n");
	put("/over/below", "pids.current", "9\n");
	limit_is("/over/below", 5, 9);
}

static void test_processes_of_a_user(void **state)
{
	static const char text[] =
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max cpu time              unlimited            unlimited            seconds   \n"
		"Max processes             4096                 8192                 processes \n";

	(void)state;
	assert_int_equal(limits_nproc_parse(text), 4096);
	assert_int_equal(limits_nproc_parse("Max processes  unlimited  unlimited  processes\n"),
			 LIMITS_NONE);
	assert_int_equal(limits_nproc_parse("Max cpu time  1\n"), LIMITS_NONE);
	assert_int_equal(limits_nproc_parse(""), LIMITS_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_nearest_limit_above_counts),
		cmocka_unit_test(test_none_is_told_apart_from_a_number),
		cmocka_unit_test(test_a_limit_already_passed_is_the_nearest),
		cmocka_unit_test(test_processes_of_a_user),
	};

	if (!mkdtemp(root))
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_root);
}
