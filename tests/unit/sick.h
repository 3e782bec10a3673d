/* SPDX-License-Identifier: MIT */
/*
 * sick.h - a process with much to tell, by records: three threads read one file from one line, one
 * reads a socket in blocking mode, one is abroad in C, one holds its P in a page fault. For tests
 * of `blocked` and `growth`.
 */
#ifndef TEST_SICK_H
#define TEST_SICK_H

#include "scene.h"

#define SICK_FN 0x5555aaaa0000ull
#define SICK_PAGE 0x7f2c40001010ull

enum {
	PC_READ = 0x1000,
	PC_WORKER = 0x2000,
	PC_MAIN = 0x3000,
	PC_SERVE = 0x4000,
	PC_LOOKUP = 0x5000
};
enum { PC_SCHEDULE = 0x9000, PC_URANDOM = 0x9100, PC_RECV = 0x9200, PC_FAULT = 0x9300 };

static const uint64_t sick_args[][6] = {
	{ 7, 0x7f00, 65536 },
	{ 8, 0x7f10, 65536 },
	{ 9, 0x7f20, 65536 },
	{ 12, 0x7f30, 1 },
};

static inline struct row sick_row(int64_t m, uint64_t since_ns, int32_t nr, const uint64_t *args)
{
	return (struct row){
		.m = m,
		.tid = 4711 + (uint32_t)m,
		.p = -1,
		.g = 16 + (uint64_t)m,
		.state = GRT_MS_blocked,
		.kernel_state = 'S',
		.nr = nr,
		.since_ns = since_ns,
		.args = args,
	};
}

static inline void sick_names(struct model *m)
{
	static const struct {
		uint64_t pc;
		const char *function, *line;
	} frames[] = {
		{ PC_READ, "grt_read", "io.c:90" },
		{ PC_WORKER, "worker_read", "files.c:41" },
		{ PC_MAIN, "main_fn", "files.c:80" },
		{ PC_SERVE, "serve<int>", "server.cc:7" },
		{ PC_LOOKUP, "liblookup.so.1+0x1f40", NULL },
	};

	rec_text(m, GRT_TEXT_BUILD_ID, PC_LOOKUP, "liblookup.so.1 0123456789abcdef");
	for (uint64_t fd = 7; fd <= 9; fd++)
		rec_text(m, GRT_TEXT_FD, fd, "/dev/urandom");
	rec_text(m, GRT_TEXT_FD, 12, "unix /run/\033[2Jevil");
	rec_text(m, GRT_TEXT_FD_NOTE, 12, "socket in blocking mode");
	rec_text(m, GRT_TEXT_FUNCTION, SICK_FN, "slow_lookup");
	rec_text(m, GRT_TEXT_KERNEL, PC_SCHEDULE, "__schedule");
	rec_text(m, GRT_TEXT_KERNEL, PC_URANDOM, "urandom_read_iter");
	rec_text(m, GRT_TEXT_KERNEL, PC_FAULT, "filemap_fault");
	rec_text(m, GRT_TEXT_MAPPING, SICK_PAGE, "/data/index");
	rec_text(m, GRT_TEXT_KERNEL, PC_RECV, "unix_stream_read_generic");
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		rec_text(m, GRT_TEXT_FUNCTION, frames[i].pc, frames[i].function);
		if (frames[i].line)
			rec_text(m, GRT_TEXT_LINE, frames[i].pc, frames[i].line);
	}
}

static inline void sick_reader(struct model *m, uint64_t t, int64_t id, uint64_t since_ns)
{
	struct row r = sick_row(id, since_ns, SYS_read, sick_args[id - 2]);

	rec_row(m, t, &r);
	rec_stack(m, t, r.tid, GRT_STACK_KERNEL, 0, 2, PC_SCHEDULE, PC_URANDOM, 0);
	rec_stack(m, t, r.tid, GRT_STACK_USER, GRT_FRAME_SYSTEM, 3, PC_READ, PC_WORKER, PC_MAIN);
}

static inline void sick_threads(struct model *m, uint64_t t)
{
	struct row r = sick_row(5, SCENE_T0 - 90 * SEC_NS, SYS_read, sick_args[3]);

	sick_reader(m, t, 2, SCENE_T0 - 4100 * MS_NS);
	sick_reader(m, t, 3, SCENE_T0 - 3 * SEC_NS);
	sick_reader(m, t, 4, SCENE_T0 - 12 * MS_NS);
	rec_row(m, t, &r);
	rec_stack(m, t, r.tid, GRT_STACK_KERNEL, 0, 2, PC_SCHEDULE, PC_RECV, 0);
	rec_stack(m, t, r.tid, GRT_STACK_USER, GRT_FRAME_SYSTEM | GRT_FRAME_CUT << 4, 2, PC_READ,
		  PC_SERVE, 0);
	r = sick_row(6, SCENE_T0 - 725 * SEC_NS, GRT_NR_FOREIGN, NULL);
	r.attr = GRT_MA_SINCE_AT_LEAST;
	r.arg = SICK_FN;
	rec_row(m, t, &r);
	rec_stack(m, t, r.tid, GRT_STACK_USER, GRT_FRAME_GUESSED, 1, PC_LOOKUP, 0, 0);
	r = sick_row(7, SCENE_T0 - 30 * MS_NS, GRT_NR_NONE, NULL);
	r.state = GRT_MS_hostage;
	r.kernel_state = 'D';
	r.p = 1;
	rec_row(m, t, &r);
	rec_apply_of(m, t, r.tid, GRT_K_SNAP_FAULT, SICK_PAGE);
	rec_stack(m, t, r.tid, GRT_STACK_KERNEL, 0, 2, PC_SCHEDULE, PC_FAULT, 0);
	r = sick_row(8, 0, GRT_NR_NONE, NULL);
	r.state = GRT_MS_idle;
	r.g = 0;
	rec_row(m, t, &r);
}
#define SICK_THREADS 7

static inline void sick_snapshot(struct model *m, uint64_t t, uint64_t threads_made)
{
	rec_apply(m, t, GRT_K_SNAP_BEGIN, 1, 1, 0, t, 0, 0);
	rec_apply(m, t, GRT_K_SNAP_SCHED, 2 | 1ull << 32, 0, 107, 3, 0, 0);
	rec_apply(m, t, GRT_K_SNAP_COUNT, 40, 30, 27, 0, threads_made, 0);
	sick_threads(m, t);
	rec_apply(m, t, GRT_K_SNAP_LIMITS, 10000, 512, 500, MODEL_NO_LIMIT, MODEL_NO_LIMIT, 0);
	rec_apply(m, t, GRT_K_SNAP_END, SICK_THREADS, SICK_THREADS, 0, 400000, 0, 0);
	model_tick(m, t);
}

/* Two looks a second apart, a hand-off and 12 new threads in between. */
static inline void sick_events(struct model *m, uint64_t t)
{
	rec_apply(m, t, GRT_K_retake, 0, 4, 20, 20000, GRT_BY_SYSMON, SYS_read);
	rec_apply(m, t + 9000, GRT_K_handoff, 0, 4, 20, GRT_HANDOFF_RETAKE, GRT_HANDOFF_MADE, 8);
	rec_done(m, t + 66000, 0, 4, 8);
	for (uint64_t i = 0; i < 12; i++)
		rec_apply(m, t + 1000 + i, GRT_K_m_new, 20 + i, 0, GRT_MNEW_HANDOFF, 0, 0, 0);
}

#endif
