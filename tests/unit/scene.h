/* SPDX-License-Identifier: MIT */
/*
 * scene.h - one process, told by records, that every view must show: two Ps, eight threads, three
 * of them blocked; a second tick a second later, and a hand-off in between.
 */
#ifndef TEST_SCENE_H
#define TEST_SCENE_H

#include <sys/syscall.h>

#include "../../tools/view/view.h"
#include "records.h"

#define SCENE_T0 (1000 * SEC_NS)
#define SCENE_FOREIGN_FN 0x5555aaaa0000ull
#define SCENE_PATH 0x7fff00001000ull

static const uint64_t scene_read[6] = { 7, 0x7f00, 65536, 0, 0, 0 };
static const uint64_t scene_open[6] = { (uint64_t)-100, SCENE_PATH, 0x80000, 0, 0, 0 };
static const uint64_t scene_poll[6] = { 4, 0x7f00, 128, (uint64_t)-1, 0, 0 };
static const uint64_t scene_none[6] = { 0 };

static const struct row scene_rows[] = {
	{ .m = 0,
	  .tid = 4711,
	  .p = 0,
	  .g = 1,
	  .state = GRT_MS_running,
	  .kernel_state = 'R',
	  .nr = GRT_NR_NONE,
	  .attr = GRT_MA_LEADER },
	{ .m = 1,
	  .tid = 4712,
	  .p = -1,
	  .state = GRT_MS_system,
	  .kernel_state = 'S',
	  .nr = SYS_nanosleep,
	  .args = scene_none },
	{ .m = 2,
	  .tid = 4713,
	  .p = -1,
	  .g = 18,
	  .state = GRT_MS_blocked,
	  .kernel_state = 'S',
	  .nr = SYS_read,
	  .since_ns = SCENE_T0 - 4100 * MS_NS,
	  .args = scene_read },
	{ .m = 3,
	  .tid = 4714,
	  .p = -1,
	  .g = 19,
	  .state = GRT_MS_blocked,
	  .kernel_state = 'R',
	  .nr = GRT_NR_FOREIGN,
	  .since_ns = SCENE_T0 - 725 * SEC_NS,
	  .attr = GRT_MA_SINCE_AT_LEAST,
	  .arg = SCENE_FOREIGN_FN },
	{ .m = 4,
	  .tid = 4715,
	  .p = -1,
	  .g = 20,
	  .state = GRT_MS_blocked,
	  .kernel_state = 'S',
	  .nr = SYS_openat,
	  .since_ns = SCENE_T0 - 12 * MS_NS,
	  .args = scene_open },
	{ .m = 5,
	  .tid = 4716,
	  .p = -1,
	  .state = GRT_MS_idle,
	  .kernel_state = 'S',
	  .nr = SYS_futex,
	  .since_ns = SCENE_T0 - 300 * MS_NS,
	  .args = scene_none },
	{ .m = 6,
	  .tid = 4717,
	  .p = -1,
	  .state = GRT_MS_polling,
	  .kernel_state = 'S',
	  .nr = SYS_epoll_wait,
	  .since_ns = SCENE_T0 - 80 * MS_NS,
	  .args = scene_poll },
	{ .m = -1,
	  .tid = 4718,
	  .p = -1,
	  .state = GRT_MS_foreign,
	  .kernel_state = 'S',
	  .nr = GRT_NR_NONE },
};
#define SCENE_ROWS (sizeof(scene_rows) / sizeof(scene_rows[0]))

static inline void scene_names(struct model *m)
{
	rec_text(m, GRT_TEXT_FD, 7, "/var/log/x\033[2J");
	rec_text(m, GRT_TEXT_FD, 4, "epoll");
	rec_text(m, GRT_TEXT_STRING, SCENE_PATH, "/tmp/a \"fifo\"");
	rec_text(m, GRT_TEXT_FUNCTION, SCENE_FOREIGN_FN, "slow_lookup");
}

static const struct view_head scene_head = {
	.pid = 4711,
	.comm = "growth",
	.runtime = "libgrt",
	.level = 1,
	.why_not_higher = "",
	.armed = 9,
	.wanted = 9,
	.has_iterator = true,
	.interval_ns = SEC_NS,
};

static const struct view_head scene_head_sampled = {
	.pid = 4711,
	.comm = "growth",
	.runtime = "libgrt",
	.level = 0,
	.why_not_higher =
		"BPF is not permitted; run as root, or give gotrace CAP_BPF and CAP_PERFMON",
	.interval_ns = SEC_NS,
};

static inline void scene_first(struct model *m)
{
	static const struct counts c = {
		.handoffs = 40, .retakes = 30, .slow_exits = 27, .made = 7
	};

	scene_names(m);
	rec_snapshot(m, SCENE_T0, 2, 1, scene_rows, SCENE_ROWS, &c);
	model_tick(m, SCENE_T0);
}

static inline void scene_second(struct model *m, bool with_events)
{
	static const struct counts c = {
		.handoffs = 53, .retakes = 41, .slow_exits = 38, .made = 9
	};
	uint64_t t = SCENE_T0 + 500 * MS_NS;

	if (with_events) {
		rec_apply(m, t, GRT_K_m_new, 7, 0, GRT_MNEW_HANDOFF, 0, 0, 0);
		rec_retake(m, t, 0, 2, 20000, GRT_BY_SYSMON, 0);
		rec_handoff(m, t + 9000, 0, 2, GRT_HANDOFF_RETAKE, GRT_HANDOFF_MADE, 7);
		rec_done(m, t + 66000, 0, 2, 7);
	}
	rec_snapshot(m, SCENE_T0 + SEC_NS, 2, 0, scene_rows, SCENE_ROWS, &c);
	model_tick(m, SCENE_T0 + SEC_NS);
}

#endif
