/* SPDX-License-Identifier: MIT */
/*
 * netpoll_model_test.c - waits on descriptors: by descriptor, by who polled, bounded; and who waits
 * now, which comes from the goroutines and not from a counter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "records.h"

#define T0 (10 * SEC_NS)

static const struct counts no_counts;

static int model_setup(void **state)
{
	struct model *m = model_new();

	if (!m)
		return -1;
	rec_snapshot(m, T0 - SEC_NS, 2, 0, NULL, 0, &no_counts);
	model_tick(m, T0 - SEC_NS);
	*state = m;
	return 0;
}

static int model_teardown(void **state)
{
	model_free(*state);
	return 0;
}

static void wait_over(struct model *m, uint64_t t, uint64_t fd, uint64_t by, uint64_t parked_ns,
		      uint64_t queued_ns)
{
	rec_apply(m, t, GRT_K_netpoll_run, 1, fd, GRT_MODE_READ, by, parked_ns, queued_ns);
}

static const struct model_netpoll_sum *row_of(const struct model *m, int32_t fd)
{
	const struct model_netpoll_sum *rows;
	size_t n = model_netpoll_fds(m, &rows);

	for (size_t i = 0; i < n; i++)
		if (rows[i].fd == fd)
			return &rows[i];
	return NULL;
}

static uint64_t waits_in_rows(const struct model *m)
{
	const struct model_netpoll_sum *rows;
	size_t n = model_netpoll_fds(m, &rows);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += rows[i].waits;
	return sum;
}

static void waits_are_split_by_descriptor_and_poller(void **state)
{
	const struct model_netpoll_sum *by;
	struct model *m = *state;

	for (uint64_t i = 0; i < 97; i++)
		wait_over(m, T0 + i, 7, GRT_POLL_IDLE_M, 1000000, 4000);
	for (uint64_t i = 0; i < 13; i++)
		wait_over(m, T0 + i, 9, GRT_POLL_SCHEDULER, 2000000, 5000);
	wait_over(m, T0, 7, GRT_POLL_SYSMON, 10000000, 700000);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, 7)->waits, 98);
	assert_int_equal(row_of(m, 7)->by[GRT_POLL_IDLE_M], 97);
	assert_int_equal(row_of(m, 7)->by[GRT_POLL_SYSMON], 1);
	assert_int_equal(row_of(m, 7)->parked.max, 10000000);
	assert_int_equal(row_of(m, 9)->waits, 13);
	assert_int_equal(row_of(m, 9)->queued.max, 5000);
	assert_null(row_of(m, NETPOLL_FD_OTHER));
	by = model_netpoll_by(m);
	assert_int_equal(by[GRT_POLL_IDLE_M].waits, 97);
	assert_int_equal(by[GRT_POLL_SCHEDULER].waits, 13);
	assert_int_equal(by[GRT_POLL_SYSMON].waits, 1);
	assert_int_equal(by[GRT_POLL_SYSMON].queued.max, 700000);
	assert_int_equal(model_netpoll_interval(m)->waits, 111);
	model_tick(m, T0 + 2 * SEC_NS);
	assert_int_equal(model_netpoll_interval(m)->waits, 0);
	assert_int_equal(row_of(m, 7)->waits, 98);
}

/* It parked before the probe was armed: since when is not known, how long it queued is. */
static void a_wait_of_unknown_length_still_counts(void **state)
{
	struct model *m = *state;

	wait_over(m, T0, 7, GRT_POLL_IDLE_M, GRT_NO_ID, 4000);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(row_of(m, 7)->waits, 1);
	assert_int_equal(row_of(m, 7)->parked.n, 0);
	assert_int_equal(row_of(m, 7)->queued.n, 1);
}

static bool is_reused(const struct model *m, int32_t fd)
{
	return model_netpoll_is_reused(m, row_of(m, fd));
}

/* Names come with looks, and are known before the events of their time. */
static void a_row_of_two_files_says_so(void **state)
{
	struct model *m = *state;

	rec_text_at(m, T0, 0, GRT_TEXT_FD, 7, "udp 0.0.0.0:53"); /* connected later */
	rec_text_at(m, T0, 0, GRT_TEXT_FD, 9, "tcp a->b");
	rec_text_at(m, T0, 0, GRT_TEXT_FD, 11, "tcp a->b");
	wait_over(m, T0 + 1, 7, GRT_POLL_IDLE_M, 1000, 1000);
	wait_over(m, T0 + 1, 9, GRT_POLL_IDLE_M, 1000, 1000);
	rec_text_at(m, T0 + SEC_NS, 0, GRT_TEXT_FD, 7, "tcp c->d");
	rec_text_at(m, T0 + SEC_NS, 0, GRT_TEXT_FD, 9, "tcp a->b");
	rec_text_at(m, T0 + SEC_NS, GRT_RF_ANOTHER, GRT_TEXT_FD, 11, "tcp e->f");
	wait_over(m, T0 + SEC_NS + 1, 11, GRT_POLL_IDLE_M, 1000, 1000);
	model_tick(m, T0 + 2 * SEC_NS);
	assert_false(is_reused(m, 7));
	assert_false(is_reused(m, 9));
	assert_false(is_reused(m, 11)); /* none of its waits was of the first one */

	rec_text_at(m, T0 + 2 * SEC_NS, GRT_RF_ANOTHER, GRT_TEXT_FD, 9, "tcp e->f");
	assert_true(is_reused(m, 9));
	wait_over(m, T0 + 2 * SEC_NS + 1, 9, GRT_POLL_IDLE_M, 1000, 1000);
	model_tick(m, T0 + 3 * SEC_NS);
	assert_int_equal(row_of(m, 9)->waits, 2);
	assert_true(is_reused(m, 9));
	assert_false(is_reused(m, 7));
}

