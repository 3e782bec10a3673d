/* SPDX-License-Identifier: MIT */
/*
 * source_rows_test.c - a snapshot of a live process: both ways of looking at threads, by the iterator and
 * by /proc, agree with /proc on who there is, and tell hostages from threads that only watch.
 */
#define _GNU_SOURCE
#include "source.h"

/* The read at the gate was made without grt_: its P can run nobody. */
static void gate_is_seen(bool sample_only)
{
	struct fixture f;

	given_gate(&f, "1");
	f.s = source_on(f.t, sample_only);

	AWAIT(&f, snapshot_fits(&f));

	assert_int_equal(status_of(f.s).has_iterator, !sample_only);
	assert_int_equal(f.seen.hostage.arg[2] >> 32, SYS_read);
	assert_int_equal(f.seen.hostage_call.tid, f.seen.hostage.tid);
	assert_int_equal(f.seen.hostage_call.arg[0], f.target_fd);
	assert_int_equal(f.seen.hostage_call.arg[2], 1); /* of one byte */
	end(&f);
}

static void test_hostage_is_named_by_the_iterator(void **state)
{
	(void)state;
	gate_is_seen(false);
}

static void test_hostage_is_named_by_proc(void **state)
{
	(void)state;
	gate_is_seen(true);
}

/* The rows are those of all threads but one. */
static bool is_left_out(struct fixture *f)
{
	unsigned there = tasks(f->p.pid);

	f->s->ops->snapshot(f->s, on_record, &f->seen);
	return tasks(f->p.pid) == there && f->seen.rows == there - 1 &&
	       f->seen.state[GRT_MS_foreign] == 0 && f->seen.end.arg[4] == 1;
}

static void observer_is_left_out(bool sample_only)
{
	struct fixture f;

	given_gate(&f, "observer");
	f.s = source_on(f.t, sample_only);
	assert_int_equal(write(f.gate, "", 1), 1);
	program_expect(&f.p, "observer: ");

	AWAIT(&f, is_left_out(&f));
	end(&f);
}

static void test_threads_that_only_watch_are_left_out_by_the_iterator(void **state)
{
	(void)state;
	observer_is_left_out(false);
}

static void test_threads_that_only_watch_are_left_out_by_proc(void **state)
{
	(void)state;
	observer_is_left_out(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostage_is_named_by_the_iterator),
		cmocka_unit_test(test_hostage_is_named_by_proc),
		cmocka_unit_test(test_threads_that_only_watch_are_left_out_by_the_iterator),
		cmocka_unit_test(test_threads_that_only_watch_are_left_out_by_proc),
	};

	source_tests_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
