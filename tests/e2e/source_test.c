/* SPDX-License-Identifier: MIT */
/*
 * source_test.c - a live process as a source, with real BPF: every hit is told once and with its
 * arguments, semaphores come and go, nothing stays behind, and both ways of looking at threads agree
 * with /proc.
 */
#define _GNU_SOURCE
#include "../../bpf/mstate.h"
#include "../../tools/diag.h"
#include "../../tools/source/source.h"
#include "../../tools/source/threads.h"
#include "e2e.h"

#include <sched.h>
#include <sys/syscall.h>

#define THREADS 7 /* that the target makes and joins */
#define HITS 1009 /* a prime: no other count comes out like it */
#define ALL_KINDS (~0ull)
#define RETAKES 64
#define SETTLE_MS 5000
#define SECOND 1000000000ll

struct seen {
	uint64_t records, blocks, retakes, born, gone;
	uint64_t first_born, first_gone; /* tids */
	uint64_t last_ns, bad_args, bad_order;
	struct grt_rec retake[RETAKES], call;
	uint64_t asleep_since[RETAKES]; /* of each retake, 0: its call never slept */
	/* The last snapshot. */
	struct grt_rec end, hostage, hostage_call, previous;
	unsigned rows, state[GRT_MS_COUNT];
};

struct fixture {
	struct program p;
	struct target *t;
	struct source *s;
	int gate;      /* a byte lets the target go on */
	int target_fd; /* where it waits for it */
	struct seen seen;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static void on_snapshot(struct seen *v, const struct grt_rec *r)
{
	if (r->kind == GRT_K_SNAP_BEGIN) {
		v->rows = 0;
		memset(v->state, 0, sizeof(v->state));
	}
	if (r->kind == GRT_K_SNAP_M) {
		v->rows++;
		v->state[r->arg[2] & 0xff]++;
		if ((r->arg[2] & 0xff) == GRT_MS_hostage)
			v->hostage = *r;
	}
	if (r->kind == GRT_K_SNAP_CALL && (v->previous.arg[2] & 0xff) == GRT_MS_hostage)
		v->hostage_call = *r;
	if (r->kind == GRT_K_SNAP_END)
		v->end = *r;
	v->previous = *r;
}

static void on_record(void *arg, const struct grt_rec *r)
{
	struct seen *v = arg;

	if (r->kind >= GRT_K_SNAP_BEGIN) {
		on_snapshot(v, r);
		return;
	}
	v->records += r->kind < GRT_K_SWITCH_OUT;
	if (r->kind == GRT_K_THREAD_BORN && v->born++ == 0)
		v->first_born = r->arg[0];
	if (r->kind == GRT_K_THREAD_GONE && v->gone++ == 0)
		v->first_gone = r->arg[0];
	if (r->kind == GRT_K_entersyscallblock) {
		v->blocks++;
		v->bad_args += r->arg[0] == 0 || r->arg[3] != SYS_nanosleep || r->tid == 0;
		v->bad_order += r->time_ns <= v->last_ns;
		v->last_ns = r->time_ns;
	}
	if (r->kind == GRT_K_SWITCH_OUT)
		v->call = *r;
	if (r->kind == GRT_K_retake) {
		bool has_slept = v->call.time_ns == r->time_ns && v->call.arg[0] == r->arg[1];

		v->asleep_since[v->retakes % RETAKES] = has_slept ? v->call.arg[4] : 0;
		v->retake[v->retakes++ % RETAKES] = *r;
	}
}

static const struct grt_rec *last_retake(const struct fixture *f)
{
	return &f->seen.retake[(f->seen.retakes - 1) % RETAKES];
}

static struct source *source_with(struct target *t, const struct source_opts *o)
{
	int code = -1;
	struct source *s = source_live_open(t, o, &code);

	assert_non_null(s);
	assert_int_equal(code, EXIT_FINE);
	return s;
}

static struct source *source_on(struct target *t, bool sample_only)
{
	struct source_opts o = { .sample_only = sample_only,
				 .kinds = ALL_KINDS,
				 .want_switches = true };

