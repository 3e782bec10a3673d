/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * events.bpf.c - what happens between two snapshots: probes of libgrt, and when Ms fall asleep.
 *
 * One uprobe program for all sites; the attach cookie says which one it is, and a table that user
 * space fills before the load says where the arguments are (immediate, or in a register). Every
 * event becomes one struct grt_rec in a ring buffer that is polled on a tick: waking the reader for
 * each record would cost the target 2.7 us, so it is woken only when WAKE_BYTES wait. What does not
 * fit is counted.
 *
 * sched_switch: when a thread of the target goes to sleep, its M is read; if it is in a call, the
 * time is kept by M id. A record before the retake of that call carries it, so that a hand-off's
 * latency starts where the thread fell asleep and not where sysmon first looked.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "events.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define OWN_WAITS_LOG2 6
#define HASH 0x9e3779b97f4a7c15ull /* 2^64 by the golden ratio */
#define WAKE_BYTES (64 << 10)
#define WAKE_WIDTH \
	1024 /* a few records: one of them wakes the reader, the flood after it does not */

/*
 * No constants: in which namespace we are, the iterator tells, which is loaded with these. Set before any of
 * them is attached.
 */
__u32 target_tgid;    /* in the initial pid namespace */
__u32 observer_level; /* depth of the observer's pid namespace */
const volatile struct probe_spec probes[PROBES_MAX];
const volatile struct m_offsets m_off;
const volatile __u32 want_switches; /* else nobody asks which M a thread is */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

/* Exact, whatever happens to records. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BPF_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/*
 * Thread (initial namespace) -> its M; from m_start, and from the first snapshot by user space. Both maps
 * have their size from user space, for as many Ms as there may be, and lose a thread's entries in on_exit,
 * however it ends. No LRU: one that is full drops the sleep of a thread that lives, and says nothing.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct thread_m);
} thread_m SEC(".maps");

/* By M id, only of Ms that thread_m has. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct m_asleep);
} asleep SEC(".maps");

/* Set by user space while one link of all probes becomes one a group. */
__u32 is_changing;

/* Thread -> the site whose hit was told by the link of a group, 1 added. LRU: for who hits none of both. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} told SEC(".maps");

/* Of this CPU, but another thread may take the CPU here: a uprobe's program can be preempted. */
static void count_add(__u32 index, __u64 n)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &index);

	if (value)
		__sync_fetch_and_add(value, n);
}

static void count(__u32 index)
{
	count_add(index, 1);
}

/*
 * What a program runs costs the target, and so does looking at a clock: the first run on a CPU is timed,
 * and then about one in TIMED_EVERY. Of a run that was preempted the time is too long; that errs on the
 * side of costing more.
 */
static __u64 timed_begin(__u32 timed)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &timed);

	if (!n || (*n && (bpf_get_prandom_u32() & (TIMED_EVERY - 1))))
		return 0;
	return bpf_ktime_get_ns();
}

/* timed: how many were; behind it stands the counter of their time. */
static void timed_end(__u32 timed, __u64 begin_ns)
{
	if (!begin_ns)
		return;
	count(timed);
	count_add(timed + 1, bpf_ktime_get_ns() - begin_ns);
}

static __u32 tid_of_task(struct task_struct *task)
{
	struct upid upid = { 0 };
	struct pid *pid = BPF_CORE_READ(task, thread_pid);

	if (observer_level > BPF_CORE_READ(pid, level))
		return 0;
	bpf_core_read(&upid, sizeof(upid), &pid->numbers[observer_level]);
	return (__u32)upid.nr;
}

static __u32 tid_for_observer(void)
{
	if (observer_level == 0)
		return (__u32)bpf_get_current_pid_tgid();
	return tid_of_task((struct task_struct *)bpf_get_current_task());
}

static void send(struct grt_rec *rec)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA), flags = BPF_RB_NO_WAKEUP;

	if (waiting >= WAKE_BYTES && waiting < WAKE_BYTES + WAKE_WIDTH)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&ring, rec, sizeof(*rec), flags) != 0)
		count(BPF_COUNT_LOST_RING);
}

static __u64 read_arg(const struct pt_regs *regs, const volatile struct probe_arg_spec *spec)
{
	__u32 reg = spec->regs_off / sizeof(__u64), shift = spec->shift & 63;
	__u64 value;

	if (spec->is_imm)
		return spec->imm;
	if (reg >= sizeof(*regs) / sizeof(__u64))
		return 0;
	value = ((const __u64 *)regs)[reg] << shift;
	return spec->is_signed ? (__u64)((__s64)value >> shift) : value >> shift;
}

