/* SPDX-License-Identifier: MIT */
/*
 * iter.c - threads through bpf/tasks.bpf.c: one pass, one record a thread, read in large pieces.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bpf/events.h"
#include "gotrace.skel.h"
#include "programs.h"
#include "threads.h"

#define PIECE_BYTES 65536

_Static_assert(THREAD_KERNEL_FRAMES == KERNEL_FRAMES, "one stack, two rooms");

struct threads_iter {
	struct bpf_link *link;
	uint32_t init_tgid, observer_level;
	size_t row_bytes; /* rows are shorter without kernel stacks */
	bool needs_clock;
	char buf[PIECE_BYTES];
};

static char state_letter(const struct task_row *r)
{
	/* Flags may be set besides: bits are tested, from the strongest. */
	if (r->exit_state & 0x20)
		return 'Z';
	if (r->exit_state & 0x10)
		return 'X';
	if (r->state & 0x8)
		return 't';
	if (r->state & 0x4)
		return 'T';
	if ((r->state & 0x402) == 0x402)
		return 'I';
	if (r->state & 0x2)
		return 'D';
	if (r->state & 0x1)
		return 'S';
	return r->state & 0x40 ? 'P' : 'R';
}

struct threads_iter *threads_iter_open(const struct programs *p, const struct target *t,
				       bool is_deep, int *ret_error)
{
	union bpf_iter_link_info info = { .task = { .pid = (uint32_t)t->pid } };
	/* The macro also clears the padding, which libbpf takes for options it does not know. */
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct threads_iter *it = calloc(1, sizeof(*it));

	*ret_error = -ENOMEM;
	if (!it)
		return NULL;
	it->row_bytes = is_deep ? sizeof(struct task_row) : offsetof(struct task_row, kernel);
	it->link = bpf_program__attach_iter(
		is_deep ? p->skel->progs.dump_deep : p->skel->progs.dump_threads, &opts);
	if (it->link)
		return it;
	*ret_error = -errno;
	free(it);
	return NULL;
}

static void copy_registers(struct thread_row *t, const struct task_row *r)
{
	t->ip = r->ip;
	t->sp = r->sp;
	t->bp = r->bp;
	t->bx = r->bx;
	t->r12 = r->r12;
	t->r13 = r->r13;
	t->r14 = r->r14;
	t->r15 = r->r15;
	t->has_registers = true;
	t->nkernel = r->nkernel < KERNEL_FRAMES ? (uint8_t)r->nkernel : KERNEL_FRAMES;
	memcpy(t->kernel, r->kernel, sizeof(t->kernel));
	t->fault_addr = r->fault_addr;
}

static bool add_row(struct threads_iter *it, const struct task_row *r, struct thread_list *ret)
{
	char state = state_letter(r);
	struct thread_row *t;

	it->init_tgid = r->tgid;
	it->observer_level = r->observer_level;
	if (state == 'Z' || state == 'X' || r->tid == 0)
		return true;
	t = thread_list_add(ret);
	if (!t)
		return false;
	t->tid = r->tid;
	t->ns_tid = r->ns_tid;
	t->init_tid = r->init_tid;
	t->state = state;
	t->is_on_cpu = r->is_on_cpu != 0;
	t->nr = r->nr;
	t->has_args = r->nr >= 0;
	memcpy(t->args, r->args, sizeof(t->args));
	copy_registers(t, r);
	t->has_waited = r->has_run_delay;
	t->waited_ns = r->run_delay_ns;
	t->queued_ns = r->queued_ns;
	t->ran_ns = r->exec_ns;
	t->is_throttled = r->is_throttled;
	t->cpu = r->cpu;
	t->exec_start_ns = r->exec_start_ns;
	return true;
}

/* What the rows of one pass say of the clocks. */
struct lags {
	bool is_known;
	int64_t queue_ns;                   /* the least: the nearest */
	uint64_t task_ns[SCHED_CLOCK_CPUS]; /* + 1; 0: not told */
};

static void lags_note(struct lags *l, const struct task_row *r)
{
	uint64_t *task = &l->task_ns[r->lag_cpu % SCHED_CLOCK_CPUS];

	if (!r->has_lags || r->lag_cpu >= SCHED_CLOCK_CPUS || r->task_moved_ns ||
	    (int64_t)r->task_lag_ns < 0)
		return;
	if (!l->is_known || (int64_t)r->queue_lag_ns < l->queue_ns)
		l->queue_ns = (int64_t)r->queue_lag_ns;
	if (*task == 0 || r->task_lag_ns + 1 < *task)
		*task = r->task_lag_ns + 1;
	l->is_known = true;
}

static void lags_tell(const struct lags *l, struct sched_clock *clock)
{
	sched_clock_note_queue_lag(clock, l->queue_ns);
	for (uint32_t cpu = 0; cpu < SCHED_CLOCK_CPUS; cpu++)
		if (l->task_ns[cpu])
			clock->offset_ns[cpu] =
				clock->queue_lag_ns + (int64_t)(l->task_ns[cpu] - 1);
}

static void tell_times(struct thread_row *t, const struct sched_clock *clock)
{
	if (t->queued_ns && clock->queue_lag_at_ns)
		t->queued_since_ns = (uint64_t)((int64_t)t->queued_ns + clock->queue_lag_ns);
	if (thread_is_asleep(t))
		t->asleep_since_ns = sched_clock_to_monotonic(clock, t->cpu, t->exec_start_ns);
}

int threads_iter_read(struct threads_iter *it, struct sched_clock *clock, struct thread_list *ret)
{
	int fd = bpf_iter_create(bpf_link__fd(it->link)), rc = 0;
	struct lags lags = { 0 };
	ssize_t n;

	ret->n = 0;
	if (fd < 0)
		return -errno;
	sched_clock_charge();
	while (rc == 0 && (n = read(fd, it->buf, sizeof(it->buf))) != 0) {
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0 || (size_t)n % it->row_bytes != 0)
			rc = n < 0 ? -errno : -EIO;
		for (size_t at = 0; rc == 0 && at < (size_t)n; at += it->row_bytes) {
			struct task_row row = { 0 };

			memcpy(&row, it->buf + at, it->row_bytes);
			lags_note(&lags, &row);
			if (!add_row(it, &row, ret))
				rc = -ENOMEM;
		}
	}
	close(fd);
	it->needs_clock = ret->n && !lags.is_known;
	if (clock && lags.is_known)
		lags_tell(&lags, clock);
	for (size_t i = 0; clock && i < ret->n; i++)
		tell_times(&ret->row[i], clock);
	thread_list_sort(ret);
	return rc ? rc : ret->n ? 0 : -ESRCH;
}

bool threads_iter_needs_clock(const struct threads_iter *it)
{
	return it->needs_clock;
}

uint32_t threads_iter_init_tgid(const struct threads_iter *it)
{
	return it->init_tgid;
}

uint32_t threads_iter_level(const struct threads_iter *it)
{
	return it->observer_level;
}

void threads_iter_close(struct threads_iter *it)
{
	if (!it)
		return;
	bpf_link__destroy(it->link);
	free(it);
}
