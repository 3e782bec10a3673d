/* SPDX-License-Identifier: MIT */
/*
 * delays.c - see delays.h. An M that came later counts from its birth. A kernel without schedstat tells
 * nothing: then no late hand-off is excused.
 */
#include "delays.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool run_delay_read(pid_t pid, uint32_t tid, uint64_t *ret_ns)
{
	char path[64];
	FILE *in;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/task/%u/schedstat", pid, tid);
	in = fopen(path, "re");
	ok = in && fscanf(in, "%*u %" SCNu64, ret_ns) == 1;
	if (in)
		fclose(in);
	return ok;
}

static struct evidence_delay *delay_find(struct evidence *e, uint64_t m)
{
	for (size_t i = 0; i < e->ndelays; i++)
		if (e->delay[i].m == m)
			return &e->delay[i];
	return NULL;
}

void delays_read(struct evidence *e, pid_t pid)
{
	const struct model_thread *t;
	size_t n = model_threads(e->model, &t);
	bool is_first = !e->delay;
	struct evidence_delay *all = calloc(e->ndelays + n + 1, sizeof(*all));

	if (!all)
		return;
	if (e->ndelays)
		memcpy(all, e->delay, e->ndelays * sizeof(*all));
	free(e->delay);
	e->delay = all;
	for (size_t i = 0; i < n; i++) {
		struct evidence_delay *d;
		uint64_t ns;

		if (t[i].m < 0 || !run_delay_read(pid, t[i].tid, &ns))
			continue;
		d = delay_find(e, (uint64_t)t[i].m);
		if (!d) {
			d = &e->delay[e->ndelays++];
			*d = (struct evidence_delay){ .m = (uint64_t)t[i].m,
						      .base_ns = is_first ? ns : 0 };
		}
		d->run_delay_ns = ns - d->base_ns;
		e->has_delays = true;
	}
}