/* m, tid, m_ptr */
static void note_m_start(const struct grt_rec *rec)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct thread_m m = { .m_ptr = rec->arg[2], .id = rec->arg[0] };

	if (want_switches && bpf_map_update_elem(&thread_m, &tid, &m, BPF_ANY) != 0)
		count(BPF_COUNT_LOST_MAP);
}

static bool read_m(__u64 m_ptr, __u32 off, __u64 *ret)
{
	if (bpf_probe_read_user(ret, sizeof(*ret), (void *)(m_ptr + off)) == 0)
		return true;
	count(BPF_COUNT_LOST_MEMORY);
	return false;
}

/*
 * Before the retake: which call the P was lost to, and since when its M has slept in it. A call that
 * never slept must not get the sleep of an older one: the M's call word says which call this is. Its
 * tick only, since the M may have left the call between the take and this probe.
 */
static void tell_call(const struct grt_rec *retake)
{
	__u64 m = retake->arg[1];
	struct m_asleep *a = bpf_map_lookup_elem(&asleep, &m);
	struct grt_rec rec = { 0 };

	if (!a || !read_m(a->m_ptr, m_off.call, &rec.arg[1]) ||
	    !read_m(a->m_ptr, m_off.call_nr, &rec.arg[2]) ||
	    !read_m(a->m_ptr, m_off.call_arg, &rec.arg[3]))
		return;
	if ((rec.arg[1] ^ a->call) >> GRT_CALL_TICK_SHIFT != 0)
		return;
	rec.time_ns = retake->time_ns;
	rec.tid = retake->tid;
	rec.kind = GRT_K_SWITCH_OUT;
	rec.arg[0] = m;
	rec.arg[4] = a->since_ns;
	send(&rec);
}

/*
 * While links change: has the other link told of this hit?
 *
 *	link of a group             link of all
 *	told[thread] = site
 *	send
 *	                            told[thread] is this site: forget that, say nothing
 *
 * One after the other, in the thread that hit. A hit that began before the first link had come is told by
 * the second, and so is every one where only that one is.
 */
static bool is_told(__u64 cookie)
{
	__u64 thread = bpf_get_current_pid_tgid();
	__u32 site = (__u32)(cookie & COOKIE_INDEX) + 1, *was;

	if (cookie & COOKIE_OF_GROUP) {
		bpf_map_update_elem(&told, &thread, &site, BPF_ANY);
		return false;
	}
	was = bpf_map_lookup_elem(&told, &thread);
	if (!was || *was != site)
		return false;
	bpf_map_delete_elem(&told, &thread);
	return true;
}

SEC("kprobe")
int on_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 index = (__u32)cookie & COOKIE_INDEX;
	const volatile struct probe_spec *spec;
	struct grt_rec rec = { 0 };
	struct pt_regs regs; /* the context takes constant offsets only */
	__u64 begin_ns;

	if (bpf_get_current_pid_tgid() >> 32 != target_tgid || (is_changing && is_told(cookie)))
		return 0;
	begin_ns = timed_begin(BPF_COUNT_PROBE_TIMED);
	if (bpf_probe_read_kernel(&regs, sizeof(regs), ctx) != 0 || index >= PROBES_MAX) {
		count(BPF_COUNT_LOST_MEMORY);
		return 0;
	}
	spec = &probes[index];
	rec.time_ns = bpf_ktime_get_ns();
	rec.tid = tid_for_observer();
	rec.kind = (__u16)spec->kind;
#pragma unroll
	for (int i = 0; i < GRT_REC_ARGS; i++)
		if ((__u32)i < spec->nargs)
			rec.arg[i] = read_arg(&regs, &spec->arg[i]);
	if (rec.kind < PROBES_MAX)
		count(BPF_COUNT_KIND0 + rec.kind);
	if (rec.kind == GRT_K_m_start)
		note_m_start(&rec);
	else if (rec.kind == GRT_K_retake)
		tell_call(&rec);
	send(&rec);
	timed_end(BPF_COUNT_PROBE_TIMED, begin_ns);
	return 0;
}

/* What a hit costs by itself: measured by gotrace on a site of its own. */
SEC("kprobe")
int on_trap(struct pt_regs *ctx)
{
	return 0;
}

#if defined(__TARGET_ARCH_x86)
#define CALL_NR(regs) ((regs)->orig_ax)
#define CALL_ARG0(regs) ((regs)->di)
#else
#error "which call a thread sleeps in: no port for this architecture yet"
#endif

