/* SPDX-License-Identifier: MIT */
/* libgrt as a shared library: replaced or deleted on disk while it runs, and loaded twice. */
#define _GNU_SOURCE
#include "e2e.h"

enum { FINE = 0, NO_TARGET = 4 };

static struct outcome o;

static const char *libgrt(void)
{
	return e2e_path("EXAMPLES_DIR", "../libgrt.so");
}

static struct program loader_start(const char *one, const char *two)
{
	char *argv[] = { (char *)e2e_path("TRACEE_DIR", "loader"), (char *)one, (char *)two, NULL };
	struct program p = program_start(argv, NULL);

	program_expect(&p, "ready");
	return p;
}

static void test_program_without_it_is_none(void **state)
{
	struct program p = loader_start(NULL, NULL);

	(void)state;
	gotrace_pid(&o, NULL, "probes", p.pid);

	assert_code(&o, NO_TARGET);
	assert_says(o.err, "(loader) is not a libgrt program: it looks like a C program");
	program_stop(&p);
}

static void test_library_is_found_in_a_running_program(void **state)
{
	struct program p;

	(void)state;
	file_copy(libgrt(), "one.so");
	p = loader_start("./one.so", NULL);

	/* Its runtime has not been started: the probes are there all the same. */
	gotrace_pid(&o, NULL, "probes", p.pid);

	assert_code(&o, FINE);
	assert_says(o.out, "/one.so, pid");
	assert_says(o.out, ALL_PROBES ", 0 armed");
	program_stop(&p);
}

static void test_library_replaced_or_deleted_on_disk(void **state)
{
	struct program p;

	(void)state;
	file_copy(libgrt(), "one.so");
	p = loader_start("./one.so", NULL);
	file_copy("/bin/sleep", "other");
	assert_int_equal(rename("other", "one.so"), 0);

	gotrace_pid(&o, NULL, "probes", p.pid);
	assert_code(&o, FINE);
	assert_says(o.out, "/one.so (replaced on disk since), pid");
	assert_says(o.out, ALL_PROBES);

	unlink("one.so");
	gotrace_pid(&o, NULL, "probes", p.pid);
	assert_code(&o, FINE);
	assert_says(o.out, ALL_PROBES);
	program_stop(&p);
}

static void test_two_copies_are_refused(void **state)
{
	struct program p;

	(void)state;
	file_copy(libgrt(), "one.so");
	file_copy(libgrt(), "two.so");
	p = loader_start("./one.so", "./two.so");

	gotrace_pid(&o, NULL, "probes", p.pid);

	assert_code(&o, NO_TARGET);
	assert_says(o.err, "(loader) has two copies of libgrt, in ");
	assert_says(o.err, "/one.so");
	assert_says(o.err, "/two.so");
	assert_true(program_lives(&p));
	program_stop(&p);
	unlink("one.so");
	unlink("two.so");
}

static void test_the_library_itself_is_listed(void **state)
{
	(void)state;
	gotrace_on(&o, NULL, "probes", libgrt());

	assert_code(&o, FINE);
	assert_says(o.out, ALL_PROBES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program_without_it_is_none),
		cmocka_unit_test(test_library_is_found_in_a_running_program),
		cmocka_unit_test(test_library_replaced_or_deleted_on_disk),
		cmocka_unit_test(test_two_copies_are_refused),
		cmocka_unit_test(test_the_library_itself_is_listed),
	};

	if (geteuid() != 0)
		e2e_skip("not root: files that were replaced are reached by privilege");
	if (access(libgrt(), R_OK))
		e2e_skip("no libgrt.so beside the examples");
	e2e_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
