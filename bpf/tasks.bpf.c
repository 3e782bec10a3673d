/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * tasks.bpf.c - the threads of one process in one pass: iter/task with the process set in the link.
 * One struct task_row a thread; no event, no probe, and the target pays nothing.
 *
 * Before Linux 6.1 the link's pid is ignored and the walk covers the machine: the program filters
 * too.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "events.h"

#define PAGE_BYTES 4096
/* Of a stack, from its outer end: a fault from user space is among the first frames there. */
#define FAULT_WORDS 256

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile __u32 target_pid; /* as the observer's pid namespace knows it */

static __u32 nr_at_level(struct pid *pid, __u32 level)
{
	struct upid upid = { 0 };

	if (!pid || level > BPF_CORE_READ(pid, level))
		return 0;
	bpf_core_read(&upid, sizeof(upid), &pid->numbers[level]);
	return (__u32)upid.nr;
}

/* The walk runs in the reader's own context: gotrace is the current task. */
static __u32 level_of_observer(void)
{
	struct task_struct *reader = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(reader, thread_pid, level);
}

/* The thread group's own pid outlives its first thread. */
static __u32 tgid_at_level(struct task_struct *task, __u32 level)
{
	return nr_at_level(BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]), level);
}

/* Kernels before 5.16 keep it in the task itself. */
struct task_struct___old {
	unsigned int cpu;
} __attribute__((preserve_access_index));

static __u32 cpu_of(struct task_struct *task)
{
	if (bpf_core_field_exists(task->thread_info.cpu))
		return BPF_CORE_READ(task, thread_info.cpu);
	return BPF_CORE_READ((struct task_struct___old *)task, cpu);
}

static void read_registers(struct task_row *row, struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	row->nr = (__s64)(__s32)BPF_CORE_READ(regs, orig_ax);
	row->args[0] = BPF_CORE_READ(regs, di);
	row->args[1] = BPF_CORE_READ(regs, si);
	row->args[2] = BPF_CORE_READ(regs, dx);
	row->args[3] = BPF_CORE_READ(regs, r10);
	row->args[4] = BPF_CORE_READ(regs, r8);
	row->args[5] = BPF_CORE_READ(regs, r9);
	row->ip = BPF_CORE_READ(regs, ip);
	row->sp = BPF_CORE_READ(regs, sp);
	row->bp = BPF_CORE_READ(regs, bp);
	row->bx = BPF_CORE_READ(regs, bx);
	row->r12 = BPF_CORE_READ(regs, r12);
	row->r13 = BPF_CORE_READ(regs, r13);
	row->r14 = BPF_CORE_READ(regs, r14);
	row->r15 = BPF_CORE_READ(regs, r15);
}

/* Of who sleeps: what runs has none that holds. */
static void read_kernel_stack(struct task_row *row, struct task_struct *task)
{
	long bytes;

	if (row->state == 0 || row->is_on_cpu)
		return;
	bytes = bpf_get_task_stack(task, row->kernel, sizeof(row->kernel), 0);
	row->nkernel = bytes > 0 ? (__u32)bytes / sizeof(row->kernel[0]) : 0;
}

/*
 * The address that a sleeping thread touched. No register has it any more, but the kernel's own struct
 * vm_fault lies on the thread's kernel stack as long as the fault lasts. It is known by what it holds: an area
 * of this very process, and an address within it. From the outermost frame inwards, so that what an
 * older and deeper fault left behind is never met first; whether the thread is in a fault at all, the
 * kernel stack says.
 */
struct fault_search {
	struct mm_struct *mm;
	__u64 outermost, sp, found;
};

/* 1: no further. */
static long fault_try(__u32 i, struct fault_search *s)
{
	__u64 at = s->outermost - i * sizeof(at), page;
	struct vm_fault *fault = (struct vm_fault *)at;
	struct vm_area_struct *area;

	if (at < s->sp)
		return 1;
	page = BPF_CORE_READ(fault, address);
	area = BPF_CORE_READ(fault, vma);
	if (page == 0 || page % PAGE_BYTES || BPF_CORE_READ(area, vm_mm) != s->mm)
		return 0;
	if (page < BPF_CORE_READ(area, vm_start) || page >= BPF_CORE_READ(area, vm_end))
		return 0;
	s->found = bpf_core_field_exists(fault->real_address) ? BPF_CORE_READ(fault, real_address)
							      : page;
	return 1;
}

/*
 * The helper came with Linux 5.17. What it calls the verifier walks until nothing new comes of it; through the
 * loop it walks as often as that may run, and the load takes 40 ms longer. It sees one of both only.
 */