/*
 * Waits of the runtime itself: system call and first argument of Ms that slept outside of a call and
 * without a P. sysmon, the poller and idle Ms do so tens of thousands of times a second under load, no P
 * is ever taken from them, and no goroutine waits for the same address or descriptor. Cache lines of its
 * own: what all CPUs read at each switch must not move when one writes here.
 */
static volatile __u64 own_wait[1 << OWN_WAITS_LOG2] __attribute__((aligned(64)));

static __u64 wait_of(struct task_struct *task, __u32 *slot)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u64 wait = CALL_ARG0(regs) ^ CALL_NR(regs) << 48;

	*slot = wait * HASH >> (64 - OWN_WAITS_LOG2);
	return wait;
}

/*
 * On the CPU is still the thread that leaves: its memory is the current one. A thread that has left its M and
 * is about to end may find another in that M's place: its id tells.
 */
static void note_sleep_in_call(__u64 m_ptr, __u64 id, __u32 slot, __u64 wait)
{
	struct m_asleep a = { 0 }, *old;
	__u64 p, id_now;

	if (!read_m(m_ptr, m_off.call, &a.call))
		return;
	if (!(a.call & GRT_CALL_IN)) {
		if (read_m(m_ptr, m_off.p, &p) && p == 0)
			own_wait[slot] = wait;
		return;
	}
	if (!read_m(m_ptr, m_off.id, &id_now) || id_now != id)
		return;
	old = bpf_map_lookup_elem(&asleep, &id);
	if (old && old->call == a.call)
		return; /* the call sleeps again: its first sleep counts */
	a.since_ns = bpf_ktime_get_ns();
	a.m_ptr = m_ptr;
	if (bpf_map_update_elem(&asleep, &id, &a, BPF_ANY) != 0)
		count(BPF_COUNT_LOST_MAP);
}

/* prev_state arrives with flag bits: test bits. Bits 0 and 1: interruptible, uninterruptible. */
#define STATE_ASLEEP 3u

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
	     unsigned int prev_state)
{
	struct thread_m *m;
	__u64 begin_ns, wait;
	__u32 tid, slot;

	if ((__u32)prev->tgid != target_tgid || preempt || !(prev_state & STATE_ASLEEP))
		return 0;
	count(BPF_COUNT_SWITCHES);
	wait = wait_of(prev, &slot);
	if (wait == own_wait[slot])
		return 0;
	count(BPF_COUNT_SLEEPS);
	begin_ns = timed_begin(BPF_COUNT_SLEEP_TIMED);
	tid = (__u32)prev->pid;
	m = bpf_map_lookup_elem(&thread_m, &tid);
	if (m)
		note_sleep_in_call(m->m_ptr, m->id, slot, wait);
	timed_end(BPF_COUNT_SLEEP_TIMED, begin_ns);
	return 0;
}

static void send_kernel_event(__u16 kind, __u64 arg0, __u64 arg1)
{
	struct grt_rec rec = { 0 };

	rec.time_ns = bpf_ktime_get_ns();
	rec.tid = tid_for_observer();
	rec.kind = kind;
	rec.arg[0] = arg0;
	rec.arg[1] = arg1;
	send(&rec);
}

/* A new thread, not a new process; told by the thread that made it. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if ((__u32)child->tgid != target_tgid)
		return 0;
	send_kernel_event(GRT_K_THREAD_BORN, tid_of_task(child), child->start_boottime);
	return 0;
}

/*
 * The thread's own: it sleeps once more on its way out, but is in no map by then. Its memory may be gone, so
 * nothing is read there.
 */
static void forget_thread(__u32 tid)
{
	__u64 thread = bpf_get_current_pid_tgid(), id;
	struct thread_m *m = bpf_map_lookup_elem(&thread_m, &tid);

	bpf_map_delete_elem(&told, &thread);
	if (!m)
		return;
	id = m->id; /* the entry may be another's once it is deleted */
	bpf_map_delete_elem(&thread_m, &tid);
	bpf_map_delete_elem(&asleep, &id);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	if ((__u32)task->tgid != target_tgid)
		return 0;
	forget_thread((__u32)task->pid);
	send_kernel_event(GRT_K_THREAD_GONE, tid_for_observer(), 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, __u32 old_pid)
{
	if ((__u32)task->tgid != target_tgid)
		return 0;
	send_kernel_event(GRT_K_EXEC, 0, 0);
	return 0;
}
