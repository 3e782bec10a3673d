/* SPDX-License-Identifier: MIT */
/*
 * source.h - a live process as a source, with real BPF, for the tests of it: a target at its gate, and
 * what was heard of it.
 */
#ifndef E2E_SOURCE_H
#define E2E_SOURCE_H

#include "../../bpf/mstate.h"
#include "../../tools/diag.h"
#include "../../tools/source/source.h"
#include "../../tools/source/programs.h"
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

static inline int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

static inline void on_snapshot(struct seen *v, const struct grt_rec *r)
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

static inline void on_record(void *arg, const struct grt_rec *r)
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

static inline const struct grt_rec *last_retake(const struct fixture *f)
{
	return &f->seen.retake[(f->seen.retakes - 1) % RETAKES];
}

static inline struct source *source_with(struct target *t, const struct source_opts *o)
{
	int code = -1;
	struct source *s = source_live_open(t, o, &code);

	assert_non_null(s);
	assert_int_equal(code, EXIT_FINE);
	return s;
}

static inline struct source *source_on(struct target *t, bool sample_only)
{
	struct source_opts o = { .sample_only = sample_only,
				 .kinds = ALL_KINDS,
				 .want_switches = true };

	return source_with(t, &o);
}

/* A target at its gate: tests/tracee/NAME FD WHAT. */
static inline void given_at_gate(struct fixture *f, const char *name, const char *what)
{
	int code;

	memset(f, 0, sizeof(*f));
	f->p = program_at_gate(name, what, &f->gate, &f->target_fd);
	f->t = target_open(f->p.pid, &code);
	assert_non_null(f->t);
}

static inline void given_gate(struct fixture *f, const char *what)
{
	given_at_gate(f, "gate", what);
}

static inline void end(struct fixture *f)
{
	if (f->s)
		f->s->ops->close(f->s);
	target_close(f->t);
	close(f->gate);
	program_stop(&f->p);
}

static inline struct source_status status_of(struct source *s)
{
	struct source_status st;

	s->ops->status(s, &st);
	return st;
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

static inline unsigned tasks(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return stat(path, &st) == 0 ? (unsigned)st.st_nlink - 2 : 0;
}

/* Every thread has a row and a state, and one is a hostage. */
static inline bool snapshot_fits(struct fixture *f)
{
	unsigned sum = 0, before = tasks(f->p.pid);

	assert_int_equal(f->s->ops->snapshot(f->s, on_record, &f->seen), 0);
	for (int i = 0; i < GRT_MS_COUNT; i++)
		sum += f->seen.state[i];
	assert_int_equal(sum, f->seen.end.arg[0]);
	return f->seen.rows == before && f->seen.state[GRT_MS_hostage] == 1;
}

/* Before the first test; ends the program where BPF may not be used. */
static inline void source_tests_init(void)
{
	struct target self = { .pid = getpid() };
	const struct programs_want want = { .target = &self, .threads = true };
	struct programs programs = { 0 };

	e2e_init();
	if (programs_load(&programs, &want) < 0)
		e2e_skip("BPF may not be used here (not root, or no CAP_BPF and CAP_PERFMON)");
	programs_unload(&programs);
}

#endif