static __u64 fault_find(struct task_struct *task)
{
	struct fault_search s = { .mm = BPF_CORE_READ(task, mm),
				  .sp = BPF_CORE_READ(task, thread.sp) };
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (!s.mm)
		return 0;
	/* Read, it is a number; as a pointer it may only be moved as far as the verifier can tell. */
	bpf_probe_read_kernel(&s.outermost, sizeof(s.outermost), &regs);
	s.outermost -= bpf_core_type_size(struct vm_fault);
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)) {
		bpf_loop(FAULT_WORDS, fault_try, &s, 0);
		return s.found;
	}
	for (__u32 i = 0; i < FAULT_WORDS && fault_try(i, &s) == 0; i++)
		;
	return s.found;
}

static void read_fault(struct task_row *row, struct task_struct *task)
{
	/* An exception leaves no number of a call. */
	if (row->nr == -1 && row->nkernel)
		row->fault_addr = fault_find(task);
}

/* Since 6.18; before, who is throttled looks like who waits. */
struct task_struct___throttled {
	bool throttled;
} __attribute__((preserve_access_index));

/*
 * The scheduler has two clocks. That of queues is CLOCK_MONOTONIC from another beginning, the same on all CPUs;
 * that of tasks leaves out interrupts and what a hypervisor took, and so lags behind on each CPU. A CPU
 * moves one on and then the other. Read from between the two the lag would be too large by all the time
 * since the last event of that CPU:
 *
 *   CPU    clock += 4 s                      clock_task += 4 s
 *   we              clock_task, clock   ...  clock_task again: it has moved, another row may tell
 *
 * What we do meanwhile takes longer than a CPU needs from the one to the other, unless it is stopped just there
 * by its hypervisor.
 *
 * The clock of queues stands still between two events of its CPU. The reader has just been charged for its
 * time: that of its CPU is behind by what has passed since.
 */
static void read_lags(struct task_row *row, struct task_struct *task)
{
	struct task_struct *reader = (struct task_struct *)bpf_get_current_task();
	struct cfs_rq *cfs_rq = NULL;
	__u64 clock_task;

	if (!bpf_core_field_exists(task->se.cfs_rq) || !bpf_core_field_exists(cfs_rq->rq))
		return;
	cfs_rq = BPF_CORE_READ(task, se.cfs_rq);
	row->lag_cpu = BPF_CORE_READ(cfs_rq, rq, cpu);
	clock_task = BPF_CORE_READ(cfs_rq, rq, clock_task);
	row->task_lag_ns = BPF_CORE_READ(cfs_rq, rq, clock) - clock_task;
	row->queue_lag_ns = bpf_ktime_get_ns() - BPF_CORE_READ(reader, se.cfs_rq, rq, clock);
	row->task_moved_ns = BPF_CORE_READ(cfs_rq, rq, clock_task) - clock_task;
	row->has_lags = 1;
}

static void read_waits(struct task_row *row, struct task_struct *task)
{
	struct task_struct___throttled *t = (void *)task;

	row->exec_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	if (bpf_core_field_exists(task->sched_info.run_delay)) {
		row->has_run_delay = 1;
		row->run_delay_ns = BPF_CORE_READ(task, sched_info.run_delay);
		row->queued_ns = BPF_CORE_READ(task, sched_info.last_queued);
	}
	if (bpf_core_field_exists(t->throttled))
		row->is_throttled = BPF_CORE_READ(t, throttled);
}

static __always_inline int dump(struct bpf_iter__task *ctx, bool is_deep)
{
	struct task_struct *task = ctx->task;
	struct task_row row = { 0 };
	__u32 level = level_of_observer();
	struct pid *pid;

	if (!task || tgid_at_level(task, level) != target_pid)
		return 0;
	pid = BPF_CORE_READ(task, thread_pid);
	row.tgid = task->tgid;
	row.init_tid = task->pid;
	row.tid = nr_at_level(pid, level);
	row.observer_level = level;
	row.ns_tid = nr_at_level(pid, BPF_CORE_READ(pid, level));
	row.state = BPF_CORE_READ(task, __state);
	row.exit_state = task->exit_state;
	row.is_on_cpu = BPF_CORE_READ(task, on_cpu);
	row.cpu = cpu_of(task);
	row.exec_start_ns = BPF_CORE_READ(task, se.exec_start);
	row.start_ns = BPF_CORE_READ(task, start_boottime);
	read_registers(&row, task);
	read_waits(&row, task);
	read_lags(&row, task);
	if (is_deep) {
		read_kernel_stack(&row, task);
		read_fault(&row, task);
		bpf_seq_write(ctx->meta->seq, &row, sizeof(row));
	} else {
		bpf_seq_write(ctx->meta->seq, &row, __builtin_offsetof(struct task_row, kernel));
	}
	return 0;
}

SEC("iter/task")
int dump_threads(struct bpf_iter__task *ctx)
{
	return dump(ctx, false);
}

/* Kernel stacks, too: three times the time. */
SEC("iter/task")
int dump_deep(struct bpf_iter__task *ctx)
{
	return dump(ctx, true);
}
