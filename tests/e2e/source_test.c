/* SPDX-License-Identifier: MIT */
/*
 * source_test.c - a live process as a source, with real BPF: every hit is told once and with its
 * arguments, semaphores come and go, and nothing stays behind. source_rows_test.c looks at snapshots.
 */
#define _GNU_SOURCE
#include "source.h"

/* As on kernels without uprobe_multi. */
static struct source *source_one_by_one(struct target *t)
{
	struct source_opts o = { .one_by_one = true, .kinds = ALL_KINDS, .want_switches = true };

	return source_with(t, &o);
}

static int sites_with_semaphore(const struct target *t, uint16_t want)
{
	int n = 0;

	for (int i = 0; i < t->nsites; i++) {
		uint16_t value = 0xffff;
		struct target_read r = { t->site[i].sem_addr, &value, sizeof(value) };

		n += target_read_many(t, &r, 1) == 1 && value == want;
	}
	return n;
}

static void expect_all_off(const struct target *t)
{
	int64_t until = now_ns() + SETTLE_MS * 1000000ll;
	uint64_t armed = ~0ull;

	while ((sites_with_semaphore(t, 0) != t->nsites || target_read_armed(t, &armed) != 0) &&
	       now_ns() < until)
		sched_yield();
	assert_int_equal(sites_with_semaphore(t, 0), t->nsites);
	assert_int_equal(target_read_armed(t, &armed), 0);
}

/* The kernel raises a semaphore once for a site, however many have attached to it. */
static void expect_all_on(const struct target *t)
{
	uint64_t armed = 0;

	assert_int_equal(sites_with_semaphore(t, 1), t->nsites);
	assert_int_equal(target_read_armed(t, &armed), t->nsites);
}

static void expect_all_armed(const struct fixture *f)
{
	struct source_status st = status_of(f->s);

	assert_int_equal(st.wanted, f->t->nsites);
	assert_int_equal(st.armed, st.wanted);
}

/* The target makes HITS calls: each is told once, in order, with its arguments, and none is lost. */
static void expect_every_hit(struct fixture *f)
{
	struct source_status st;

	assert_int_equal(write(f->gate, "", 1), 1);
	program_expect(&f->p, "blocks: 1009");

	AWAIT(f, f->seen.blocks >= HITS);
	kill(f->p.pid, SIGSTOP);
	AWAIT(f, f->seen.records == status_of(f->s).probe_hits);
	assert_int_equal(f->seen.blocks, HITS);
	assert_int_equal(f->seen.bad_args, 0);
	assert_int_equal(f->seen.bad_order, 0);
	st = status_of(f->s);
	for (int i = 0; i < 8; i++)
		assert_int_equal(st.lost[i], 0);
}

static void test_every_hit_is_told_once(void **state)
{
	struct fixture f;

	(void)state;
	given_gate(&f, "1009");
	f.s = source_on(f.t, false);
	assert_int_equal(status_of(f.s).level, 1);
	expect_all_armed(&f);

	expect_every_hit(&f);
	end(&f);
}

static void test_every_hit_is_told_once_by_probes_one_by_one(void **state)
{
	struct fixture f;

	(void)state;
	given_gate(&f, "1009");
	expect_all_off(f.t);
	f.s = source_one_by_one(f.t);
	assert_int_equal(status_of(f.s).level, 2);
	expect_all_armed(&f);

	expect_every_hit(&f);

	f.s->ops->close(f.s);
	f.s = NULL;
	expect_all_off(f.t);
	end(&f);
}

static void test_closing_leaves_nothing_in_the_target(void **state)
{
	struct fixture f;

	(void)state;
	given_gate(&f, "1");
	expect_all_off(f.t);
	f.s = source_on(f.t, false);
	expect_all_on(f.t);

	f.s->ops->close(f.s);
	f.s = NULL;

	expect_all_off(f.t);
	assert_true(program_lives(&f.p));
	end(&f);
}

