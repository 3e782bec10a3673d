/* SPDX-License-Identifier: MIT */
/*
 * cost.c - see cost.h.
 *
 * The share is judged since the attach, not for a tick: a group that costs twice the limit is armed for
 * half of the time then, and what the user was promised holds on the whole. The next group goes only if
 * what is still armed costs too much by itself. A target that hardly runs
 * has no CPU time to take a share of: below FLOOR of one CPU nothing is shed.
 */
#include "cost.h"

#include <time.h>

#define PPM 1000000u
#define FLOOR_PPM 1000u   /* of one CPU's time: 1 ms a second */
#define REARM_PERCENT 60u /* of the limit: below it a group is armed again */
#define CHANGE_MIN_NS \
	1000000000u /* a change costs tens of ms of grace period, and a second tells more */
#define NS_PER_SEC 1000000000u

/* Hottest first. */
static const uint32_t order[] = { GRT_HOT, GRT_WARM, GRT_SWITCHES, GRT_COLD };
#define GROUPS (sizeof(order) / sizeof(order[0]))

uint64_t cost_ns(const struct cost *c)
{
	return c->hits_ns + c->bpf_ns;
}

uint64_t cost_cpu_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0)
		return 0;
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

void governor_init(struct governor *g, uint32_t wanted, uint32_t limit_ppm, uint64_t now_ns)
{
	*g = (struct governor){
		.limit_ppm = limit_ppm,
		.wanted = wanted,
		.armed = wanted,
		.last_ns = now_ns,
		.changed_ns = now_ns,
	};
}

static bool is_above(uint64_t part, uint64_t whole, uint64_t ppm)
{
	return (double)part * PPM > (double)whole * (double)ppm;
}

static void note_time(struct governor *g, uint64_t now_ns)
{
	uint64_t ns = now_ns > g->last_ns ? now_ns - g->last_ns : 0;

	for (unsigned i = 0; i < GROUPS; i++)
		if (g->armed & order[i])
			g->armed_ns[i] += ns;
	g->observed_ns += ns;
	g->last_ns = now_ns;
}

/* Does what is armed now cost too much, and all that was since the attach? */
static bool is_too_much(const struct governor *g, const struct cost *c, uint64_t paid)
{
	return is_above(paid, c->target_ns, g->limit_ppm) &&
	       is_above(paid, c->wall_ns, FLOOR_PPM) &&
	       is_above(paid - g->changed_paid_ns, c->target_ns - g->changed_target_ns,
			g->limit_ppm);
}

static void shed_hottest(struct governor *g)
{
	for (unsigned i = 0; i < GROUPS; i++)
		if (g->armed & order[i]) {
			g->armed &= ~order[i];
			return;
		}
}

static void arm_coldest(struct governor *g)
{
	for (unsigned i = GROUPS; i-- > 0;)
		if (g->wanted & ~g->armed & order[i]) {
			g->armed |= order[i];
			return;
		}
}

uint32_t governor_tick(struct governor *g, const struct cost *c, uint64_t now_ns)
{
	uint64_t paid = cost_ns(c);
	uint32_t was;

	note_time(g, now_ns);
	if (!g->limit_ppm || !c->target_ns || now_ns - g->changed_ns < CHANGE_MIN_NS)
		return g->armed;
	was = g->armed;
	if (is_too_much(g, c, paid))
		shed_hottest(g);
	else if (!is_above(paid, c->target_ns, (uint64_t)g->limit_ppm * REARM_PERCENT / 100))
		arm_coldest(g);
	if (g->armed != was) {
		g->changed_ns = now_ns;
		g->changed_paid_ns = paid;
		g->changed_target_ns = c->target_ns;
	}
	return g->armed;
}

uint32_t governor_armed_permill(const struct governor *g)
{
	uint64_t least = g->observed_ns;

	for (unsigned i = 0; i < GROUPS; i++)
		if ((g->wanted & order[i]) && g->armed_ns[i] < least)
			least = g->armed_ns[i];
	return g->observed_ns ? (uint32_t)(least * 1000 / g->observed_ns) : 1000;
}
