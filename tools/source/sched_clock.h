/* SPDX-License-Identifier: MIT */
/*
 * sched_clock.h - from the scheduler's clock of tasks, in which the kernel says when a thread last ran, to
 * CLOCK_MONOTONIC.
 *
 * That clock leaves out time that interrupts and the hypervisor took, and so runs apart on each
 * CPU: two CPUs of one machine have been seen 88 ms apart. The task iterator tells how far each lags, or it is
 * measured by a visit to each CPU. The distance only grows: a thread that has slept for long may have slept a
 * little longer than we say, never shorter.
 */
#ifndef GOTRACE_SCHED_CLOCK_H
#define GOTRACE_SCHED_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define SCHED_CLOCK_CPUS 1024

struct sched_clock {
	int64_t offset_ns[SCHED_CLOCK_CPUS]; /* CLOCK_MONOTONIC - scheduler's clock; 0: not known */
	uint64_t measured_ns;                /* when; 0: never */
	uint32_t next_cpu;                   /* where to go on */
	int64_t queue_lag_ns;                /* the clock of queues behind CLOCK_MONOTONIC */
	uint64_t queue_lag_at_ns;            /* when it was told; 0: never */
	uint32_t far;                        /* so many times in a row it was far larger */
};

/*
 * Measure again if the last time is a while ago. Visits all CPUs with the calling thread; those of a
 * loaded machine that it gets no time on in 100 ms are visited the next time.
 */
void sched_clock_refresh(struct sched_clock *c);
/* The clocks of the CPU that the calling thread is on go on to now. */
void sched_clock_charge(void);
/*
 * One more measurement of the clock of queues, too large by what passed meanwhile: the least counts, and
 * rises as far as the two clocks may run apart (NTP). What is far larger several times in a row is so: the
 * machine was stopped for a while, and one of its clocks with it.
 */
void sched_clock_note_queue_lag(struct sched_clock *c, int64_t lag_ns);
/* Not later than now; 0: not known. */
uint64_t sched_clock_to_monotonic(const struct sched_clock *c, uint32_t cpu, uint64_t sched_ns);

#endif