static void rows_are_bounded_and_nothing_is_lost(void **state)
{
	const struct model_netpoll_sum *rows;
	struct model *m = *state;
	uint64_t n = 0, t = T0;

	for (int tick = 0; tick < 30; tick++) {
		for (uint64_t fd = 0; fd < 3000; fd++, n++)
			wait_over(m, t + fd, fd, GRT_POLL_IDLE_M, 1000, 1000);
		t += SEC_NS;
		model_tick(m, t);
		assert_true(model_netpoll_fds(m, &rows) <= NETPOLL_FDS_MAX + 1);
		assert_int_equal(waits_in_rows(m), n);
	}
}

/* A busy descriptor that comes when all rows are taken gets one before long. */
static void a_busy_latecomer_gets_a_row(void **state)
{
	struct model *m = *state;
	uint64_t t = T0;

	for (uint64_t fd = 0; fd < NETPOLL_FDS_MAX; fd++)
		wait_over(m, t + fd, fd, GRT_POLL_IDLE_M, 1000, 1000);
	for (int tick = 0; tick < 4; tick++, t += SEC_NS) {
		for (uint64_t i = 0; i < 500; i++)
			wait_over(m, t + i, 5000, GRT_POLL_IDLE_M, 1000, 1000);
		model_tick(m, t + SEC_NS / 2);
	}

	assert_non_null(row_of(m, 5000));
	assert_true(row_of(m, 5000)->waits >= 1000);
	assert_non_null(row_of(m, NETPOLL_FD_OTHER));
	assert_int_equal(waits_in_rows(m), NETPOLL_FDS_MAX + 2000);
}

static void numbers_out_of_range_are_survived(void **state)
{
	struct model *m = *state;

	wait_over(m, T0, ~0ull, 77, ~0ull, ~0ull);
	wait_over(m, T0, 1ull << 40, ~0ull, 0, 0);
	wait_over(m, T0, (1u << 20) - 1, 0, 1, 1);
	model_tick(m, T0 + SEC_NS);

	assert_int_equal(model_netpoll_interval(m)->waits, 3);
	assert_int_equal(waits_in_rows(m), 3);
}

static void put_g(struct model *m, uint64_t id, uint64_t status, int64_t fd, uint64_t mode,
		  uint64_t since_ns)
{
	rec_apply(m, T0, GRT_K_SNAP_G, id, status | mode << 16, (uint64_t)fd, since_ns, 0, 0);
}

/* C25: 1,000 wait, whatever the counter says. */
static void who_waits_comes_from_the_goroutines(void **state)
{
	const struct model_waiting *w;
	struct model *m = *state;

	rec_apply(m, T0, GRT_K_SNAP_BEGIN, 2, 1, 0, 0, 0, 0);
	rec_apply(m, T0, GRT_K_SNAP_SCHED, 2, 0, 0, 0xffffffff, 0, 0);
	for (uint64_t i = 0; i < 1000; i++)
		put_g(m, i + 1, GRT_G_WAITING, (int64_t)i, GRT_MODE_READ, 0);
	put_g(m, 1001, GRT_G_WAITING, -1, 0, 0);             /* on a channel */
	put_g(m, 1002, GRT_G_RUNNABLE, 3, GRT_MODE_READ, 0); /* was woken */
	rec_apply(m, T0, GRT_K_SNAP_END, 0, 0, 0, 0, 0, 0);

	assert_int_equal(model_netpoll_waiting_gs(m), 1000);
	assert_int_equal(model_netpoll_waiting(m, &w), 1000);
	assert_int_equal(model_snap(m)->netpoll_parked, 0xffffffff);
}

/* Two directions are two waits; of several in one the longest is not known, nor who is first. */
static void waiters_of_one_direction_share_a_row(void **state)
{
	const struct model_waiting *w;
	struct model *m = *state;

	rec_apply(m, T0, GRT_K_SNAP_BEGIN, 2, 1, 0, 0, 0, 0);
	put_g(m, 5, GRT_G_WAITING, 7, GRT_MODE_READ, T0 - 500);
	put_g(m, 3, GRT_G_WAITING, 9, GRT_MODE_READ, T0 - 10);
	put_g(m, 4, GRT_G_WAITING, 9, GRT_MODE_READ, T0 - 20);
	put_g(m, 6, GRT_G_WAITING, 9, GRT_MODE_WRITE, T0 - 900);
	rec_apply(m, T0, GRT_K_SNAP_END, 0, 0, 0, 0, 0, 0);

	assert_int_equal(model_netpoll_waiting(m, &w), 3);
	assert_int_equal(w[0].fd, 9);
	assert_int_equal(w[0].n, 2);
	assert_int_equal(w[0].mode, GRT_MODE_READ);
	assert_int_equal(w[0].since_ns, 0);
	assert_int_equal(w[0].g, 3);
	assert_int_equal(w[1].fd, 9);
	assert_int_equal(w[1].since_ns, T0 - 900);
	assert_int_equal(w[2].fd, 7);
	assert_int_equal(model_netpoll_waiting_gs(m), 4);
	assert_int_equal(model_netpoll_waiting_fds(m), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, model_setup, model_teardown)
	const struct CMUnitTest tests[] = {
		TEST(waits_are_split_by_descriptor_and_poller),
		TEST(a_wait_of_unknown_length_still_counts),
		TEST(a_row_of_two_files_says_so),
		TEST(rows_are_bounded_and_nothing_is_lost),
		TEST(a_busy_latecomer_gets_a_row),
		TEST(numbers_out_of_range_are_survived),
		TEST(who_waits_comes_from_the_goroutines),
		TEST(waiters_of_one_direction_share_a_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
