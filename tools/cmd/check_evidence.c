/* SPDX-License-Identifier: MIT */
/*
 * check_evidence.c - see check_judge.h: the threads that a violation is about, copied out of the model
 * with their names, since the next snapshot replaces them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../model/brief.h"
#include "../view/blocked.h"
#include "check_judge.h"

static void frames_copy(struct check_thread *to, const struct model *m,
			const struct model_thread *t)
{
	const struct model_frame *f;
	size_t n = model_stack(m, t, GRT_STACK_USER, &f);

	/* libgrt's own frames are no news. */
	for (size_t i = 0; i < n && to->frames < CHECK_FRAMES; i++)
		if (!(f[i].flags & GRT_FRAME_SYSTEM))
			brief_pc(to->frame[to->frames++], m, f[i].pc);
}

static void thread_copy(struct check_thread *to, const struct model *m,
			const struct model_thread *t)
{
	int fd = blocked_fd(m, t);
	const char *name = blocked_fd_text(m, t, GRT_TEXT_FD);

	*to = (struct check_thread){
		.m = t->m,
		.p = t->p,
		.tid = t->tid,
		.g = t->g,
		.state = t->state,
		.nr = t->nr,
		.fd = fd,
	};
	to->has_for = blocked_for(m, t, &to->for_ns, &to->is_least);
	call_text(to->call, sizeof(to->call), m, t);
	snprintf(to->fd_name, sizeof(to->fd_name), "%s", name ? name : "");
	to->has_heir = model_heir(m, t, &to->heir_m, &to->heir_ns);
	frames_copy(to, m, t);
}

void violation_threads(struct check_result *r, const struct model *m, enum grt_mstate state)
{
	const struct model_thread *all;
	size_t n = model_threads(m, &all), *order = view_threads_sorted(m);

	r->threads = r->threads_more = 0;
	for (size_t i = 0; order && i < n; i++) {
		const struct model_thread *t = &all[order[i]];

		if (t->state != state)
			continue;
		if (r->threads < CHECK_THREADS)
			thread_copy(&r->thread[r->threads++], m, t);
		else
			r->threads_more++;
	}
	free(order);
}

void violation_block(struct check_result *r, const struct model_block *b)
{
	struct check_thread *to = &r->thread[0];

	*to = (struct check_thread){
		.m = b->m,
		.p = -1,
		.g = b->g,
		.state = GRT_MS_blocked,
		.has_for = true,
		.for_ns = b->end_ns - b->start_ns,
		.fd = -1,
		.nr = b->nr,
	};
	r->threads = 1;
	r->threads_more = 0;
	if (b->call)
		snprintf(to->call, sizeof(to->call), "%s", b->call);
	if (b->where)
		snprintf(to->frame[to->frames++], BRIEF_BYTES, "%s", b->where);
}