	return source_with(t, &o);
}

/* As on kernels without uprobe_multi. */
static struct source *source_one_by_one(struct target *t)
{
	struct source_opts o = { .one_by_one = true, .kinds = ALL_KINDS, .want_switches = true };

	return source_with(t, &o);
}

/* A target at its gate. */
static void given_gate(struct fixture *f, const char *what)
{
	char fd[16], *argv[] = { (char *)e2e_path("TRACEE_DIR", "gate"), fd, (char *)what, NULL };
	int gate[2], code;

	memset(f, 0, sizeof(*f));
	assert_int_equal(pipe(gate), 0);
	fcntl(gate[1], F_SETFD, FD_CLOEXEC);
	snprintf(fd, sizeof(fd), "%d", gate[0]);
	f->p = program_start(argv, NULL);
	close(gate[0]);
	f->gate = gate[1];
	f->target_fd = gate[0];
	program_expect(&f->p, "ready");
	f->t = target_open(f->p.pid, &code);
	assert_non_null(f->t);
}

static void end(struct fixture *f)
{
	if (f->s)
		f->s->ops->close(f->s);
	target_close(f->t);
	close(f->gate);
	program_stop(&f->p);
}

static struct source_status status_of(struct source *s)
{
	struct source_status st;

	s->ops->status(s, &st);
	return st;
}

/* Sites of which the semaphore reads `want`. */
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

/* Until the condition holds; each wait hands on what has arrived. */
#define AWAIT(f, condition)                                                                   \
	do {                                                                                  \
		int64_t await_until = now_ns() + SETTLE_MS * 1000000ll;                       \
		while (!(condition) && now_ns() < await_until)                                \
			(f)->s->ops->wait((f)->s, now_ns() + 1000000, on_record, &(f)->seen); \
		if (!(condition))                                                             \
			fail_msg("never: %s", #condition);                                    \
	} while (0)

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

static unsigned tasks(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return stat(path, &st) == 0 ? (unsigned)st.st_nlink - 2 : 0;
}

static bool snapshot_fits(struct fixture *f)
{
	unsigned sum = 0, before = tasks(f->p.pid);

	assert_int_equal(f->s->ops->snapshot(f->s, on_record, &f->seen), 0);
	for (int i = 0; i < GRT_MS_COUNT; i++)
		sum += f->seen.state[i];
	assert_int_equal(sum, f->seen.end.arg[0]);
	return f->seen.rows == before && f->seen.state[GRT_MS_hostage] == 1;
}

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

/* A sleep is told with the retake of its own call, and not with that of the next, which never sleeps. */
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
		cmocka_unit_test(test_every_hit_is_told_once),
		cmocka_unit_test(test_every_hit_is_told_once_by_probes_one_by_one),
		cmocka_unit_test(test_closing_leaves_nothing_in_the_target),
		cmocka_unit_test(test_of_three_tracers_each_is_on_its_own),
		cmocka_unit_test(test_killed_tracer_leaves_nothing_in_the_target),
		cmocka_unit_test(test_hostage_is_named_by_the_iterator),
		cmocka_unit_test(test_hostage_is_named_by_proc),
		cmocka_unit_test(test_threads_that_only_watch_are_left_out_by_the_iterator),
		cmocka_unit_test(test_threads_that_only_watch_are_left_out_by_proc),
		cmocka_unit_test(test_retake_carries_the_sleep_of_its_own_call),
		cmocka_unit_test(test_wait_ends_with_its_time_and_with_the_target),
		cmocka_unit_test(test_threads_born_and_gone_are_told),
	};

	struct target self = { .pid = getpid() };
	struct threads_iter *it;
	int rc;

	e2e_init();
	it = threads_iter_open(&self, &rc);
	if (!it)
		e2e_skip("BPF may not be used here (not root, or no CAP_BPF and CAP_PERFMON)");
	threads_iter_close(it);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
