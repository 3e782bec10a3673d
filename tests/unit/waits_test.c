/* SPDX-License-Identifier: MIT */
/*
 * waits_test.c - how long Ps waited for a CPU: quotas from a cgroup tree made of plain files, of both
 * versions; sums over looks; the line that `threads` makes of them (C21).
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/source/waits.h"
#include "cgroups.h"
#include "scene.h"
#include "screen.h"

#define SEC_NS 1000000000ull

static void test_of_the_first_version_the_tightest_quota_above_counts(void **state)
{
	struct quota q = { 0 };

	(void)state;
	put("/a", "cpu.cfs_quota_us", "400000\n");
	put("/a", "cpu.cfs_period_us", "1000000\n");
	put("/a", "cpu.stat", "nr_periods 7\nnr_throttled 6\nthrottled_time 9600000000\n");
	put("/a/b", "cpu.cfs_quota_us", "-1\n");
	put("/a/b", "cpu.cfs_period_us", "100000\n");
	put("/a/b/c", "cpu.cfs_quota_us", "200000\n");
	put("/a/b/c", "cpu.cfs_period_us", "100000\n");

	assert_true(quota_read(root, "/a/b/c", true, &q));

	assert_int_equal(q.quota_ns, 400000000);
	assert_int_equal(q.period_ns, SEC_NS);
	assert_int_equal(q.periods, 7);
	assert_int_equal(q.throttled_periods, 6);
	assert_int_equal(q.throttled_ns, 9600000000);
}

static void test_of_the_second_version_what_has_not_ended_is_in_the_local_one(void **state)
{
	struct quota q = { 0 };

	(void)state;
	put("/v", "cpu.max", "50000 100000\n");
	put("/v", "cpu.stat",
	    "usage_usec 5\nnr_periods 30\nnr_throttled 20\nthrottled_usec 900000\n");
	put("/v", "cpu.stat.local", "throttled_usec 950000\n");
	put("/v/w", "cpu.max", "max 100000\n");

	assert_true(quota_read(root, "/v/w", false, &q));

	assert_int_equal(q.quota_ns, 50000000);
	assert_int_equal(q.period_ns, 100000000);
	assert_int_equal(q.throttled_ns, 950000000);
}

static void test_without_a_quota_there_is_none(void **state)
{
	struct quota q;

	(void)state;
	put("/none", "cpu.max", "max 100000\n");
	assert_false(quota_read(root, "/none", false, &q));
	assert_false(quota_read(root, "/none", true, &q));
	assert_false(quota_read(root, "/", false, &q));
}

static struct grt_rec told;

static void tell(void *unused, const struct grt_rec *rec)
{
	(void)unused;
	told = *rec;
}

static struct thread_row row_of(uint32_t tid, uint64_t waited_ns, uint64_t queued_ns,
				uint64_t ran_ns)
{
	return (struct thread_row){ .tid = tid,
				    .ns_tid = tid,
				    .has_waited = true,
				    .waited_ns = waited_ns,
				    .queued_since_ns = queued_ns,
				    .ran_ns = ran_ns };
}

/* One look at two threads, of which the second has no P at either look. */
static void look(struct waits *w, uint64_t now_ns, struct thread_row with,
		 struct thread_row without)
{
	waits_begin(w, now_ns);
	waits_note(w, &with, true);
	waits_note(w, &without, false);
	waits_emit(w, tell, NULL);
}

static void test_what_has_not_ended_is_counted_and_only_once(void **state)
{
	const struct target nobody = { .via_tid = -1 };
	struct waits *w = waits_new(&nobody);
	uint64_t t = 100 * SEC_NS;

	(void)state;
	/* given a thread that had waited for 5 s when the watching began */
	look(w, t, row_of(1, 5 * SEC_NS, 0, SEC_NS), row_of(2, SEC_NS, 0, 0));
	assert_int_equal(told.kind, GRT_K_SNAP_WAIT);
	assert_int_equal(told.arg[0], 0);

	/* when it waits since 0.8 s, which its sum does not hold yet; and then does */
	look(w, t + SEC_NS, row_of(1, 5 * SEC_NS, t + SEC_NS / 5, SEC_NS * 6 / 5),
	     row_of(2, 2 * SEC_NS, 0, SEC_NS));
	assert_int_equal(told.arg[0], SEC_NS * 4 / 5);
	assert_int_equal(told.arg[1], SEC_NS / 5);
	look(w, t + 2 * SEC_NS, row_of(1, 6 * SEC_NS, 0, 2 * SEC_NS),
	     row_of(2, 3 * SEC_NS, 0, SEC_NS));

	assert_int_equal(told.arg[0], SEC_NS);
	assert_int_equal(told.arg[1], SEC_NS);
	assert_int_equal(told.arg[4], 0);
	waits_free(w);
}

static void assert_says(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("no \"%s\" in\n%s", want, text);
}

static void show(const struct grt_rec *wait, const char *want)
{
	const struct view_end e = { .why = VIEW_ASKED, .rows = 1, .observed_ns = SEC_NS };
	struct screen s;
	struct view *v;

	screen_open(&s);
	v = text_new(&s, &report_threads, 80, 0);
	rec_apply(s.model, SCENE_T0, GRT_K_SNAP_BEGIN, 1, 1, 0, 0, 0, 0);
	model_apply(s.model, wait);
	rec_apply(s.model, SCENE_T0, GRT_K_SNAP_END, 0, 0, 0, 0, 0, 0);
	view_begin(v, s.model, &scene_head);
	view_row(v, s.model);
	view_totals(v, s.model, &e);
	view_free(v);
	fflush(s.out);
	if (want)
		assert_says(s.text, want);
	else
		assert_null(strstr(s.text, "waited for a CPU"));
	fclose(s.out);
	model_free(s.model);
	free(s.text);
}

static void test_the_screen_says_what_for(void **state)
{
	struct grt_rec rec = { .time_ns = SCENE_T0, .kind = GRT_K_SNAP_WAIT };
	const uint64_t throttled[] = { 9600000000, 2400000000, 9100000000,
				       400000000,  1 * SEC_NS, 6 | 7ull << 32 };

	(void)state;
	rec.arg[0] = 50000000;
	rec.arg[1] = 3 * SEC_NS;
	show(&rec, NULL); /* less than 5 % */
	rec.arg[0] = SEC_NS;
	show(&rec, "waited for a CPU: 1.0s of 4.0s; throttled 0ns, others had the\n  CPUs 1.0s\n");
	memcpy(rec.arg, throttled, sizeof(throttled));
	show(&rec, "waited for a CPU: 9.6s of 12s; throttled 9.1s (quota: 400ms\n"
		   "  each 1.0s, used up in 6 of 7 periods), others had the CPUs 500ms\n");
	rec.arg[2] = 20 * SEC_NS; /* of others in the cgroup, too */
	show(&rec, "throttled 9.6s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_the_first_version_the_tightest_quota_above_counts),
		cmocka_unit_test(test_of_the_second_version_what_has_not_ended_is_in_the_local_one),
		cmocka_unit_test(test_without_a_quota_there_is_none),
		cmocka_unit_test(test_what_has_not_ended_is_counted_and_only_once),
		cmocka_unit_test(test_the_screen_says_what_for),
	};

	if (!mkdtemp(root))
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_root);
}
