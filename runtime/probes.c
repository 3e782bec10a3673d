/* SPDX-License-Identifier: MIT */
/*
 * probes.c - the one site of each probe.
 *
 * A probe is a cold function that is never inlined or cloned: however often it is fired in the source,
 * the library has one site and one note for it, and its arguments are where the calling convention
 * puts them, so that a tracer reads them from registers. Call sites test the semaphore only.
 *
 * The site is <sys/sdt.h>'s one-byte nop. Never a five-byte nop: kernels from 6.18 on may turn it into
 * a call that writes below the stack pointer.
 */
#include "probes.h"

#define SDT_USE_VARIADIC
#define _SDT_HAS_SEMAPHORES 1
#define STAP_SDT_ARG_CONSTRAINT nr
#include <sys/sdt.h>

probe_listener probe_sink;

static void emit(u16 kind, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	probe_listener sink = __atomic_load_n(&probe_sink, __ATOMIC_ACQUIRE);

	if (sink)
		sink(kind, a, b, c, d, e, f);
}

/* The kernel raises these in a running process while a tracer is attached; the sink does as well. */
#define PROBE(nr, name, temp, n, args, doc) \
	__attribute__((section(".probes"))) volatile unsigned short grt_##name##_semaphore;
#include "probes.def"
#undef PROBE

#define UNPAREN(...) __VA_ARGS__
#define APPLY(macro, ...) macro(__VA_ARGS__)

#define EMIT_1(kind, a) emit(kind, a, 0, 0, 0, 0, 0)
#define EMIT_2(kind, a, b) emit(kind, a, b, 0, 0, 0, 0)
#define EMIT_3(kind, a, b, c) emit(kind, a, b, c, 0, 0, 0)
#define EMIT_4(kind, a, b, c, d) emit(kind, a, b, c, d, 0, 0)
#define EMIT_5(kind, a, b, c, d, e) emit(kind, a, b, c, d, e, 0)
#define EMIT_6(kind, a, b, c, d, e, f) emit(kind, a, b, c, d, e, f)

#if __has_attribute(noclone)
#define ONE_COPY __attribute__((cold, noinline, noclone))
#else
#define ONE_COPY __attribute__((cold, noinline))
#endif

/* The site comes first: the arguments are still in the registers that they came in. */
#define PROBE(nr, name, temp, n, args, doc)                    \
	ONE_COPY void probe_##name(PROBE_PARAMS_##n args)      \
	{                                                      \
		APPLY(STAP_PROBE##n, grt, name, UNPAREN args); \
		APPLY(EMIT_##n, nr, UNPAREN args);             \
	}
#include "probes.def"
#undef PROBE

void probes_count(u64 kinds, int n)
{
#define PROBE(nr, name, temp, nargs, args, doc) \
	if (kinds >> (nr)&1)                    \
		__atomic_add_fetch(&grt_##name##_semaphore, (unsigned short)n, __ATOMIC_SEQ_CST);
#include "probes.def"
#undef PROBE
}
