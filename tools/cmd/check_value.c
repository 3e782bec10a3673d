/* SPDX-License-Identifier: MIT */
/*
 * check_value.c - see check_judge.h: what each quantity is in the model, as of its newest snapshot. What
 * the model does not keep, maxima and the first look, the judge has noted before.
 */
#include <string.h>

#include "check_judge.h"

#define PPM 1000000ull

uint64_t check_since(uint64_t now, uint64_t first)
{
	return now > first ? now - first : 0;
}

static void handoffs_sum(struct model_handoff_sum *ret, const struct model *m)
{
	const struct model_handoff_sum *all;
	size_t n = model_handoff_sums(m, &all);

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < n; i++) {
		/* An exit steal finds its call over: no M was blocked. */
		uint64_t taken = all[i].by == MODEL_BY_EXIT_STEAL ? 0 : all[i].taken;

		ret->taken += taken;
		ret->needless += all[i].needless;
		hist_merge(&ret->total, &all[i].total);
		for (int k = 0; k < HANDOFF_OUTCOMES; k++)
			ret->outcome[k] += all[i].outcome[k];
	}
}

static void netpoll_sum(struct hist *queued, const struct model *m)
{
	const struct model_netpoll_sum *by = model_netpoll_by(m);

	memset(queued, 0, sizeof(*queued));
	for (int i = 0; i < NETPOLL_BYS; i++)
		hist_merge(queued, &by[i].queued);
}

static uint64_t overhead_ppm(const struct model *m)
{
	const struct model_cost *c = model_cost(m);

	return c->target_ns
		       ? (uint64_t)((double)(c->hits_ns + c->bpf_ns) * PPM / (double)c->target_ns)
		       : 0;
}

static uint64_t value_of_handoffs(enum check_id id, const struct model *m)
{
	struct model_handoff_sum sum;

	handoffs_sum(&sum, m);
	switch (id) {
	case CHECK_Q_BLOCKED_COUNT:
		return sum.taken;
	case CHECK_Q_HANDOFF_IDLED:
		return sum.outcome[GRT_HANDOFF_IDLED];
	case CHECK_Q_HANDOFF_MADE:
		return sum.outcome[GRT_HANDOFF_MADE];
	default:
		return sum.needless;
	}
}

static uint64_t value_of_netpoll(enum check_id id, const struct model *m, unsigned percentile,
				 uint64_t *ret_samples)
{
	struct hist queued;

	netpoll_sum(&queued, m);
	*ret_samples = queued.n;
	if (id == CHECK_Q_NETPOLL_COUNT)
		return queued.n;
	return percentile ? hist_quantile(&queued, percentile / 100.0) : queued.max;
}

/* Those whose start is known, as in the assertion library. */
static uint64_t value_of_handoff_times(const struct model *m, unsigned percentile,
				       uint64_t *ret_samples)
{
	struct model_handoff_sum sum;

	handoffs_sum(&sum, m);
	*ret_samples = sum.total.n;
	return percentile ? hist_quantile(&sum.total, percentile / 100.0) : sum.total.max;
}

uint64_t check_value_of(const struct judge *j, const struct check_quantity *q,
			const struct model *m, uint64_t *ret_samples)
{
	const struct model_snap *s = model_snap(m);

	switch (q->id) {
	case CHECK_Q_THREADS:
		return s->threads;
	case CHECK_Q_THREADS_NEW:
		return check_since(s->threads_made, j->first_threads_made);
	case CHECK_Q_BLOCKED:
		return s->count[GRT_MS_blocked];
	case CHECK_Q_BLOCKED_MAX:
		return j->blocked_max_ns;
	case CHECK_Q_HOSTAGE:
		return s->count[GRT_MS_hostage];
	case CHECK_Q_HOSTAGE_MAX:
		return j->hostage_max_ns;
	case CHECK_Q_HANDOFF_COUNT:
		return check_since(s->handoffs, j->first_handoffs);
	case CHECK_Q_RUNQ:
		return s->runq;
	case CHECK_Q_RUNQ_MAX:
		return j->runq_max;
	case CHECK_Q_GOROUTINES:
		return s->goroutines;
	case CHECK_Q_NETPOLL_WAITING:
		return model_netpoll_waiting_gs(m);
	case CHECK_Q_LOST:
		return model_lost(m, 0);
	case CHECK_Q_OVERHEAD:
		return overhead_ppm(m);
	case CHECK_Q_HANDOFF_P50:
	case CHECK_Q_HANDOFF_P90:
	case CHECK_Q_HANDOFF_P99:
	case CHECK_Q_HANDOFF_MAX:
		return value_of_handoff_times(m, q->percentile, ret_samples);
	case CHECK_Q_NETPOLL_P50:
	case CHECK_Q_NETPOLL_P90:
	case CHECK_Q_NETPOLL_P99:
	case CHECK_Q_NETPOLL_MAX:
	case CHECK_Q_NETPOLL_COUNT:
		return value_of_netpoll(q->id, m, q->percentile, ret_samples);
	default:
		return value_of_handoffs(q->id, m);
	}
}
