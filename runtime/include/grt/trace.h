/* SPDX-License-Identifier: MIT */
/*
 * trace.h - the in-process sink: the scheduler's own probes, read by the program itself. No root,
 * no BPF. The records are those of <grt/trace_abi.h>, and the probes those of probes.def.
 */
#ifndef GRT_TRACE_H
#define GRT_TRACE_H

#include <grt/api.h>
#include <grt/trace_abi.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

GRT_BEGIN

/*
 * Start collecting the given kinds: bit k of kinds is probe kind k of probes.def (bit 0 unused).
 * ring_records: capacity per thread, rounded up to a power of two; 0: 4,096.
 * 0, -EINVAL if kinds names no probe, -EBUSY if already open, -ENOMEM. Any thread, also before grt_run.
 */
GRT_API int grt_sink_open(uint64_t kinds, size_t ring_records);
/*
 * Take up to n records, oldest first over all threads. Returns how many. When records did not fit,
 * one record of kind GRT_K_LOST (arg: GRT_LOSS_RING, how many) stands in their place, per thread.
 * One reader at a time.
 */
GRT_API ssize_t grt_sink_read(struct grt_rec *recs, size_t n);
/* Stop; what was not read is gone. 0, or -EBADF if it is not open. */
GRT_API int grt_sink_close(void);

/*
 * The calling thread only watches (1), or no longer does (0; to be said before it ends, since its id may
 * be given to another thread). It must not be one of the runtime's own. A thread that the runtime does
 * not own may call in and make a goroutine runnable, so that "all goroutines are asleep" is never said
 * while there is one; this one promises not to while it is marked. Reading the sink is no such call.
 * 0, -EINVAL on a thread of the runtime, -ENOSPC if too many are marked (16), -ESRCH if it was not marked.
 */
GRT_API int grt_observer_mark(int is_observer);

GRT_END

#endif
