/* SPDX-License-Identifier: MIT */
/*
 * trap.c - see trap.h. To take the link off again waits for a grace period of the kernel (30 ms): a
 * thread does it, so that neither the start nor the end of a session waits.
 *
 * A probe is hit between other work: its way through the kernel is not in the nearest caches then. Before each
 * hit as much memory is written as half of a usual second-level cache; it costs a third more than hits in a
 * row. The median counts: an interrupt in one of them is no cost of a probe.
 */
#include "trap.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "threads.h"
#include "uprobe_multi.h"

#define SAMPLES 15
#define OTHER_WORK_BYTES (512u << 10)
#define LINE_BYTES 64

struct trap {
	int link;
	pthread_t closer;
	bool has_closer;
	uint64_t cost_ns;
};

__attribute__((noinline, noclone, noipa)) static void site(void)
{
	__asm__ volatile(".globl gotrace_trap_site\n"
			 ".hidden gotrace_trap_site\n"
			 "gotrace_trap_site: nop");
}

extern const char gotrace_trap_site[];

/* Where the site is in the file that we were started from; 0: not found. */
static uint64_t site_file_offset(void)
{
	uintptr_t addr = (uintptr_t)gotrace_trap_site, start, end, off;
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t ret = 0;
	char line[512];

	while (maps && !ret && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR, &start, &end, &off) ==
			    3 &&
		    addr >= start && addr < end)
			ret = addr - start + off;
	if (maps)
		fclose(maps);
	return ret;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t hit_ns(volatile char *other_work)
{
	uint64_t sample[SAMPLES];

	for (int i = 0; i < SAMPLES; i++) {
		uint64_t start_ns;

		for (size_t at = 0; at < OTHER_WORK_BYTES; at += LINE_BYTES)
			other_work[at]++;
		start_ns = threads_now_ns();
		site();
		sample[i] = threads_now_ns() - start_ns;
	}
	qsort(sample, SAMPLES, sizeof(sample[0]), compare);
	return sample[SAMPLES / 2];
}

static void *link_close(void *arg)
{
	const struct trap *t = arg;

	close(t->link);
	return NULL;
}

struct trap *trap_open(int prog_fd)
{
	uint64_t offset = site_file_offset(), bare_ns, trapped_ns;
	struct uprobe_multi u = { .prog_fd = prog_fd,
				  .path = "/proc/self/exe",
				  .offsets = &offset };
	struct trap *t = offset ? calloc(1, sizeof(*t)) : NULL;
	char *other_work = calloc(1, OTHER_WORK_BYTES);

	if (!t || !other_work)
		goto fail;
	u.pid = getpid();
	u.n = 1;
	bare_ns = hit_ns(other_work);
	t->link = uprobe_multi_attach(&u);
	if (t->link < 0)
		goto fail;
	trapped_ns = hit_ns(other_work);
	free(other_work);
	t->cost_ns = trapped_ns > bare_ns ? trapped_ns - bare_ns : 0;
	t->has_closer = pthread_create(&t->closer, NULL, link_close, t) == 0;
	return t;
fail:
	free(other_work);
	free(t);
	return NULL;
}

uint64_t trap_cost_ns(const struct trap *t)
{
	return t ? t->cost_ns : 0;
}

void trap_close(struct trap *t)
{
	if (!t)
		return;
	if (t->has_closer)
		pthread_join(t->closer, NULL);
	else
		close(t->link);
	free(t);
}
