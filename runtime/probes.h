/* SPDX-License-Identifier: MIT */
/*
 * probes.h - turns probes.def into call sites.
 *
 * PROBE_name(args) tests a semaphore and, if a tracer or the in-process sink has raised it, calls
 * the probe's one cold function: exactly one site per probe in the whole library, arguments in
 * registers. Compiled out of nothing: release builds have all probes.
 */
#ifndef GRT_PROBES_H
#define GRT_PROBES_H

#include "types.h"

#define PROBE_PARAMS_1(a) u64 a
#define PROBE_PARAMS_2(a, b) u64 a, u64 b
#define PROBE_PARAMS_3(a, b, c) u64 a, u64 b, u64 c
#define PROBE_PARAMS_4(a, b, c, d) u64 a, u64 b, u64 c, u64 d
#define PROBE_PARAMS_5(a, b, c, d, e) u64 a, u64 b, u64 c, u64 d, u64 e
#define PROBE_PARAMS_6(a, b, c, d, e, f) u64 a, u64 b, u64 c, u64 d, u64 e, u64 f

#define PROBE(nr, name, temp, n, args, doc)                    \
	extern volatile unsigned short grt_##name##_semaphore; \
	void probe_##name(PROBE_PARAMS_##n args);
#include "probes.def"
#undef PROBE

/* Who else hears of each probe, in the process itself: sink.c sets it, once. NULL: nobody. */
typedef void (*probe_listener)(u16 kind, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
extern probe_listener probe_sink; /* A */
/* Raise (+1) or lower (-1) the semaphores of some kinds, bit k = kind k; tracers do it to the same words. */
void probes_count(u64 kinds, int n);

/* Is anybody listening? For call sites that must compute an argument. */
#define PROBE_ON(name) \
	__builtin_expect(__atomic_load_n(&grt_##name##_semaphore, __ATOMIC_RELAXED) != 0, 0)
#define PROBE_FIRE(name, ...)                      \
	do {                                       \
		if (PROBE_ON(name))                \
			probe_##name(__VA_ARGS__); \
	} while (0)

#endif