/* A tracer of its own process, which says when it has attached and dies by our hand. */
static pid_t tracer_start(struct target *t)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		source_on(t, false);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void test_of_three_tracers_each_is_on_its_own(void **state)
{
	struct source *first;
	struct fixture f;
	pid_t other;

	(void)state;
	given_gate(&f, "1009");
	/* Made first: a child that is made later would hold on to what we have attached. */
	other = tracer_start(f.t);
	first = source_on(f.t, false);
	f.s = source_on(f.t, false);
	expect_all_on(f.t);

	first->ops->close(first);
	expect_all_on(f.t);
	kill(other, SIGKILL);
	assert_int_equal(e2e_wait(other), -SIGKILL);
	expect_all_on(f.t);

	/* Who stays sees every hit. */
	assert_int_equal(write(f.gate, "", 1), 1);
	program_expect(&f.p, "blocks: 1009");
	AWAIT(&f, f.seen.blocks >= HITS);
	assert_int_equal(f.seen.blocks, HITS);

	f.s->ops->close(f.s);
	f.s = NULL;
	expect_all_off(f.t);
	end(&f);
}

static void test_killed_tracer_leaves_nothing_in_the_target(void **state)
{
	struct fixture f;
	pid_t other;

	(void)state;
	given_gate(&f, "1");
	other = tracer_start(f.t);
	expect_all_on(f.t);

	kill(other, SIGKILL);
	assert_int_equal(e2e_wait(other), -SIGKILL);

	expect_all_off(f.t);
	assert_int_equal(write(f.gate, "", 1), 1);
	program_expect(&f.p, "blocks: 1");
	end(&f);
}

static void test_retake_carries_the_sleep_of_its_own_call(void **state)
{
	uint64_t start_ns, long_ns, with_sleep = 0;
	struct fixture f;

	(void)state;
	given_gate(&f, "long");
	f.s = source_on(f.t, false);
	AWAIT(&f, snapshot_fits(&f));

	start_ns = (uint64_t)now_ns();
	assert_int_equal(write(f.gate, "", 1), 1);
	program_expect(&f.p, "long: ");
	long_ns = strtoull(f.p.line + strlen("long: "), NULL, 10);
	program_expect(&f.p, "over");

	AWAIT(&f, f.seen.retakes > 1 && last_retake(&f)->time_ns > long_ns);
	for (uint64_t i = 0; i < f.seen.retakes && i < RETAKES; i++) {
		const struct grt_rec *r = &f.seen.retake[i];
		uint64_t since = f.seen.asleep_since[i];

		if (since == 0)
			continue;
		assert_in_range(since, r->time_ns > long_ns ? long_ns : start_ns, r->time_ns);
		with_sleep++;
	}
	assert_true(with_sleep > 0);
	end(&f);
}

static void test_wait_ends_with_its_time_and_with_the_target(void **state)
{
	struct fixture f;

	(void)state;
	given_gate(&f, "1");
	f.s = source_on(f.t, false);
	assert_int_equal(f.s->ops->wait(f.s, now_ns(), on_record, &f.seen), 0);

	kill(f.p.pid, SIGKILL);

	assert_int_equal(f.s->ops->wait(f.s, now_ns() + 10 * SECOND, on_record, &f.seen), -ESRCH);
	assert_int_equal(f.s->ops->snapshot(f.s, on_record, &f.seen), -ESRCH);
	end(&f);
}

static void test_threads_born_and_gone_are_told(void **state)
{
	struct fixture f;
	char first;

	(void)state;
	given_gate(&f, "threads");
	f.s = source_on(f.t, false);

	assert_int_equal(write(f.gate, "", 1), 1);
	program_expect(&f.p, "threads: 7");

	AWAIT(&f, f.seen.born >= THREADS && f.seen.gone >= THREADS);
	first = state_of((pid_t)f.seen.first_born);
	assert_true(first == 0 || first == 'Z' || first == 'X');
	assert_int_equal(f.seen.first_born, f.seen.first_gone);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_hit_is_told_once),
		cmocka_unit_test(test_every_hit_is_told_once_by_probes_one_by_one),
		cmocka_unit_test(test_closing_leaves_nothing_in_the_target),
		cmocka_unit_test(test_of_three_tracers_each_is_on_its_own),
		cmocka_unit_test(test_killed_tracer_leaves_nothing_in_the_target),
		cmocka_unit_test(test_retake_carries_the_sleep_of_its_own_call),
		cmocka_unit_test(test_wait_ends_with_its_time_and_with_the_target),
		cmocka_unit_test(test_threads_born_and_gone_are_told),
	};

	source_tests_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
