/* SPDX-License-Identifier: MIT */
/* sched_clock.c - see sched_clock.h. */
#include "sched_clock.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "threads.h"

#define TRIES 5
#define TRIES_MAX 50
#define ERROR_NS 200000ull  /* good enough: durations are shown to a tenth of a ms */
#define HERE_NS 5000000ull  /* on one CPU: one without us for so long is not worth waiting for */
#define ALL_NS 100000000ull /* of a first screen, that is wanted within 300 ms */
#define CPUS_OFTEN 16       /* up to so many CPUs are measured every second */
#define OFTEN_NS 1000000000ull
#define SELDOM_NS 10000000000ull
#define FAR_NS 50000000ll
#define FAR_TIMES 3
#define DRIFT_PART 2000 /* 500 ppm: as much as adjtimex(2) can */

/* exec_start of the calling thread; 0: not told here. */
static uint64_t own_exec_start_ns(void)
{
	unsigned long long ms, fraction;
	uint64_t ns = 0;
	char line[256];
	FILE *f = fopen("/proc/thread-self/sched", "re");

	while (f && ns == 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "se.exec_start : %llu.%6llu", &ms, &fraction) == 2)
			ns = ms * 1000000ull + fraction;
	if (f)
		fclose(f);
	return ns;
}

/* Has the scheduler charge the calling thread for its time so far, which sets its exec_start to now. */
void sched_clock_charge(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
}

/*
 * What the clocks said just before and after the charge brackets it, unless the thread lost the CPU
 * before its exec_start was read: so the measurement that took the shortest time counts, and it is
 * wrong by no more than that time. (A yield charges as well, but gives the CPU away each time: 2 s for
 * one busy CPU, where this takes 50 us.) 0: none was good enough.
 */
static int64_t measure_here(void)
{
	uint64_t shortest = UINT64_MAX, begin = threads_now_ns(), before = begin;
	int64_t offset = 0;

	for (int i = 0; i < TRIES_MAX && (i < TRIES || shortest > ERROR_NS); i++) {
		uint64_t charged, exec_start, took;

		sched_clock_charge();
		charged = threads_now_ns();
		exec_start = own_exec_start_ns();
		took = threads_now_ns() - before;
		if (exec_start == 0)
			return 0;
		if (took < shortest) {
			shortest = took;
			offset = (int64_t)charged - (int64_t)exec_start;
		}
		before = threads_now_ns();
		if (before - begin > HERE_NS)
			break;
	}
	return shortest <= ERROR_NS ? offset : 0;
}

/*
 * One CPU after the other, from where the last time ended. Where we may not go or not measure, it stays
 * as it was: a little old, or unknown.
 */
static void measure_all(struct sched_clock *c, const cpu_set_t *allowed)
{
	uint64_t begin = threads_now_ns();

	for (uint32_t n = 0; n < SCHED_CLOCK_CPUS; n++) {
		uint32_t cpu = c->next_cpu;
		int64_t offset;
		cpu_set_t one;

		c->next_cpu = (cpu + 1) % SCHED_CLOCK_CPUS;
		if (!CPU_ISSET(cpu, allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) != 0)
			continue;
		offset = measure_here();
		if (offset)
			c->offset_ns[cpu] = offset;
		if (threads_now_ns() - begin > ALL_NS)
			break;
	}
}

void sched_clock_refresh(struct sched_clock *c)
{
	uint64_t now = threads_now_ns(), age = now - c->measured_ns;
	cpu_set_t own, all;

	if (sched_getaffinity(0, sizeof(own), &own) != 0)
		return;
	if (c->measured_ns && age < (CPU_COUNT(&own) <= CPUS_OFTEN ? OFTEN_NS : SELDOM_NS))
		return;
	memset(&all, 0xff, sizeof(all)); /* the target may run where we usually do not */
	if (sched_setaffinity(0, sizeof(all), &all) != 0 ||
	    sched_getaffinity(0, sizeof(all), &all) != 0)
		all = own;
	measure_all(c, &all);
	sched_setaffinity(0, sizeof(own), &own);
	c->measured_ns = now;
}

void sched_clock_note_queue_lag(struct sched_clock *c, int64_t lag_ns)
{
	uint64_t now_ns = threads_now_ns();
	int64_t drift_ns = (int64_t)((now_ns - c->queue_lag_at_ns) / DRIFT_PART);

	c->far = lag_ns > c->queue_lag_ns + FAR_NS ? c->far + 1 : 0;
	if (c->queue_lag_at_ns == 0 || lag_ns < c->queue_lag_ns + drift_ns || c->far >= FAR_TIMES)
		c->queue_lag_ns = lag_ns;
	else
		c->queue_lag_ns += drift_ns;
	c->queue_lag_at_ns = now_ns;
}

uint64_t sched_clock_to_monotonic(const struct sched_clock *c, uint32_t cpu, uint64_t sched_ns)
{
	uint64_t now_ns = threads_now_ns(), ns;

	/* 0: it has not run since it was made, or moved to another CPU. */
	if (sched_ns == 0 || cpu >= SCHED_CLOCK_CPUS || c->offset_ns[cpu] == 0)
		return 0;
	ns = (uint64_t)((int64_t)sched_ns + c->offset_ns[cpu]);
	return ns < now_ns ? ns : now_ns;
}
