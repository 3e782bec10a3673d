/* SPDX-License-Identifier: MIT */
/*
 * trial_bpf.c - trials of BPF, each from load to a hit that was counted: a load that works is no
 * proof (perf events are refused later), nor is an attach (some sites arm and never fire). Programs
 * are a few instructions by hand, so that this says what the machine does and not our own programs.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"
#include "trial.h"

#define CAP(name) (1ull << CAP_##name)
#define CAPS_BPF (CAP(BPF) | CAP(PERFMON))
#define ATTACH_UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI: newer than Debian 12's headers */
#define INT3 0xcc

#define INSN(c, d, s, o, i)                                                         \
	{                                                                           \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) \
	}
#define MOV_IMM(reg, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value)
#define MOV_REG(reg, from) INSN(BPF_ALU64 | BPF_MOV | BPF_X, reg, from, 0, 0)
#define LOAD(reg, from, off) INSN(BPF_LDX | BPF_MEM | BPF_DW, reg, from, off, 0)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

/* The site that probes are put on: one nop. */
extern const char trial_site[] __attribute__((visibility("hidden")));
static __attribute__((noinline, noclone)) void trial_call(void)
{
	__asm__ volatile(".globl trial_site\n\t.hidden trial_site\ntrial_site:\n\tnop" ::
				 : "memory");
}

/* One program that adds 1 to the only element of a map. */
struct counter {
	int map, prog;
};

static void counter_close(struct counter *c)
{
	if (c->prog >= 0)
		close(c->prog);
	if (c->map >= 0)
		close(c->map);
}

static int counter_load(struct counter *c, enum bpf_prog_type type, enum bpf_attach_type attach,
			int btf_id)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach,
		    .attach_btf_id = (__u32)btf_id);
	struct bpf_insn code[] = {
		/* r1 = address of the element; the map's descriptor is filled in below */
		INSN(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_VALUE, 0, 0),
		INSN(0, 0, 0, 0, 0),
		MOV_IMM(BPF_REG_2, 1),
		INSN(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_1, BPF_REG_2, 0, BPF_ADD),
		MOV_IMM(BPF_REG_0, 0),
		EXIT,
	};

	c->prog = -1;
	c->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "trial", sizeof(__u32), sizeof(__u64), 1, NULL);
	if (c->map < 0)
		return -errno;
	code[0].imm = c->map;
	c->prog = bpf_prog_load(type, "trial", "GPL", code, sizeof(code) / sizeof(code[0]), &opts);
	if (c->prog < 0) {
		int rc = -errno;

		counter_close(c);
		return rc;
	}
	return 0;
}

static uint64_t counter_read(const struct counter *c)
{
	uint64_t n = 0;
	uint32_t key = 0;

	bpf_map_lookup_elem(c->map, &key, &n);
	return n;
}

/* Offset of the site in the file of this program. */
static int site_offset(uint64_t *ret)
{
	uint64_t addr = (uintptr_t)trial_site;
	struct proc_maps it;
	struct proc_map map;
	int rc = proc_maps_open(&it, getpid());

	if (rc < 0)
		return rc;
	rc = -ENOENT;
	while (rc < 0 && proc_maps_next(&it, &map))
		if (addr >= map.start && addr < map.end) {
			*ret = addr - map.start + map.off;
			rc = 0;
		}
	proc_maps_close(&it);
	return rc;
}

/* Attached: is the site armed, and does a call of it count? Then judge. */
static void site_judge(struct trial *t, const struct counter *c)
{
	bool armed = *(const volatile unsigned char *)trial_site == INT3;
	uint64_t before = counter_read(c), after;

	trial_call();
	after = counter_read(c);
	if (armed && after == before + 1) {
		trial_works(t, "armed one here, its hit was counted");
		return;
	}
	t->result = TRIAL_NO;
	snprintf(t->why, sizeof(t->why), "attached, but the site is %s and 1 hit counted %" PRIu64,
		 armed ? "armed" : "not armed", after - before);
}

static int uprobe_multi_attach(int prog, uint64_t offset)
{
	/* The part of union bpf_attr that BPF_LINK_CREATE reads for this type. */
	struct {
		uint32_t prog_fd, target_fd, attach_type, flags;
		uint64_t path, offsets, ref_ctr_offsets, cookies;
		uint32_t count, multi_flags, pid, pad;
	} attr = {
		.prog_fd = (uint32_t)prog,
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t) "/proc/self/exe",
		.offsets = (uintptr_t)&offset,
		.count = 1,
		.pid = (uint32_t)getpid(),
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

static void kernel_explain(struct trial *t, const char *since)
{
	struct utsname u;

	uname(&u);
	snprintf(t->change, sizeof(t->change), "it came with Linux %s; this is %s", since,
		 u.release);
}

static void uprobe_multi_try(struct trial *t)
{
	struct counter c;
	uint64_t offset;
	int rc = counter_load(&c, BPF_PROG_TYPE_KPROBE, (enum bpf_attach_type)ATTACH_UPROBE_MULTI,
			      0);
	int link;

	if (rc < 0) {
		trial_fails(t, "load of a program", rc, CAPS_BPF);
		return;
	}
	rc = site_offset(&offset);
	link = rc < 0 ? rc : uprobe_multi_attach(c.prog, offset);
	if (link >= 0) {
		site_judge(t, &c);
		close(link);
	} else {
		trial_fails(t, "attach", link, CAPS_BPF);
		if (link == -EINVAL)
			kernel_explain(t, "6.6");
	}
	counter_close(&c);
}

static int perf_attach(int prog, uint64_t offset)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.config1 = (uintptr_t) "/proc/self/exe",
		.config2 = offset,
		.sample_period = 1,
	};
	char type[16];
	int fd, rc = proc_line_read("/sys/bus/event_source/devices/uprobe/type", type,
				    sizeof(type));

	if (rc < 0)
		return rc;
	attr.type = (uint32_t)atoi(type);
	fd = (int)syscall(SYS_perf_event_open, &attr, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog) || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void uprobe_perf_try(struct trial *t)
{
	struct counter c;
	uint64_t offset;
	int rc = counter_load(&c, BPF_PROG_TYPE_KPROBE, (enum bpf_attach_type)0, 0), event;

	if (rc < 0) {
		trial_fails(t, "load of a program", rc, CAP(SYS_ADMIN));
		return;
	}
	rc = site_offset(&offset);
	event = rc < 0 ? rc : perf_attach(c.prog, offset);
	if (event >= 0) {
		site_judge(t, &c);
		close(event);
	} else {
		trial_fails(t, "perf_event_open", event, CAP(SYS_ADMIN));
	}
	counter_close(&c);
}

static void ringbuf_try(struct trial *t)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "trial", 0, 0, (uint32_t)getpagesize(), NULL);

	if (fd >= 0) {
		trial_works(t, "made one");
		close(fd);
		return;
	}
	trial_fails(t, "bpf_map_create", -errno, CAP(BPF));
	if (errno == EINVAL)
		kernel_explain(t, "5.8");
}

/* Id of what a tracing program attaches to; the kernel must have been built with BTF. */
static int btf_id_find(struct trial *t, const char *name, enum bpf_attach_type type)
{
	int id = libbpf_find_vmlinux_btf_id(name, type);

	if (id > 0)
		return id;
	trial_fails(t, "types of the kernel", id < 0 ? id : -ENOENT, 0);
	snprintf(t->change, sizeof(t->change), "a kernel with CONFIG_DEBUG_INFO_BTF");
	return -1;
}

static void switches_try(struct trial *t)
{
	static const struct timespec nap = { .tv_nsec = 1000000 };
	int id = btf_id_find(t, "sched_switch", BPF_TRACE_RAW_TP), rc, link;
	struct counter c;

	if (id < 0)
		return;
	rc = counter_load(&c, BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, id);
	if (rc < 0) {
		trial_fails(t, "load of a program", rc, CAPS_BPF);
		return;
	}
	link = bpf_raw_tracepoint_open(NULL, c.prog);
	if (link < 0) {
		trial_fails(t, "attach", -errno, CAPS_BPF);
	} else {
		nanosleep(&nap, NULL);
		if (counter_read(&c) > 0) {
			trial_works(t, "saw this program go to sleep");
		} else {
			t->result = TRIAL_NO;
			snprintf(t->why, sizeof(t->why), "attached, but it never fires");
		}
		close(link);
	}
	counter_close(&c);
}

/* A program that writes one byte for each thread: *ctx is meta, *meta is the file. */
static int iterator_load(int btf_id)
{
	enum { SEQ_WRITE = 127 }; /* BPF_FUNC_seq_write */
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_ITER,
		    .attach_btf_id = (__u32)btf_id);
	const struct bpf_insn code[] = {
		LOAD(BPF_REG_1, BPF_REG_1, 0),
		LOAD(BPF_REG_1, BPF_REG_1, 0),
		INSN(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -8, 'x'),
		MOV_REG(BPF_REG_2, BPF_REG_10),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, -8),
		MOV_IMM(BPF_REG_3, 1),
		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, SEQ_WRITE),
		MOV_IMM(BPF_REG_0, 0),
		EXIT,
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "trial", "GPL", code,
			       sizeof(code) / sizeof(code[0]), &opts);

	return fd < 0 ? -errno : fd;
}

static void iterator_read(struct trial *t, int link)
{
	char text[64];
	int fd = bpf_iter_create(link);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (n > 0) {
		trial_works(t, "walked over the threads of this program");
	} else if (n == 0) {
		t->result = TRIAL_NO;
		snprintf(t->why, sizeof(t->why), "it walks, but finds no thread of this program");
	} else {
		trial_fails(t, fd < 0 ? "bpf_iter_create" : "read", -errno, CAPS_BPF);
	}
	if (fd >= 0)
		close(fd);
}

static void iterator_try(struct trial *t)
{
	union bpf_iter_link_info info = { .task.pid = (uint32_t)getpid() };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	int id = btf_id_find(t, "task", BPF_TRACE_ITER), prog, link;

	if (id < 0)
		return;
	prog = iterator_load(id);
	if (prog < 0) {
		trial_fails(t, "load of a program", prog, CAPS_BPF);
		return;
	}
	link = bpf_link_create(prog, 0, BPF_TRACE_ITER, &opts);
	if (link < 0) {
		trial_fails(t, "attach", -errno, CAPS_BPF);
	} else {
		iterator_read(t, link);
		close(link);
	}
	close(prog);
}

static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

void trials_run_bpf(struct trial ret[TRIALS])
{
	libbpf_print_fn_t saved = libbpf_set_print(say_nothing);

	ringbuf_try(&ret[TRIAL_RINGBUF]);
	iterator_try(&ret[TRIAL_ITERATOR]);
	switches_try(&ret[TRIAL_SWITCHES]);
	uprobe_multi_try(&ret[TRIAL_UPROBE_MULTI]);
	uprobe_perf_try(&ret[TRIAL_UPROBE_PERF]);
	libbpf_set_print(saved);
}
